package policy

import (
	"bytes"
	"fmt"

	"github.com/veche-im/veche/mls"
)

// Fresh is a leaf that a commit brings in or renews, with its signature key:
// the newest statement of the account must list the device as not revoked, with
// this key, or the commit is refused (docs/spec/identity.md).
type Fresh struct {
	Leaf
	Key []byte
}

// LeafOf reads who stands at a member's leaf. A credential that is not ours is
// ErrMalformed.
func LeafOf(index mls.LeafIndex, node *mls.LeafNode) (Leaf, error) {
	if node == nil || node.Credential.Type != mls.CredentialBasic {
		return Leaf{}, fmt.Errorf("%w: leaf %d without a basic credential", ErrMalformed, index)
	}
	account, device, err := ParseIdentity(node.Credential.Identity)
	if err != nil {
		return Leaf{}, fmt.Errorf("leaf %d: %w", index, err)
	}
	return Leaf{Account: account, Device: device, Index: uint32(index)}, nil
}

// Leaves reads who stands at each leaf of a group, from left to right.
func Leaves(members []mls.Member) ([]Leaf, error) {
	leaves := make([]Leaf, len(members))
	for i, m := range members {
		l, err := LeafOf(m.Index, m.Leaf)
		if err != nil {
			return nil, err
		}
		leaves[i] = l
	}
	return leaves, nil
}

// FromContext reads the policy out of a group's extensions. It is ErrMalformed
// if there is none, and ErrRefused if there are extensions that no rule speaks
// of: whoever judges a room by its policy must know all of it.
func FromContext(extensions mls.Extensions) (Policy, error) {
	data, ok := extensions.Get(mls.ExtensionType(Extension))
	if !ok {
		return Policy{}, fmt.Errorf("%w: group without a policy", ErrMalformed)
	}
	for _, x := range extensions {
		if x.Type != mls.ExtensionType(Extension) && x.Type != mls.ExtensionRequiredCapabilities {
			return Policy{}, refuse("group context extension %#04x is not allowed yet", uint16(x.Type))
		}
	}
	return Decode(data)
}

// Describe says what a commit does to a room. group stands before it; staged is
// what the group made of commit; revoked tells whether the newest statement
// that the judge knows lists a leaf's device as revoked. fresh are the leaves
// whose keys the judge must find in statements. An error that is neither
// ErrMalformed nor ErrRefused comes from revoked.
func Describe(group *mls.PublicGroup, commit *mls.PublicMessage, staged *mls.StagedPublicCommit, revoked func(Leaf) (bool, error)) (c Change, fresh []Fresh, err error) {
	before := group.Context()
	c = Change{First: before.Epoch == 0, External: staged.External}
	if c.Before, err = FromContext(before.Extensions); err != nil {
		return Change{}, nil, err
	}
	if c.After, err = FromContext(staged.Context.Extensions); err != nil {
		return Change{}, nil, err
	}
	rest, restAfter := before.Extensions.Without(mls.ExtensionType(Extension)), staged.Context.Extensions.Without(mls.ExtensionType(Extension))
	if !rest.Equal(restAfter) {
		c.Other = "a change of extensions besides the policy"
	}
	if c.Leaves, err = Leaves(group.Members()); err != nil {
		return Change{}, nil, err
	}
	fresh, err = c.describeLeaves(group, staged)
	if err != nil {
		return Change{}, nil, err
	}
	leaving, err := c.describeProposals(group, commit)
	if err != nil {
		return Change{}, nil, err
	}
	for _, m := range staged.Removed {
		l, err := LeafOf(m.Index, m.Leaf)
		if err != nil {
			return Change{}, nil, err
		}
		gone, err := revoked(l)
		if err != nil {
			return Change{}, nil, err
		}
		c.Removed = append(c.Removed, Removal{Leaf: l, Revoked: gone, Leaving: leaving[m.Index]})
	}
	return c, fresh, nil
}

// describeLeaves fills in Committer, Added and Updated.
func (c *Change) describeLeaves(group *mls.PublicGroup, staged *mls.StagedPublicCommit) (fresh []Fresh, err error) {
	if staged.External {
		if c.Committer, err = LeafOf(staged.ExternalLeaf, staged.Joiner); err != nil {
			return nil, err
		}
		fresh = append(fresh, Fresh{c.Committer, staged.Joiner.SignatureKey})
	} else if c.Committer, err = LeafOf(staged.Committer, group.Leaf(staged.Committer)); err != nil {
		return nil, err
	}
	for _, m := range staged.Added {
		l, err := LeafOf(m.Index, m.Leaf)
		if err != nil {
			return nil, err
		}
		c.Added = append(c.Added, l)
		fresh = append(fresh, Fresh{l, m.Leaf.SignatureKey})
	}
	for _, u := range staged.Updated {
		if staged.External && u.Index == staged.ExternalLeaf {
			continue // it is the committer
		}
		from, err := LeafOf(u.Index, u.Old)
		if err != nil {
			return nil, err
		}
		to, err := LeafOf(u.Index, u.New)
		if err != nil {
			return nil, err
		}
		c.Updated = append(c.Updated, Update{from, to})
		fresh = append(fresh, Fresh{to, u.New.SignatureKey})
	}
	return fresh, nil
}

// describeProposals returns the leaves that leave: their Remove is named by
// reference and was proposed by a leaf of the same account. It fills in Other if
// the commit does something for which there is no rule.
func (c *Change) describeProposals(group *mls.PublicGroup, commit *mls.PublicMessage) (leaving map[mls.LeafIndex]bool, err error) {
	leaving = make(map[mls.LeafIndex]bool)
	pending := group.PendingProposals()
	for _, p := range commit.Content.Commit.Proposals {
		proposal := p.Proposal
		var by *mls.StagedProposal
		if proposal == nil {
			for _, s := range pending {
				if bytes.Equal(s.Ref, p.Ref) {
					by, proposal = s, s.Proposal
				}
			}
		}
		if proposal == nil {
			return nil, refuse("a proposal that nobody made")
		}
		switch proposal.Type {
		case mls.ProposalAdd, mls.ProposalGroupContextExtensions:
		case mls.ProposalRemove:
			if by == nil || by.Sender.Type != mls.SenderMember {
				continue
			}
			sender, err := LeafOf(by.Sender.Leaf, group.Leaf(by.Sender.Leaf))
			if err != nil {
				return nil, err
			}
			removed, err := LeafOf(proposal.Remove.Removed, group.Leaf(proposal.Remove.Removed))
			if err != nil {
				return nil, err
			}
			if sender.Account == removed.Account {
				leaving[proposal.Remove.Removed] = true
			}
		case mls.ProposalExternalInit:
			if !c.External {
				c.Other = "an external init by a member"
			}
		case mls.ProposalUpdate:
			c.Other = "an update proposal"
		case mls.ProposalPSK:
			c.Other = "a pre-shared key"
		case mls.ProposalReInit:
			c.Other = "a reinit"
		default:
			c.Other = fmt.Sprintf("proposal type %#04x", uint16(proposal.Type))
		}
	}
	return leaving, nil
}
