package group

import (
	"bytes"
	"fmt"

	"github.com/veche-im/veche/mls"
)

// Seal encrypts an application message and signs it; the result is an
// MLSMessage with a PrivateMessage. authenticatedData is for all to read. It is
// not padded, see SealPadded. While proposals wait it is ErrProposals.
//
// The key is used up: Save must be committed before the bytes leave.
func (g *Group) Seal(plaintext, authenticatedData []byte) ([]byte, error) {
	return g.SealPadded(plaintext, authenticatedData, nil)
}

// SealPadded is Seal with padding (RFC 9420 §6.3.1), so that the length of the
// result says less: pad gets the number of bytes to encrypt and returns how many
// zeros to put behind them. A nil pad puts none.
func (g *Group) SealPadded(plaintext, authenticatedData []byte, pad func(n int) int) ([]byte, error) {
	if err := g.active(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if len(g.public.PendingProposals()) > 0 {
		return nil, fmt.Errorf("seal: %w", ErrProposals)
	}
	c := g.public.Context()
	a := &mls.AuthenticatedContent{
		WireFormat: mls.WirePrivateMessage,
		Content: mls.FramedContent{
			GroupID: c.GroupID, Epoch: c.Epoch, Sender: mls.MemberSender(g.leaf),
			AuthenticatedData: authenticatedData,
			Type:              mls.ContentApplication, ApplicationData: plaintext,
		},
	}
	if err := g.signer.signContent(a, &c); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	m, err := framingOf(g).encrypt(a, pad)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return mls.Marshal(mls.Message{Private: m})
}

// Opened is an application message that was decrypted and whose sender was
// verified.
type Opened struct {
	Sender            mls.LeafIndex
	Generation        uint32 // counts the messages of the sender in this epoch, from 0
	Plaintext         []byte
	AuthenticatedData []byte
}

// Open decrypts an application message of this epoch and uses up its key.
// Messages of one sender may arrive out of order, up to 1,000 ahead of the last.
// One's own messages do not open: their keys are gone once they are sealed.
// Whatever goes wrong, the error is ErrOpen and nothing has changed.
func (g *Group) Open(m *mls.PrivateMessage) (Opened, error) {
	if g.status != Member || m.Type != mls.ContentApplication {
		return Opened{}, ErrOpen
	}
	a, generation, ok := framingOf(g).decrypt(m)
	if !ok {
		return Opened{}, ErrOpen
	}
	return Opened{
		Sender:            a.Content.Sender.Leaf,
		Generation:        generation,
		Plaintext:         a.Content.ApplicationData,
		AuthenticatedData: a.Content.AuthenticatedData,
	}, nil
}

// Handshake is a proposal or a commit that was authenticated as coming from the
// group, and not yet checked further.
type Handshake struct {
	g       *Group
	content *mls.AuthenticatedContent
}

// Unprotect decrypts a proposal or commit that came in a PrivateMessage and uses
// up its key. Of one's own messages only the pending commit opens. Whatever goes
// wrong, the error is ErrOpen and nothing has changed.
func (g *Group) Unprotect(m *mls.PrivateMessage) (*Handshake, error) {
	if g.pending != nil && g.pending.content != nil {
		if b, err := mls.Marshal(mls.Message{Private: m}); err == nil && bytes.Equal(b, g.pending.message) {
			return &Handshake{g, g.pending.content}, nil
		}
	}
	if g.status != Member || m.Type == mls.ContentApplication {
		return nil, ErrOpen
	}
	a, _, ok := framingOf(g).decrypt(m)
	if !ok {
		return nil, ErrOpen
	}
	return &Handshake{g, a}, nil
}

// Content is the message without its protection, not to be changed.
func (h *Handshake) Content() *mls.FramedContent { return &h.content.Content }

// Receive verifies the proposal and keeps it for commits of this epoch, like
// Group.ReceiveProposal.
func (h *Handshake) Receive() (*mls.StagedProposal, error) {
	g := h.g
	if err := g.active(); err != nil {
		return nil, err
	}
	p, err := g.public.StageProposalContent(h.content)
	if err != nil {
		return nil, err
	}
	if err := validateProposal(g, p.Proposal, p.Sender); err != nil {
		return nil, err
	}
	return p, g.public.AddProposal(p)
}

// Stage verifies the commit in full, like Group.StageCommit.
func (h *Handshake) Stage() (*Staged, error) {
	g := h.g
	if g.pending != nil && h.content == g.pending.content {
		return g.pending.restage(g)
	}
	if err := g.active(); err != nil {
		return nil, err
	}
	if h.content.Content.Sender == mls.MemberSender(g.leaf) {
		return nil, ErrOwnCommit
	}
	return g.stage(h.content, nil)
}

// framingOf is what messages of the group's epoch are protected with.
func framingOf(g *Group) *framing {
	c := g.public.Context()
	return &framing{
		context:    &c,
		membership: g.epoch.membership,
		senderData: g.epoch.senderData,
		secrets:    g.secrets,
		signatureKey: func(l mls.LeafIndex) []byte {
			if leaf := g.public.Leaf(l); leaf != nil {
				return leaf.SignatureKey
			}
			return nil
		},
	}
}
