package group

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/veche-im/veche/mls"
)

var errPower = errors.New("the power is gone")

// failing is a Storage that fails at its nth write.
type failing struct {
	*memory
	left int
}

func (f *failing) Put(key string, value []byte) error {
	if f.left--; f.left < 0 {
		return errPower
	}
	return f.memory.Put(key, value)
}

func (f *failing) Delete(key string) error {
	if f.left--; f.left < 0 {
		return errPower
	}
	return f.memory.Delete(key)
}

// disk commits transactions as a whole or not at all.
type disk struct{ committed map[string][]byte }

func (d *disk) begin() *memory { return &memory{rows: maps.Clone(d.committed)} }

func (d *disk) commit(m *memory) { d.committed = m.rows }

func (d *disk) load(t *testing.T) *Group {
	t.Helper()
	g, err := Load(d.begin())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func newDisk(t *testing.T, g *Group) *disk {
	t.Helper()
	d := &disk{map[string][]byte{}}
	tx := d.begin()
	g.saved, g.public = saved{}, mustReopen(t, g)
	for _, r := range ratchetsOf(g) {
		r.dirty = true
	}
	if err := g.Save(tx); err != nil {
		t.Fatal(err)
	}
	d.commit(tx)
	return d
}

// mustReopen is a copy of the group's public half that knows of no storage.
func mustReopen(t *testing.T, g *Group) *mls.PublicGroup {
	t.Helper()
	info := must(mls.ParseGroupInfo(must(g.GroupInfo(true))))
	public, err := mls.NewPublicGroup(info, nil)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// TestPowerCut cuts the power at each write of each kind of change. What is
// loaded afterwards is the state before, whole, and the change can be made
// again; once Save has succeeded, it is the state after.
func TestPowerCut(t *testing.T) {
	c := newCourt(t)
	other, me := c.members[0], c.victim
	quietly := func(opts CommitOptions) []byte { // other's own group stays as it is
		p := must(other.group.Commit(opts))
		other.group.ClearPending()
		return p.Message
	}
	removal := quietly(CommitOptions{Remove: []mls.LeafIndex{c.members[2].group.OwnLeaf()}})
	ours := quietly(CommitOptions{Remove: []mls.LeafIndex{me.group.OwnLeaf()}})
	end := quietly(CommitOptions{ReInit: &mls.ReInit{GroupID: []byte("city"), Version: mls.MLS10, Suite: mls.X25519ChaCha}})
	secret := quietly(CommitOptions{Private: true})
	known := PSK{[]byte("id"), NewSecret([]byte("shared"))}
	c.check(other.group.AddPSK(known))
	withPSK := quietly(CommitOptions{PSKs: [][]byte{known.ID}})
	private := must(mls.ParsePrivate(must(other.group.Seal([]byte("hello"), nil))))
	for range 20 {
		must(other.group.Seal([]byte("lost"), nil))
	}
	late := must(mls.ParsePrivate(must(other.group.Seal([]byte("hello"), nil))))
	secretProposal := must(other.group.Propose(mls.ProposeRemove(0), ProposeOptions{Private: true}))
	proposal := must(mls.ParsePublic(must(other.group.ProposeUpdate(ProposeOptions{}))))
	follow := func(message []byte) func(*Group) error {
		return func(g *Group) error {
			staged, err := stageEither(g, message)
			if err != nil {
				return err
			}
			return g.Apply(staged)
		}
	}
	seal := func(g *Group) error { _, err := g.Seal([]byte("x"), nil); return err }
	commit := func(opts CommitOptions) func(*Group) error {
		return func(g *Group) error { _, err := g.Commit(opts); return err }
	}
	chain := func(steps ...func(*Group) error) func(*Group) error {
		return func(g *Group) error {
			for _, step := range steps {
				if err := step(g); err != nil {
					return err
				}
			}
			return nil
		}
	}
	newcomers, _ := c.invite(3)

	for _, tt := range []struct {
		name   string
		change func(*Group) error
	}{
		{"seal", seal},
		{"open", func(g *Group) error { _, err := g.Open(private); return err }},
		{"open far ahead", func(g *Group) error { _, err := g.Open(late); return err }},
		{"receive a proposal", func(g *Group) error { _, err := g.ReceiveProposal(proposal); return err }},
		{"receive a private proposal", func(g *Group) error { return hear(g, secretProposal) }},
		{"propose an update", func(g *Group) error { _, err := g.ProposeUpdate(ProposeOptions{}); return err }},
		{"propose in private", func(g *Group) error {
			_, err := g.Propose(mls.ProposeRemove(0), ProposeOptions{Private: true})
			return err
		}},
		{"commit", commit(CommitOptions{})},
		{"commit in private", commit(CommitOptions{Private: true})},
		{"commit many", commit(CommitOptions{Add: newcomers, NoPath: true})},
		{"commit and clear", chain(seal, commit(CommitOptions{}), func(g *Group) error { g.ClearPending(); return nil })},
		{"commit and merge", chain(commit(CommitOptions{}), (*Group).MergePending)},
		{"grow and merge", chain(commit(CommitOptions{Add: newcomers}), (*Group).MergePending)},
		{"lose a race", chain(commit(CommitOptions{}), follow(removal))},
		{"apply a commit", follow(removal)},
		{"apply a private commit", follow(secret)},
		{"be removed", follow(ours)},
		{"see the end of the group", follow(end)},
		{"learn a psk", func(g *Group) error { return g.AddPSK(known) }},
		{"apply a commit with a psk", chain(func(g *Group) error { return g.AddPSK(known) }, follow(withPSK))},
		{"change the own key", chain(commit(CommitOptions{Leaf: LeafChange{Signer: &c.client().signer}}), (*Group).MergePending)},
		{"propose to change the own key", func(g *Group) error {
			_, err := g.ProposeUpdate(ProposeOptions{Leaf: LeafChange{Signer: &c.client().signer}})
			return err
		}},
		{"begin to keep records", chain(func(g *Group) error { g.Records().Keep(RecordEnds); return nil }, follow(removal))},
		{"have a record", chain(func(g *Group) error { g.Records().Keep(RecordBeginnings); return nil }, follow(removal))},
		{"export for a component", func(g *Group) error { _, err := g.SafeExport(7); return err }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(t, c.victim.group)
			before := snapshot(t, d.load(t))
			for n := 0; ; n++ {
				g := d.load(t)
				if err := tt.change(g); err != nil {
					t.Fatalf("cut %d: %v", n, err)
				}
				after := snapshot(t, g)
				tx := &failing{d.begin(), n}
				if err := g.Save(tx); err == nil {
					d.commit(tx.memory)
					if snapshot(t, d.load(t)) != after {
						t.Error("what is loaded is not what was saved")
					}
					if n == 0 {
						t.Error("nothing was written")
					}
					t.Logf("%d writes", n)
					return
				} else if !errors.Is(err, errPower) {
					t.Fatal(err)
				}
				if snapshot(t, d.load(t)) != before {
					t.Fatalf("cut %d has changed what is stored", n)
				}
			}
		})
	}
}

// TestNoKeyIsUsedTwice seals with crashes at every moment, and collects what
// left the device: in no epoch is a generation seen twice.
func TestNoKeyIsUsedTwice(t *testing.T) {
	c := newCourt(t)
	d := newDisk(t, c.mallory.group)
	seen := map[uint32]bool{}
	sent := 0
	for i := range 200 {
		g := d.load(t)
		for range 1 + c.rng.IntN(3) {
			b := must(g.Seal([]byte(fmt.Sprint("message ", i)), nil))
			if c.rng.IntN(4) == 0 {
				break // crash before the transaction: the bytes are thrown away
			}
			tx := d.begin()
			c.check(g.Save(tx))
			d.commit(tx)
			if c.rng.IntN(4) == 0 {
				break // crash before the bytes leave
			}
			got, err := c.victim.group.Open(must(mls.ParsePrivate(b)))
			if err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
			if seen[got.Generation] {
				t.Fatalf("generation %d left twice", got.Generation)
			}
			seen[got.Generation] = true
			sent++
		}
	}
	if sent < 100 {
		t.Errorf("only %d messages left", sent)
	}
}

// TestPendingSurvives: a commit that was stored before it was sent can be merged
// after a crash, or give way to another's.
func TestPendingSurvives(t *testing.T) {
	c := newCourt(t)
	joiner := c.client()
	kp, private := joiner.keyPackage(t, c.suite)
	p := must(c.mallory.group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}}))
	if c.mallory.group.Pending() == nil {
		t.Fatal("nothing is pending")
	}
	if _, err := c.mallory.group.Commit(CommitOptions{}); !errors.Is(err, ErrPending) {
		t.Errorf("a second commit: %v", err)
	}
	c.mallory.reload(t)
	g := c.mallory.group
	if !bytes.Equal(g.Pending(), p.Message) {
		t.Error("the pending message is another")
	}
	staged, err := g.StageCommit(must(mls.ParsePublic(p.Message)))
	c.check(err)
	want := must(p.Export("test", nil, 20))
	if got := must(staged.Export("test", nil, 20)); !bytes.Equal(got, want) || len(staged.Added) != 1 {
		t.Error("after the crash the commit is another")
	}
	lost := must(c.members[0].group.Commit(CommitOptions{}))
	c.deliver(c.members[0], lost, nil) // the other won; mallory's is forgotten
	if c.mallory.group.Pending() != nil {
		t.Error("the lost commit is still pending")
	}
	c.mallory.reload(t)
	if _, ok := c.mallory.store.rows[pendingKey]; ok {
		t.Error("the lost commit is still stored")
	}
	if err := c.mallory.group.MergePending(); !errors.Is(err, ErrPending) {
		t.Errorf("merged nothing: %v", err)
	}
	if err := c.mallory.group.Apply(staged); !errors.Is(err, mls.ErrStale) {
		t.Errorf("applied a commit of the epoch before: %v", err)
	}
	c.commit(c.mallory, CommitOptions{Add: []mls.KeyPackage{kp}}, map[*client]keyPackage{joiner: {kp, private}})
}

