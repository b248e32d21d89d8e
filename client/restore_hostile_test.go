package client_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// liveAgain has the server say to a client that it lives another life, and the
// client come back to that.
func liveAgain(c *testenv.Client) {
	claims(c, anotherLife())
	c.Link.Drop()
	c.Notice(api.NoticeRestored)
}

// tale is a room in which all have seen the same messages, and what its log
// holds.
type tale struct {
	ann, bob, cyd *testenv.Client
	room          wire.RoomID
	texts         []string

	mu  sync.Mutex // guards what follows
	log []wire.Entry
}

func tell(t *testing.T) *tale {
	t.Helper()
	a := &tale{texts: []string{"honest", "one", "two", "three"}}
	_, a.ann, a.bob, a.cyd, a.room = trio(t)
	a.cyd.Link.Events(func(f *wire.Frame) []wire.Frame {
		var n wire.Nudge
		if f.Method == wire.OnNudge.Name && wire.Decode(f.Body, &n) == nil && n.Room == a.room && n.Entry != nil {
			a.mu.Lock()
			a.log = append(a.log, *n.Entry)
			a.mu.Unlock()
		}
		return []wire.Frame{*f}
	})
	for i, text := range a.texts[1:] {
		by := []*testenv.Client{a.ann, a.bob}[i%2]
		by.Sent(by.Send(a.room, text))
		for _, c := range []*testenv.Client{a.ann, a.bob, a.cyd} {
			c.Sees(a.room, by.Name, text)
		}
	}
	return a
}

// A server that says that it was restored, and was not, changes nothing: a log
// that is not shorter is read on.
func TestAClaimedLifeWithTheWholeLogChangesNothing(t *testing.T) {
	t.Parallel()
	a := tell(t)
	ann, bob, room, texts := a.ann, a.bob, a.room, a.texts
	before := bob.Timeline(room)
	liveAgain(bob)
	bob.Ready()
	ann.Send(room, "four")
	bob.Sees(room, "ann", "four")
	if got := bob.Timeline(room); !slices.EqualFunc(got[:len(before)], before, func(x, y api.Item) bool { return x.ID == y.ID && x.Order == y.Order }) {
		t.Errorf("bob had %+v, has %+v", before, got)
	}
	if got := bob.Texts(room); !slices.Equal(got, append(texts, "four")) {
		t.Errorf("bob has %q", got)
	}
}

// back has bob's server say that it was restored to the moment before message
// one, and show after that what edit makes of what was said since.
func (a *tale) back(t *testing.T, edit func([]wire.Entry) []wire.Entry) {
	t.Helper()
	a.mu.Lock()
	truth := slices.Clone(a.log)
	a.mu.Unlock()
	if len(truth) != 3 {
		t.Fatalf("the log has %d entries", len(truth))
	}
	at := truth[0].Seq - 1
	head := headAt(t, a.bob, a.room, at)
	lies := edit(truth)
	prev := head
	for i := range lies {
		lies[i].Seq = at + int64(i) + 1
		lies[i].Head = wire.Next(prev, a.room, &lies[i])
		prev = lies[i].Head
	}
	stand := func(s *wire.Room) { s.Seq, s.Head = at+int64(len(lies)), prev }
	var mu sync.Mutex
	asked := map[uint64]wire.ReadLog{}
	a.bob.Link.Requests(func(f *wire.Frame) {
		var p wire.ReadLog
		if f.Method == wire.RoomLog.Name && wire.Decode(f.Body, &p) == nil && p.Room == a.room {
			mu.Lock()
			asked[f.ID] = p
			mu.Unlock()
		}
	})
	a.bob.Link.Answers(func(method string, f *wire.Frame) {
		switch method {
		case wire.RoomLog.Name:
			mu.Lock()
			p, ok := asked[f.ID]
			mu.Unlock()
			var page wire.LogPage
			if !ok || f.Error != nil || wire.Decode(f.Body, &page) != nil {
				return
			}
			list := slices.DeleteFunc(page.Entries, func(e wire.Entry) bool { return e.Seq > at })
			for _, e := range lies {
				if e.Seq > p.After {
					list = append(list, e)
				}
			}
			if p.Limit > 0 && len(list) > p.Limit {
				list = list[:p.Limit]
			}
			page.Entries, page.Seq = list, at+int64(len(lies))
			f.Body = encode(page)
		case wire.RoomList.Name:
			var l wire.Rooms
			if wire.Decode(f.Body, &l) == nil {
				for i := range l.Rooms {
					if l.Rooms[i].Room == a.room {
						stand(&l.Rooms[i])
					}
				}
				f.Body = encode(l)
			}
		case wire.RoomGet.Name:
			var s wire.Room
			if wire.Decode(f.Body, &s) == nil && s.Room == a.room {
				stand(&s)
				f.Body = encode(s)
			}
		}
	})
}

