package room_test

import (
	"slices"
	"testing"
	"time"

	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

func TestCursorsMoveForward(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	for range 4 {
		_, err := ann.send(id, "hello")
		s.must(err)
	}
	bob2 := bob.another()
	for _, d := range []*device{ann, bob, bob2} {
		d.listen()
	}
	for _, step := range []struct{ delivered, read, wantDelivered, wantRead int64 }{
		{3, 0, 3, 0}, {1, 0, 3, 0}, {0, 4, 4, 4}, {99, 0, 5, 4}, {0, 2, 5, 4}, {-1, -1, 5, 4},
	} {
		s.must(s.rooms.SetCursor(s.ctx, bob.Actor, wire.SetCursor{Room: id, Delivered: step.delivered, Read: step.read}))
		r, err := s.rooms.Get(s.ctx, bob.Actor, id)
		s.must(err)
		want := wire.Cursor{Account: bob.Account, Delivered: step.wantDelivered, Read: step.wantRead}
		if !slices.Equal(r.Cursors, []wire.Cursor{want}) {
			t.Errorf("after %+v bob sees %+v", step, r.Cursors)
		}
		if r, err = s.rooms.Get(s.ctx, ann.Actor, id); err != nil || r.Cursors[0].Read != 0 || r.Cursors[0].Delivered != step.wantDelivered {
			t.Errorf("after %+v ann sees %+v, %v", step, r.Cursors, err)
		}
	}
	if heard := events(bob, wire.OnCursor); len(heard) != 0 {
		t.Errorf("bob heard what it said: %+v", heard)
	}
	if heard := events(bob2, wire.OnCursor); len(heard) != 3 || heard[2].Cursors[0].Read != 4 {
		t.Errorf("bob's other device heard %+v", heard)
	}
	heard := events(ann, wire.OnCursor)
	if len(heard) != 3 {
		t.Errorf("ann heard %+v", heard)
	}
	for _, h := range heard {
		if len(h.Cursors) != 1 || h.Cursors[0].Read != 0 {
			t.Errorf("ann heard how far bob has read: %+v", h)
		}
	}
	stranger := s.person()
	s.want(s.rooms.SetCursor(s.ctx, stranger.Actor, wire.SetCursor{Room: id, Read: 1}), wire.NotFound)
}

func TestTypingIsToldToTheOthers(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	ann.listen()
	bob.listen()
	for range 3 {
		s.must(s.rooms.Typing(s.ctx, ann.Actor, wire.Typing{Room: id, Account: bob.Account}))
	}
	s.clock.pass(time.Second)
	s.must(s.rooms.Typing(s.ctx, ann.Actor, wire.Typing{Room: id}))
	if heard := events(bob, wire.OnTyping); len(heard) != 2 || heard[0].Account != ann.Account {
		t.Errorf("bob heard %+v", heard)
	}
	if heard := events(ann, wire.OnTyping); len(heard) != 0 {
		t.Errorf("ann heard %+v", heard)
	}
	s.want(s.rooms.Typing(s.ctx, s.person().Actor, wire.Typing{Room: id}), wire.NotFound)
}

func TestNudgesAndRoomsAreTold(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	bob2 := bob.another() // has no leaf
	for _, d := range []*device{ann, bob, bob2, cid} {
		d.listen()
	}
	id := ann.makeGroup(bob)
	for _, tt := range []struct {
		d             *device
		leaf, welcome bool
	}{{ann, true, false}, {bob, true, true}, {bob2, false, false}} {
		heard := events(tt.d, wire.OnRoom)
		if len(heard) != 1 || heard[0].Leaf != tt.leaf || heard[0].Welcome != tt.welcome || heard[0].From != 1 || len(heard[0].Members) != 2 {
			t.Errorf("heard %+v, want leaf %v, welcome %v", heard, tt.leaf, tt.welcome)
		}
	}
	got, err := ann.send(id, "hello")
	s.must(err)
	for _, d := range []*device{ann, bob, bob2} {
		heard := events(d, wire.OnNudge)
		if len(heard) != 1 || heard[0].Seq != got.Seq || heard[0].Entry == nil || heard[0].Entry.Head != got.Head {
			t.Errorf("heard %+v", heard)
		}
	}
	ann.sync(id)
	s.must(ann.commit(id, group.CommitOptions{Add: keyPackages(bob2)}))
	if heard := events(bob2, wire.OnRoom); len(heard) != 1 || !heard[0].Welcome {
		t.Errorf("bob's second device heard %+v", heard)
	}
	if heard := events(bob, wire.OnRoom); len(heard) != 0 {
		t.Errorf("bob's first device heard %+v", heard)
	}
	bob2.join(id)
	s.must(ann.commit(id, remove(bob, bob2)(id)))
	for _, d := range []*device{bob, bob2} {
		if heard := events(d, wire.OnRoom); len(heard) != 1 || heard[0].Until != 4 || heard[0].Leaf {
			t.Errorf("heard %+v", heard)
		}
		if heard := events(d, wire.OnNudge); len(heard) != 2 { // the commits that added and removed it
			t.Errorf("heard %+v", heard)
		}
	}
	_, err = ann.send(id, "alone")
	s.must(err)
	for _, d := range []*device{bob, bob2, cid} {
		if heard := events(d, wire.OnNudge); len(heard) != 0 {
			t.Errorf("heard %+v", heard)
		}
	}
}

func TestBigEntriesAreNotInNudges(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	bob.listen()
	_, err := ann.send(id, string(make([]byte, 100<<10)))
	s.must(err)
	if heard := events(bob, wire.OnNudge); len(heard) != 1 || heard[0].Entry != nil {
		t.Errorf("bob heard %d nudges, with the entry", len(heard))
	}
	bob.sync(id)
	// And pages are cut by size: 128 KiB each make 4 MiB in 32.
	for range 45 {
		_, err := ann.send(id, string(make([]byte, 100<<10)))
		s.must(err)
	}
	page, err := s.rooms.Log(s.ctx, bob.Actor, wire.ReadLog{Room: id, After: 2})
	s.must(err)
	if n := len(page.Entries); n == 0 || n == 45 || page.Seq != 47 {
		t.Errorf("one page has %d entries up to %d", n, page.Seq)
	}
	bob.sync(id)
	if n := len(bob.in[id].read); n != 46 {
		t.Errorf("bob read %d", n)
	}
}

func TestListShowsWhatTheAccountIsIn(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	g := ann.makeGroup(bob)
	d := ann.create(ann.with(bob), bob)
	cid.create(cid.with(cid))
	list, err := s.rooms.List(s.ctx, ann.Actor)
	s.must(err)
	if len(list.Rooms) != 2 {
		t.Fatalf("ann is in %+v", list.Rooms)
	}
	for _, r := range list.Rooms {
		if (r.Room != g || r.Kind != wire.Group) && (r.Room != d || r.Kind != wire.Direct) || len(r.Members) != 2 || !r.Leaf {
			t.Errorf("a room stands as %+v", r)
		}
	}
	s.must(bob.leave(g))
	list, err = s.rooms.List(s.ctx, bob.Actor)
	s.must(err)
	for _, r := range list.Rooms {
		if r.Room == g && (r.Until != 2 || r.Seq != 2) {
			t.Errorf("what bob left stands as %+v", r)
		}
	}
	ids, err := s.rooms.Of(s.ctx, bob.Account)
	s.must(err)
	if !slices.Equal(ids, []wire.RoomID{d}) {
		t.Errorf("bob listens to %v", ids)
	}
}

// Whoever puts an account into thousands of groups must not make its list of
// rooms too long to be answered.
func TestALongListLeavesOutWhoIsInGroups(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	g := ann.makeGroup(bob, cid)
	d := bob.create(bob.with(ann), ann)
	for _, c := range []*device{ann, bob} {
		s.must(s.rooms.SetCursor(s.ctx, c.Actor, wire.SetCursor{Room: g, Read: 1}))
	}
	s.rooms.ListDetails(0)
	list, err := s.rooms.List(s.ctx, ann.Actor)
	s.must(err)
	if len(list.Rooms) != 2 {
		t.Fatalf("ann is in %+v", list.Rooms)
	}
	for _, r := range list.Rooms {
		switch {
		case r.Room == d && len(r.Members) == 2:
		case r.Room == g && len(r.Members) == 0 && len(r.Cursors) == 1 && r.Cursors[0].Account == ann.Account && r.Cursors[0].Read == 1:
		default:
			t.Errorf("a room stands as %+v", r)
		}
	}
	r, err := s.rooms.Get(s.ctx, ann.Actor, g)
	s.must(err)
	if len(r.Members) != 3 || len(r.Cursors) != 2 {
		t.Errorf("asked for, it stands as %+v", r)
	}
}
