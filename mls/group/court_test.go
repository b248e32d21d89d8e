package group

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

// court is a group of five in which one member, mallory, breaks the rules. It
// has all secrets of a member, so that what it sends is signed and tagged
// properly; the rule alone can stop it.
type court struct {
	*town
	mallory, victim *client
	generation      uint32 // of the next message that mallory forges; those below it are for what it sends honestly

	// Of a court with laws (newLaws) alone:
	service *client // listed in external_senders
	plain   *client // a member without capabilities for any but the default proposals
}

func newCourt(t testing.TB) *court { return newCourtOf(t, mls.X25519AES128) }

func newCourtOf(t testing.TB, s mls.Suite) *court {
	w := newTown(t, s, 7)
	w.add(3, CommitOptions{})
	w.add(1, CommitOptions{})
	for _, c := range w.members {
		w.commit(c, CommitOptions{}, nil)
	}
	return &court{town: w, mallory: w.members[1], victim: w.members[3], generation: 50}
}

// newLaws is a court whose group requires an extension, knows an external
// sender, and has a sixth member that supports no more than it must.
func newLaws(t testing.TB, s mls.Suite) *court {
	c := newCourtOf(t, s)
	c.service, c.plain = c.client(), c.client()
	caps := DefaultCapabilities(testExtension)
	kp, private, err := NewKeyPackage(KeyPackageConfig{
		Suite: s, Signer: c.plain.signer, Credential: mls.Basic([]byte(c.plain.name)), Capabilities: &caps,
	})
	c.check(err)
	senders, err := mls.ExternalSendersExtension([]mls.ExternalSender{{SignatureKey: c.service.signer.Public(), Credential: mls.Basic([]byte("service"))}})
	c.check(err)
	laws := mls.Extensions{senders, c.required(mls.RequiredCapabilities{Extensions: []mls.ExtensionType{testExtension}})}
	c.commit(c.members[0], CommitOptions{Add: []mls.KeyPackage{kp}, Extensions: &laws}, map[*client]keyPackage{c.plain: {kp, private}})
	for range keepPast {
		c.commit(c.members[0], CommitOptions{}, nil)
	}
	return c
}

func (c *court) required(r mls.RequiredCapabilities) mls.Extension {
	b, err := mls.Marshal(r)
	c.check(err)
	return mls.Extension{Type: mls.ExtensionRequiredCapabilities, Data: b}
}

// sign completes a handshake message of mallory's: signature, a confirmation
// tag that nobody can check before all else is in order, membership tag.
func (c *court) sign(content mls.FramedContent) *mls.PublicMessage {
	c.t.Helper()
	return c.signAs(c.mallory.signer, content)
}

func (c *court) signAs(signer Signer, content mls.FramedContent) *mls.PublicMessage {
	c.t.Helper()
	return (&forgery{content: content, by: signer}).public(c)
}

func (c *court) content() mls.FramedContent {
	context := c.mallory.group.Public().Context()
	return mls.FramedContent{
		GroupID: context.GroupID, Epoch: context.Epoch, Sender: mls.MemberSender(c.mallory.group.OwnLeaf()),
		Type: mls.ContentCommit, Commit: &mls.Commit{},
	}
}

// commitOf is a commit by mallory of the proposals, with a path made for an
// empty commit.
func (c *court) commitOf(list ...mls.ProposalOrRef) *mls.PublicMessage {
	c.t.Helper()
	content := c.content()
	content.Commit = &mls.Commit{Proposals: list, Path: c.path()}
	return c.sign(content)
}

// path is a good path of mallory's, for a commit without proposals.
func (c *court) path() *mls.UpdatePath {
	c.t.Helper()
	return c.good(CommitOptions{}).content.Commit.Path
}

// good is a valid commit of mallory's, confirmation tag included.
func (c *court) good(opts CommitOptions) *forgery {
	c.t.Helper()
	p, err := c.mallory.group.Commit(opts)
	c.check(err)
	c.mallory.group.ClearPending()
	m, err := mls.ParsePublic(p.Message)
	c.check(err)
	return &forgery{content: m.Content, confirmation: m.Auth.ConfirmationTag}
}

func byValue(p mls.Proposal) mls.ProposalOrRef { return mls.ProposalOrRef{Proposal: &p} }

func (c *court) newcomer(change func(*mls.KeyPackage, *client)) mls.ProposalOrRef {
	c.t.Helper()
	n := c.client()
	kp, _ := n.keyPackage(c.t, c.suite)
	if change != nil {
		change(&kp, n)
	}
	return byValue(mls.ProposeAdd(kp))
}

