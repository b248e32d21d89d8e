package room_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

func remove(devices ...*device) func(wire.RoomID) group.CommitOptions {
	return func(id wire.RoomID) (o group.CommitOptions) {
		for _, d := range devices {
			o.Remove = append(o.Remove, d.in[id].group.OwnLeaf())
		}
		return o
	}
}

func TestAGroupLives(t *testing.T) {
	for _, suite := range []mls.Suite{mls.X25519AES128, mls.HybridX25519MLKEM768} {
		s := newSite(t)
		s.suite = suite
		ann, bob, cid := s.person(), s.person(), s.person()
		id := ann.makeGroup(bob)
		for _, d := range []*device{ann, bob} {
			if _, err := d.send(id, "hello"); err != nil {
				t.Fatal(err)
			}
		}
		ann.sync(id)
		bob.sync(id)
		s.must(ann.commit(id, group.CommitOptions{Add: keyPackages(cid)}))
		cid.join(id)
		bob.sync(id)
		if _, err := bob.send(id, "welcome"); err != nil {
			t.Fatal(err)
		}
		cid.sync(id)
		if got := cid.in[id].read; !slices.Equal(got, []string{"welcome"}) {
			t.Errorf("cid read %q", got)
		}
		ann.sync(id)
		s.must(ann.commit(id, remove(bob)(id)))
		bob.sync(id)
		if bob.in[id].group.Status() != group.Removed {
			t.Error("bob does not see that it was removed")
		}
		cid.sync(id)
		if cid.in[id].head != ann.in[id].head {
			t.Error("ann and cid saw different histories")
		}
		r, err := s.rooms.Get(s.ctx, cid.Actor, id)
		s.must(err)
		if !slices.Equal(r.Members, policy.Sorted(ann.Account, cid.Account)) || !r.Leaf || r.Welcome || r.Epoch != 3 || r.Seq != 6 || r.From != 4 || r.Until != 0 {
			t.Errorf("the room stands as %+v", r)
		}
	}
}

func TestARoomSurvivesARestart(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	s.must(ann.commit(id, group.CommitOptions{}))
	before := s.clock.now()
	s.must(s.db.Close())
	s.open()
	s.clock.pass(time.Since(before))
	bob.sync(id)
	s.must(bob.commit(id, group.CommitOptions{}))
	ann.sync(id)
	if ann.in[id].head != bob.in[id].head || ann.in[id].group.Epoch() != 3 {
		t.Error("the room did not go on where it stood")
	}
}

func TestARepeatedSendGetsTheSameReceipt(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	g, c := ann.founding(ann.owns(), bob)
	id := c.Room
	first, err := s.rooms.Create(s.ctx, ann.Actor, c)
	s.must(err)
	s.must(g.MergePending())
	ann.in[id] = &place{group: g, seq: first.Seq, head: first.Head}
	bob.join(id)

	message := ann.sealing(id, "once")
	second, err := s.rooms.Send(s.ctx, ann.Actor, message)
	s.must(err)
	ann.sync(id)
	commit := ann.committing(id, group.CommitOptions{})
	third, err := s.rooms.Commit(s.ctx, ann.Actor, commit)
	s.must(err)
	bob.sync(id)
	leaving := bob.leaving(id, bob.in[id].group.OwnLeaf())
	fourth, err := s.rooms.Propose(s.ctx, bob.Actor, leaving)
	s.must(err)

	// Everything has changed since, and bob has left.
	for i := range 2 {
		got, err := s.rooms.Create(s.ctx, ann.Actor, c)
		if err != nil || got != first {
			t.Errorf("create, time %d: %v, %v", i, got, err)
		}
		if got, err = s.rooms.Send(s.ctx, ann.Actor, message); err != nil || got != second {
			t.Errorf("send, time %d: %v, %v", i, got, err)
		}
		if got, err = s.rooms.Commit(s.ctx, ann.Actor, commit); err != nil || got != third {
			t.Errorf("commit, time %d: %v, %v", i, got, err)
		}
		if got, err = s.rooms.Propose(s.ctx, bob.Actor, leaving); err != nil || got != fourth {
			t.Errorf("propose, time %d: %v, %v", i, got, err)
		}
	}
	if n := s.count(`SELECT COUNT(*) FROM room_entry`); n != 4 {
		t.Errorf("the log has %d entries", n)
	}
	// The id is the device's own: another's use of it is another entry.
	twin := ann.another()
	_, err = s.rooms.Send(s.ctx, twin.Actor, message)
	s.want(err, wire.Stale)
}

