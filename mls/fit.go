package mls

import (
	"bytes"
	"fmt"
	"slices"
)

// checkFits checks that the leaf node of a proposal could stand in the group as
// it is now (RFC 9420 §7.3). For a commit that is checked on the tree which it
// leads to; here it keeps out proposals that nobody could commit.
func (g *PublicGroup) checkFits(p *Proposal, sender Sender) error {
	var leaf *LeafNode
	switch p.Type {
	case ProposalAdd:
		leaf = &p.Add.KeyPackage.Leaf // its keys may be those of a member that the commit removes
	case ProposalUpdate:
		leaf = &p.Update.Leaf
		for i := range g.tree.nodes {
			if bytes.Equal(leaf.EncryptionKey, g.tree.EncryptionKey(NodeIndex(i))) {
				return fmt.Errorf("%w: update of leaf %d", ErrDuplicateKey, sender.Leaf)
			}
		}
	default:
		return nil
	}
	required, err := g.context.Extensions.RequiredCapabilities()
	if err != nil {
		return err
	}
	if err := leaf.Capabilities.satisfies(required); err != nil {
		return err
	}
	for _, x := range g.context.Extensions {
		if !leaf.Capabilities.HasExtension(x.Type) {
			return fmt.Errorf("%w: type %#04x, which the group uses", ErrExtension, uint16(x.Type))
		}
	}
	for _, m := range g.tree.Members() {
		if p.Type == ProposalUpdate && m.Index != sender.Leaf && bytes.Equal(m.Leaf.SignatureKey, leaf.SignatureKey) {
			return fmt.Errorf("%w: update of leaf %d", ErrDuplicateClient, sender.Leaf)
		}
		if !slices.Contains(m.Leaf.Capabilities.Credentials, leaf.Credential.Type) ||
			!slices.Contains(leaf.Capabilities.Credentials, m.Leaf.Credential.Type) {
			return fmt.Errorf("%w: with leaf %d", ErrCredential, m.Index)
		}
	}
	return nil
}

// Check returns the error with which a commit by sender of the proposals would
// be refused, as far as it is due to them and not to the commit's path: a
// committer leaves out what others proposed and cannot stand (RFC 9420 §12.2).
func (g *PublicGroup) Check(sender Sender, list []ProposalOrRef) error {
	d, err := g.Draft(sender, list)
	if err != nil {
		return err
	}
	return d.tree.checkTogether(d.extensions, d.base.tree)
}
