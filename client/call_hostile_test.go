package client_test

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	b, err := wire.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// inject has the server tell a client something.
func inject[T any](c *testenv.Client, ev wire.Event[T], v T) {
	c.Link.Inject(wire.Frame{Method: ev.Name, Body: encoded(c.TB.(*testing.T), v)})
}

// caught remembers the events of a kind that reach a client.
type caught[T any] struct {
	mu   sync.Mutex
	list []T
}

func catch[T any](c *testenv.Client, ev wire.Event[T]) *caught[T] {
	k := &caught[T]{}
	c.Link.Events(func(f *wire.Frame) []wire.Frame {
		var v T
		if f.Method == ev.Name && wire.Decode(f.Body, &v) == nil {
			k.mu.Lock()
			k.list = append(k.list, v)
			k.mu.Unlock()
		}
		return []wire.Frame{*f}
	})
	return k
}

func (k *caught[T]) all() []T {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.list)
}

func count[T any](c *testenv.Client, ev api.Event[T]) (n int) {
	for _, e := range c.Told() {
		if e.Name == ev.Name {
			n++
		}
	}
	return n
}

// settled waits until a client has worked off what was injected before: a last
// event, whose effect shows.
func settled(c *testenv.Client, id wire.CallID) {
	c.TB.Helper()
	q := wire.CallQuality{Call: id, RTT: 1 + count(c, api.OnCallQuality)}
	inject(c, wire.OnCallQuality, q)
	told(c, api.OnCallQuality, func(v api.CallQuality) bool { return v.RTT == q.RTT })
}

// A server that puts somebody into a call whom the room's tree does not know
// cannot give them a name.
func TestWhomTheTreeDoesNotKnowHasNoName(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	news := catch(ann, wire.OnCallPeople)
	id := begin(ann, room, false).Call.ID
	join(bob, id)
	sees(ann, id, "both are in", func(v api.Call) bool { return len(v.People) == 2 })
	var version int64
	ann.Until("the news of bob", func() bool {
		for _, p := range news.all() {
			version = max(version, p.Version)
		}
		return version > 0
	})
	inject(ann, wire.OnCallPeople, wire.CallPeople{Call: id, Version: version + 1, Joined: []wire.CallParticipant{
		{Number: 70, Account: wire.NewAccountID(), Device: wire.NewDeviceID()}, // nobody
		{Number: 71, Account: ann.Person("bob"), Device: wire.NewDeviceID()},   // a device that bob does not have
	}})
	v := sees(ann, id, "four are in", func(v api.Call) bool { return len(v.People) == 4 })
	for _, p := range v.People {
		made := p.Number >= 70
		if made && (p.Name != "" || p.Leaf != -1 || p.Owner) || !made && p.Leaf < 0 {
			t.Errorf("shown as %+v", p)
		}
	}
}

func TestSignalsCountOnceAndForWhoSealedThem(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob", "eve")
	ann, bob, eve := w.Client("ann"), w.Client("bob"), w.Client("eve")
	seen := catch(ann, wire.OnCallSignal)
	id := begin(ann, room, false).Call.ID
	b := join(bob, id)
	e := join(eve, id)
	sees(ann, id, "all are in", func(v api.Call) bool { return len(v.People) == 3 })
	testenv.Do(bob, api.ReactInCall, api.CallEmoji{Call: id, Emoji: "🎉"})
	told(ann, api.OnCallReaction, always)
	testenv.Do(bob, api.SetCallState, api.OwnCallState{Call: id, Camera: true})
	sees(ann, id, "bob's camera", func(v api.Call) bool { return of(v, "bob").Camera })
	testenv.Do(bob, api.SetCallState, api.OwnCallState{Call: id})
	sees(ann, id, "bob's camera is off", func(v api.Call) bool { return !of(v, "bob").Camera })

	for _, s := range seen.all() {
		inject(ann, wire.OnCallSignal, s) // again
		s.Number = uint32(e.Number)
		inject(ann, wire.OnCallSignal, s) // as eve's
	}
	settled(ann, id)
	if n := count(ann, api.OnCallReaction); n != 1 {
		t.Errorf("one reaction was shown %d times", n)
	}
	if v := call(ann, id); of(v, "bob").Camera || of(v, "eve").Known {
		t.Errorf("shown as %+v", v.People)
	}

	// What an owner asks of one is not taken by another.
	asked := catch(bob, wire.OnCallSignal)
	testenv.Do(ann, api.MuteInCall, api.CallNumber{Call: id, Number: b.Number})
	told(bob, api.OnCallAsked, always)
	for _, s := range asked.all() {
		inject(eve, wire.OnCallSignal, s)
	}
	settled(eve, id)
	if count(eve, api.OnCallAsked) != 0 {
		t.Error("eve obeys what was for bob")
	}
}

