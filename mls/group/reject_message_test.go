package group

import (
	"bytes"
	"errors"
	"testing"

	"github.com/veche-im/veche/mls"
)

func TestRefusesMessages(t *testing.T) {
	c := newCourt(t)
	sender, reader := c.members[0], c.victim
	m := must(mls.ParsePrivate(must(sender.group.Seal([]byte("hello"), []byte("ad")))))
	before := snapshot(t, reader.group)
	for _, tt := range []struct {
		name   string
		change func(*mls.PrivateMessage)
	}{
		{"another group", func(m *mls.PrivateMessage) { m.GroupID = []byte("elsewhere") }},
		{"the epoch before", func(m *mls.PrivateMessage) { m.Epoch-- }},
		{"the epoch after", func(m *mls.PrivateMessage) { m.Epoch++ }},
		{"another type", func(m *mls.PrivateMessage) { m.Type = mls.ContentCommit }},
		{"other authenticated data", func(m *mls.PrivateMessage) { m.AuthenticatedData = []byte("da") }},
		{"sender data changed", func(m *mls.PrivateMessage) { m.SenderData[0] ^= 1 }},
		{"no sender data", func(m *mls.PrivateMessage) { m.SenderData = nil }},
		{"ciphertext changed at the front", func(m *mls.PrivateMessage) { m.Ciphertext[0] ^= 1 }},
		{"ciphertext changed at the back", func(m *mls.PrivateMessage) { m.Ciphertext[len(m.Ciphertext)-1] ^= 1 }},
		{"ciphertext cut", func(m *mls.PrivateMessage) { m.Ciphertext = m.Ciphertext[:20] }},
		{"no ciphertext", func(m *mls.PrivateMessage) { m.Ciphertext = nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := must(mls.Marshal(mls.Message{Private: m}))
			changed := must(mls.ParsePrivate(b))
			tt.change(changed)
			if got, err := reader.group.Open(changed); err != ErrOpen { //nolint:errorlint // exactly the one opaque value
				t.Errorf("opened %q, %v", got.Plaintext, err)
			}
			if _, err := reader.group.Unprotect(changed); err != ErrOpen { //nolint:errorlint
				t.Errorf("unprotected: %v", err)
			}
		})
	}
	if snapshot(t, reader.group) != before {
		t.Error("a refused message has changed the group")
	}
	if got, err := reader.group.Open(m); err != nil || string(got.Plaintext) != "hello" {
		t.Errorf("the message itself: %q, %v", got.Plaintext, err)
	}
	if _, err := reader.group.Open(m); !errors.Is(err, ErrOpen) {
		t.Errorf("the message again: %v", err)
	}
}

// forgeMessage is a message of mallory's in another's name, with that one's key
// of the given generation, which every member can derive.
func (c *court) forgeMessage(as mls.LeafIndex, generation uint32, signer Signer, plaintext, padding []byte) *mls.PrivateMessage {
	c.t.Helper()
	context := c.mallory.group.Public().Context()
	a := &mls.AuthenticatedContent{WireFormat: mls.WirePrivateMessage, Content: mls.FramedContent{
		GroupID: context.GroupID, Epoch: context.Epoch, Sender: mls.MemberSender(as),
		Type: mls.ContentApplication, ApplicationData: plaintext,
	}}
	c.check(signer.signContent(a, &context))
	return c.encrypt(a, generation, padding)
}

func TestForgedMessageBurnsNoKey(t *testing.T) {
	c := newCourt(t)
	poor := c.members[0]
	forged := c.forgeMessage(poor.group.OwnLeaf(), 0, c.mallory.signer, []byte("I owe you"), nil)
	before := snapshot(t, c.victim.group)
	if _, err := c.victim.group.Open(forged); !errors.Is(err, ErrOpen) {
		t.Fatalf("a forged message opens: %v", err)
	}
	if snapshot(t, c.victim.group) != before {
		t.Error("a forged message has changed the group")
	}
	m := must(mls.ParsePrivate(must(poor.group.Seal([]byte("hello"), nil))))
	if got, err := c.victim.group.Open(m); err != nil || got.Generation != 0 {
		t.Errorf("the real message with the same key: %v", err)
	}
}

