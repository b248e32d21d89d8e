package client_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// beforeSealing sends a message of c, and then, while the worker is at it, a
// second and a last one, which it finds in the outbox. Before it seals the second it renews
// the room's keys, as a day has passed; f runs while that commit is on its way.
func beforeSealing(c *testenv.Client, room wire.RoomID, first, second string, f func(q api.Queued)) {
	c.Stop()
	var later atomic.Int64
	c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	c.Start()
	c.Ready()
	var write, act sync.Once
	var q api.Queued
	c.Link.Answers(func(method string, _ *wire.Frame) {
		switch method {
		case wire.RoomSend.Name:
			write.Do(func() {
				q = c.Send(room, second)
				c.Send(room, "the last")
				later.Store(int64(25 * time.Hour))
			})
		case wire.RoomCommit.Name:
			act.Do(func() { f(q) })
		}
	})
	c.Send(room, first)
}

func TestAnEditWhileAMessageIsAboutToLeaveIsNotLost(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "first")
	bob.Sees(q.Room, "ann", "first")
	beforeSealing(ann, q.Room, "second", "as it was not meant", func(q api.Queued) {
		testenv.Do(ann, api.EditMessage, api.Edit{Room: q.Room, ID: q.ID, Text: "as it was meant"})
	})
	bob.Sees(q.Room, "ann", "the last")
	if texts := bob.Texts(q.Room); !slices.Equal(texts, []string{"first", "second", "as it was meant", "the last"}) {
		t.Errorf("bob has %q", texts)
	}
	noNotices(t, ann, bob)
}

func TestTakingBackAMessageHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "first")
	bob.Sees(q.Room, "ann", "first")
	beforeSealing(ann, q.Room, "second", "taken back", func(q api.Queued) {
		testenv.Do(ann, api.DropItem, api.ItemRef(q))
	})
	bob.Sees(q.Room, "ann", "the last")
	if texts := bob.Texts(q.Room); !slices.Equal(texts, []string{"first", "second", "the last"}) {
		t.Errorf("bob has %q", texts)
	}
	noNotices(t, ann, bob)
}

// A server that says nonsense again and again is asked again after a while, not
// at once.
func TestNonsenseFromTheServerMakesNoBusyLoop(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(f *wire.Frame, old wire.Receipt){
		"an old receipt": func(f *wire.Frame, old wire.Receipt) { f.Error, f.Body = nil, encode(old) },
		"an absurd wait": func(f *wire.Frame, _ wire.Receipt) {
			f.Body, f.Error = nil, &wire.Error{Code: wire.Busy, RetryAfter: 1<<63 - 1}
		},
		"no wait": func(f *wire.Frame, _ wire.Receipt) {
			f.Body, f.Error = nil, &wire.Error{Code: wire.Busy, RetryAfter: 1}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := testenv.New(t, testenv.WithUsers("ann", "bob"))
			ann, bob := w.Client("ann"), w.Client("bob")
			q := ann.SendTo("bob", "first")
			bob.Sees(q.Room, "ann", "first")
			m := stored(t, ann, q.Room)
			var asked atomic.Int64
			var kept sync.Map // numbers of requests that the server does not get to see
			ann.Link.Requests(func(f *wire.Frame) {
				if f.Method == wire.RoomSend.Name {
					asked.Add(1)
					kept.Store(f.ID, true)
					f.Method, f.Body = wire.RoomGet.Name, encode(wire.GetRoom{Room: q.Room})
				}
			})
			ann.Link.Answers(func(method string, f *wire.Frame) {
				if _, ok := kept.LoadAndDelete(f.ID); ok {
					lie(f, wire.Receipt{Seq: m.Seq, Time: 1, Head: m.Head})
				}
			})
			ann.Send(q.Room, "second")
			ann.Until("asked", func() bool { return asked.Load() > 0 })
			time.Sleep(time.Second)
			if n := asked.Load(); n > 20 {
				t.Errorf("asked %d times in a second", n)
			}
			ann.Link.Requests(nil)
			ann.Link.Answers(nil)
			ann.Link.Drop()
			bob.Sees(q.Room, "ann", "second")
			if texts := bob.Texts(q.Room); !slices.Equal(texts, []string{"first", "second"}) {
				t.Errorf("bob has %q", texts)
			}
		})
	}
}
