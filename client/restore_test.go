package client_test

import (
	"slices"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
)

// Nothing but messages was lost: groups go on as they are, and everybody sends
// again what they had sent.
func TestWhatARestoredSiteHasLostComesBack(t *testing.T) {
	t.Parallel()
	r := restorableSite(t, "ann", "bob", "cyd")
	ann, bob, cyd := r.Client("ann"), r.Client("bob"), r.Client("cyd")
	room := ann.Group("council", "bob", "cyd")
	bob.Open("council")
	cyd.Open("council")
	r.says(ann, room, "first")
	bob.Sees(room, "ann", "first")
	cyd.Sees(room, "ann", "first")
	r.save()
	for _, c := range r.people {
		c.Ready()
	}
	cyd.Link.Cut() // sees nothing of what follows
	r.says(ann, room, "a1")
	bob.Sees(room, "ann", "a1")
	r.says(bob, room, "b1")
	ann.Sees(room, "bob", "b1")
	r.says(ann, room, "a2")
	bob.Sees(room, "ann", "a2")

	bob.Link.Cut()
	r.restore()
	bob.Link.Cut()
	over(ann)
	row := ann.Row(room, rowOf(ann, room, "b1").ID, func(i api.Item) bool { return i.Alone })
	if row.Seq != 0 {
		t.Errorf("what only ann has is %+v", row)
	}
	bob.Link.Mend()
	over(bob)
	over(cyd)
	r.alike(room, []string{"first", "a1", "a2", "b1"}, ann, bob, cyd)
	r.says(cyd, room, "back")
	r.alike(room, []string{"first", "a1", "a2", "b1", "back"}, ann, bob, cyd)
	for _, c := range r.people {
		if n := len(c.Notices()); n != 1 {
			t.Errorf("%s is told %d things: %+v", c.Name, n, c.Notices())
		}
	}
}

// Whoever had been removed after the moment of the backup is back by it. Nobody
// seals to them: an owner removes them again first, the others wait for that.
func TestNobodySealsToWhoeverARestoreBringsBack(t *testing.T) {
	t.Parallel()
	r := restorableSite(t, "ann", "bob", "mal")
	ann, bob, mal := r.Client("ann"), r.Client("bob"), r.Client("mal")
	room := ann.Group("council", "bob", "mal")
	bob.Open("council")
	mal.Open("council")
	r.says(ann, room, "first")
	bob.Sees(room, "ann", "first")
	mal.Sees(room, "ann", "first")
	r.save()
	for _, c := range r.people {
		c.Ready()
	}
	testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: room, Member: ann.Person("mal")})
	mal.Until("out", func() bool { return mal.Room("council").State == api.RoomLeft })
	r.says(ann, room, "secret")
	bob.Sees(room, "ann", "secret")

	ann.Stop()
	r.restore()
	over(bob)
	over(mal)
	n := bob.Notice(api.NoticeBack)
	if !n.Severe || n.Account == nil || *n.Account != bob.Person("mal") {
		t.Errorf("the notice is %+v", n)
	}
	bob.Until("waits for mal", func() bool { return slices.Equal(bob.Room("council").Back, []string{"mal"}) })
	q := r.says(bob, room, "not for mal")
	bob.Restart()
	bob.Ready()
	if got := bob.Row(room, q.ID, func(api.Item) bool { return true }); got.State != api.ItemSaved {
		t.Errorf("what bob said is %s", got.State)
	}
	if _, err := testenv.Ask(bob, api.BeginCall, api.StartCall{Room: room}); api.FailureOf(err).Code != api.NotAllowed {
		t.Errorf("bob calls: %v", err)
	}
	ann.Start()
	over(ann)
	bob.Until("mal is out", func() bool { return bob.Room("council").Members == 2 && len(bob.Room("council").Back) == 0 })
	r.alike(room, []string{"first", "secret", "not for mal"}, ann, bob)
	if got := mal.Texts(room); !slices.Equal(got, []string{"first"}) {
		t.Errorf("mal reads %q", got)
	}
}

