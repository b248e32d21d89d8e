package client_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// Nothing but messages was lost: groups go on as they are, and everybody sends
// again what they had sent.
func TestWhatARestoredSiteHasLostComesBack(t *testing.T) {
	t.Parallel()
	r, room := restorableCouncil(t, "ann", "bob", "cyd")
	ann, bob, cyd := r.Client("ann"), r.Client("bob"), r.Client("cyd")
	r.says(ann, room, "first")
	bob.Sees(room, "ann", "first")
	cyd.Sees(room, "ann", "first")
	r.save()
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
	r, room := restorableCouncil(t, "ann", "bob", "mal")
	ann, bob, mal := r.Client("ann"), r.Client("bob"), r.Client("mal")
	r.says(ann, room, "first")
	bob.Sees(room, "ann", "first")
	mal.Sees(room, "ann", "first")
	r.save()
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
	bob.Until("waits for mal", func() bool {
		return slices.Equal(bob.Room("council").Back, []api.Returned{{ID: bob.Person("mal"), Name: "mal"}})
	})
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
	r, room := restorableCouncil(t, "ann", "bob", "mal")
	ann, bob, mal := r.Client("ann"), r.Client("bob"), r.Client("mal")
	r.save()
	testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: room, Member: ann.Person("mal")})
	bob.Until("two", func() bool { return bob.Room("council").Members == 2 })
	ann.Stop()
	r.restore()
	over(bob)
	over(mal)
	bob.Until("waits", func() bool { return len(bob.Room("council").Back) == 1 })
	q := bob.Send(room, "hello mal")
	if _, err := bob.WaitSent(t.Context(), room, q.ID); api.FailureOf(err).Code != api.Held || !strings.Contains(err.Error(), "mal") {
		t.Errorf("whoever waits for it is told: %v", err)
	}
	testenv.Do(bob, api.AcceptRoom, api.RoomPeople{Room: room, Members: bob.People("ann")}) // not who is asked about
	if back := bob.Room("council").Back; len(back) != 1 {
		t.Errorf("bob accepted ann, and waits for %v", back)
	}
	testenv.Do(bob, api.AcceptRoom, api.RoomPeople{Room: room, Members: bob.People("mal")})
	bob.Sent(q)
	mal.Sees(room, "bob", "hello mal")
	if back := bob.Room("council").Back; len(back) != 0 {
		t.Errorf("bob still waits for %v", back)
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
			if n.Code != api.NoticeRestored && n.Code != api.NoticeMissing && n.Code != api.NoticeNewDevice {
				t.Errorf("%s is told %s: %s", c.Name, n.Code, n.Text)
			}
		}
	}
}

