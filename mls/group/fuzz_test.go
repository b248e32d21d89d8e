package group

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

// FuzzReceive hands a stranger's bytes to a member and to the server: no panic,
// and neither moves.
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
	proposal, err := w.members[2].group.ProposeUpdate(ProposeOptions{})
	w.check(err)
	for _, b := range [][]byte{p.Message, p.Welcome, p.GroupInfo, text, proposal, w.info} {
		f.Add(b)
	}
	reader := w.members[3].group
	before := reader.Public().Context()
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := mls.ParseMessage(b)
		if err != nil {
			return
		}
		switch {
		case m.Public != nil:
			_, _ = reader.StageCommit(m.Public)
			_, _ = w.server.StageCommit(m.Public)
			_, _ = w.server.StageProposal(m.Public)
		case m.Private != nil:
			if got, err := reader.Open(m.Private); err != nil && !errors.Is(err, ErrOpen) || err == nil && string(got.Plaintext) != "hello" {
				t.Fatalf("opened %q, %v", got.Plaintext, err)
			}
		case m.Welcome != nil:
			_, _ = Join(m.Welcome, kp, private, JoinOptions{})
		case m.GroupInfo != nil:
			_ = w.server.CheckGroupInfo(m.GroupInfo)
			_, _ = mls.NewPublicGroup(m.GroupInfo, nil)
		}
		after := reader.Public().Context()
		if !after.Equal(&before) {
			t.Fatal("the group has moved")
		}
	})
}

// FuzzLoad puts any bytes into any row of a stored group.
func FuzzLoad(f *testing.F) {
	w := newTown(f, mls.X25519AES128, 3)
	w.add(3, CommitOptions{})
	w.chat()
	c := w.members[1]
	_, err := c.group.ProposeUpdate(ProposeOptions{})
	w.check(err)
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
		_ = g.MergePending()
		_, _ = g.Seal(nil, nil)
		_ = g.Save(m)
	})
}