func TestADirectRoomIsOneForEachPair(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	id := ann.create(ann.with(bob), bob)
	for _, d := range []*device{ann, bob} {
		other := map[*device]*device{ann: bob, bob: ann}[d]
		_, c := d.founding(d.with(other), other)
		_, err := s.rooms.Create(s.ctx, d.Actor, c)
		s.want(err, wire.Exists)
		var e *wire.Error
		if errors.As(err, &e); e.Room != id {
			t.Errorf("the refusal names %v", e.Room)
		}
	}
	ann.create(ann.with(cid), cid)
	ann.create(ann.with(ann)) // notes
	_, c := ann.founding(ann.with(ann))
	_, err := s.rooms.Create(s.ctx, ann.Actor, c)
	s.want(err, wire.Exists)

	// Who is not one of the two learns nothing.
	_, c = cid.founding(ann.with(bob))
	_, err = s.rooms.Create(s.ctx, cid.Actor, c)
	s.want(err, wire.BadRequest)
	// Nobody is nobody's pair.
	_, c = ann.founding(policy.Policy{Kind: wire.Direct, Owners: policy.Sorted(ann.Account, wire.NewAccountID())})
	_, err = s.rooms.Create(s.ctx, ann.Actor, c)
	s.want(err, wire.NotFound)
}

func TestADirectRoomTakesItsPeopleBack(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	bobsNew := bob.another()
	id := ann.create(ann.with(bob), bob)
	bob.revoke()
	s.must(ann.commit(id, remove(bob)(id)))
	if _, err := ann.send(id, "are you there?"); err != nil {
		t.Fatal(err)
	}
	ann.sync(id)
	s.must(bobsNew.joinExternally(id))
	if _, err := bobsNew.send(id, "yes"); err != nil {
		t.Fatal(err)
	}
	ann.sync(id)
	if !slices.Equal(ann.in[id].read, []string{"yes"}) {
		t.Errorf("ann read %q", ann.in[id].read)
	}
	bobsNew.revoke()
	third := bob.another()
	s.must(ann.commit(id, group.CommitOptions{Remove: []mls.LeafIndex{bobsNew.in[id].group.OwnLeaf()}, Add: keyPackages(third)}))
	third.join(id)
}

