package group

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

// FuzzReceive hands a stranger's bytes to a member, to the server and to one who
// waits for a Welcome: no panic, and none of them moves.
func FuzzReceive(f *testing.F) {
	w := newTown(f, mls.X25519AES128, 3)
	w.add(3, CommitOptions{})
	w.commit(w.members[1], CommitOptions{}, nil)
	kp, private := w.client().keyPackage(f, w.suite)
	p, err := w.members[0].group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}, TreeInWelcome: true})
	w.check(err)
	w.members[0].group.ClearPending()
	text, err := w.members[1].group.Seal([]byte("hello"), nil)
	w.check(err)
	secret, err := w.members[0].group.Commit(CommitOptions{Private: true})
	w.check(err)
	w.members[0].group.ClearPending()
	proposal, err := w.members[2].group.ProposeUpdate(ProposeOptions{})
	w.check(err)
	package1 := must(mls.Marshal(mls.Message{KeyPackage: &kp}))
	for _, b := range [][]byte{p.Message, p.Welcome, p.GroupInfo, text, secret.Message, proposal, package1, w.info} {
		f.Add(b)
	}
	reader := w.members[3].group
	before, server := reader.Public().Context(), w.server.Context()
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := mls.ParseMessage(b)
		if err != nil {
			return
		}
		switch {
		case m.Public != nil:
			_, serverSays := w.server.StageCommit(m.Public)
			if _, err := reader.StageCommit(m.Public); err == nil && serverSays != nil {
				t.Fatalf("a member takes what the server refuses: %v", serverSays)
			}
			_, _ = w.server.StageProposal(m.Public)
		case m.Private != nil:
			if got, err := reader.Open(m.Private); err != nil && !errors.Is(err, ErrOpen) || err == nil && string(got.Plaintext) != "hello" {
				t.Fatalf("opened %q, %v", got.Plaintext, err)
			}
			if h, err := reader.Unprotect(m.Private); err == nil {
				_, _ = h.Stage()
			}
		case m.Welcome != nil:
			_, _ = Join(m.Welcome, kp, private, JoinOptions{})
		case m.GroupInfo != nil:
			_ = w.server.CheckGroupInfo(m.GroupInfo)
			_, _ = mls.NewPublicGroup(m.GroupInfo, nil)
		case m.KeyPackage != nil:
			_, _ = w.server.Draft(mls.MemberSender(0), []mls.ProposalOrRef{byValue(mls.ProposeAdd(*m.KeyPackage))})
		}
		after, serverAfter := reader.Public().Context(), w.server.Context()
		if !after.Equal(&before) || !serverAfter.Equal(&server) {
			t.Fatal("the group has moved")
		}
	})
}

// FuzzLoad puts any bytes into any row of a stored group. What loads can be used,
// and comes back from storage as the same.
func FuzzLoad(f *testing.F) {
	w := newTown(f, mls.X25519AES128, 3)
	w.add(3, CommitOptions{})
	w.chat()
	c := w.members[1]
	_, err := c.group.ProposeUpdate(ProposeOptions{})
	w.check(err)
	w.check(c.group.AddPSK(PSK{[]byte("id"), NewSecret([]byte("secret"))}))
	_, err = c.group.Commit(CommitOptions{})
	w.check(err)
	w.check(c.group.Save(c.store))
	keys := slices.Sorted(maps.Keys(c.store.rows))
	for i, k := range keys {
		f.Add(i, c.store.rows[k])
	}
	f.Fuzz(func(t *testing.T, row int, b []byte) {
		m := &memory{rows: maps.Clone(c.store.rows)}
		if row < 0 {
			row = -(row + 1)
		}
		m.rows[keys[row%len(keys)]] = b
		g, err := Load(m)
		if err != nil {
			return
		}
		before := snapshot(t, g)
		m.reset()
		if err := g.Save(m); err != nil || m.puts != 0 {
			t.Fatalf("a group just loaded writes %v: %v", m.written, err)
		}
		again, err := Load(m)
		if err != nil || snapshot(t, again) != before {
			t.Fatalf("what was loaded does not load as the same again: %v", err)
		}
		_ = g.MergePending()
		_, _ = g.Seal(nil, nil)
		if g.Save(m) == nil {
			if _, err := Load(m); err != nil {
				t.Fatalf("a group went on and cannot be loaded: %v", err)
			}
		}
	})
}

// FuzzKeyPackageSecrets reads any bytes as the secrets of a key package.
func FuzzKeyPackageSecrets(f *testing.F) {
	for _, s := range mls.Suites() {
		_, private := newClient(f, s, "ann").keyPackage(f, s)
		f.Add(private.Export())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKeyPackageSecrets(b)
		if err != nil {
			if !errors.Is(err, mls.ErrStorage) {
				t.Fatalf("no documented error: %v", err)
			}
			return
		}
		if !bytes.Equal(k.Export(), b) {
			t.Fatalf("came back as %x", k.Export())
		}
	})
}

