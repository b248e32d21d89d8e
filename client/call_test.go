package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// begin starts a call in a room and joins it.
func begin(c *testenv.Client, room wire.RoomID, ring bool) api.JoinedCall {
	c.TB.Helper()
	call := testenv.Do(c, api.BeginCall, api.StartCall{Room: room, Ring: ring})
	return join(c, call.ID)
}

func join(c *testenv.Client, call wire.CallID) api.JoinedCall {
	c.TB.Helper()
	return testenv.Do(c, api.JoinCall, api.CallOffer{Call: call, Offer: "offer of " + c.Name})
}

// call returns the call as a client sees it; Ended if it does not.
func call(c *testenv.Client, id wire.CallID) api.Call {
	c.TB.Helper()
	for _, v := range testenv.Do(c, api.ListCalls, api.None{}).Calls {
		if v.ID == id {
			return v
		}
	}
	return api.Call{ID: id, Ended: true}
}

// sees waits until a client sees a call as cond wants it.
func sees(c *testenv.Client, id wire.CallID, what string, cond func(api.Call) bool) (v api.Call) {
	c.TB.Helper()
	c.Until(what, func() bool {
		v = call(c, id)
		return cond(v)
	})
	return v
}

// names lists who is in, as shown.
func names(v api.Call) (list []string) {
	for _, p := range v.People {
		list = append(list, p.Name)
	}
	return list
}

func of(v api.Call, name string) api.CallParticipant {
	for _, p := range v.People {
		if p.Name == name {
			return p
		}
	}
	return api.CallParticipant{}
}

// told returns the newest event of a kind that fits, waiting for it.
func told[T any](c *testenv.Client, ev api.Event[T], fits func(T) bool) (v T) {
	c.TB.Helper()
	c.Until("event "+ev.Name, func() bool {
		for _, e := range slices.Backward(c.Told()) {
			if got, ok := e.Value.(T); ok && e.Name == ev.Name && fits(got) {
				v = got
				return true
			}
		}
		return false
	})
	return v
}

func always[T any](T) bool { return true }

// callRow waits for the row of a call that fits.
func callRow(c *testenv.Client, room wire.RoomID, id wire.CallID, what string, fits func(api.CallItem) bool) (row api.CallItem) {
	c.TB.Helper()
	c.Until(what, func() bool {
		for _, i := range c.Timeline(room) {
			if i.Kind == api.ItemCall && i.Call != nil && i.Call.Call == id && fits(*i.Call) {
				row = *i.Call
				return true
			}
		}
		return false
	})
	return row
}

func council(t *testing.T, users ...string) (w *testenv.World, id wire.RoomID) {
	t.Helper()
	w = testenv.New(t, testenv.WithUsers(users...))
	id = w.Client(users[0]).Group("council", users[1:]...)
	for _, name := range users[1:] {
		w.Client(name).Open("council")
	}
	return w, id
}