func TestWhoLeavesReadsUpToThere(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob, cid)
	ann.listen()
	bob.listen()
	_, err := ann.send(id, "before")
	s.must(err)
	bob.sync(id)
	late, lateCommit := bob.sealing(id, "after"), bob.committing(id, group.CommitOptions{})
	lateAnn := ann.sealing(id, "while it waits")
	s.must(bob.leave(id))

	r, err := s.rooms.Get(s.ctx, bob.Actor, id)
	s.must(err)
	if r.Until != 3 || r.Seq != 3 || len(r.Members) != 0 {
		t.Errorf("to bob the room stands as %+v", r)
	}
	if heard := events(bob, wire.OnRoom); len(heard) != 1 || heard[0].Until != 3 {
		t.Errorf("bob heard %+v", heard)
	}
	if heard := events(bob, wire.OnNudge); len(heard) != 2 {
		t.Errorf("bob heard %+v", heard)
	}
	_, err = s.rooms.Send(s.ctx, bob.Actor, late)
	s.want(err, wire.NotFound)
	_, err = s.rooms.Commit(s.ctx, bob.Actor, lateCommit)
	s.want(err, wire.NotFound)
	_, err = s.rooms.Group(s.ctx, bob.Actor, id)
	s.want(err, wire.NotFound)

	_, err = s.rooms.Send(s.ctx, ann.Actor, lateAnn)
	s.want(err, wire.Pending)
	ann.sync(id)
	s.must(ann.commit(id, group.CommitOptions{IncludePending: true}))
	_, err = ann.send(id, "after")
	s.must(err)
	page, err := s.rooms.Log(s.ctx, bob.Actor, wire.ReadLog{Room: id})
	s.must(err)
	if len(page.Entries) != 3 || page.Seq != 3 {
		t.Errorf("bob reads %d entries up to %d", len(page.Entries), page.Seq)
	}
	if heard := events(bob, wire.OnNudge); len(heard) != 0 {
		t.Errorf("bob hears %+v", heard)
	}
	if heard := events(ann, wire.OnNudge); len(heard) != 4 {
		t.Errorf("ann heard %+v", heard)
	}

	// Coming again is a further stretch of reading; what lay between is not bob's.
	ann.sync(id)
	s.must(ann.commit(id, group.CommitOptions{Add: keyPackages(bob)}))
	bob.join(id)
	_, err = ann.send(id, "again")
	s.must(err)
	for _, want := range []struct {
		after int64
		seqs  []int64
	}{{0, []int64{1, 2, 3}}, {2, []int64{3}}, {3, []int64{6, 7}}, {4, []int64{6, 7}}, {6, []int64{7}}, {7, nil}, {99, nil}} {
		page, err := s.rooms.Log(s.ctx, bob.Actor, wire.ReadLog{Room: id, After: want.after})
		s.must(err)
		var seqs []int64
		for _, e := range page.Entries {
			seqs = append(seqs, e.Seq)
		}
		if !slices.Equal(seqs, want.seqs) || page.Seq != 7 {
			t.Errorf("after %d bob reads %d up to %d", want.after, seqs, page.Seq)
		}
	}
}

func TestAnAccountLeavesWithAllItsDevices(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	bob2 := bob.another()
	id := ann.makeGroup(bob, bob2)
	_, err := s.rooms.Propose(s.ctx, bob.Actor, bob.leaving(id, bob2.in[id].group.OwnLeaf()))
	s.must(err)
	r, err := s.rooms.Get(s.ctx, bob.Actor, id)
	s.must(err)
	if r.Until != 0 || r.Proposals != 1 {
		t.Errorf("with one device left the room stands as %+v", r)
	}
	// The same leaf again would make every commit invalid.
	bob2.sync(id)
	s.want(bob2.leave(id), wire.BadRequest)
	s.must(bob.leave(id))
	_, err = s.rooms.Propose(s.ctx, bob.Actor, bob.leaving(id, bob.in[id].group.OwnLeaf()))
	s.want(err, wire.NotFound)
	ann.sync(id)
	s.must(ann.commit(id, group.CommitOptions{IncludePending: true}))
	if n := s.count(`SELECT COUNT(*) FROM room_leaf`); n != 1 {
		t.Errorf("%d leaves are left", n)
	}
}

func TestADeviceLeavesAloneAndItsAccountStays(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	bob2 := bob.another()
	id := ann.makeGroup(bob, bob2)
	late := bob.sealing(id, "and I?")
	s.must(bob.leave(id))
	bob2.sync(id)
	s.must(bob2.commit(id, group.CommitOptions{IncludePending: true}))
	_, err := bob2.send(id, "still here")
	s.must(err)
	_, err = s.rooms.Send(s.ctx, bob.Actor, late)
	s.want(err, wire.Stale)
}

func TestTheLastOwnerLeaves(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob, cid)
	s.must(ann.leave(id))
	cid.sync(id)
	s.want(cid.commit(id, group.CommitOptions{IncludePending: true}), wire.BadRequest)
	own := s.policyExtensions(cid.owns())
	s.want(cid.commit(id, group.CommitOptions{IncludePending: true, Extensions: &own}), wire.BadRequest)
	next := s.policyExtensions(bob.owns()) // bob's leaf is the lowest
	s.must(cid.commit(id, group.CommitOptions{IncludePending: true, Extensions: &next}))
	bob.sync(id)
	s.must(bob.commit(id, remove(cid)(id)))
}

