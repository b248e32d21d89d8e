package mls

import (
	"fmt"
	"slices"
)

// verify checks a whole tree as a joiner must (RFC 9420 §12.4.3.1): each node
// on its own, each leaf's signature, unmerged leaves, parent hashes, and that
// the members fit together.
func (t *Tree) verify(groupID []byte, context Extensions) error {
	if err := t.checkNodes(); err != nil {
		return err
	}
	all := signatures{scheme: t.suite.Signature()}
	for _, m := range t.Members() {
		if err := m.Leaf.collect(&all, groupID, m.Index); err != nil {
			return err
		}
	}
	if err := all.verify(); err != nil {
		return err
	}
	if err := t.checkTogether(context); err != nil {
		return err
	}
	return t.verifyParentHashes()
}

// checkNodes checks each node on its own, and where its unmerged leaves are.
func (t *Tree) checkNodes() error {
	for i, n := range t.nodes {
		x := NodeIndex(i)
		switch {
		case n.leaf != nil:
			if err := n.leaf.checkAlone(t.suite); err != nil {
				return fmt.Errorf("leaf node %d: %w", x.Leaf(), err)
			}
		case n.parent != nil:
			if err := t.suite.CheckEncryptionKey(n.parent.EncryptionKey); err != nil {
				return fmt.Errorf("node %d: %w", i, err)
			}
			if err := t.checkUnmerged(x, n.parent); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkUnmerged returns ErrUnmerged unless each unmerged leaf of the parent at
// x is a member below it, and listed by all parents in between.
func (t *Tree) checkUnmerged(x NodeIndex, p *ParentNode) error {
	from, to := x.span()
	for _, l := range p.Unmerged {
		if l < from || l >= to || t.Leaf(l) == nil {
			return fmt.Errorf("%w: leaf %d at node %d", ErrUnmerged, l, x)
		}
		for y := l.Node().Parent(); y != x; y = y.Parent() {
			between := t.nodes[y].parent
			if between == nil {
				continue
			}
			if _, found := slices.BinarySearch(between.Unmerged, l); !found {
				return fmt.Errorf("%w: leaf %d at node %d but not at %d", ErrUnmerged, l, x, y)
			}
		}
	}
	return nil
}

// checkTogether checks what concerns all members at once: no key occurs twice,
// everybody supports the credentials of everybody (RFC 9420 §7.3), what the
// group requires (§11.1) and the extensions that it uses (§13.4).
func (t *Tree) checkTogether(context Extensions) error {
	required, err := context.RequiredCapabilities()
	if err != nil {
		return err
	}
	encryption := make(map[string]bool, len(t.nodes))
	signature := make(map[string]bool, len(t.nodes)/2)
	var credentials []CredentialType
	for i, n := range t.nodes {
		key := t.EncryptionKey(NodeIndex(i))
		if key == nil {
			continue
		}
		if encryption[string(key)] {
			return fmt.Errorf("%w: encryption key at node %d", ErrDuplicateKey, i)
		}
		encryption[string(key)] = true
		if n.leaf == nil {
			continue
		}
		if signature[string(n.leaf.SignatureKey)] {
			return fmt.Errorf("%w: leaf %d", ErrDuplicateClient, i/2)
		}
		signature[string(n.leaf.SignatureKey)] = true
		if !slices.Contains(credentials, n.leaf.Credential.Type) {
			credentials = append(credentials, n.leaf.Credential.Type)
		}
	}
	for _, m := range t.Members() {
		caps := &m.Leaf.Capabilities
		for _, c := range credentials {
			if !slices.Contains(caps.Credentials, c) {
				return fmt.Errorf("%w: leaf %d does not support type %d", ErrCredential, m.Index, c)
			}
		}
		if err := caps.satisfies(required); err != nil {
			return fmt.Errorf("leaf %d: %w", m.Index, err)
		}
		for _, x := range context {
			if !caps.HasExtension(x.Type) {
				return fmt.Errorf("%w: leaf %d does not support type %#04x, which the group uses", ErrExtension, m.Index, uint16(x.Type))
			}
		}
	}
	return nil
}
