package mls

import (
	"bytes"
	"encoding/binary"
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
	if err := t.checkTogether(context, nil); err != nil {
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
// group requires (§11.1) and the extensions that it uses (§13.4). before is a
// tree that passed already and from which this one was made, or nil: what both
// have in common is then compared with what is new alone.
func (t *Tree) checkTogether(context Extensions, before *Tree) error {
	required, err := context.RequiredCapabilities()
	if err != nil {
		return err
	}
	if err := t.checkKeysDiffer(before); err != nil {
		return err
	}
	var credentials []CredentialType
	for i := 0; i < len(t.nodes); i += 2 {
		if l := t.nodes[i].leaf; l != nil && !slices.Contains(credentials, l.Credential.Type) {
			credentials = append(credentials, l.Credential.Type)
		}
	}
	for i := 0; i < len(t.nodes); i += 2 {
		l := t.nodes[i].leaf
		if l == nil {
			continue
		}
		for _, c := range credentials {
			if !slices.Contains(l.Capabilities.Credentials, c) {
				return fmt.Errorf("%w: leaf %d does not support type %d", ErrCredential, i/2, c)
			}
		}
		if err := l.Capabilities.satisfies(required); err != nil {
			return fmt.Errorf("leaf %d: %w", i/2, err)
		}
		for _, x := range context {
			if !l.Capabilities.HasExtension(x.Type) {
				return fmt.Errorf("%w: leaf %d does not support type %#04x, which the group uses", ErrExtension, i/2, uint16(x.Type))
			}
		}
	}
	return nil
}

// checkKeysDiffer returns ErrDuplicateKey or ErrDuplicateClient if a key stands
// in two places. Those of before, if it is there, differ from one another.
func (t *Tree) checkKeysDiffer(before *Tree) error {
	var encryption, signature keySet
	for i, n := range t.nodes {
		if before.has(i, n) {
			continue
		}
		if key := t.EncryptionKey(NodeIndex(i)); key != nil && !encryption.add(key) {
			return fmt.Errorf("%w: encryption key at node %d", ErrDuplicateKey, i)
		}
		if n.leaf != nil && !signature.add(n.leaf.SignatureKey) {
			return fmt.Errorf("%w: leaf %d", ErrDuplicateClient, i/2)
		}
	}
	for i, n := range t.nodes {
		if !before.has(i, n) {
			continue
		}
		if key := t.EncryptionKey(NodeIndex(i)); key != nil && encryption.has(key) {
			return fmt.Errorf("%w: encryption key at node %d", ErrDuplicateKey, i)
		}
		if n.leaf != nil && signature.has(n.leaf.SignatureKey) {
			return fmt.Errorf("%w: leaf %d", ErrDuplicateClient, i/2)
		}
	}
	return nil
}

// findAny returns the position in keys of one that is an encryption key of the
// tree, or -1.
func (t *Tree) findAny(keys [][]byte) int {
	var wanted keySet
	for _, k := range keys {
		wanted.add(k)
	}
	for i := range t.nodes {
		if k := t.EncryptionKey(NodeIndex(i)); k != nil && wanted.has(k) {
			return slices.IndexFunc(keys, func(key []byte) bool { return bytes.Equal(key, k) })
		}
	}
	return -1
}

// has reports whether the tree, which may be nil, has the same content as n at
// position i.
func (t *Tree) has(i int, n *node) bool {
	return t != nil && i < len(t.nodes) && t.nodes[i].leaf == n.leaf && t.nodes[i].parent == n.parent
}

// keySet is a set of public keys, made to be asked for many keys that are not in
// it.
type keySet struct {
	heads map[uint64]bool // first bytes of the keys
	keys  map[string]bool
}

// add reports whether the key is new.
func (s *keySet) add(key []byte) bool {
	if s.keys == nil {
		s.heads, s.keys = map[uint64]bool{}, map[string]bool{}
	}
	if s.has(key) {
		return false
	}
	s.heads[head(key)], s.keys[string(key)] = true, true
	return true
}

func (s *keySet) has(key []byte) bool { return s.heads[head(key)] && s.keys[string(key)] }

func head(key []byte) uint64 {
	var b [8]byte
	copy(b[:], key)
	return binary.NativeEndian.Uint64(b[:])
}