func TestEverybodyLeaves(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	held := ann.blob(100)
	_, err := ann.send(id, "a file", held)
	s.must(err)
	ann.sync(id)
	bob.sync(id)
	s.must(bob.leave(id))
	ann.sync(id)
	s.must(ann.leave(id))
	_, err = s.rooms.Log(s.ctx, ann.Actor, wire.ReadLog{Room: id})
	s.must(err)

	s.clock.pass(29 * 24 * time.Hour)
	s.must(s.rooms.Sweep(s.ctx))
	_, err = s.rooms.Log(s.ctx, bob.Actor, wire.ReadLog{Room: id})
	s.must(err)
	s.clock.pass(2 * 24 * time.Hour)
	s.must(s.rooms.Sweep(s.ctx))
	_, err = s.rooms.Log(s.ctx, bob.Actor, wire.ReadLog{Room: id})
	s.want(err, wire.NotFound)
	for _, table := range []string{"room", "room_member", "room_leaf", "room_node", "room_info", "room_welcome", "room_entry", "room_cursor", "blob", "blob_ref"} {
		if n := s.count(`SELECT COUNT(*) FROM ` + table); n != 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
}

func TestADeviceThatLostItsStateRejoins(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	s.must(bob.joinExternally(id)) // its old leaf goes
	ann.sync(id)
	if n := len(ann.in[id].group.Public().Members()); n != 2 {
		t.Errorf("the tree has %d leaves", n)
	}
	bob2 := bob.another()
	s.must(bob2.joinExternally(id))
	ann.sync(id)
	bob.sync(id)
	_, err := bob2.send(id, "both here")
	s.must(err)
	for _, d := range []*device{ann, bob} {
		d.sync(id)
		if !slices.Equal(d.in[id].read, []string{"both here"}) {
			t.Errorf("read %q", d.in[id].read)
		}
	}
}

// Only devices that lost their state are left to commit that somebody leaves:
// after a minute the room is not lost.
func TestAnExternalCommitPassesOverOldProposals(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob, cid)
	cid.listen()
	s.must(cid.leave(id))
	events(cid, wire.OnRoom)
	s.want(bob.joinExternally(id), wire.Pending)
	s.clock.pass(time.Minute)
	s.must(bob.joinExternally(id))

	heard := events(cid, wire.OnRoom)
	if len(heard) != 1 || heard[0].Until != 0 || heard[0].From != 1 || !heard[0].Leaf || heard[0].Proposals != 0 {
		t.Errorf("cid heard %+v", heard)
	}
	cid.sync(id)
	_, err := cid.send(id, "I am still here")
	s.must(err)
	if heard := events(cid, wire.OnNudge); len(heard) != 2 { // its leaving and this; the commit between is in the room's seq
		t.Errorf("cid heard %+v", heard)
	}
}

// A clock that ran ahead and was set right must not keep a device out for ever.
func TestAnExternalCommitPassesOverProposalsFromTheFuture(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob, cid)
	s.must(cid.leave(id))
	s.want(bob.joinExternally(id), wire.Pending)
	s.rooms.ChangeRate(limit.Rate{}) // which the server counts by a clock that nobody sets
	s.clock.pass(-time.Hour)
	s.must(bob.joinExternally(id))
}