// A state that was sealed in a participation that is over says nothing of the
// next one, also to who comes only then.
func TestAnOldStateIsNotTakenForANewOne(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob", "eve")
	ann, bob, eve := w.Client("ann"), w.Client("bob"), w.Client("eve")
	seen := catch(ann, wire.OnCallSignal)
	id := begin(ann, room, false).Call.ID
	join(bob, id)
	testenv.Do(bob, api.SetCallState, api.OwnCallState{Call: id, Camera: true})
	sees(ann, id, "bob's camera", func(v api.Call) bool { return of(v, "bob").Camera })
	old := seen.all()[len(seen.all())-1].Body
	again := join(bob, id)
	sees(ann, id, "bob again", func(v api.Call) bool { return of(v, "bob").Number == again.Number })
	eve.Link.Answers(func(method string, f *wire.Frame) {
		var j wire.CallJoined
		if method != wire.CallJoin.Name || wire.Decode(f.Body, &j) != nil {
			return
		}
		for i := range j.Call.People {
			if j.Call.People[i].Number == uint32(again.Number) {
				j.Call.People[i].State = old
			}
		}
		f.Body = encoded(t, j)
	})
	join(eve, id)
	settled(eve, id)
	if p := of(call(eve, id), "bob"); p.Known || p.Camera {
		t.Errorf("eve sees %+v", p)
	}
}

func TestItRingsForRoomsAndMembersThatAreHereAlone(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	until := wire.Now(bob.Now()) + 60_000
	inject(bob, wire.OnRing, wire.Ring{Call: wire.NewCallID(), Room: wire.NewRoomID(), By: ann.Person("ann"), Until: until})
	inject(bob, wire.OnRing, wire.Ring{Call: wire.NewCallID(), Room: room, By: wire.NewAccountID(), Until: until})
	inject(bob, wire.OnRing, wire.Ring{Call: wire.NewCallID(), Room: room, By: bob.Person("bob"), Until: until})
	good := wire.NewCallID()
	inject(bob, wire.OnRing, wire.Ring{Call: good, Room: room, By: ann.Person("ann"), Until: until})
	told(bob, api.OnRing, func(r api.Ring) bool { return r.Call == good })
	if n := count(bob, api.OnRing); n != 1 {
		t.Errorf("it rang %d times", n)
	}
	if rings := testenv.Do(bob, api.ListCalls, api.None{}).Rings; len(rings) != 1 {
		t.Errorf("listed are %+v", rings)
	}
}

// A call that stops ringing and rings again rings for as long as it says now, not
// until the first ringing would have ended.
func TestItRingsAgainForItsWholeTime(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	ring := func(id wire.CallID, ms wire.Millis) {
		inject(bob, wire.OnRing, wire.Ring{Call: id, Room: room, By: ann.Person("ann"), Until: wire.Now(bob.Now()) + ms})
	}
	again, after := wire.NewCallID(), wire.NewCallID()
	ring(again, 1000)
	inject(bob, wire.OnRingEnd, wire.RingEnd{Call: again, Why: wire.RingCancelled})
	ring(again, 60_000)
	ring(after, 1500)
	told(bob, api.OnRingEnd, func(e api.RingEnd) bool { return e.Call == after })
	if rings := testenv.Do(bob, api.ListCalls, api.None{}).Rings; len(rings) != 1 || rings[0].Call != again {
		t.Errorf("listed are %+v", rings)
	}
}

