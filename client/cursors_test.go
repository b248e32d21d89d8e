package client_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

func delivered(i api.Item) bool { return i.State == api.ItemDelivered }

// What the person had before their eyes when they closed the program, senders
// see as delivered while it is closed.
func TestWhoClosesTheProgramHasToldHowFarItWas(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "first")
	bob.Sees(q.Room, "ann", "first")
	ann.Row(q.Room, q.ID, delivered)
	second := ann.Send(q.Room, "second") // in a busy room, so that it would be told later
	bob.Sees(q.Room, "ann", "second")
	bob.Stop()
	ann.Row(q.Room, second.ID, delivered)
}

// That the person's own messages came is told to nobody: nobody waits for it.
func TestOwnMessagesAreNotToldOf(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.SendTo("bob", "first").Room
	bob.Sees(room, "ann", "first")
	var told atomic.Int64
	bob.Send(room, "answer")
	ann.Sees(room, "bob", "answer")
	testenv.Do(ann, api.LookAway, api.None{})
	ann.Restart() // has told everything up to here
	ann.Ready()
	ann.Link.Requests(func(f *wire.Frame) {
		if f.Method == wire.RoomCursors.Name {
			told.Add(1)
		}
	})
	for range 3 {
		ann.Row(room, ann.Send(room, "more").ID, delivered)
	}
	testenv.Do(ann, api.LookAway, api.None{})
	ann.Stop()
	if n := told.Load(); n > 1 { // the first on a connection tells where it stands
		t.Errorf("of her own messages ann told %d times", n)
	}
}

// What a nudge takes along counts, and what a server makes up does not: cursors
// of rooms that are not here, and more of them than there can be.
func TestCursorsThatComeWithANudge(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.SendTo("bob", "first").Room
	bob.Sees(room, "ann", "first")
	ann.Link.Events(func(f *wire.Frame) []wire.Frame { // without what bob's device says
		var c wire.Cursors
		if f.Method == wire.OnCursor.Name && wire.Decode(f.Body, &c) == nil && c.Room == room && len(c.Cursors) == 1 {
			return nil
		}
		return []wire.Frame{*f}
	})
	q := ann.Sent(ann.Send(room, "second"))
	bob.Sees(room, "ann", "second")
	if i := ann.Row(room, q.ID, func(api.Item) bool { return true }); delivered(i) {
		t.Error("delivered, before anybody said so")
	}
	who := testenv.Do(bob, api.GetStatus, api.None{}).Me.ID
	far := wire.Cursor{Account: who, Delivered: q.Seq}
	elsewhere := wire.NewRoomID()
	many := wire.Cursors{Room: room}
	for range wire.MaxCursors + 1 {
		many.Cursors = append(many.Cursors, wire.Cursor{Account: wire.NewAccountID(), Delivered: 1})
	}
	for _, e := range []wire.Cursors{many, {Room: elsewhere, Cursors: []wire.Cursor{far}}} {
		ann.Link.Inject(wire.Frame{Method: wire.OnCursor.Name, Body: encode(e)})
	}
	ann.Link.Inject(wire.Frame{Method: wire.OnNudge.Name, Body: encode(wire.Nudge{Room: room, Seq: q.Seq, Cursors: []wire.Cursor{far}})})
	ann.Row(room, q.ID, delivered)
	err := ann.Store.View(context.Background(), func(tx *store.Tx) error {
		here, err := store.Cursors(tx, room)
		there, err2 := store.Cursors(tx, elsewhere)
		if len(here) > 2 || len(there) > 0 {
			t.Errorf("ann keeps %d cursors of the room and %d of another", len(here), len(there))
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Error(err)
	}
}
