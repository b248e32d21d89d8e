package client_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// absent is a room in which bob was not for a while: of the entries of that time
// his device knows nothing. The site can be restored to the moment at which he was
// added again, and nothing had been said since.
func absent(t *testing.T) (r *restorable, ann, bob *testenv.Client, room wire.RoomID) {
	t.Helper()
	r, room = restorableCouncil(t, "ann", "bob")
	ann, bob = r.Client("ann"), r.Client("bob")
	testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: room, Member: ann.Person("bob")})
	bob.Until("out", func() bool { return bob.Room("council").State == api.RoomLeft })
	for n := range 8 {
		ann.Sent(ann.Send(room, fmt.Sprintf("without bob %d", n)))
	}
	hold := make(chan struct{}) // what ann's device says to who comes in
	ann.Link.Requests(func(f *wire.Frame) {
		if f.Method == wire.RoomSend.Name {
			<-hold
		}
	})
	testenv.Do(ann, api.AddMembers, api.RoomPeople{Room: room, Members: ann.People("bob")})
	r.save()
	ann.Link.Requests(nil)
	close(hold)
	bob.Until("in again", func() bool { return bob.Room("council").State == api.RoomOpen })
	bob.Ready()
	return r, ann, bob, room
}

// What a device knows nothing of neither agrees nor disagrees: where two logs part
// is looked for among the entries that it has.
func TestWhereTwoLogsPartIsNotLookedForInAHole(t *testing.T) {
	t.Parallel()
	r, ann, bob, room := absent(t)
	say := func(text string) {
		ann.Sent(ann.Send(room, text))
		bob.Sees(room, "ann", text)
	}
	var want []string
	for n := range 9 { // so many that the place before the first of them that is lost is found behind the hole alone
		if n == 2 {
			r.save()
		}
		want = append(want, fmt.Sprintf("after %d", n))
		say(want[n])
	}
	bob.Stop()
	r.restore()
	over(ann)
	ann.Until("all sent again", func() bool {
		return !slices.ContainsFunc(ann.Timeline(room), func(i api.Item) bool { return i.Kind == api.ItemMessage && i.Seq == 0 })
	})
	bob.Start()
	over(bob)
	bob.Until("nothing alone", func() bool {
		return !slices.ContainsFunc(bob.Timeline(room), func(i api.Item) bool { return i.Alone })
	})
	if got := bob.Texts(room); !slices.Equal(got, want) {
		t.Errorf("bob reads %q", got)
	}
	noFork(t, ann, bob)
}

// In which epoch the first entry after a hole was, the server cannot say
// otherwise: the device knows it from its own joining.
func TestTheFirstEntryAfterAHoleIsNotTakenFromTheServer(t *testing.T) {
	t.Parallel()
	r, ann, bob, room := absent(t)
	var joined int64
	if err := bob.Store.View(t.Context(), func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, room)
		joined = m.Joined
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ann.Sent(ann.Send(room, "lost"))
	bob.Sees(room, "ann", "lost")
	bob.Stop()
	var shown, anew atomic.Bool
	rewriteLog(bob, func(e *wire.Entry) {
		if e.Seq == joined {
			shown.Store(true)
			e.Epoch = 0
		}
	})
	bob.Link.AlsoRequests(func(f *wire.Frame) {
		if f.Method == wire.RoomGroup.Name {
			anew.Store(true)
		}
	})
	r.restore()
	bob.Start()
	over(bob)
	over(ann)
	bob.Row(room, rowOf(bob, room, "lost").ID, func(i api.Item) bool { return !i.Alone })
	if !shown.Load() {
		t.Error("the entry was not asked for: the test tests nothing")
	}
	if anew.Load() {
		t.Error("the server has had bob throw his group away")
	}
	noFork(t, ann, bob)
}