// TestWrites counts rows: a message costs one, a commit a path.
func TestWrites(t *testing.T) {
	c := newCourt(t)
	hear := func() {
		m := must(mls.ParsePrivate(must(c.mallory.group.Seal([]byte("hello"), nil))))
		must(c.victim.group.Open(m))
	}
	for _, m := range c.members {
		c.check(m.group.Save(m.store))
	}
	hear()
	c.check(c.mallory.group.Save(c.mallory.store))
	c.check(c.victim.group.Save(c.victim.store))
	for _, m := range []*client{c.mallory, c.victim} {
		m.store.reset()
		c.check(m.group.Save(m.store))
		if m.store.puts != 0 {
			t.Errorf("%s wrote %v for nothing", m.name, m.store.written)
		}
	}
	hear()
	for _, m := range []*client{c.mallory, c.victim} {
		c.check(m.group.Save(m.store))
		if m.store.puts != 1 || m.store.bytes > 160 || !strings.HasPrefix(m.store.written[0], "ratchet/") {
			t.Errorf("%s wrote %v, %d bytes, for a message", m.name, m.store.written, m.store.bytes)
		}
	}
}

// TestDamage: a group that lacks a row, or has a broken one, does not load as
// something else.
func TestDamage(t *testing.T) {
	c := newCourt(t)
	c.chat()
	must(c.victim.group.ProposeUpdate(ProposeOptions{}))
	must(c.victim.group.Commit(CommitOptions{}))
	c.victim.reload(t)
	rows := c.victim.store.rows
	optional := map[string]bool{"proposals": true, updatesKey: true, pendingKey: true}
	for key := range rows {
		if !optional[key] && !strings.HasPrefix(key, "tree/") {
			m := &memory{rows: maps.Clone(rows)}
			delete(m.rows, key)
			if _, err := Load(m); !errors.Is(err, mls.ErrStorage) {
				t.Errorf("without %s: %v", key, err)
			}
		}
		for _, cut := range []int{0, 1, len(rows[key]) / 2, len(rows[key]) - 1} {
			m := &memory{rows: maps.Clone(rows)}
			m.rows[key] = rows[key][:cut:cut]
			if _, err := Load(m); !errors.Is(err, mls.ErrStorage) {
				t.Errorf("%s cut to %d of %d bytes: %v", key, cut, len(rows[key]), err)
			}
		}
		m := &memory{rows: maps.Clone(rows)}
		m.rows[key] = append(bytes.Clone(rows[key]), 0)
		if _, err := Load(m); !errors.Is(err, mls.ErrStorage) {
			t.Errorf("%s with a byte too many: %v", key, err)
		}
	}
	for _, key := range []string{"context", selfKey} {
		m := &memory{rows: maps.Clone(rows)}
		m.rows[key] = append([]byte{99}, rows[key][1:]...)
		if _, err := Load(m); !errors.Is(err, mls.ErrStorage) {
			t.Errorf("%s of a layout to come: %v", key, err)
		}
	}
	if _, err := Load(newMemory()); !errors.Is(err, mls.ErrStorage) {
		t.Errorf("an empty storage: %v", err)
	}
}

// TestStagingLeavesNoTrace: a commit that was staged and not applied has no part
// in what is staged next, on a group that was loaded as little as on one that was
// not.
func TestStagingLeavesNoTrace(t *testing.T) {
	c := newCourt(t)
	made := func(by *client, add int) *mls.PublicMessage {
		list, _ := c.invite(add)
		p := must(by.group.Commit(CommitOptions{Add: list}))
		by.group.ClearPending()
		return must(mls.ParsePublic(p.Message))
	}
	c.check(c.server.Save(c.disk))
	c.server = reopen(t, c.disk)
	c.victim.reload(t)
	// The first fills places that had no row in storage, the next one changes
	// their neighbourhood and not them. None is applied.
	for _, m := range []*mls.PublicMessage{made(c.mallory, 3), made(c.members[4], 0), made(c.members[0], 1), made(c.members[4], 0)} {
		by := m.Content.Sender.Leaf
		if _, err := c.server.StageCommit(m); err != nil {
			t.Errorf("the server, to a commit by leaf %d: %v", by, err)
		}
		if _, err := c.victim.group.StageCommit(m); err != nil {
			t.Errorf("a member, to a commit by leaf %d: %v", by, err)
		}
	}
}
