package client_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// A server that claims another life, has a device take its rooms back, and then
// returns to the life from before, has used the one new life of the hour: else it
// could have the same text sealed as often as it likes, without a word to anybody.
func TestALifeThatBeganIsNotUndone(t *testing.T) {
	t.Parallel()
	a := tell(t)
	bob := a.bob
	a.back(t, func([]wire.Entry) []wire.Entry { return nil })
	var sealed atomic.Int64
	var refusing atomic.Bool
	refusing.Store(true)
	bob.Link.AlsoRequests(func(f *wire.Frame) {
		var m wire.SendMessage
		if f.Method == wire.RoomSend.Name && wire.Decode(f.Body, &m) == nil && m.Room == a.room {
			sealed.Add(1)
		}
	})
	stuck := make(chan struct{})
	var once sync.Once
	bob.Link.AlsoAnswers(func(method string, f *wire.Frame) {
		if method == wire.KeyUpload.Name && refusing.Load() { // the rooms have gone back, the life is not taken yet
			f.Body, f.Error = nil, &wire.Error{Code: wire.Internal, Text: "not now"}
			once.Do(func() { close(stuck) })
		}
	})
	claims(bob, anotherLife())
	bob.Link.Drop()
	<-stuck
	bob.Link.Events(func(f *wire.Frame) []wire.Frame { return []wire.Frame{*f} }) // the life that was
	refusing.Store(false)
	bob.Link.Drop()
	bob.Until("told, or fooled", func() bool {
		return sealed.Load() > 0 || slices.ContainsFunc(bob.Notices(), func(n api.Notice) bool { return n.Code == api.NoticeLives })
	})
	if n := sealed.Load(); n > 0 {
		t.Errorf("%d messages were sealed again, and nobody was told", n)
	}
}

// A program that ends while it comes over does not go on under a server that
// names no life at all.
func TestALifeThatBeganOutlivesARestart(t *testing.T) {
	t.Parallel()
	a := tell(t)
	bob := a.bob
	a.back(t, func([]wire.Entry) []wire.Entry { return nil })
	stuck := make(chan struct{})
	var once sync.Once
	var refusing atomic.Bool
	refusing.Store(true)
	bob.Link.AlsoAnswers(func(method string, f *wire.Frame) {
		if method == wire.KeyUpload.Name && refusing.Load() {
			f.Body, f.Error = nil, &wire.Error{Code: wire.Internal, Text: "not now"}
			once.Do(func() { close(stuck) })
		}
	})
	claims(bob, anotherLife())
	bob.Link.Drop()
	<-stuck
	bob.Stop()
	refusing.Store(false)
	var sealed atomic.Int64
	bob.Link.AlsoRequests(func(f *wire.Frame) {
		if f.Method == wire.RoomSend.Name {
			sealed.Add(1)
		}
	})
	claims(bob, wire.Life{})
	bob.Start()
	bob.Until("told, or fooled", func() bool {
		return sealed.Load() > 0 || slices.ContainsFunc(bob.Notices(), func(n api.Notice) bool { return n.Code == api.NoticeRestored })
	})
	if !slices.ContainsFunc(bob.Notices(), func(n api.Notice) bool { return n.Code == api.NoticeRestored }) {
		t.Errorf("%d messages were sealed again, and nobody was told", sealed.Load())
	}
}

