package client_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

func epoch(c *testenv.Client, room wire.RoomID) uint64 {
	return testenv.Do(c, api.GetRoom, api.RoomRef{Room: room}).Epoch
}

func TestKeysOfAnOldEpochAreRenewedBeforeTheNextMessage(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "one")
	bob.Sees(q.Room, "ann", "one")
	ann.Sent(ann.Send(q.Room, "two"))
	before := epoch(ann, q.Room)

	var ahead atomic.Int64
	ann.Stop()
	ann.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	ann.Start()
	ann.Ready()
	ann.Sent(ann.Send(q.Room, "three"))
	if now := epoch(ann, q.Room); now != before {
		t.Errorf("epoch %d after a moment, %d before", now, before)
	}
	ahead.Store(int64(25 * time.Hour))
	ann.Sent(ann.Send(q.Room, "four"))
	bob.Sees(q.Room, "ann", "four")
	if now := epoch(bob, q.Room); now != before+1 {
		t.Errorf("epoch %d after a day, %d before", now, before)
	}
	noNotices(t, ann, bob)
}

func TestALastResortKeyServesMoreThanOnce(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	ids := ann.People("bob")
	// Others use up all one-time packages while bob is away.
	bob.Stop()
	eve := w.AddPerson("eve") // a bare socket, to claim with
	for {
		k := testenv.Call(eve.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: ids, Devices: []wire.DeviceID{}})
		if len(k.Packages) != 1 {
			t.Fatalf("%d packages of bob's device", len(k.Packages))
		}
		again := testenv.Call(eve.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: ids, Devices: []wire.DeviceID{}})
		if string(again.Packages[0].Package) == string(k.Packages[0].Package) {
			break // the same one twice: that is the last resort
		}
	}
	for _, title := range []string{"first", "second"} {
		id := ann.Group(title, "bob")
		ann.Sent(ann.Send(id, "in "+title))
	}
	bob.Start()
	for _, title := range []string{"first", "second"} {
		m := bob.Open(title)
		bob.Sees(m.ID, "ann", "in "+title)
	}
	noNotices(t, ann, bob)
}

func TestNothingIsSealedToARevokedDevice(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.Group("council", "bob")
	bob.Open("council")
	two := w.FurtherDevice("ann")
	approve(t, ann, two)
	two.Open("council")
	bob.Until("three leaves", func() bool { return leaves(bob, room) == 3 })
	two.Stop()

	// ann revokes it, and her remaining device is gone before it can remove the
	// leaf: bob has to do that before he writes.
	var id wire.DeviceID
	for _, d := range testenv.Do(ann, api.ListDevices, api.None{}).Devices {
		if !d.This {
			id = d.ID
		}
	}
	ann.Link.Requests(func(f *wire.Frame) {
		if f.Method == wire.RoomCommit.Name {
			f.Method = "session.ping" // never reaches the log
			f.Body = encode(wire.None{})
		}
	})
	testenv.Do(ann, api.RevokeDevice, api.DeviceRef{Device: id})
	ann.Stop()
	account := bob.Person("ann")
	bob.Until("knows of it", func() bool {
		var v *statement.Verified
		err := bob.Store.View(context.Background(), func(tx *store.Tx) (err error) {
			v, err = store.GetPin(tx, account)
			return err
		})
		return err == nil && v != nil && len(v.Active()) == 1
	})
	bob.Sent(bob.Send(room, "not for the lost one"))
	if n := leaves(bob, room); n != 2 {
		t.Errorf("%d leaves when bob's message was sealed", n)
	}
	rows := bob.Timeline(room)
	gone := slices.IndexFunc(rows, func(i api.Item) bool { return i.Change != nil && i.Change.Kind == api.ChangeDeviceGone })
	said := slices.IndexFunc(rows, func(i api.Item) bool { return i.Text == "not for the lost one" })
	if gone < 0 || said < gone {
		t.Errorf("the removal is row %d, the message row %d", gone, said)
	}
	noNotices(t, bob)
}

func leaves(c *testenv.Client, room wire.RoomID) (n int) {
	for _, m := range testenv.Do(c, api.GetRoom, api.RoomRef{Room: room}).Members {
		n += m.Devices
	}
	return n
}

