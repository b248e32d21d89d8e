package group

import (
	"fmt"

	"github.com/veche-im/veche/mls"
)

// ProposeOptions say how a proposal travels. The zero value is a PublicMessage.
type ProposeOptions struct {
	Private           bool       // as a PrivateMessage, which a server cannot check
	AuthenticatedData []byte     // of the message, for all to read
	Leaf              LeafChange // of ProposeUpdate: what else changes of this member's leaf node
}

// ProposeUpdate returns a proposal to renew the key of this member's own leaf,
// as Propose does. Another member must commit it.
func (g *Group) ProposeUpdate(opts ProposeOptions) ([]byte, error) {
	if err := g.active(); err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	private, public, err := newKeyPair(g.suite())
	if err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	leaf := *g.public.Leaf(g.leaf)
	leaf.EncryptionKey = public
	signer := opts.Leaf.apply(&leaf, g.signer)
	if signer.scheme != g.signer.scheme {
		return nil, fmt.Errorf("propose: %w: a signer of another scheme", ErrConfig)
	}
	leaf.Source = mls.LeafUpdate
	leaf.Lifetime, leaf.ParentHash = mls.Lifetime{}, nil
	if err := signer.signLeaf(&leaf, g.public.Context().GroupID, g.leaf); err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	message, err := g.propose(mls.ProposeUpdate(leaf), opts)
	if err != nil {
		return nil, err
	}
	update := ownUpdate{public: public, private: private}
	if opts.Leaf.Signer != nil {
		update.signer = NewSecret(signer.priv.bytes())
	}
	g.updates = append(g.updates, update)
	return message, nil
}

// Propose returns a proposal of this member as an MLSMessage; it is pending at
// once. mls.ProposeAdd and its neighbours make proposals: a member may propose
// its own removal, which another must commit; in a PSK without a nonce a fresh
// one is filled in. Not here: updates (ProposeUpdate), for the private key that
// belongs to them.
//
// With Private a message key is used up: Save must be committed before the
// bytes leave.
func (g *Group) Propose(p mls.Proposal, opts ProposeOptions) ([]byte, error) {
	switch {
	case !opts.Leaf.empty():
		return nil, fmt.Errorf("propose: %w: a change of the leaf without an update", ErrConfig)
	case p.Type == mls.ProposalUpdate:
		return nil, fmt.Errorf("propose: %w: an update is made by ProposeUpdate", ErrConfig)
	case p.Type == mls.ProposalReInit:
		if err := checkReInit(g, p.ReInit); err != nil {
			return nil, fmt.Errorf("propose: %w", err)
		}
	case p.Type == mls.ProposalPSK && p.PSK != nil && len(p.PSK.ID.Nonce) == 0:
		id := p.PSK.ID
		id.Nonce = randomBytes(g.suite().HashSize())
		p = mls.ProposePSK(id)
	}
	return g.propose(p, opts)
}

func (g *Group) propose(p mls.Proposal, opts ProposeOptions) ([]byte, error) {
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
	if p.Type == mls.ProposalAdd {
		if err := validateProposal(g, &p, a.Content.Sender); err != nil {
			return nil, fmt.Errorf("propose: %w", err)
		}
	}
	message, err := framingOf(g).frame(a)
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
	a, err := framingOf(g).authenticate(m)
	if err != nil {
		return nil, err
	}
	return (&Handshake{g, a}).Receive()
}