// A server cannot have members write down calls that it made up.
func TestACallThatNobodyBeganIsNotWrittenDown(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	made := wire.Call{Call: wire.NewCallID(), Room: room, By: bob.Person("bob"), Started: 1, Count: 2, People: []wire.CallParticipant{
		{Number: 1, Account: ann.Person("ann")}, {Number: 2, Account: bob.Person("bob")},
	}}
	inject(bob, wire.OnCall, made)
	made.Ended = true
	inject(bob, wire.OnCall, made)
	// By this clock bob would have written it down.
	later := wire.NewCallID()
	inject(bob, wire.OnRing, wire.Ring{Call: later, Room: room, By: ann.Person("ann"), Until: wire.Now(bob.Now()) + 2500})
	told(bob, api.OnRingEnd, func(e api.RingEnd) bool { return e.Call == later })
	bob.Send(room, "after")
	ann.Sees(room, "bob", "after")
	for _, i := range ann.Timeline(room) {
		if i.Kind == api.ItemCall {
			t.Errorf("ann reads %+v", i.Call)
		}
	}
}

func TestACallStaysInItsRoom(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	other := ann.Group("other", "bob")
	bob.Open("other")
	id := begin(ann, room, false).Call.ID
	sees(bob, id, "the call", func(v api.Call) bool { return v.Room == room })
	inject(bob, wire.OnCall, wire.Call{Call: id, Room: other, By: ann.Person("ann"), People: []wire.CallParticipant{}})
	inject(bob, wire.OnCall, wire.Call{Call: id, Room: other, People: []wire.CallParticipant{}, Ended: true})
	join(bob, id)
	settled(bob, id)
	if v := call(bob, id); v.Room != room || v.Ended {
		t.Errorf("the call is %+v", v)
	}
}

// A number that a device had before would let old signals count again.
func TestANumberThatWasUsedIsRefused(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	id := begin(ann, room, false).Call.ID
	first := join(bob, id)
	bob.Link.Answers(func(method string, f *wire.Frame) {
		var j wire.CallJoined
		if method == wire.CallJoin.Name && wire.Decode(f.Body, &j) == nil {
			j.Number = uint32(first.Number)
			f.Body = encoded(t, j)
		}
	})
	_, err := testenv.Ask(bob, api.JoinCall, api.CallOffer{Call: id, Offer: "again"})
	if f := api.FailureOf(err); f.Code != api.Distrusted {
		t.Errorf("joined with a number that was used: %v", err)
	}
}

// Where those that were in have vanished, any member says how the call was.
func TestTheEndOfACallIsWrittenByWhoIsThere(t *testing.T) {
	t.Parallel()
	media := testenv.NewForwarder()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "eve"), testenv.WithMedia(media))
	ann, bob, eve := w.Client("ann"), w.Client("bob"), w.Client("eve")
	room := ann.Group("council", "bob", "eve")
	bob.Open("council")
	eve.Open("council")
	a := begin(ann, room, true)
	b := join(bob, a.Call.ID)
	sees(eve, a.Call.ID, "both are in", func(v api.Call) bool { return v.Count == 2 })
	callRow(eve, room, a.Call.ID, "live", func(i api.CallItem) bool { return i.Live })
	ann.Stop()
	bob.Stop()
	media.Of(a.Call.ID, uint32(a.Number)).Gone()
	media.Of(a.Call.ID, uint32(b.Number)).Gone()
	row := callRow(eve, room, a.Call.ID, "missed", func(i api.CallItem) bool { return i.Missed })
	if row.End != api.CallEnded || !slices.Equal(sorted(row.People), []string{"ann", "bob"}) {
		t.Errorf("eve reads %+v", row)
	}
	bob.Start()
	if row := callRow(bob, room, a.Call.ID, "over", func(i api.CallItem) bool { return i.End != "" }); row.Missed {
		t.Error("bob missed a call that he was in")
	}
}

