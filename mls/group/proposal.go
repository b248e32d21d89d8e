package group

import (
	"fmt"

	"github.com/veche-im/veche/mls"
)

// ProposeOptions say how a proposal travels. The zero value is what the Propose
// methods without options use.
type ProposeOptions struct {
	Private           bool   // as a PrivateMessage, which a server cannot check
	AuthenticatedData []byte // of the message, for all to read
}

// ProposeAdd returns a proposal to add a client, an MLSMessage with a
// PublicMessage. Like all proposals of one's own it is pending at once.
func (g *Group) ProposeAdd(kp mls.KeyPackage) ([]byte, error) {
	return g.Propose(mls.ProposeAdd(kp), ProposeOptions{})
}

// ProposeRemove returns a proposal to remove the member at i, which may be
// oneself: another member must commit it.
func (g *Group) ProposeRemove(i mls.LeafIndex) ([]byte, error) {
	return g.Propose(mls.ProposeRemove(i), ProposeOptions{})
}

// ProposeSelfRemove returns a proposal to leave, which every member or joiner
// who commits next carries out (draft-ietf-mls-extensions). All members must list
// the type in their capabilities.
func (g *Group) ProposeSelfRemove() ([]byte, error) {
	return g.Propose(mls.ProposeSelfRemove(), ProposeOptions{})
}

// ProposeExtensions returns a proposal to replace the group's extensions.
func (g *Group) ProposeExtensions(list mls.Extensions) ([]byte, error) {
	return g.Propose(mls.ProposeExtensions(list), ProposeOptions{})
}

// ProposePSK returns a proposal to inject an external pre-shared key.
func (g *Group) ProposePSK(id []byte) ([]byte, error) {
	return g.Propose(mls.ProposePSK(mls.PreSharedKeyID{
		Type: mls.PSKExternal, ID: id, Nonce: randomBytes(g.suite().HashSize()),
	}), ProposeOptions{})
}

// ProposeUpdate returns a proposal to renew the key of this member's own leaf.
// Another member must commit it.
func (g *Group) ProposeUpdate() ([]byte, error) { return g.ProposeUpdateWith(ProposeOptions{}) }

// ProposeUpdateWith is ProposeUpdate with options.
func (g *Group) ProposeUpdateWith(opts ProposeOptions) ([]byte, error) {
	if err := g.active(); err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	private, public, err := newKeyPair(g.suite())
	if err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	leaf := *g.public.Leaf(g.leaf)
	leaf.EncryptionKey = public
	leaf.SignatureKey = g.signer.Public()
	leaf.Source = mls.LeafUpdate
	leaf.Lifetime, leaf.ParentHash = mls.Lifetime{}, nil
	if err := g.signer.signLeaf(&leaf, g.public.Context().GroupID, g.leaf); err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	message, err := g.Propose(mls.ProposeUpdate(leaf), opts)
	if err != nil {
		return nil, err
	}
	g.updates = append(g.updates, ownUpdate{public, private})
	return message, nil
}

// Propose returns a proposal as an MLSMessage; it is pending at once. Updates
// have their own door, because of the private key that belongs to them. With
// Private a message key is used up: Save must be committed before the bytes
// leave.
func (g *Group) Propose(p mls.Proposal, opts ProposeOptions) ([]byte, error) {
	if err := g.active(); err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	context := g.public.Context()
	a := &mls.AuthenticatedContent{
		WireFormat: wireFormat(opts.Private),
		Content: mls.FramedContent{
			GroupID: context.GroupID, Epoch: context.Epoch, Sender: mls.MemberSender(g.leaf),
			AuthenticatedData: opts.AuthenticatedData,
			Type:              mls.ContentProposal, Proposal: &p,
		},
	}
	if err := g.signer.signContent(a, &context); err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	staged, err := g.public.StageProposalContent(a)
	if err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	message, err := g.framing().frame(a)
	if err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	if err := g.public.AddProposal(staged); err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	return message, nil
}

// ReceiveProposal verifies m and keeps its proposal for commits of this epoch.
func (g *Group) ReceiveProposal(m *mls.PublicMessage) (*mls.StagedProposal, error) {
	if err := g.active(); err != nil {
		return nil, err
	}
	a, err := g.framing().authenticate(m)
	if err != nil {
		return nil, err
	}
	return g.ReceiveContent(a)
}

// ReceiveContent is ReceiveProposal for a proposal that came in a PrivateMessage
// and was unprotected already.
func (g *Group) ReceiveContent(a *mls.AuthenticatedContent) (*mls.StagedProposal, error) {
	if err := g.active(); err != nil {
		return nil, err
	}
	p, err := g.public.StageProposalContent(a)
	if err != nil {
		return nil, err
	}
	return p, g.public.AddProposal(p)
}

// PendingProposals lists the proposals of this epoch, in the order in which
// they came.
func (g *Group) PendingProposals() []*mls.StagedProposal { return g.public.PendingProposals() }