func TestTwoPeopleMeetAndTheLogSaysSo(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	a := begin(ann, room, true)
	id := a.Call.ID
	ring := told(bob, api.OnRing, always)
	if ring.Call != id || ring.Name != "ann" || ring.Title != "council" || ring.Direct {
		t.Errorf("it rings as %+v", ring)
	}
	told(ann, api.OnRingAnswer, func(r api.RingAnswer) bool { return r.How == wire.RingRinging && r.Name == "bob" })
	callRow(bob, room, id, "the call is live", func(i api.CallItem) bool { return i.Live && i.Ring })

	b := join(bob, id)
	told(bob, api.OnRingEnd, func(e api.RingEnd) bool { return e.Call == id })
	for _, c := range []*testenv.Client{ann, bob} {
		sees(c, id, "both are in", func(v api.Call) bool {
			return slices.Equal(names(v), []string{"ann", "bob"}) && v.Me != 0 && of(v, "ann").Leaf >= 0 && of(v, "bob").Leaf >= 0
		})
	}
	if av, bv := call(ann, id), call(bob, id); av.Code == "" || av.Code != bv.Code || len(av.Code) != 19 {
		t.Errorf("codes %q and %q", av.Code, bv.Code)
	}
	if !of(call(bob, id), "ann").Owner || of(call(bob, id), "bob").Owner {
		t.Error("ann owns the group")
	}
	ak, bk := testenv.Do(ann, api.GetCallKeys, api.CallRef{Call: id}), b.Keys
	if len(ak.Epochs) != 1 || ak.Epochs[0] != bk.Epochs[0] || !ak.Epochs[0].Seal || ak.Leaf == bk.Leaf || len(ak.Leaves) != 2 {
		t.Errorf("keys %+v and %+v", ak, bk)
	}

	// What they say of themselves.
	testenv.Do(bob, api.SetCallState, api.OwnCallState{Call: id, Muted: true, Hand: true})
	sees(ann, id, "bob is muted and raises a hand", func(v api.Call) bool {
		p := of(v, "bob")
		return p.Known && p.Muted && p.Hand != 0 && !p.Camera
	})
	testenv.Do(bob, api.ReactInCall, api.CallEmoji{Call: id, Emoji: "👍🏽"})
	if r := told(ann, api.OnCallReaction, always); r.Emoji != "👍🏽" || r.Name != "bob" {
		t.Errorf("reaction %+v", r)
	}
	testenv.Do(ann, api.MuteInCall, api.CallNumber{Call: id, Number: b.Number})
	if m := told(bob, api.OnCallAsked, always); m.What != api.AskMute || m.Name != "ann" {
		t.Errorf("asked %+v", m)
	}
	_, err := testenv.Ask(bob, api.MuteInCall, api.CallNumber{Call: id, Number: a.Number})
	if f := api.FailureOf(err); f.Code != api.NotAllowed {
		t.Errorf("a member mutes an owner: %v", err)
	}

	testenv.Do(bob, api.LeaveCall, api.CallRef{Call: id})
	sees(ann, id, "bob has left", func(v api.Call) bool { return slices.Equal(names(v), []string{"ann"}) })
	testenv.Do(ann, api.LeaveCall, api.CallRef{Call: id})
	for _, c := range []*testenv.Client{ann, bob} {
		sees(c, id, "over", func(v api.Call) bool { return v.Ended })
		row := callRow(c, room, id, "the call has ended", func(i api.CallItem) bool { return !i.Live && i.End != "" })
		if row.End != api.CallEnded || row.Missed || !slices.Equal(sorted(row.People), []string{"ann", "bob"}) {
			t.Errorf("%s reads %+v", c.Name, row)
		}
	}
	noNotices(t, ann, bob)
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestAMissedCallIsUnreadUntilItIsSeen(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	// The first thing in a direct room: the call makes it.
	direct := testenv.Do(ann, api.OpenDirect, api.PersonRef{Person: ann.Person("bob")})
	started := testenv.Do(ann, api.BeginCall, api.StartCall{Room: direct.ID, Ring: true, Video: true})
	join(ann, started.ID)
	ring := told(bob, api.OnRing, always)
	if !ring.Direct || !ring.Video || ring.Title != "ann" {
		t.Errorf("it rings as %+v", ring)
	}
	testenv.Do(ann, api.LeaveCall, api.CallRef{Call: started.ID})
	told(bob, api.OnRingEnd, func(e api.RingEnd) bool { return e.Why == wire.RingCancelled })
	row := callRow(bob, started.Room, started.ID, "missed", func(i api.CallItem) bool { return i.Missed })
	if row.End != api.CallCancelled || !row.Video || row.Seconds != 0 {
		t.Errorf("bob reads %+v", row)
	}
	room := bob.Room("ann")
	if room.Unread != 1 || room.Last == nil || room.Last.Call == nil || !room.Last.Call.Missed {
		t.Errorf("the room says %d unread, last %+v", room.Unread, room.Last)
	}
	testenv.Do(bob, api.MarkRead, api.ReadTo{Room: room.ID, Seq: room.Seq})
	bob.Until("read", func() bool { return bob.Room("ann").Unread == 0 })
	if i := callRow(ann, started.Room, started.ID, "ended", func(i api.CallItem) bool { return i.End != "" }); i.Missed {
		t.Errorf("ann missed her own call: %+v", i)
	}
}

func TestADeclinedCallStopsOnAllDevicesAndIsNotMissed(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	second := w.FurtherDevice("bob")
	bob.Until("the other device waits", func() bool { return len(testenv.Do(bob, api.ListDevices, api.None{}).Devices) == 2 })
	for _, d := range testenv.Do(bob, api.ListDevices, api.None{}).Devices {
		if !d.This {
			testenv.Do(bob, api.ApproveDevice, api.DeviceRef{Device: d.ID})
		}
	}
	second.Ready()
	ann.SendTo("bob", "hello")
	bob.Sees(bob.Open("ann").ID, "ann", "hello")
	second.Open("ann")
	room := ann.Open("bob")
	started := begin(ann, room.ID, true)
	id := started.Call.ID
	told(bob, api.OnRing, always)
	told(second, api.OnRing, always)
	testenv.Do(bob, api.Decline, api.DeclineCall{Call: id})
	told(second, api.OnRingEnd, func(e api.RingEnd) bool { return e.Why == wire.RingDeclined })
	told(ann, api.OnRingAnswer, func(r api.RingAnswer) bool { return r.How == wire.RingRefused })
	testenv.Do(ann, api.LeaveCall, api.CallRef{Call: id})
	for _, c := range []*testenv.Client{bob, second} {
		row := callRow(c, room.ID, id, "declined", func(i api.CallItem) bool { return i.End == api.CallDeclined })
		if row.Missed {
			t.Errorf("%s missed it", c.Name)
		}
	}
}

func TestTwoDevicesThatStartAtOnceGetOneCall(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	got := make(chan api.Call, 2)
	for _, c := range []*testenv.Client{ann, bob} {
		go func() {
			v, err := testenv.Ask(c, api.BeginCall, api.StartCall{Room: room})
			if err != nil {
				t.Error(err)
			}
			got <- v
		}()
	}
	if a, b := <-got, <-got; a.ID != b.ID {
		t.Errorf("two calls: %s and %s", a.ID, b.ID)
	}
}

// Keys follow the room: who is taken out gets none of the next epoch, and is out
// of the call.
func TestWhoIsRemovedFromTheRoomIsOutOfTheCallAndItsKeys(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob", "eve")
	ann, bob, eve := w.Client("ann"), w.Client("bob"), w.Client("eve")
	id := begin(ann, room, false).Call.ID
	join(bob, id)
	join(eve, id)
	sees(ann, id, "all are in", func(v api.Call) bool { return len(v.People) == 3 })
	testenv.Do(ann, api.SetCallState, api.OwnCallState{Call: id, Camera: true})
	before := testenv.Do(eve, api.GetCallKeys, api.CallRef{Call: id})
	testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: room, Member: ann.Person("eve")})
	if g := told(eve, api.OnCallGone, always); g != (api.CallGone{Call: id, Why: wire.GoneRemoved}) {
		t.Errorf("eve is told %+v", g)
	}
	for _, c := range []*testenv.Client{ann, bob} {
		sees(c, id, "eve is out", func(v api.Call) bool { return slices.Equal(sorted(names(v)), []string{"ann", "bob"}) })
		var keys api.CallKeys
		c.Until("a new key seals", func() bool {
			keys = testenv.Do(c, api.GetCallKeys, api.CallRef{Call: id})
			return len(keys.Epochs) == 2 && keys.Epochs[1].Seal
		})
		if keys.Epochs[1].Key == before.Epochs[0].Key {
			t.Error("the key did not change")
		}
		for _, l := range keys.Leaves {
			if l.Account == ann.Person("eve") {
				t.Errorf("frames of eve's leaf are still opened: %+v", l)
			}
		}
	}
	eve.Until("the call is gone", func() bool { return len(testenv.Do(eve, api.ListCalls, api.None{}).Calls) == 0 })
	_, err := testenv.Ask(eve, api.GetCallKeys, api.CallRef{Call: id})
	if f := api.FailureOf(err); f.Code != api.NotFound {
		t.Errorf("eve asks for keys: %v", err)
	}
	// Her own device refuses as long as it has not forgotten the call of a room that it has left.
	_, err = testenv.Ask(eve, api.JoinCall, api.CallOffer{Call: id, Offer: "again"})
	if f := api.FailureOf(err); f.Code != api.NotFound && f.Code != api.NotAllowed {
		t.Errorf("eve comes back: %v", err)
	}
	// What ann said of herself is said again for the new epoch.
	sees(bob, id, "ann's camera", func(v api.Call) bool { return of(v, "ann").Camera })
}