func TestAWelcomeWaitsWithItsTree(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	g, c := ann.founding(ann.owns(), bob, cid)
	got, err := s.rooms.Create(s.ctx, ann.Actor, c)
	s.must(err)
	s.must(g.MergePending())
	id := c.Room
	ann.in[id] = &place{group: g, seq: got.Seq, head: got.Head}
	versions := func() int64 { return s.count(`SELECT COUNT(*) FROM room_node WHERE until_epoch > 0`) }

	r, err := s.rooms.Get(s.ctx, bob.Actor, id)
	s.must(err)
	if !r.Welcome || !r.Leaf {
		t.Errorf("to bob the room stands as %+v", r)
	}
	for range 3 {
		s.must(ann.commit(id, group.CommitOptions{}))
	}
	if versions() == 0 {
		t.Error("no old nodes are kept for the Welcome")
	}
	bob.join(id) // into epoch 1
	bob.sync(id)
	if bob.in[id].group.Epoch() != 4 || bob.in[id].head != ann.in[id].head {
		t.Error("bob did not catch up")
	}
	if r, err = s.rooms.Get(s.ctx, bob.Actor, id); err != nil || r.Welcome {
		t.Errorf("after joining the room stands as %+v, %v", r, err)
	}
	_, err = s.rooms.Welcome(s.ctx, bob.Actor, id)
	s.want(err, wire.NotFound)
	s.must(s.rooms.Joined(s.ctx, bob.Actor, id)) // again: the answer was lost
	if versions() == 0 {
		t.Error("cid's Welcome has lost its tree")
	}

	// cid comes by itself: nothing waits any more.
	s.must(cid.joinExternally(id))
	_, err = s.rooms.Welcome(s.ctx, cid.Actor, id)
	s.want(err, wire.NotFound)
	if n := versions(); n != 0 {
		t.Errorf("%d old nodes are kept for nobody", n)
	}
}

func TestAWelcomeIsDroppedAfter30Days(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	g, c := ann.founding(ann.owns(), bob)
	got, err := s.rooms.Create(s.ctx, ann.Actor, c)
	s.must(err)
	s.must(g.MergePending())
	id := c.Room
	ann.in[id] = &place{group: g, seq: got.Seq, head: got.Head}
	s.must(ann.commit(id, group.CommitOptions{}))
	s.clock.pass(29 * 24 * time.Hour)
	s.must(s.rooms.Sweep(s.ctx))
	_, err = s.rooms.Welcome(s.ctx, bob.Actor, id)
	s.must(err)
	s.clock.pass(2 * 24 * time.Hour)
	s.must(s.rooms.Sweep(s.ctx))
	_, err = s.rooms.Welcome(s.ctx, bob.Actor, id)
	s.want(err, wire.NotFound)
	if n := s.count(`SELECT COUNT(*) FROM room_node WHERE until_epoch > 0`); n != 0 {
		t.Errorf("%d old nodes are kept for nobody", n)
	}
	s.must(bob.joinExternally(id))
}

func TestErasingKeepsPlaceAndHash(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	held := ann.blob(100)
	got, err := ann.send(id, "secret", held)
	s.must(err)
	again, err := ann.send(id, "the same file", held)
	s.must(err)
	bob.listen()
	erase := func(d *device, seq int64) error {
		return s.rooms.Erase(s.ctx, d.Actor, wire.Erase{Room: id, Seq: seq})
	}
	s.want(erase(bob, got.Seq), wire.NotFound)
	s.want(erase(ann, 99), wire.NotFound)
	s.want(erase(s.person(), got.Seq), wire.NotFound)
	s.want(erase(ann, 1), wire.BadRequest) // a commit
	lost := ann.another()
	lost.revoke()
	s.want(erase(lost, got.Seq), wire.NotFound)
	s.must(erase(ann, got.Seq))
	s.must(erase(ann, got.Seq))
	if heard := events(bob, wire.OnErased); len(heard) != 1 || heard[0].Seq != got.Seq {
		t.Errorf("bob heard %+v", heard)
	}
	page, err := s.rooms.Log(s.ctx, bob.Actor, wire.ReadLog{Room: id, After: 1})
	s.must(err)
	if e := page.Entries[0]; e.Erased == nil || e.Body != nil || e.Head != got.Head {
		t.Errorf("the entry is %+v", e)
	}
	bob.sync(id) // checks that the heads still chain
	_, err = s.blobs.Open(s.ctx, bob.Actor, held)
	s.must(err)
	s.must(erase(ann, again.Seq))
	_, err = s.blobs.State(s.ctx, ann.Actor, held)
	s.want(err, wire.NotFound)
}