// Where nobody comes who could remove them, the person decides.
func TestAPersonMayAcceptWhoIsBack(t *testing.T) {
	t.Parallel()
	r := restorableSite(t, "ann", "bob", "mal")
	ann, bob, mal := r.Client("ann"), r.Client("bob"), r.Client("mal")
	room := ann.Group("council", "bob", "mal")
	bob.Open("council")
	mal.Open("council")
	r.save()
	for _, c := range r.people {
		c.Ready()
	}
	testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: room, Member: ann.Person("mal")})
	bob.Until("two", func() bool { return bob.Room("council").Members == 2 })
	ann.Stop()
	r.restore()
	over(bob)
	over(mal)
	bob.Until("waits", func() bool { return len(bob.Room("council").Back) == 1 })
	q := bob.Send(room, "hello mal")
	testenv.Do(bob, api.AcceptRoom, api.RoomRef{Room: room})
	bob.Sent(q)
	mal.Sees(room, "bob", "hello mal")
	if back := bob.Room("council").Back; len(back) != 0 {
		t.Errorf("bob still waits for %q", back)
	}
}

// Who came in since the backup is not in the room any more, and can be added
// again: then what they said comes back too.
func TestWhoWasAddedSinceIsAddedAgain(t *testing.T) {
	t.Parallel()
	r := restorableSite(t, "ann", "bob", "cyd")
	ann, bob, cyd := r.Client("ann"), r.Client("bob"), r.Client("cyd")
	room := ann.Group("council", "bob")
	bob.Open("council")
	r.save()
	for _, c := range r.people {
		c.Ready()
	}
	testenv.Do(ann, api.AddMembers, api.RoomPeople{Room: room, Members: ann.People("cyd")})
	cyd.Open("council")
	r.says(cyd, room, "c1")
	ann.Sees(room, "cyd", "c1")
	bob.Sees(room, "cyd", "c1")
	r.restore()
	for _, c := range r.people {
		over(c)
	}
	if m := cyd.Room("council"); m.State != api.RoomLeft || !m.Restored {
		t.Errorf("cyd's room is %+v", m)
	}
	if i := rowOf(cyd, room, "c1"); i.Seq != 0 {
		t.Errorf("cyd's row is %+v", i)
	}
	n := ann.Notice(api.NoticeMissing)
	if n.Account == nil || *n.Account != ann.Person("cyd") {
		t.Errorf("ann is told %+v", n)
	}
	testenv.Do(ann, api.AddMembers, api.RoomPeople{Room: room, Members: ann.People("cyd")})
	cyd.Open("council")
	r.alike(room, []string{"c1"}, ann, bob, cyd)
}

// A direct room that the site has lost is made again by whoever comes first.
func TestADirectRoomThatWasLostIsMadeAgain(t *testing.T) {
	t.Parallel()
	r := restorableSite(t, "ann", "bob")
	ann, bob := r.Client("ann"), r.Client("bob")
	r.save()
	for _, c := range r.people {
		c.Ready()
	}
	room := ann.SendTo("bob", "a1").Room
	bob.Sees(room, "ann", "a1")
	bob.Send(room, "b1")
	ann.Sees(room, "bob", "b1")
	r.restore()
	over(ann)
	over(bob)
	for _, c := range r.people {
		c.Until("both again", func() bool { return len(c.Texts(room)) == 2 })
	}
	if x, y := ann.Texts(room), bob.Texts(room); !slices.Equal(x, y) {
		t.Errorf("ann has %q, bob has %q", x, y)
	}
	noFork(t, ann, bob)
}

func noFork(t *testing.T, clients ...*testenv.Client) {
	t.Helper()
	for _, c := range clients {
		for _, n := range c.Notices() {
			if n.Code != api.NoticeRestored && n.Code != api.NoticeMissing {
				t.Errorf("%s is told %s: %s", c.Name, n.Code, n.Text)
			}
		}
	}
}