// A member that was removed may ask who is in the call before it has heard so, and
// the server knows of no call for it: that is not the call's end.
func TestWhoIsRemovedAndAsksFirstIsNotToldThatTheCallEnded(t *testing.T) {
	t.Parallel()
	for what, ask := range map[string]func(eve *testenv.Client, id wire.CallID){
		"who is in it": func(eve *testenv.Client, id wire.CallID) {
			inject(eve, wire.OnCallPeople, wire.CallPeople{Call: id, Version: 1000})
		},
		"which calls there are": func(eve *testenv.Client, _ wire.CallID) {
			inject(eve, wire.OnCatchUp, wire.CatchUp{})
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w, room := council(t, "ann", "eve")
			ann, eve := w.Client("ann"), w.Client("eve")
			id := begin(ann, room, false).Call.ID
			join(eve, id)
			sees(ann, id, "both are in", func(v api.Call) bool { return len(v.People) == 2 })
			eve.Link.Events(func(*wire.Frame) []wire.Frame { return nil }) // nothing of it arrives
			testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: room, Member: ann.Person("eve")})
			sees(ann, id, "eve is out", func(v api.Call) bool { return len(v.People) == 1 })
			ask(eve, id)
			if g := told(eve, api.OnCallGone, always); g != (api.CallGone{Call: id, Why: wire.GoneRemoved}) {
				t.Errorf("eve is told %+v", g)
			}
		})
	}
}