// FuzzGroupSecrets reads any bytes as what a Welcome seals to a joiner, which a
// committer writes as it likes.
func FuzzGroupSecrets(f *testing.F) {
	path := NewSecret([]byte("path"))
	for _, gs := range []groupSecrets{
		{joiner: NewSecret([]byte("joiner"))},
		{joiner: NewSecret([]byte("joiner")), path: &path, psks: []mls.PreSharedKeyID{
			{Type: mls.PSKExternal, ID: []byte("id"), Nonce: []byte("n")},
			{Type: mls.PSKResumption, Usage: mls.PSKReInit, GroupID: []byte("g"), Epoch: 3, Nonce: []byte("n")},
		}},
	} {
		f.Add(must(gs.encode()).Export())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		gs, err := decodeGroupSecrets(NewSecret(b))
		if err != nil {
			return
		}
		again, err := gs.encode()
		if err != nil || !bytes.Equal(again.bytes(), b) {
			t.Fatalf("came back as %x, %v", again.bytes(), err)
		}
	})
}

// FuzzSenderData lets a member write anything into the encrypted parts of a
// message, and sign it.
func FuzzSenderData(f *testing.F) {
	c := newCourt(f)
	me := c.mallory.group.OwnLeaf()
	f.Add(uint32(me), uint32(0), []byte{1, 2, 3, 4}, []byte{5, 'h', 'e', 'l', 'l', 'o', 0})
	f.Add(uint32(6), uint32(1000), []byte{1, 2, 3, 4}, []byte{0, 0})
	f.Add(uint32(1)<<31, ^uint32(0), []byte{}, []byte{})
	c.check(c.victim.group.Save(c.victim.store))
	rows := maps.Clone(c.victim.store.rows)
	f.Fuzz(func(t *testing.T, leaf, generation uint32, guard, plain []byte) {
		c.t = t
		g := must(Load(&memory{rows: maps.Clone(rows)}))
		context := g.Public().Context()
		m := &mls.PrivateMessage{GroupID: context.GroupID, Epoch: context.Epoch, Type: mls.ContentApplication, AuthenticatedData: []byte{}}
		framing := framingOf(c.mallory.group)
		key := messageKey{key: NewSecret(make([]byte, c.suite.KeySize())), nonce: NewSecret(make([]byte, c.suite.NonceSize()))}
		if r := framing.secrets.ratchet(ratchetID{leaf: mls.LeafIndex(leaf)}); r != nil {
			if p, ok := r.peek(c.suite, generation); ok {
				key = p.messageKey
			}
		}
		m.Ciphertext = must(c.suite.AEAD(key.key.bytes())).Seal(nil, guarded(key.nonce, guard[:min(len(guard), reuseGuard)]), plain, contentAAD(m))
		var sd mls.Encoder
		sd.Uint32(leaf)
		sd.Uint32(generation)
		sd.Raw(guard)
		box, nonce, err := framing.senderBox(m)
		c.check(err)
		m.SenderData = box.Seal(nil, nonce, must(sd.Result()), senderAAD(m))
		before := snapshot(t, g)
		if _, err := g.Open(m); err != ErrOpen { //nolint:errorlint // nobody signed it
			t.Fatalf("a message without a signature: %v", err)
		}
		if snapshot(t, g) != before {
			t.Fatal("a message that does not open has changed the group")
		}
	})
}

// FuzzRecord reads any bytes as the record of an epoch, and with it a message of
// that epoch.
func FuzzRecord(f *testing.F) {
	c := newCourt(f)
	c.victim.group.Records().Keep(RecordEnds)
	c.commit(c.mallory, CommitOptions{}, nil)
	message := must(mls.ParsePrivate(must(c.mallory.group.Seal([]byte("hello"), nil))))
	c.commit(c.mallory, CommitOptions{Remove: []mls.LeafIndex{c.members[2].group.OwnLeaf()}}, nil)
	roster := RosterOf(c.server)
	for _, r := range c.victim.group.Records().Take() {
		f.Add(r.Export())
		f.Add(must(r.Whole(roster)).Export())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRecord(b)
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Fatalf("no documented error: %v", err)
			}
			return
		}
		content := must(r.content())
		if again := content.seal(); !bytes.Equal(again.Export(), b) {
			t.Fatalf("came back as %x", again.Export())
		}
		for _, beside := range []Roster{nil, roster} {
			reader, err := NewReader(r, beside)
			if err != nil {
				if !errors.Is(err, ErrRecord) {
					t.Fatalf("no documented error: %v", err)
				}
				continue
			}
			if got, err := reader.Open(message); err == nil && string(got.Plaintext) != "hello" {
				t.Fatalf("opened %q", got.Plaintext)
			}
			whole, err := r.Whole(beside)
			if err != nil {
				t.Fatalf("it can be read and not made whole: %v", err)
			}
			if _, err := NewReader(must(ParseRecord(whole.Export())), nil); err != nil {
				t.Fatalf("whole, and cannot be read: %v", err)
			}
			reader.Wipe()
		}
	})
}
