package client_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// A server that says more than a device can handle fills no memory: what is too
// much is not heard, and everything is asked for once instead.
func TestAFloodOfEventsEndsInOneQuestion(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.SendTo("bob", "first").Room
	bob.Sees(room, "ann", "first")
	var lists, events atomic.Int64
	hold := make(chan struct{}) // the answer to a question that a handler asks, while the flood comes
	bob.Link.Answers(func(method string, f *wire.Frame) {
		switch method {
		case wire.DirectoryStatements.Name:
			<-hold
		case wire.RoomList.Name:
			lists.Add(1)
		}
	})
	const flood = 20_000
	ghost := wire.Person{Account: wire.NewAccountID(), Name: strings.Repeat("ghost ", 20)}
	bob.Link.Events(func(f *wire.Frame) []wire.Frame {
		if f.Method != wire.OnCursor.Name && f.Method != wire.OnNudge.Name {
			return []wire.Frame{*f}
		}
		out := []wire.Frame{{Method: wire.OnDevice.Name, Body: encode(wire.DeviceChange{})}, *f}
		for range flood {
			out = append(out, wire.Frame{Method: wire.OnAccount.Name, Body: encode(wire.AccountChange{Person: ghost})})
			events.Add(1)
		}
		return out
	})
	ann.Send(room, "in the flood")
	bob.Sees(room, "ann", "in the flood") // nudges need no queue
	bob.Link.Events(nil)
	close(hold)
	bob.Until("asked for everything", func() bool { return lists.Load() > 0 })
	bob.Ready()
	if n := lists.Load(); n > 4 {
		t.Errorf("everything was asked for %d times after %d events", n, events.Load())
	}
	noNotices(t, bob)
}

// The same for what a server says of calls.
func TestAFloodOfCallsEndsInOneQuestion(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.SendTo("bob", "first").Room
	bob.Sees(room, "ann", "first")
	var lists atomic.Int64
	bob.Link.Answers(func(method string, f *wire.Frame) {
		if method == wire.CallList.Name {
			lists.Add(1)
		}
	})
	bob.Link.Events(func(f *wire.Frame) []wire.Frame {
		if f.Method != wire.OnNudge.Name {
			return []wire.Frame{*f}
		}
		out := []wire.Frame{*f}
		for range 5000 { // calls of rooms that there are not
			c := wire.Call{Call: wire.NewCallID(), Room: wire.NewRoomID(), Count: 1, People: []wire.CallParticipant{}}
			out = append(out, wire.Frame{Method: wire.OnCall.Name, Body: encode(c)})
		}
		return out
	})
	ann.Send(room, "in the flood")
	bob.Sees(room, "ann", "in the flood")
	bob.Link.Events(nil)
	bob.Until("asked", func() bool { return lists.Load() > 0 })
	bob.Until("none is left", func() bool { return len(testenv.Do(bob, api.ListCalls, api.None{}).Calls) == 0 })
	if n := lists.Load(); n > 20 {
		t.Errorf("asked %d times", n)
	}
}

// Rooms that cannot be read keep nobody from the others, and are named.
func TestBadRoomsKeepNoOtherFromBeingRead(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	var rooms []wire.RoomID
	for n := range 3 {
		title := fmt.Sprintf("room %d", n)
		rooms = append(rooms, ann.Group(title, "bob"))
		bob.Open(title)
	}
	bob.Stop()
	for _, room := range rooms {
		ann.Sent(ann.Send(room, "while you were away"))
	}
	asked := make(chan map[uint64]bool, 1)
	asked <- map[uint64]bool{}
	bob.Link.Requests(func(f *wire.Frame) {
		var p wire.ReadLog
		if f.Method == wire.RoomLog.Name && wire.Decode(f.Body, &p) == nil && (p.Room == rooms[1] || p.Room == rooms[2]) {
			m := <-asked
			m[f.ID] = true
			asked <- m
		}
	})
	bob.Link.Answers(func(method string, f *wire.Frame) {
		m := <-asked
		if method == wire.RoomLog.Name && m[f.ID] {
			f.Body, f.Error = nil, &wire.Error{Code: wire.Internal, Text: "no"}
		}
		asked <- m
	})
	bob.Start()
	err := bob.WaitCaughtUp(t.Context())
	f := api.FailureOf(err)
	if f.Code != api.InternalFail || !strings.Contains(f.Text, "room 1") || !strings.Contains(f.Text, "room 2") || strings.Contains(f.Text, "room 0") {
		t.Errorf("the failure is %+v", f)
	}
	if got := len(bob.Texts(rooms[0])); got != 1 {
		t.Errorf("room 0 has %d messages", got)
	}
}