// Edits, deletions and files that were lost come back as they were, whoever is
// first.
func TestEditsDeletionsAndFilesComeBack(t *testing.T) {
	t.Parallel()
	for round := range rounds(2) {
		r, room := restorableCouncil(t, "ann", "bob", "cyd")
		ann, bob, cyd := r.Client("ann"), r.Client("bob"), r.Client("cyd")
		r.says(ann, room, "old")
		old := bob.Sees(room, "ann", "old")
		cyd.Sees(room, "ann", "old")
		r.save()
		edited := ann.Sent(r.says(ann, room, "edited"))
		gone := bob.Sent(r.says(bob, room, "gone"))
		path := filepath.Join(t.TempDir(), "plan.txt")
		if err := os.WriteFile(path, bytes.Repeat([]byte("plan "), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		file := ann.Sent(testenv.Do(ann, api.SendMessage, api.Outgoing{Room: &room, Text: "a file", Files: []api.OutgoingFile{{Source: path, Name: "plan.txt", Type: "text/plain"}}}))
		testenv.Do(ann, api.EditMessage, api.Edit{Room: room, ID: edited.ID, Text: "edited!"})
		testenv.Do(ann, api.EditMessage, api.Edit{Room: room, ID: old.ID, Text: "old!"})
		testenv.Do(bob, api.DeleteMessage, api.ItemRef{Room: room, ID: gone.ID})
		testenv.Do(bob, api.SendMessage, api.Outgoing{Room: &room, Text: "answer", Reply: edited.ID})
		if round%2 == 1 { // a new epoch is lost, too
			testenv.Do(ann, api.SetRole, api.SetOwner{Room: room, Member: ann.Person("bob"), Owner: true})
		}
		want := []string{"old!", "edited!", "a file", "answer"}
		slices.Sort(want)
		for _, c := range r.people {
			c.Until("as it was", func() bool {
				got := c.Texts(room)
				slices.Sort(got)
				return slices.Equal(got, want)
			})
		}
		for _, c := range r.people {
			c.Stop()
		}
		r.restore()
		for _, n := range rand.Perm(3) {
			r.people[n].Start()
			over(r.people[n])
		}
		dan := r.FurtherDevice("cyd") // has nothing but what the restored server has
		testenv.Do(dan, api.Recover, api.RecoveryKey{Key: cyd.RecoveryKey})
		dan.Open("council")
		for _, c := range r.people {
			c.Until("as it was", func() bool {
				got := c.Texts(room)
				slices.Sort(got)
				return slices.Equal(got, want) && !gaps(c, room)
			})
			for _, i := range c.Timeline(room) {
				switch {
				case i.Alone && i.Kind == api.ItemMessage:
					t.Errorf("%s has %+v", c.Name, i)
				case i.Text == "answer" && (i.Reply == nil || i.Reply.ID != edited.ID || i.Reply.Text != "edited!"):
					t.Errorf("%s: the answer quotes %+v", c.Name, i.Reply)
				case i.Text == "edited!" && !i.Edited, i.Text == "old!" && !i.Edited:
					t.Errorf("%s: %+v is not marked as edited", c.Name, i)
				}
			}
		}
		got := testenv.Do(cyd, api.OpenFile, api.FileRef{Room: room, ID: file.ID, Sink: filepath.Join(t.TempDir(), "got")})
		if b, err := os.ReadFile(got.Source); err != nil || len(b) != 5000 {
			t.Errorf("the file has %d bytes, %v", len(b), err)
		}
		if x, y := ann.Texts(room), bob.Texts(room); !slices.Equal(x, y) {
			t.Errorf("ann has %q, bob has %q", x, y)
		}
		noFork(t, r.people...)
	}
}

func rounds(short int) int {
	if os.Getenv("VECHE_LONG") != "" {
		return 4 * short
	}
	return short
}

// What has been said, edited, changed since the backup comes back in whatever
// order the devices do.
func TestEverybodyComesBackInAnyOrder(t *testing.T) {
	t.Parallel()
	for range rounds(1) {
		r, room := restorableCouncil(t, "ann", "bob", "cyd")
		ann, bob, cyd := r.Client("ann"), r.Client("bob"), r.Client("cyd")
		r.save()
		var want []string
		for n := range 12 {
			c := r.people[rand.IntN(3)]
			text := fmt.Sprintf("%s %d", c.Name, n)
			want = append(want, text)
			c.Sent(r.says(c, room, text))
			switch n {
			case 3:
				testenv.Do(ann, api.SetRole, api.SetOwner{Room: room, Member: ann.Person("bob"), Owner: true})
			case 5:
				cyd.Stop() // is behind from here on
				r.people = r.people[:2]
				r.people = append(r.people, ann)
			}
		}
		ann.Until("all", func() bool { return len(ann.Texts(room)) == 12 })
		bob.Until("all", func() bool { return len(bob.Texts(room)) == 12 })
		r.people = []*testenv.Client{ann, bob, cyd}
		for _, c := range r.people {
			c.Stop()
		}
		r.restore()
		for _, n := range rand.Perm(3) {
			c := r.people[n]
			c.Start()
			over(c)
			fresh := c.Name + " is back" // others whose group is ahead cannot open this when they come
			want = append(want, fresh)
			c.Sent(r.says(c, room, fresh))
		}
		r.alike(room, want, r.people...)
		noFork(t, r.people...)
	}
}

// A plug that is pulled anywhere while a device comes over to another life
// loses and doubles nothing.
func TestACrashWhileComingOver(t *testing.T) {
	t.Parallel()
	for n, late := range map[int]bool{1: false, 2: true, 3: false, 4: true, 5: false, 6: true, 8: false, 11: true} {
		if n%2 == 0 && os.Getenv("VECHE_LONG") == "" {
			continue
		}
		r, room := restorableCouncil(t, "ann", "bob")
		ann, bob := r.Client("ann"), r.Client("bob")
		r.save()
		ann.Sent(r.says(ann, room, "a1"))
		testenv.Do(ann, api.SetRole, api.SetOwner{Room: room, Member: ann.Person("bob"), Owner: true})
		bob.Sent(r.says(bob, room, "b1"))
		ann.Sent(r.says(ann, room, "a2"))
		bob.Sees(room, "ann", "a2")
		ann.Stop()
		r.restore()
		ann.Plug = testenv.PullAfter(n, late)
		ann.Start()
		select {
		case <-ann.Plug.Done():
		case <-idle(ann):
		}
		ann.Stop()
		ann.Plug = nil
		ann.Link.Mend()
		ann.Start()
		over(ann)
		over(bob)
		r.alike(room, []string{"a1", "b1", "a2"}, ann, bob)
		noFork(t, ann, bob)
	}
}

// A room that a restored server cannot show, because a part of its database is
// damaged, keeps no other room from coming back, and comes back when it can.
func TestARoomThatCannotBeComparedWaitsAlone(t *testing.T) {
	t.Parallel()
	r := restorableSite(t, "ann", "bob")
	ann, bob := r.Client("ann"), r.Client("bob")
	good, bad := ann.Group("good", "bob"), ann.Group("bad", "bob")
	bob.Open("good")
	bob.Open("bad")
	r.save()
	for _, room := range []wire.RoomID{good, bad} {
		ann.Sent(r.says(ann, room, "in "+room.String()))
		bob.Sees(room, "ann", "in "+room.String())
	}
	var hurt atomic.Bool
	hurt.Store(true)
	var mu sync.Mutex
	asked := map[uint64]bool{}
	bob.Link.Requests(func(f *wire.Frame) {
		var p wire.ReadLog
		if f.Method == wire.RoomLog.Name && wire.Decode(f.Body, &p) == nil && p.Room == bad {
			mu.Lock()
			asked[f.ID] = true
			mu.Unlock()
		}
	})
	bob.Link.Answers(func(method string, f *wire.Frame) {
		mu.Lock()
		defer mu.Unlock()
		if method == wire.RoomLog.Name && asked[f.ID] && hurt.Load() {
			f.Body, f.Error = nil, &wire.Error{Code: wire.Damaged, Text: "hurt"}
		}
	})
	ann.Stop()
	r.restore()
	bob.Notice(api.NoticeRestored)
	ann.Start()
	over(ann)
	bob.Sees(good, "ann", "in "+good.String())
	hurt.Store(false)
	over(bob)
	r.alike(good, []string{"in " + good.String()}, ann, bob)
	r.alike(bad, []string{"in " + bad.String()}, ann, bob)
}