// resign signs a changed key package anew, leaf node included.
func (c *court) resign(kp *mls.KeyPackage, by *client) {
	c.t.Helper()
	c.check(by.signer.signLeaf(&kp.Leaf, []byte("town"), 0))
	content, err := kp.SignedContent()
	c.check(err)
	kp.Signature, err = by.signer.SignWithLabel(mls.KeyPackageLabel, content)
	c.check(err)
}

// proposeRef lets a member propose something to all, and returns the reference.
func (c *court) proposeRef(from *client, message []byte) mls.ProposalOrRef {
	c.t.Helper()
	c.propose(from, message)
	m, err := mls.ParsePublic(message)
	c.check(err)
	ref, err := m.Authenticated().ProposalRef(c.suite)
	c.check(err)
	return mls.ProposalOrRef{Ref: ref}
}

// forgery is a handshake message that breaks a rule, before it is signed.
type forgery struct {
	content      mls.FramedContent
	by           Signer                                                       // mallory if it has no key
	confirmation []byte                                                       // tag; zeros of the right length if nil
	spoil        func(a *mls.AuthenticatedContent, sign func(mls.WireFormat)) // after the signature
	reframe      func(*mls.Message)                                           // after tag or encryption
	padding      []byte                                                       // of a PrivateMessage
}

func (f *forgery) signed(c *court, format mls.WireFormat) *mls.AuthenticatedContent {
	c.t.Helper()
	signer := f.by
	if signer.public == nil {
		signer = c.mallory.signer
	}
	context := c.mallory.group.Public().Context()
	a := &mls.AuthenticatedContent{WireFormat: format, Content: f.content}
	c.check(signer.signContent(a, &context))
	if f.content.Type == mls.ContentCommit {
		a.Auth.ConfirmationTag = slices.Clone(f.confirmation)
		if f.confirmation == nil {
			a.Auth.ConfirmationTag = make([]byte, c.suite.HashSize())
		}
	}
	if f.spoil != nil {
		f.spoil(a, func(w mls.WireFormat) {
			a.WireFormat = w
			c.check(signer.signContent(a, &context))
			a.WireFormat = format
		})
	}
	return a
}

// public is the forgery as a PublicMessage with the right membership tag.
func (f *forgery) public(c *court) *mls.PublicMessage {
	c.t.Helper()
	p, err := framingOf(c.mallory.group).tag(f.signed(c, mls.WirePublicMessage))
	c.check(err)
	m := mls.Message{Public: p}
	if f.reframe != nil {
		f.reframe(&m)
	}
	again, err := mls.ParsePublic(must(mls.Marshal(m)))
	c.check(err)
	return again
}

// private is the forgery as a PrivateMessage, encrypted with the key that the
// sender in it would use.
func (f *forgery) private(c *court) *mls.PrivateMessage {
	c.t.Helper()
	m := mls.Message{Private: c.encrypt(f.signed(c, mls.WirePrivateMessage), c.generation, f.padding)}
	c.generation++
	if f.reframe != nil {
		f.reframe(&m)
	}
	return must(mls.ParsePrivate(must(mls.Marshal(m))))
}

// image is all that a member has, as it would be stored, and what it has stored.
func (c *court) image(who *client) string {
	c.t.Helper()
	c.check(who.group.Save(who.store))
	return snapshot(c.t, who.group) + digest(who.store.rows)
}

// serverImage is all that the server has.
func (c *court) serverImage() string {
	c.t.Helper()
	c.check(c.server.Save(c.disk))
	return digest(c.disk.rows)
}

