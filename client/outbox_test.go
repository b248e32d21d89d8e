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

// atCommit makes c renew the room's keys before the next message, as they are
// more than a day old, and runs f once while that commit is on its way: the
// outbox was read by then, and nothing is sealed yet.
func atCommit(c *testenv.Client, f func()) {
	c.Stop()
	c.Now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	c.Start()
	c.Ready()
	var once sync.Once
	c.Link.Answers(func(method string, _ *wire.Frame) {
		if method == wire.RoomCommit.Name {
			once.Do(f)
		}
	})
}

func TestAnEditWhileAMessageIsAboutToLeaveIsNotLost(t *testing.T) {
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "first")
	bob.Sees(q.Room, "ann", "first")
	ready := make(chan api.Queued, 1)
	atCommit(ann, func() {
		q := <-ready
		testenv.Do(ann, api.EditMessage, api.Edit{Room: q.Room, ID: q.ID, Text: "as it was meant"})
	})
	ready <- ann.Send(q.Room, "as it was not meant")
	bob.Sees(q.Room, "ann", "as it was meant")
	if texts := bob.Texts(q.Room); !slices.Equal(texts, []string{"first", "as it was meant"}) {
		t.Errorf("bob has %q", texts)
	}
	noNotices(t, ann, bob)
}

func TestTakingBackAMessageHoldsUpNoOther(t *testing.T) {
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "first")
	bob.Sees(q.Room, "ann", "first")
	ready := make(chan api.Queued, 1)
	atCommit(ann, func() {
		q := <-ready
		testenv.Do(ann, api.SendMessage, api.Outgoing{Room: &q.Room, Text: "behind it"})
		testenv.Do(ann, api.DropItem, api.ItemRef{Room: q.Room, ID: q.ID})
	})
	ready <- ann.Send(q.Room, "taken back")
	bob.Sees(q.Room, "ann", "behind it")
	if texts := bob.Texts(q.Room); !slices.Equal(texts, []string{"first", "behind it"}) {
		t.Errorf("bob has %q", texts)
	}
	noNotices(t, ann, bob)
}

// A server that says nonsense again and again is asked again after a while, not
// at once.
func TestNonsenseFromTheServerMakesNoBusyLoop(t *testing.T) {
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
			ann.Link.Answers(func(method string, f *wire.Frame) {
				if method == wire.RoomSend.Name {
					asked.Add(1)
					lie(f, wire.Receipt{Seq: m.Seq, Time: 1, Head: m.Head})
				}
			})
			ann.Send(q.Room, "second")
			ann.Until("asked", func() bool { return asked.Load() > 0 })
			time.Sleep(time.Second)
			if n := asked.Load(); n > 20 {
				t.Errorf("asked %d times in a second", n)
			}
			ann.Link.Answers(nil)
			ann.Link.Drop()
			bob.Sees(q.Room, "ann", "second")
			if texts := bob.Texts(q.Room); !slices.Equal(texts, []string{"first", "second"}) {
				t.Errorf("bob has %q", texts)
			}
		})
	}
}