// A join number is never given twice, whatever crashes and however epochs go.
func TestJoinNumbersAreNeverUsedTwice(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann := w.Client("ann")
	id := begin(w.Client("bob"), room, false).Call.ID
	used := map[int]bool{}
	for i := range 4 {
		n := join(ann, id).Keys.Join
		if used[n] {
			t.Fatalf("join number %d twice", n)
		}
		used[n] = true
		if i == 1 {
			testenv.Do(ann, api.LeaveCall, api.CallRef{Call: id})
		}
		ann.Restart()
		ann.Ready()
		sees(ann, id, "it goes on", func(v api.Call) bool { return !v.Ended })
	}
}

func TestCallsSurviveARestartOfTheServer(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	id := begin(ann, room, false).Call.ID
	first := join(bob, id)
	sees(ann, id, "both are in", func(v api.Call) bool { return len(v.People) == 2 })
	w.Restart()
	for _, c := range []*testenv.Client{ann, bob} {
		told(c, api.OnCallGone, func(g api.CallGone) bool { return g.Call == id && g.Why == wire.GoneLost })
		sees(c, id, "it goes on without us", func(v api.Call) bool { return !v.Ended && v.Me == 0 })
	}
	join(ann, id)
	again := join(bob, id)
	if again.Number == first.Number {
		t.Errorf("number %d was given twice", again.Number)
	}
	sees(ann, id, "both are in again", func(v api.Call) bool { return slices.Equal(sorted(names(v)), []string{"ann", "bob"}) })
}

func TestOfflineAndAtASiteWithoutCallsCommandsSaySo(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann := w.Client("ann")
	id := begin(ann, room, false).Call.ID
	ann.Link.Cut()
	ann.Until("offline", func() bool { return testenv.Do(ann, api.GetStatus, api.None{}).Connection != api.Online })
	_, err := testenv.Ask(ann, api.ReactInCall, api.CallEmoji{Call: id, Emoji: "👍"})
	if f := api.FailureOf(err); f.Code != api.Offline {
		t.Errorf("react: %v", err)
	}
	testenv.Do(ann, api.SetCallState, api.OwnCallState{Call: id, Muted: true})
	testenv.Do(ann, api.LeaveCall, api.CallRef{Call: id})
	if v := call(ann, id); v.Me != 0 {
		t.Errorf("still in as %d", v.Me)
	}

	off := testenv.New(t, testenv.WithUsers("eve", "kim"), testenv.WithMedia(nil))
	eve := off.Client("eve")
	if testenv.Do(eve, api.GetStatus, api.None{}).Calls {
		t.Error("the site says that it has calls")
	}
	group := eve.Group("quiet", "kim")
	_, err = testenv.Ask(eve, api.BeginCall, api.StartCall{Room: group})
	if f := api.FailureOf(err); f.Code != api.Unsupported {
		t.Errorf("a call without calls: %v", err)
	}
}