func headAt(t *testing.T, c *testenv.Client, room wire.RoomID, seq int64) (head wire.Hash) {
	t.Helper()
	err := c.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		head, err = store.HeadAt(tx, room, seq)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// What a site has lost does not come from the server again: whoever sends again
// seals anew. So a server cannot have a restore pass for a history in another
// order.
func TestWhatWasLostIsNotTakenFromTheServer(t *testing.T) {
	t.Parallel()
	a := tell(t)
	a.back(t, func(e []wire.Entry) []wire.Entry { return []wire.Entry{e[2], e[0]} }) // ann's two, the other way round
	liveAgain(a.bob)
	n := a.bob.Notice(api.NoticeReplay)
	if !n.Severe {
		t.Errorf("the notice is %+v", n)
	}
	var texts []string
	for _, i := range a.bob.Timeline(a.room) {
		if i.Kind == api.ItemUnopenable {
			t.Errorf("a row that does not open: %+v", i)
		}
		if i.Kind == api.ItemMessage {
			texts = append(texts, i.Text)
			if alone := i.Text == "one" || i.Text == "three"; i.Alone != alone {
				t.Errorf("%q is alone: %v", i.Text, i.Alone)
			}
		}
	}
	if !slices.Equal(texts, a.texts) {
		t.Errorf("bob reads %q", texts)
	}
}

// An own entry is known by its bytes: the server cannot show it, in its place or
// with other bytes, before this device has sent it again.
func TestAnOwnEntryIsNotTakenFromTheServerEither(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		edit func([]wire.Entry) []wire.Entry
	}{
		{"as it was", func(e []wire.Entry) []wire.Entry { return e[1:2] }},
		{"with other bytes", func(e []wire.Entry) []wire.Entry {
			e[1].Body = slices.Clone(e[1].Body)
			e[1].Body[len(e[1].Body)-1] ^= 1
			return e[1:2]
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := tell(t)
			a.back(t, tt.edit)
			liveAgain(a.bob)
			a.bob.Until("refused", func() bool {
				for _, n := range a.bob.Notices() {
					if n.Code == api.NoticeForked || n.Code == api.NoticeReplay {
						return true
					}
				}
				return false
			})
			var texts []string
			for _, i := range a.bob.Timeline(a.room) {
				if i.Kind == api.ItemMessage {
					texts = append(texts, i.Text)
				}
			}
			if !slices.Equal(texts, a.texts) {
				t.Errorf("bob reads %q", texts)
			}
		})
	}
}

// What was read before the moment of a restore cannot be changed by one.
func TestARestoreDoesNotRewriteWhatWasBefore(t *testing.T) {
	t.Parallel()
	a := tell(t)
	a.back(t, func([]wire.Entry) []wire.Entry { return nil })
	a.mu.Lock()
	at := a.log[0].Seq - 1
	a.mu.Unlock()
	a.bob.Link.Cut()
	lied := func(e *wire.Entry) {
		if e.Seq == at {
			e.Body = append(slices.Clone(e.Body[:len(e.Body)-1]), e.Body[len(e.Body)-1]^1) // under the head that it had
		}
	}
	rewriteLog(a.bob, lied)
	a.bob.Link.Mend()
	liveAgain(a.bob)
	blocked(t, a.bob, api.NoticeForked, a.room)
}

// rewriteLog changes entries on their way to a client, after what changes them
// already.
func rewriteLog(c *testenv.Client, change func(*wire.Entry)) {
	c.Link.AlsoAnswers(func(method string, f *wire.Frame) {
		var page wire.LogPage
		if method == wire.RoomLog.Name && f.Error == nil && wire.Decode(f.Body, &page) == nil {
			for i := range page.Entries {
				change(&page.Entries[i])
			}
			f.Body = encode(page)
		}
	})
}

// A device takes one new life in an hour: a server that says again and again
// that it was restored gets nothing sealed again, and the person is told.
func TestANewLifeIsTakenOnceInAnHour(t *testing.T) {
	t.Parallel()
	a := tell(t)
	a.bob.Stop()
	var ahead atomic.Int64 // of bob's clock, in minutes
	a.bob.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Minute) }
	a.bob.Start()
	a.bob.Ready()
	a.back(t, func([]wire.Entry) []wire.Entry { return nil })
	var mu sync.Mutex
	var sealed []wire.SendMessage
	answers := a.bob.Link
	answers.AlsoRequests(func(f *wire.Frame) {
		var m wire.SendMessage
		if f.Method == wire.RoomSend.Name && wire.Decode(f.Body, &m) == nil && m.Room == a.room {
			mu.Lock()
			sealed = append(sealed, m)
			mu.Unlock()
		}
	})
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(sealed)
	}
	liveAgain(a.bob)
	a.bob.Until("sent again", func() bool { return count() > 0 })
	a.bob.Stop() // what this server answers is nothing to go on with
	claims(a.bob, anotherLife())
	ahead.Store(30)
	before := count()
	a.bob.Start()
	n := a.bob.Notice(api.NoticeLives)
	if !n.Severe {
		t.Errorf("the notice is %+v", n)
	}
	if _, err := testenv.Ask(a.bob, api.AddMembers, api.RoomPeople{Room: a.room, Members: []wire.AccountID{}}); api.FailureOf(err).Code != api.Busy {
		t.Errorf("a command that needs the room: %v", err)
	}
	if got := count(); got != before {
		t.Errorf("%d messages were sealed in a life that came too soon", got-before)
	}
	a.bob.Stop()
	ahead.Store(90)
	a.bob.Start()
	a.bob.Until("two lives", func() bool {
		lives := 0
		for _, n := range a.bob.Notices() {
			if n.Code == api.NoticeRestored {
				lives++
			}
		}
		return lives == 2
	})
}
