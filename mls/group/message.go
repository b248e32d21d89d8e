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
	m, err := g.framing().encrypt(a, pad)
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
	if g.status != member || m.Type != mls.ContentApplication {
		return Opened{}, ErrOpen
	}
	a, generation, ok := g.framing().decrypt(m)
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

// Unprotect decrypts a proposal or commit that came in a PrivateMessage and uses
// up its key. The result goes to ReceiveContent or StageContent. Of one's own
// messages only the pending commit opens. Whatever goes wrong, the error is
// ErrOpen and nothing has changed.
func (g *Group) Unprotect(m *mls.PrivateMessage) (*mls.AuthenticatedContent, error) {
	if g.pending != nil && g.pending.content != nil {
		if b, err := mls.Marshal(mls.Message{Private: m}); err == nil && bytes.Equal(b, g.pending.message) {
			return g.pending.content, nil
		}
	}
	if g.status != member || m.Type == mls.ContentApplication {
		return nil, ErrOpen
	}
	a, _, ok := g.framing().decrypt(m)
	if !ok {
		return nil, ErrOpen
	}
	return a, nil
}

// framing is what messages of this epoch are protected with.
func (g *Group) framing() *framing {
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