func TestKnockingAndBeingLetIn(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "guest"))
	ann, bob, guest := w.Client("ann"), w.Client("bob"), w.Client("guest")
	room := ann.Group("council", "bob")
	bob.Open("council")
	id := begin(ann, room, false).Call.ID
	join(bob, id)
	_, err := testenv.Ask(bob, api.MakeCallLink, api.CallRef{Call: id})
	if f := api.FailureOf(err); f.Code != api.NotAllowed {
		t.Errorf("a member makes a link: %v", err)
	}
	link := testenv.Do(ann, api.MakeCallLink, api.CallRef{Call: id})
	wrong := link.Link[:len(link.Link)-4] + "aaaa"
	_, err = testenv.Ask(guest, api.KnockAtCall, api.CallLink{Link: wrong})
	if f := api.FailureOf(err); f.Code != api.NotFound {
		t.Errorf("a wrong token: %v", err)
	}
	testenv.Do(guest, api.KnockAtCall, api.CallLink{Link: strings.TrimPrefix(link.Link, w.Info.HTTPS)})
	k := told(ann, api.OnCallKnock, always)
	if k.Name != "guest" {
		t.Errorf("%+v knocks", k)
	}
	testenv.Do(ann, api.RefuseKnock, api.CallAccount{Call: id, Account: k.Account})
	told(guest, api.OnCallGone, func(g api.CallGone) bool { return g.Why == wire.GoneRefused })
	testenv.Do(guest, api.KnockAtCall, api.CallLink{Link: link.Link})
	testenv.Do(ann, api.AdmitToCall, api.CallAccount{Call: id, Account: k.Account})
	guest.Open("council")
	sees(guest, id, "the call", func(v api.Call) bool { return !v.Ended })
	join(guest, id)
	sees(bob, id, "the guest", func(v api.Call) bool { return of(v, "guest").Leaf > 0 })
	for _, e := range bob.Told() {
		if strings.HasPrefix(e.Name, "callKnock") {
			t.Error("who is no owner heard the knock")
		}
	}
}

// A3: who signs out, or whose device is revoked, is out of the call at once.
func TestWhoseSessionEndsIsOutOfTheCall(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	id := begin(ann, room, false).Call.ID
	join(bob, id)
	sees(ann, id, "both are in", func(v api.Call) bool { return len(v.People) == 2 })
	testenv.Do(bob, api.SignOut, api.SignOutHow{})
	sees(ann, id, "bob is out", func(v api.Call) bool { return slices.Equal(names(v), []string{"ann"}) })
	if v := call(bob, id); !v.Ended {
		t.Errorf("bob still knows of the call: %+v", v)
	}
}

// How long it rings a device counts by its own clock, however wrong that is.
func TestItRingsWhereTheClockIsWrong(t *testing.T) {
	t.Parallel()
	w, room := council(t, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	for _, wrong := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		bob.Stop()
		bob.Now = func() time.Time { return time.Now().Add(wrong) }
		bob.Start()
		bob.Ready()
		id := begin(ann, room, true).Call.ID
		r := told(bob, api.OnRing, func(r api.Ring) bool { return r.Call == id })
		if left := r.Until.Time().Sub(bob.Now()); left <= 0 || left > time.Minute {
			t.Errorf("off by %v it rings for %v", wrong, left)
		}
		testenv.Do(ann, api.LeaveCall, api.CallRef{Call: id})
		told(bob, api.OnRingEnd, func(e api.RingEnd) bool { return e.Call == id })
	}
}