// A Welcome that was used once is not used again in another life, though it is
// for the key package of last resort, which stays: its epoch's keys have sealed
// already.
func TestAWelcomeIsNotUsedAgainInAnotherLife(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	ids := ann.People("bob")
	bob.Stop()
	eve := w.AddPerson("eve")
	for {
		k := testenv.Call(eve.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: ids, Devices: []wire.DeviceID{}})
		again := testenv.Call(eve.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: ids, Devices: []wire.DeviceID{}})
		if string(again.Packages[0].Package) == string(k.Packages[0].Package) {
			break // the last resort
		}
	}
	room := ann.Group("council", "bob")
	var mu sync.Mutex
	var welcome []byte // as bob got it
	var lost bool
	var joined []uint64 // epochs in which bob sends once his site has lost everything
	external := false
	bob.Link.Requests(func(f *wire.Frame) {
		mu.Lock()
		defer mu.Unlock()
		var m wire.SendMessage
		switch {
		case !lost:
		case f.Method == wire.RoomGroup.Name:
			external = true
		case f.Method == wire.RoomSend.Name && wire.Decode(f.Body, &m) == nil:
			joined = append(joined, m.Epoch)
		}
	})
	bob.Link.Answers(func(method string, f *wire.Frame) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case method == wire.RoomWelcome.Name && !lost && f.Error == nil:
			welcome = f.Body
		case !lost:
		case method == wire.RoomWelcome.Name:
			f.Body, f.Error = welcome, nil
		case method == wire.RoomLog.Name: // nothing that bob has
			f.Body = encode(wire.LogPage{Entries: []wire.Entry{}})
		case method == wire.RoomGet.Name:
			var s wire.Room
			if wire.Decode(f.Body, &s) == nil {
				s.Welcome, s.Head = true, wire.Hash{1}
				f.Body = encode(s)
			}
		case method == wire.RoomList.Name:
			var l wire.Rooms
			if wire.Decode(f.Body, &l) == nil {
				for i := range l.Rooms {
					l.Rooms[i].Welcome, l.Rooms[i].Head = true, wire.Hash{1}
				}
				f.Body = encode(l)
			}
		}
	})
	bob.Start()
	bob.Open("council")
	bob.Sent(bob.Send(room, "one"))
	mu.Lock()
	if welcome == nil {
		t.Fatal("bob came in without a Welcome: the test tests nothing")
	}
	lost = true
	mu.Unlock()
	claims(bob, anotherLife())
	bob.Link.Drop()
	bob.Until("comes in", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return external || len(joined) > 0
	})
	mu.Lock()
	defer mu.Unlock()
	if !external {
		t.Errorf("bob seals with the keys of epochs %v once more", joined)
	}
}

// A message that left, and of which the device never heard whether it arrived, is
// sealed anew after a restore: those who had it take the same bytes for the
// server's doing.
func TestWhatWasNotAcknowledgedIsSealedAnew(t *testing.T) {
	t.Parallel()
	r, room := restorableCouncil(t, "ann", "bob")
	ann, bob := r.Client("ann"), r.Client("bob")
	r.save()
	ann.Link.Answers(func(method string, f *wire.Frame) {
		if method == wire.RoomSend.Name {
			f.Body, f.Error = nil, &wire.Error{Code: wire.Internal, Text: "lost on the way"}
			ann.Link.Cut()
		}
	})
	ann.Link.Events(func(f *wire.Frame) []wire.Frame {
		if f.Method == wire.OnNudge.Name {
			return nil
		}
		return []wire.Frame{*f}
	})
	r.says(ann, room, "did it arrive?")
	bob.Sees(room, "ann", "did it arrive?")
	ann.Stop()
	bob.Stop()
	ann.Link.Answers(nil)
	ann.Link.Events(nil)
	r.restore()
	for _, c := range r.people {
		c.Start()
		over(c)
	}
	r.alike(room, []string{"did it arrive?"}, ann, bob)
	noFork(t, ann, bob)
}

// Where somebody was brought back into a room, their call is not answered either.
func TestNobodyAnswersACallOfWhoeverARestoreBringsBack(t *testing.T) {
	t.Parallel()
	r, room := restorableCouncil(t, "ann", "bob", "mal")
	ann, bob, mal := r.Client("ann"), r.Client("bob"), r.Client("mal")
	r.save()
	testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: room, Member: ann.Person("mal")})
	mal.Until("out", func() bool { return mal.Room("council").State == api.RoomLeft })
	bob.Until("two", func() bool { return bob.Room("council").Members == 2 })
	ann.Stop()
	r.restore()
	over(bob)
	over(mal)
	bob.Until("waits for mal", func() bool { return len(bob.Room("council").Back) == 1 })
	mal.Until("is back", func() bool { return mal.Room("council").State == api.RoomOpen })
	begun := testenv.Do(mal, api.BeginCall, api.StartCall{Room: room, Ring: true})
	sees(bob, begun.ID, "the call", func(v api.Call) bool { return !v.Ended })
	if _, err := testenv.Ask(bob, api.JoinCall, api.CallOffer{Call: begun.ID, Offer: "offer"}); err == nil || api.FailureOf(err).Code != api.NotAllowed {
		t.Errorf("bob answers: %v", err)
	}
}