func TestADeviceThatLostItsGroupRejoins(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.Group("council", "bob")
	bob.Open("council")
	ann.Send(room, "before")
	bob.Sees(room, "ann", "before")
	bob.Stop()
	bob.Start()
	bob.Link.Cut()
	if err := bob.Store.Update(context.Background(), func(tx *store.Tx) error { return store.DropMLS(tx, room) }); err != nil {
		t.Fatal(err)
	}
	bob.Restart()
	for i := range 3 {
		ann.Sent(ann.Send(room, fmt.Sprintf("missed %d", i)))
	}
	bob.Link.Mend()
	bob.Open("council")
	ann.Send(room, "after")
	bob.Sees(room, "ann", "after")
	bob.Sent(bob.Send(room, "here again"))
	ann.Sees(room, "bob", "here again")
	// What was sent to bob's leaf before it came anew is said again by its sender,
	// and stands where it stands for everybody.
	bob.Until("nothing is missing", func() bool { return !gaps(bob, room) })
	if x, y := bob.Texts(room), ann.Texts(room); len(x) != 6 || !slices.Equal(x, y) {
		t.Errorf("bob has %q, ann has %q", x, y)
	}
	if n := leaves(ann, room); n != 2 {
		t.Errorf("%d leaves", n)
	}
	noNotices(t, ann, bob)
}

// A person who was out of a direct room while they had no device is nobody new there
// to a device that has to join it anew.
func TestTheOtherOneOfADirectRoomIsNobodyNewThere(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.SendTo("bob", "hi").Room
	bob.Sees(room, "ann", "hi")
	bob.Sent(bob.Send(room, "here"))
	testenv.Do(bob, api.SignOut, api.SignOutHow{Forget: true}) // its device is the only one
	ann.Until("bob has no device there", func() bool { return leaves(ann, room) == 1 })
	ann.Stop()
	ann.Start()
	ann.Link.Cut()
	if err := ann.Store.Update(context.Background(), func(tx *store.Tx) error { return store.DropMLS(tx, room) }); err != nil {
		t.Fatal(err)
	}
	ann.Stop()

	again := w.FurtherDevice("bob")
	testenv.Do(again, api.Recover, api.RecoveryKey{Key: bob.RecoveryKey})
	again.Open("ann")
	ann.Start()
	ann.Link.Mend()
	ann.Open("bob")
	ann.Sent(ann.Send(room, "welcome back"))
	again.Sees(room, "ann", "welcome back")
	noNotices(t, ann, again)
}

func TestTypingAndPresence(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "hi")
	bob.Sees(q.Room, "ann", "hi")
	testenv.Do(ann, api.SayTyping, api.RoomRef{Room: q.Room})
	bob.Until("ann writes", func() bool {
		return slices.ContainsFunc(bob.Told(), func(e testenv.Told) bool {
			t, ok := e.Value.(api.TypingNow)
			return ok && t.Room == q.Room && t.Name == "ann" && t.Until > 0
		})
	})
	online := func() bool {
		for _, p := range testenv.Do(bob, api.ListPeople, api.None{}).People {
			if p.Name == "ann" {
				return p.Online
			}
		}
		return false
	}
	bob.Until("ann online", online)
	ann.Stop()
	bob.Until("ann offline", func() bool { return !online() })
}

func TestLeavingWithTwoDevices(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.Group("council", "bob")
	bob.Open("council")
	two := w.FurtherDevice("bob")
	approve(t, bob, two)
	two.Open("council")
	testenv.Do(bob, api.LeaveRoom, api.RoomRef{Room: room})
	for _, c := range []*testenv.Client{bob, two} {
		c.Until("left", func() bool { return c.Room("council").State == api.RoomLeft })
	}
	ann.Until("alone", func() bool { return ann.Room("council").Members == 1 })
	ann.Sent(ann.Send(room, "to nobody"))
	noNotices(t, ann, bob, two)
}

func TestDraftsAndUnreadStay(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "1")
	for i := 2; i <= 5; i++ {
		ann.Sent(ann.Send(q.Room, fmt.Sprint(i)))
	}
	bob.Sees(q.Room, "ann", "5")
	testenv.Do(bob, api.SaveDraft, api.Draft{Room: q.Room, Text: "half a thou"})
	two := bob.Sees(q.Room, "ann", "2")
	testenv.Do(bob, api.MarkRead, api.ReadTo{Room: q.Room, Seq: two.Seq})
	bob.Restart()
	if m := bob.Room("ann"); m.Draft != "half a thou" || m.Unread != 3 {
		t.Errorf("after a restart: draft %q, %d unread", m.Draft, m.Unread)
	}
	tl := testenv.Do(bob, api.GetTimeline, api.Window{Room: q.Room, Unread: true, Limit: 3})
	if three := bob.Sees(q.Room, "ann", "3"); tl.FirstUnread != three.ID {
		t.Errorf("the first unread row is %q", tl.FirstUnread)
	}
	if len(tl.Items) == 0 || !tl.Older {
		t.Errorf("a window of three: %+v", tl)
	}
	testenv.Do(bob, api.MarkRead, api.ReadTo{Room: q.Room, Seq: two.Seq - 1}) // backward is ignored
	if m := bob.Room("ann"); m.Unread != 3 {
		t.Errorf("%d unread after reading backward", m.Unread)
	}
}
