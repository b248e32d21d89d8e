package group

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/veche-im/veche/mls"
)

// Authority is the application's Authentication Service (RFC 9420 §5.3.1): it
// knows who may call themselves what. A Group asks it wherever the RFC says so,
// before anything changes: when it adds somebody or proposes to, when it
// receives an Add, or an Update or a path with another credential or signature
// key, when it joins, and when external senders are named. What it refuses is
// ErrUntrusted. All members must come to the same answers, or they part ways.
//
// Without an Authority basic credentials are taken as they are, for the caller
// to judge what was staged, and X.509 chains are refused.
type Authority interface {
	// Validate returns an error unless the credential is true for the holder
	// of the signature key.
	Validate(c mls.Credential, signatureKey []byte) error
	// Same reports whether both credentials are of one member: whether next
	// may take the place of old in a group, or stand for it in a group that
	// follows.
	Same(old, next mls.Credential) bool
}

func validate(a Authority, c mls.Credential, signatureKey []byte) error {
	if a == nil {
		if c.Type != mls.CredentialBasic {
			return fmt.Errorf("%w: there is no Authority for credentials of type %d", ErrUntrusted, c.Type)
		}
		return nil
	}
	if err := a.Validate(c, signatureKey); err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	return nil
}

// validateSuccessor is validate for a leaf node that takes the place of another.
func validateSuccessor(a Authority, old, next *mls.LeafNode) error {
	if credentialKey(old.Credential) == credentialKey(next.Credential) && bytes.Equal(old.SignatureKey, next.SignatureKey) {
		return nil
	}
	if err := validate(a, next.Credential, next.SignatureKey); err != nil {
		return err
	}
	if a != nil && !a.Same(old.Credential, next.Credential) {
		return fmt.Errorf("%w: the credential is another member's", ErrUntrusted)
	}
	return nil
}

// validateGroup judges all who are in a group that one is about to join.
func validateGroup(a Authority, g *mls.PublicGroup) error {
	for _, m := range g.Members() {
		if err := validate(a, m.Leaf.Credential, m.Leaf.SignatureKey); err != nil {
			return fmt.Errorf("leaf %d: %w", m.Index, err)
		}
	}
	return validateSenders(a, nil, g.Context().Extensions)
}

// validateSenders judges external senders that were not there before.
func validateSenders(a Authority, before, after mls.Extensions) error {
	was, had := before.Get(mls.ExtensionExternalSenders)
	is, has := after.Get(mls.ExtensionExternalSenders)
	if !has || had && bytes.Equal(was, is) {
		return nil
	}
	list, err := after.ExternalSenders()
	if err != nil {
		return err
	}
	for i, s := range list {
		if err := validate(a, s.Credential, s.SignatureKey); err != nil {
			return fmt.Errorf("external sender %d: %w", i, err)
		}
	}
	return nil
}

// validateProposal judges whom a proposal would bring in.
func validateProposal(g *Group, p *mls.Proposal, sender mls.Sender) error {
	switch p.Type {
	case mls.ProposalAdd:
		l := &p.Add.KeyPackage.Leaf
		return validate(g.authority, l.Credential, l.SignatureKey)
	case mls.ProposalUpdate:
		return validateSuccessor(g.authority, g.public.Leaf(sender.Leaf), &p.Update.Leaf)
	}
	return nil
}

// validateCommit judges whom a commit brings in, but for the member at own.
func validateCommit(g *Group, c *mls.StagedPublicCommit, own mls.LeafIndex) error {
	for _, m := range c.Added {
		if err := validate(g.authority, m.Leaf.Credential, m.Leaf.SignatureKey); err != nil {
			return fmt.Errorf("leaf %d: %w", m.Index, err)
		}
	}
	for _, x := range c.Updated {
		if x.Index == own {
			continue
		}
		if err := validateSuccessor(g.authority, x.Old, x.New); err != nil {
			return fmt.Errorf("leaf %d: %w", x.Index, err)
		}
	}
	if c.External && c.ExternalLeaf != own {
		if err := validate(g.authority, c.Joiner.Credential, c.Joiner.SignatureKey); err != nil {
			return fmt.Errorf("leaf %d: %w", c.ExternalLeaf, err)
		}
		for _, m := range c.Removed { // those that have not left are the joiner's former self (§12.2)
			left := slices.ContainsFunc(c.Left, func(l mls.Member) bool { return l.Index == m.Index })
			if g.authority != nil && !left && !g.authority.Same(m.Leaf.Credential, c.Joiner.Credential) {
				return fmt.Errorf("%w: a joiner removes leaf %d, which is another member", ErrUntrusted, m.Index)
			}
		}
	}
	return validateSenders(g.authority, g.public.Context().Extensions, c.Context.Extensions)
}

// LoadWith is Load for a group that has an Authority, which is not stored.
func LoadWith(s mls.Storage, a Authority) (*Group, error) {
	g, err := Load(s)
	if err != nil {
		return nil, err
	}
	g.authority = a
	return g, nil
}