func digest(rows map[string][]byte) string {
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(h, "%q %x\n", k, rows[k])
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// refused checks that the server and the victim both refuse a commit with want,
// and that nothing of either has changed.
func (c *court) refused(m *mls.PublicMessage, want error) {
	c.t.Helper()
	c.refusedPublic(m, attack{want: want})
}

// receive hands a handshake message to the server or to the victim.
func (c *court) toServer(m *mls.PublicMessage, as mls.ContentType) error {
	if as == mls.ContentProposal {
		_, err := c.server.StageProposal(m)
		return err
	}
	_, err := c.server.StageCommit(m)
	return err
}

func (c *court) toVictim(m *mls.PublicMessage, as mls.ContentType) error {
	if as == mls.ContentProposal {
		_, err := c.victim.group.ReceiveProposal(m)
		return err
	}
	_, err := c.victim.group.StageCommit(m)
	return err
}

func (c *court) refusedPublic(m *mls.PublicMessage, a attack) {
	c.t.Helper()
	as := a.as
	if as == 0 {
		as = m.Content.Type
	}
	m = must(mls.ParsePublic(must(mls.Marshal(mls.Message{Public: m}))))
	server, victim := c.serverImage(), c.image(c.victim)
	switch err := c.toServer(m, as); {
	case a.hidden && err != nil:
		c.t.Errorf("the server says %v to what it cannot know", err)
	case !a.hidden && !errors.Is(err, a.want):
		c.t.Errorf("the server says %v, want %v", err, a.want)
	}
	if err := c.toVictim(m, as); !errors.Is(err, a.want) {
		c.t.Errorf("a member says %v, want %v", err, a.want)
	}
	if c.serverImage() != server {
		c.t.Error("what was refused has changed the server's group")
	}
	if c.image(c.victim) != victim {
		c.t.Error("what was refused has changed the member's group")
	}
}

// refusedPrivate checks the same for a PrivateMessage, which the server does not
// see into. want is ErrOpen if it should not even open; then no key is used up.
func (c *court) refusedPrivate(m *mls.PrivateMessage, as mls.ContentType, want error) {
	c.t.Helper()
	g := c.victim.group
	before := c.image(c.victim)
	h, err := g.Unprotect(m)
	if want == ErrOpen { //nolint:errorlint // exactly the one opaque value
		if err != ErrOpen { //nolint:errorlint
			c.t.Errorf("in private a member says %v, want %v", err, want)
		}
	} else {
		if err != nil {
			c.t.Errorf("in private it does not open: %v", err)
			return
		}
		before = c.image(c.victim) // the key of the message is used up
		if as == mls.ContentProposal {
			_, err = h.Receive()
		} else {
			_, err = h.Stage()
		}
		if !errors.Is(err, want) {
			c.t.Errorf("in private a member says %v, want %v", err, want)
		}
	}
	if c.image(c.victim) != before {
		c.t.Error("what was refused in private has changed the member's group")
	}
}

// snapshot is what would be stored of a group's secrets, to compare.
func snapshot(t testing.TB, g *Group) string {
	t.Helper()
	m := newMemory()
	before := g.saved
	defer func() { g.saved = before }()
	g.saved = saved{}
	for _, r := range ratchetsOf(g) {
		defer func(d bool) { r.dirty = d }(r.dirty)
		r.dirty = true
	}
	if g.epoch != nil {
		defer func(d bool) { g.epoch.dirty = d }(g.epoch.dirty)
	}
	r := &rows{s: m}
	r.saveEpoch(g)
	r.saveSecrets(g)
	r.savePending(g)
	r.savePSKs(g)
	r.saveRecords(g)
	if r.err != nil {
		t.Fatal(r.err)
	}
	return digest(m.rows)
}

// encrypt makes a PrivateMessage of a signed message with its sender's key of
// the given generation, which every member can derive, and any padding.
func (c *court) encrypt(a *mls.AuthenticatedContent, generation uint32, padding []byte) *mls.PrivateMessage {
	c.t.Helper()
	g := c.mallory.group
	f := framingOf(g)
	content := &a.Content
	r := g.secrets.ratchet(ratchetID{content.Sender.Leaf, content.Type != mls.ContentApplication})
	if r == nil {
		c.t.Fatalf("nobody can sit at %d", content.Sender.Leaf)
	}
	key, ok := r.peek(c.suite, generation)
	if !ok {
		c.t.Fatalf("no key %d", generation)
	}
	var e mls.Encoder
	content.MarshalBody(&e)
	a.Auth.MarshalFor(&e, content.Type)
	e.Raw(padding)
	plain := must(e.Result())
	m := &mls.PrivateMessage{
		GroupID: content.GroupID, Epoch: content.Epoch, Type: content.Type, AuthenticatedData: bytes.Clone(content.AuthenticatedData),
	}
	guard := []byte{1, 2, 3, 4}
	m.Ciphertext = must(c.suite.AEAD(key.key.bytes())).Seal(nil, guarded(key.nonce, guard), plain, contentAAD(m))
	var sd mls.Encoder
	sd.Uint32(uint32(content.Sender.Leaf))
	sd.Uint32(generation)
	sd.Raw(guard)
	box, nonce, err := f.senderBox(m)
	c.check(err)
	m.SenderData = box.Seal(nil, nonce, must(sd.Result()), senderAAD(m))
	return m
}