func TestRefusesPaddingAndNonMembers(t *testing.T) {
	c := newCourt(t)
	me := c.mallory.group.OwnLeaf()
	if _, err := c.victim.group.Open(c.forgeMessage(me, 0, c.mallory.signer, []byte("x"), []byte{0, 0, 1})); !errors.Is(err, ErrOpen) {
		t.Errorf("padding that is not zero: %v", err)
	}
	if _, err := c.victim.group.Open(c.forgeMessage(6, 0, c.mallory.signer, []byte("x"), nil)); !errors.Is(err, ErrOpen) {
		t.Errorf("a blank leaf: %v", err)
	}
	if got, err := c.victim.group.Open(c.forgeMessage(me, 0, c.mallory.signer, []byte("x"), make([]byte, 50))); err != nil || string(got.Plaintext) != "x" {
		t.Errorf("padding of zeros: %v", err)
	}
}

func TestWindowOfGenerations(t *testing.T) {
	c := newCourt(t)
	me := c.mallory.group.OwnLeaf()
	say := func(generation uint32) error {
		m := c.forgeMessage(me, generation, c.mallory.signer, []byte("x"), nil)
		got, err := c.victim.group.Open(m)
		if err == nil && got.Generation != generation {
			t.Errorf("generation %d is said to be %d", generation, got.Generation)
		}
		return err
	}
	// mallory's own ratchet is moved so that it can derive what lies far ahead
	far := func(generation uint32) error {
		r := c.mallory.group.secrets.ratchet(ratchetID{leaf: me})
		ahead := &ratchet{generation: r.generation, secret: NewSecret(r.secret.bytes())}
		for ahead.generation+500 < generation {
			key, _ := ahead.peek(c.suite, ahead.generation+500)
			ahead.use(key)
		}
		old := c.mallory.group.secrets.ratchets
		c.mallory.group.secrets.ratchets = map[ratchetID]*ratchet{{leaf: me}: ahead}
		defer func() { c.mallory.group.secrets.ratchets = old }()
		return say(generation)
	}
	if err := far(maxAhead + 1); !errors.Is(err, ErrOpen) {
		t.Errorf("a message too far ahead: %v", err)
	}
	if err := far(maxAhead); err != nil {
		t.Errorf("the last message of the window: %v", err)
	}
	for _, g := range []uint32{0, 500, maxAhead - 1} {
		if err := say(g); err != nil {
			t.Errorf("message %d, late: %v", g, err)
		}
		if err := say(g); !errors.Is(err, ErrOpen) {
			t.Errorf("message %d again: %v", g, err)
		}
	}
	c.victim.reload(t)
	if err := say(1); err != nil {
		t.Errorf("message 1, after a reload: %v", err)
	}
	if err := far(maxAhead + 600); err != nil {
		t.Errorf("a message further on: %v", err)
	}
	if n := len(c.victim.group.secrets.ratchets[ratchetID{leaf: me}].skipped); n > maxSkipped {
		t.Errorf("%d keys are kept", n)
	}
	if err := say(2); !errors.Is(err, ErrOpen) {
		t.Errorf("a message older than the keys that are kept: %v", err)
	}
}

// TestRatchetEnds: the last generation is never used, so that the counter
// cannot wrap and repeat a key.
func TestRatchetEnds(t *testing.T) {
	c := newCourt(t)
	g := c.mallory.group
	must(g.Seal(nil, nil))
	r := g.secrets.ratchets[ratchetID{leaf: g.OwnLeaf()}]
	r.generation = 1<<32 - 1
	if _, err := g.Seal([]byte("x"), nil); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v", err)
	}
	if r.generation != 1<<32-1 {
		t.Errorf("the counter went to %d", r.generation)
	}
}

// TestForwardSecrecy: what is stored after a message was opened does not open
// it again, whoever takes it.
func TestForwardSecrecy(t *testing.T) {
	c := newCourt(t)
	m := must(mls.ParsePrivate(must(c.mallory.group.Seal([]byte("burn after reading"), nil))))
	if _, err := c.victim.group.Open(m); err != nil {
		t.Fatal(err)
	}
	for _, thief := range []*client{c.victim, c.mallory} {
		thief.reload(t)
		g := must(Load(thief.store))
		if _, err := g.Open(m); !errors.Is(err, ErrOpen) {
			t.Errorf("what %s has stored opens a message of the past: %v", thief.name, err)
		}
	}
	// And nothing of an epoch is left once it is over.
	old := map[string]bool{}
	for k, v := range c.victim.store.rows {
		if k == epochKey || bytes.HasPrefix([]byte(k), []byte("secret/")) || bytes.HasPrefix([]byte(k), []byte("ratchet/")) {
			old[string(v)] = true
		}
	}
	c.commit(c.members[0], CommitOptions{}, nil)
	c.victim.reload(t)
	for k, v := range c.victim.store.rows {
		if old[string(v)] {
			t.Errorf("row %s is still there", k)
		}
	}
}
