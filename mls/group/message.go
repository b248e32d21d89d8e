package group

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"math"

	"github.com/veche-im/veche/mls"
)

// reuseGuard is the number of random bytes that go into each nonce, so that a
// key that was used twice after all does not repeat it (RFC 9420 §6.3.1).
const reuseGuard = 4

// Seal encrypts an application message and signs it; the result is an
// MLSMessage with a PrivateMessage. authenticatedData is for all to read. It is
// not padded, see SealPadded. While proposals wait it is ErrProposals.
//
// The key is used up: Save must be committed before the bytes leave.
func (g *Group) Seal(plaintext, authenticatedData []byte) ([]byte, error) {
	return g.SealPadded(plaintext, authenticatedData, func(int) int { return 0 })
}

// SealPadded is Seal with padding (RFC 9420 §6.3.1), so that the length of the
// result says less: pad gets the number of bytes to encrypt and returns how many
// zeros to put behind them.
func (g *Group) SealPadded(plaintext, authenticatedData []byte, pad func(n int) int) ([]byte, error) {
	if err := g.active(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if len(g.public.PendingProposals()) > 0 {
		return nil, fmt.Errorf("seal: %w", ErrProposals)
	}
	c := g.public.Context()
	m, err := g.protect(&mls.FramedContent{
		GroupID: c.GroupID, Epoch: c.Epoch, Sender: mls.MemberSender(g.leaf),
		AuthenticatedData: authenticatedData,
		Type:              mls.ContentApplication, ApplicationData: plaintext,
	}, pad)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return mls.Marshal(mls.Message{Private: m})
}

// protect signs content and encrypts it with the next key of our own (RFC 9420
// §6.3). A commit would need its confirmation tag; those go as PublicMessage.
func (g *Group) protect(content *mls.FramedContent, pad func(n int) int) (*mls.PrivateMessage, error) {
	c := g.public.Context()
	a := &mls.AuthenticatedContent{WireFormat: mls.WirePrivateMessage, Content: *content}
	if err := g.signer.signContent(a, &c); err != nil {
		return nil, err
	}
	return g.encrypt(a, pad)
}

// encrypt encrypts a signed message with the next key of its sender, us.
func (g *Group) encrypt(a *mls.AuthenticatedContent, pad func(n int) int) (*mls.PrivateMessage, error) {
	s := g.suite()
	content := &a.Content
	id := ratchetID{content.Sender.Leaf, content.Type != mls.ContentApplication}
	r := g.secrets.ratchet(id)
	if r == nil {
		return nil, mls.ErrSender
	}
	if r.generation == math.MaxUint32 {
		return nil, ErrExhausted
	}
	var e mls.Encoder
	content.MarshalBody(&e)
	a.Auth.MarshalFor(&e, content.Type)
	plain, err := e.Result()
	if err != nil {
		return nil, err
	}
	plain = append(plain, make([]byte, max(0, pad(len(plain))))...)
	m := &mls.PrivateMessage{
		GroupID: content.GroupID, Epoch: content.Epoch, Type: content.Type,
		AuthenticatedData: content.AuthenticatedData,
	}
	key, ok := r.peek(s, r.generation)
	if !ok {
		return nil, ErrExhausted
	}
	// From here on the key counts as used, whatever happens.
	g.secrets.plant(id, r)
	r.use(key)
	defer key.wipe()

	guard := randomBytes(reuseGuard)
	aead, err := s.AEAD(key.key.b)
	if err != nil {
		return nil, err
	}
	m.Ciphertext = aead.Seal(nil, guarded(key.nonce, guard), plain, contentAAD(m))

	var sd mls.Encoder
	sd.Uint32(uint32(content.Sender.Leaf))
	sd.Uint32(key.generation)
	sd.Raw(guard)
	senderData, err := sd.Result()
	if err != nil {
		return nil, err
	}
	box, nonce, err := g.senderBox(m)
	if err != nil {
		return nil, err
	}
	m.SenderData = box.Seal(nil, nonce, senderData, senderAAD(m))
	return m, nil
}

// guarded mixes the reuse guard into a nonce.
func guarded(nonce Secret, guard []byte) []byte {
	out := nonce.Export()
	for i, b := range guard {
		out[i] ^= b
	}
	return out
}

// contentAAD is PrivateContentAAD (RFC 9420 §6.3.1).
func contentAAD(m *mls.PrivateMessage) []byte {
	var e mls.Encoder
	e.Bytes(m.GroupID)
	e.Uint64(m.Epoch)
	e.Uint8(uint8(m.Type))
	e.Bytes(m.AuthenticatedData)
	b, _ := e.Result() // the message was decoded, or is encoded in full afterwards
	return b
}

// senderAAD is SenderDataAAD (RFC 9420 §6.3.2).
func senderAAD(m *mls.PrivateMessage) []byte {
	var e mls.Encoder
	e.Bytes(m.GroupID)
	e.Uint64(m.Epoch)
	e.Uint8(uint8(m.Type))
	b, _ := e.Result()
	return b
}

// senderBox returns cipher and nonce for the sender data of m, which depend on
// the beginning of its ciphertext (RFC 9420 §6.3.2).
func (g *Group) senderBox(m *mls.PrivateMessage) (cipher.AEAD, []byte, error) {
	s := g.suite()
	sample := m.Ciphertext[:min(len(m.Ciphertext), s.HashSize())]
	aead, err := s.AEAD(expandLabel(s, g.epoch.senderData, "key", sample, s.KeySize()).b)
	if err != nil {
		return nil, nil, err
	}
	return aead, expandLabel(s, g.epoch.senderData, "nonce", sample, s.NonceSize()).b, nil
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
	a, generation, ok := g.unprotect(m)
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
// up its key. The result goes to ReceiveContent or StageContent. Whatever goes
// wrong, the error is ErrOpen and nothing has changed.
func (g *Group) Unprotect(m *mls.PrivateMessage) (*mls.AuthenticatedContent, error) {
	if g.status != member || m.Type == mls.ContentApplication {
		return nil, ErrOpen
	}
	a, _, ok := g.unprotect(m)
	if !ok {
		return nil, ErrOpen
	}
	return a, nil
}

// unprotect decrypts m and verifies its signature; only then is its key used
// up, since every member could forge messages that burn another's keys.
func (g *Group) unprotect(m *mls.PrivateMessage) (*mls.AuthenticatedContent, uint32, bool) {
	c := g.public.Context()
	if m.Epoch != c.Epoch || !bytes.Equal(m.GroupID, c.GroupID) {
		return nil, 0, false
	}
	box, nonce, err := g.senderBox(m)
	if err != nil {
		return nil, 0, false
	}
	senderData, err := box.Open(nil, nonce, m.SenderData, senderAAD(m))
	if err != nil {
		return nil, 0, false
	}
	d := mls.NewDecoder(senderData)
	sender, generation, guard := mls.LeafIndex(d.Uint32()), d.Uint32(), d.Raw(reuseGuard)
	if d.Finish() != nil || sender == g.leaf {
		return nil, 0, false
	}
	leaf := g.public.Leaf(sender)
	if leaf == nil {
		return nil, 0, false
	}
	id := ratchetID{sender, m.Type != mls.ContentApplication}
	r := g.secrets.ratchet(id)
	if r == nil {
		return nil, 0, false
	}
	key, ok := r.peek(c.Suite, generation)
	if !ok {
		return nil, 0, false
	}
	a, ok := decryptContent(c.Suite, m, key.messageKey, guard)
	if !ok {
		return nil, 0, false
	}
	a.Content.Sender = mls.MemberSender(sender)
	signed, err := a.SignedContent(&c)
	if err != nil || c.Suite.VerifyWithLabel(leaf.SignatureKey, mls.FramedContentLabel, signed, a.Auth.Signature) != nil {
		return nil, 0, false
	}
	g.secrets.plant(id, r)
	r.use(key)
	key.wipe()
	return a, generation, true
}

// decryptContent opens the ciphertext of m and reads the message in it, whose
// padding must be zeros (RFC 9420 §6.3.1).
func decryptContent(s mls.Suite, m *mls.PrivateMessage, key messageKey, guard []byte) (*mls.AuthenticatedContent, bool) {
	aead, err := s.AEAD(key.key.b)
	if err != nil {
		return nil, false
	}
	plain, err := aead.Open(nil, guarded(key.nonce, guard), m.Ciphertext, contentAAD(m))
	if err != nil {
		return nil, false
	}
	a := &mls.AuthenticatedContent{
		WireFormat: mls.WirePrivateMessage,
		Content: mls.FramedContent{
			GroupID: m.GroupID, Epoch: m.Epoch, AuthenticatedData: m.AuthenticatedData, Type: m.Type,
		},
	}
	d := mls.NewDecoder(plain)
	a.Content.UnmarshalBody(d)
	a.Auth.UnmarshalFor(d, m.Type)
	padding := d.Raw(d.Rest())
	if d.Finish() != nil {
		return nil, false
	}
	for _, b := range padding {
		if b != 0 {
			return nil, false
		}
	}
	return a, true
}