// The server sees that something was said, and nothing of what.
func TestWhatIsSaidInACallIsSealed(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	id := begin(ann, room, false).Call.ID
	b := join(bob, id)
	sees(ann, id, "both are in", func(v api.Call) bool { return len(v.People) == 2 })
	var mu sync.Mutex
	var sizes []int
	const emoji = "🦫"
	ann.Link.Requests(func(f *wire.Frame) {
		mu.Lock()
		defer mu.Unlock()
		if bytes.Contains(f.Body, []byte(emoji)) {
			t.Errorf("%s carries the reaction", f.Method)
		}
		var s wire.CallSealed
		if (f.Method == wire.CallSay.Name || f.Method == wire.CallState.Name) && wire.Decode(f.Body, &s) == nil {
			sizes = append(sizes, len(s.Body))
		}
	})
	testenv.Do(ann, api.ReactInCall, api.CallEmoji{Call: id, Emoji: emoji})
	testenv.Do(ann, api.SetCallState, api.OwnCallState{Call: id, Muted: true, Camera: true, Screen: true, Hand: true})
	testenv.Do(ann, api.SetCallState, api.OwnCallState{Call: id})
	testenv.Do(ann, api.MuteInCall, api.CallNumber{Call: id, Number: b.Number})
	told(bob, api.OnCallReaction, always)
	mu.Lock() // her state may be said once more to who has just come
	defer mu.Unlock()
	if len(sizes) < 4 || len(slices.Compact(slices.Clone(sizes))) != 1 {
		t.Errorf("what was said has the sizes %v", sizes)
	}
}

// What a device says of itself is sealed in the order in which it became so, also
// when two things make it say so at a time: one that was read before and sealed
// after the person muted would show an open microphone.
func TestStatesAreSaidOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	id := begin(ann, room, false).Call.ID
	join(bob, id)
	sees(ann, id, "both are in", func(v api.Call) bool { return len(v.People) == 2 })
	var saying atomic.Int32
	ann.Link.Requests(func(f *wire.Frame) {
		if f.Method == wire.CallState.Name && saying.Add(1) > 1 {
			t.Error("two states are said at a time")
		}
	})
	ann.Link.Answers(func(method string, _ *wire.Frame) {
		if method == wire.CallState.Name {
			time.Sleep(100 * time.Millisecond) // for the others to come
			saying.Add(-1)
		}
	})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { testenv.Do(ann, api.SetCallState, api.OwnCallState{Call: id, Muted: true}) })
	}
	all.Wait()
	sees(bob, id, "ann is muted", func(v api.Call) bool {
		return slices.ContainsFunc(v.People, func(p api.CallParticipant) bool { return p.Name == "ann" && p.Muted })
	})
}

func TestComingAgainIsNotToldAsBeingOut(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann := w.Client("ann")
	room := ann.Group("team", "bob")
	ann.Open("team")
	first := begin(ann, room, false)
	told := len(ann.Told())
	// The server says that the former participant is replaced before it answers
	// the joining that replaces it.
	ann.Link.Requests(func(f *wire.Frame) {
		if f.Method == wire.CallJoin.Name {
			inject(ann, wire.OnCallGone, wire.CallGone{Call: first.Call.ID, Number: uint32(first.Number), Why: wire.GoneReplaced})
			time.Sleep(200 * time.Millisecond) // so that it is handled first
		}
	})
	second := join(ann, first.Call.ID)
	sees(ann, first.Call.ID, "its own coming", func(v api.Call) bool { return v.Me == second.Number })
	for _, e := range ann.Told()[told:] {
		switch v := e.Value.(type) {
		case api.Call:
			if v.Me == 0 {
				t.Error("a front end was told that this device is out, and would come in again")
			}
		case api.CallGone:
			t.Errorf("told that it is gone: %s", v.Why)
		}
	}
}
