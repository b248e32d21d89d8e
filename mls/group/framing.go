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

// framing protects messages of one epoch and removes the protection (RFC 9420
// §6.2, §6.3).
type framing struct {
	context      *mls.GroupContext
	membership   Secret
	senderData   Secret
	secrets      *secretTree
	signatureKey func(mls.LeafIndex) []byte // of a member, nil if there is none
}

// tag returns a signed message with its membership tag, if its sender is a
// member (RFC 9420 §6.2).
func (f *framing) tag(a *mls.AuthenticatedContent) (*mls.PublicMessage, error) {
	m := &mls.PublicMessage{Content: a.Content, Auth: a.Auth}
	if a.Content.Sender.Type == mls.SenderMember {
		tagged, err := a.TaggedContent(f.context)
		if err != nil {
			return nil, err
		}
		m.MembershipTag = mac(f.context.Suite, f.membership, tagged)
	}
	return m, nil
}

// frame protects a handshake message of a member as its wire format says, and
// returns the MLSMessage.
func (f *framing) frame(a *mls.AuthenticatedContent) ([]byte, error) {
	if a.WireFormat == mls.WirePrivateMessage {
		m, err := f.encrypt(a, nil)
		if err != nil {
			return nil, err
		}
		return mls.Marshal(mls.Message{Private: m})
	}
	m, err := f.tag(a)
	if err != nil {
		return nil, err
	}
	return mls.Marshal(mls.Message{Public: m})
}

// authenticate checks group, epoch and membership tag of a handshake message.
// Signature and content are checked afterwards.
func (f *framing) authenticate(m *mls.PublicMessage) (*mls.AuthenticatedContent, error) {
	if !bytes.Equal(m.Content.GroupID, f.context.GroupID) {
		return nil, mls.ErrGroupID
	}
	if m.Content.Epoch != f.context.Epoch {
		return nil, fmt.Errorf("%w: %d, the group is in %d", mls.ErrEpoch, m.Content.Epoch, f.context.Epoch)
	}
	a := m.Authenticated()
	want, err := f.tag(a)
	if err != nil {
		return nil, err
	}
	if !macEqual(m.MembershipTag, want.MembershipTag) {
		return nil, mls.ErrMembershipTag
	}
	return a, nil
}

// encrypt encrypts a signed message with the next key of its sender, which is
// used up whatever happens (RFC 9420 §6.3). pad, if there is one, says how many
// zeros to put behind the n bytes of the message.
func (f *framing) encrypt(a *mls.AuthenticatedContent, pad func(n int) int) (*mls.PrivateMessage, error) {
	s := f.context.Suite
	content := &a.Content
	var e mls.Encoder
	e.Into(make([]byte, 0, 128+len(content.ApplicationData)))
	content.MarshalBody(&e)
	a.Auth.MarshalFor(&e, content.Type)
	plain, err := e.Result()
	if err != nil {
		return nil, err
	}
	if pad != nil {
		plain = append(plain, make([]byte, max(0, pad(len(plain))))...)
	}
	id := ratchetID{content.Sender.Leaf, content.Type != mls.ContentApplication}
	r := f.secrets.ratchet(id)
	if r == nil {
		return nil, mls.ErrSender
	}
	if r.generation == math.MaxUint32 {
		return nil, ErrExhausted
	}
	key, ok := r.peek(s, r.generation)
	if !ok {
		return nil, ErrExhausted
	}
	f.secrets.plant(id, r)
	r.use(key)
	defer key.wipe()

	m := &mls.PrivateMessage{
		GroupID: content.GroupID, Epoch: content.Epoch, Type: content.Type,
		AuthenticatedData: content.AuthenticatedData,
	}
	guard := randomBytes(reuseGuard)
	aead, err := s.AEAD(key.key.bytes())
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
	box, nonce, err := f.senderBox(m)
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
	e.Into(make([]byte, 0, 64+len(m.GroupID)+len(m.AuthenticatedData)))
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
	e.Into(make([]byte, 0, 64+len(m.GroupID)))
	e.Bytes(m.GroupID)
	e.Uint64(m.Epoch)
	e.Uint8(uint8(m.Type))
	b, _ := e.Result()
	return b
}

// senderBox returns cipher and nonce for the sender data of m, which depend on
// the beginning of its ciphertext (RFC 9420 §6.3.2).
func (f *framing) senderBox(m *mls.PrivateMessage) (cipher.AEAD, []byte, error) {
	s := f.context.Suite
	sample := m.Ciphertext[:min(len(m.Ciphertext), s.HashSize())]
	k := newKDF(s, f.senderData)
	aead, err := s.AEAD(k.expandLabel("key", sample, s.KeySize()).bytes())
	if err != nil {
		return nil, nil, err
	}
	return aead, k.expandLabel("nonce", sample, s.NonceSize()).bytes(), nil
}

// decrypt decrypts m and verifies its signature; only then is its key used up,
// since every member could forge messages that burn another's keys.
func (f *framing) decrypt(m *mls.PrivateMessage) (a *mls.AuthenticatedContent, generation uint32, ok bool) {
	s := f.context.Suite
	if m.Epoch != f.context.Epoch || !bytes.Equal(m.GroupID, f.context.GroupID) {
		return nil, 0, false
	}
	sender, generation, guard, ok := f.openSender(m)
	if !ok {
		return nil, 0, false
	}
	signatureKey := f.signatureKey(sender)
	if signatureKey == nil {
		return nil, 0, false
	}
	id := ratchetID{sender, m.Type != mls.ContentApplication}
	r := f.secrets.ratchet(id)
	if r == nil {
		return nil, 0, false
	}
	key, ok := r.peek(s, generation)
	if !ok {
		return nil, 0, false
	}
	if a, ok = f.openContent(m, key.messageKey, guard, sender, signatureKey); !ok {
		return nil, 0, false
	}
	f.secrets.plant(id, r)
	r.use(key)
	key.wipe()
	return a, generation, true
}

// openSender reads who encrypted m, with which key (RFC 9420 §6.3.2).
func (f *framing) openSender(m *mls.PrivateMessage) (sender mls.LeafIndex, generation uint32, guard []byte, ok bool) {
	box, nonce, err := f.senderBox(m)
	if err != nil {
		return 0, 0, nil, false
	}
	senderData, err := box.Open(nil, nonce, m.SenderData, senderAAD(m))
	if err != nil {
		return 0, 0, nil, false
	}
	d := mls.NewDecoder(senderData)
	sender, generation, guard = mls.LeafIndex(d.Uint32()), d.Uint32(), d.Raw(reuseGuard)
	return sender, generation, guard, d.Finish() == nil
}

// openContent decrypts m and verifies that its sender signed it.
func (f *framing) openContent(m *mls.PrivateMessage, key messageKey, guard []byte, sender mls.LeafIndex, signatureKey []byte) (*mls.AuthenticatedContent, bool) {
	s := f.context.Suite
	a, ok := decryptContent(s, m, key, guard)
	if !ok {
		return nil, false
	}
	a.Content.Sender = mls.MemberSender(sender)
	signed, err := a.SignedContent(f.context)
	if err != nil || s.VerifyWithLabel(signatureKey, mls.FramedContentLabel, signed, a.Auth.Signature) != nil {
		return nil, false
	}
	return a, true
}

// decryptContent opens the ciphertext of m and reads the message in it, whose
// padding must be zeros (RFC 9420 §6.3.1).
func decryptContent(s mls.Suite, m *mls.PrivateMessage, key messageKey, guard []byte) (*mls.AuthenticatedContent, bool) {
	aead, err := s.AEAD(key.key.bytes())
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
