package client_test

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// A server that is too busy just when a device connects is asked again: nothing
// else would tell what was missed.
func TestWhatABusyServerRefusedAtConnectingIsAskedAgain(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "first")
	bob.Sees(q.Room, "ann", "first")
	bob.Stop()
	ann.Sent(ann.Send(q.Room, "while you were away"))
	var refused atomic.Bool
	bob.Link.Answers(func(method string, f *wire.Frame) {
		if method == wire.RoomList.Name && refused.CompareAndSwap(false, true) {
			f.Body, f.Error = nil, &wire.Error{Code: wire.Busy, RetryAfter: 10}
		}
	})
	bob.Start()
	bob.Sees(q.Room, "ann", "while you were away")
}

// Nor does anything tell again that a device was let in, should the server be too
// busy to say by which statement.
func TestWhatABusyServerRefusedAfterAnEventIsAskedAgain(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann"))
	ann, two := w.Client("ann"), w.FurtherDevice("ann")
	var refused atomic.Bool
	two.Link.Answers(func(method string, f *wire.Frame) {
		var p wire.Statements
		if method != wire.DirectoryStatements.Name || wire.Decode(f.Body, &p) != nil || len(p.Chains) == 0 || len(p.Chains[0].Statements) < 2 {
			return
		}
		if refused.CompareAndSwap(false, true) { // the first answer that lets it in
			f.Body, f.Error = nil, &wire.Error{Code: wire.Busy, RetryAfter: 10}
		}
	})
	approve(t, ann, two)
	if !refused.Load() {
		t.Error("nothing was refused")
	}
}

// What a device has read, and could not tell before it ended, it tells later.
func TestACursorThatWasNotToldIsToldAfterARestart(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "first")
	bob.Sees(q.Room, "ann", "first")
	var lost atomic.Bool
	bob.Link.Requests(func(f *wire.Frame) {
		if f.Method == wire.RoomCursors.Name {
			f.Body = encode(wire.SetCursor{Room: q.Room})
			lost.Store(true)
		}
	})
	second := ann.Send(q.Room, "second")
	bob.Sees(q.Room, "ann", "second")
	bob.Until("lost", lost.Load)
	bob.Stop()
	bob.Link.Requests(nil)
	bob.Start()
	ann.Row(q.Room, second.ID, func(i api.Item) bool { return i.State == api.ItemDelivered })
}

// An answer about many people's statements has an end. Whose did not fit comes
// in the next one, and nobody is suspected of anything.
func TestAPageOfStatementsThatEndsRaisesNoAlarm(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "cyd", "dan"))
	ann := w.Client("ann")
	others := []string{"bob", "cyd", "dan"}
	ann.Group("council", others...)
	for _, n := range others {
		w.Client(n).Open("council")
	}
	ann.Stop()
	for _, n := range others {
		two := w.FurtherDevice(n)
		approve(t, w.Client(n), two)
	}
	var cut atomic.Int64
	ann.Link.Answers(func(method string, f *wire.Frame) {
		var p wire.Statements
		if method != wire.DirectoryStatements.Name || f.Error != nil || wire.Decode(f.Body, &p) != nil || len(p.Chains) < 2 {
			return
		}
		for i := range p.Chains[1:] {
			p.Chains[1+i].Statements = []wire.SignedStatement{}
		}
		p.More = true
		f.Body = encode(p)
		cut.Add(1)
	})
	ann.Start()
	ann.Ready()
	noNotices(t, ann)
	if cut.Load() == 0 {
		t.Error("nothing was cut")
	}
	if slices.ContainsFunc(ann.Notices(), func(n api.Notice) bool { return n.Code == api.NoticeRollback }) {
		t.Error("an alarm for nothing")
	}
}
