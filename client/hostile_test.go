package client_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// liar is a server that shows one device another log of a room than the true
// one, from where that device came in.
type liar struct {
	t      *testing.T
	victim *testenv.Client
	room   wire.RoomID
	seq    int64 // where the victim came in, and the head there
	head   wire.Hash
	honest bool  // heads as they were: the lie is plain
	gap    int64 // numbers left out, with heads that fit

	mu    sync.Mutex
	edit  func([]wire.Entry) []wire.Entry
	asked map[uint64]int64
}

// lie makes the victim's server show the room's log as edit makes it; with
// rehash the numbers and heads fit the lie.
func lie(t *testing.T, victim *testenv.Client, room wire.RoomID, rehash bool, edit func([]wire.Entry) []wire.Entry) *liar {
	t.Helper()
	m := stored(t, victim, room)
	l := &liar{t: t, victim: victim, room: room, seq: m.Seq, head: m.Head, honest: !rehash, edit: edit, asked: map[uint64]int64{}}
	victim.Link.Requests(l.request)
	victim.Link.Answers(l.answer)
	victim.Link.Events(l.event)
	return l
}

func stored(t *testing.T, c *testenv.Client, room wire.RoomID) (m store.Room) {
	t.Helper()
	err := c.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		m, err = store.GetRoom(tx, room)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (l *liar) request(f *wire.Frame) {
	var p wire.ReadLog
	if f.Method != wire.RoomLog.Name || wire.Decode(f.Body, &p) != nil || p.Room != l.room {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[f.ID] = p.After
	p.After = l.seq
	f.Body = encode(p)
}

func (l *liar) answer(method string, f *wire.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	after, ok := l.asked[f.ID]
	var page wire.LogPage
	if method != wire.RoomLog.Name || !ok || f.Error != nil || wire.Decode(f.Body, &page) != nil {
		return
	}
	entries := l.edit(page.Entries)
	page.Entries = []wire.Entry{}
	prev := l.head
	for i, e := range entries {
		if !l.honest {
			e.Seq = l.seq + int64(i) + 1 + l.gap
			e.Head = wire.Next(prev, l.room, &e)
			prev = e.Head
		}
		page.Seq = e.Seq
		if e.Seq > after {
			page.Entries = append(page.Entries, e)
		}
	}
	f.Body = encode(page)
}

func (l *liar) event(f *wire.Frame) []wire.Frame {
	var n wire.Nudge
	if f.Method == wire.OnNudge.Name && wire.Decode(f.Body, &n) == nil && n.Room == l.room {
		n.Entry, n.Seq = nil, n.Seq+10
		f.Body = encode(n)
	}
	return []wire.Frame{*f}
}

func encode(v any) []byte {
	b, err := wire.Encode(v)
	if err != nil {
		panic(err)
	}
	return b
}

// trio is a group of three that works.
func trio(t *testing.T) (w *testenv.World, ann, bob, cyd *testenv.Client, room wire.RoomID) {
	t.Helper()
	w = testenv.New(t, testenv.WithUsers("ann", "bob", "cyd"))
	ann, bob, cyd = w.Client("ann"), w.Client("bob"), w.Client("cyd")
	room = ann.Group("council", "bob", "cyd")
	bob.Open("council")
	cyd.Open("council")
	ann.Send(room, "honest")
	bob.Sees(room, "ann", "honest")
	cyd.Sees(room, "ann", "honest")
	return w, ann, bob, cyd, room
}

// blocked waits until the victim has refused the room with that notice, and
// checks that it kept what it had and the members it had.
func blocked(t *testing.T, victim *testenv.Client, code api.NoticeCode, room wire.RoomID) {
	t.Helper()
	n := victim.Notice(code)
	if !n.Severe || n.Room == nil || *n.Room != room {
		t.Errorf("the notice is %+v", n)
	}
	victim.Until("blocked", func() bool { return victim.Room("council").State == api.RoomBlocked })
	if !slices.Contains(victim.Texts(room), "honest") {
		t.Error("what was there is gone")
	}
	if m := victim.Room("council").Members; m != 3 {
		t.Errorf("%d members", m)
	}
}

func TestALogThatWasTamperedWithBlocksTheRoom(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		edit func([]wire.Entry) []wire.Entry
	}{
		{"an entry left out", func(e []wire.Entry) []wire.Entry { return slices.Delete(slices.Clone(e), 0, 1) }},
		{"two entries swapped", func(e []wire.Entry) []wire.Entry {
			e = slices.Clone(e)
			e[0], e[1] = e[1], e[0]
			return e
		}},
		{"two entries swapped and numbered", func(e []wire.Entry) []wire.Entry {
			e = slices.Clone(e)
			e[0], e[1] = e[1], e[0]
			e[0].Seq, e[1].Seq = e[1].Seq, e[0].Seq
			return e
		}},
		{"an entry twice", func(e []wire.Entry) []wire.Entry { return slices.Insert(slices.Clone(e), 1, e[0]) }},
		{"another time", func(e []wire.Entry) []wire.Entry {
			e = slices.Clone(e)
			e[0].Time += 3600_000
			return e
		}},
		{"another sender", func(e []wire.Entry) []wire.Entry {
			e = slices.Clone(e)
			e[0].Account[0] ^= 1
			return e
		}},
		{"other bytes", func(e []wire.Entry) []wire.Entry {
			e = slices.Clone(e)
			e[0].Body = slices.Clone(e[0].Body)
			e[0].Body[len(e[0].Body)-1] ^= 1
			return e
		}},
		{"erased with another hash", func(e []wire.Entry) []wire.Entry {
			e = slices.Clone(e)
			e[0].Body, e[0].Erased = nil, &wire.Hash{1}
			return e
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, ann, bob, _, room := trio(t)
			lie(t, bob, room, false, func(e []wire.Entry) []wire.Entry {
				if len(e) < 2 {
					return nil
				}
				return tt.edit(e)
			})
			ann.Send(room, "one")
			ann.Send(room, "two")
			blocked(t, bob, api.NoticeForked, room)
			bob.Restart()
			if got := bob.Room("council").State; got != api.RoomBlocked {
				t.Errorf("after a restart the room is %s", got)
			}
		})
	}
}

func TestAHoleWithHeadsThatFitIsAFork(t *testing.T) {
	t.Parallel()
	_, ann, bob, _, room := trio(t)
	l := lie(t, bob, room, true, func(e []wire.Entry) []wire.Entry { return e })
	l.mu.Lock()
	l.gap = 3
	l.mu.Unlock()
	ann.Send(room, "one")
	blocked(t, bob, api.NoticeForked, room)
}

func TestASecondEntryForOneSeqIsAFork(t *testing.T) {
	t.Parallel()
	_, ann, bob, _, room := trio(t)
	var mu sync.Mutex
	var seen []wire.Nudge
	bob.Link.Events(func(f *wire.Frame) []wire.Frame {
		var n wire.Nudge
		if f.Method == wire.OnNudge.Name && wire.Decode(f.Body, &n) == nil && n.Room == room && n.Entry != nil {
			mu.Lock()
			seen = append(seen, n)
			mu.Unlock()
			return []wire.Frame{*f, *f} // doubled: that is nothing
		}
		return []wire.Frame{*f}
	})
	ann.Send(room, "one")
	bob.Sees(room, "ann", "one")
	ann.Send(room, "two")
	bob.Sees(room, "ann", "two")
	noNotices(t, bob)
	mu.Lock()
	n := seen[0]
	e := *n.Entry
	mu.Unlock()
	e.Body = append(slices.Clone(e.Body), 0)
	e.Head[0] ^= 1
	n.Entry = &e
	bob.Link.Inject(wire.Frame{Method: wire.OnNudge.Name, Body: encode(n)})
	blocked(t, bob, api.NoticeForked, room)
}

func TestAReplayIsShownOnceAndTold(t *testing.T) {
	t.Parallel()
	_, ann, bob, _, room := trio(t)
	lie(t, bob, room, true, func(e []wire.Entry) []wire.Entry {
		if len(e) == 0 {
			return e
		}
		return slices.Insert(slices.Clone(e), 1, e[0])
	})
	ann.Send(room, "once")
	bob.Sees(room, "ann", "once")
	bob.Notice(api.NoticeReplay)
	n := 0
	for _, i := range bob.Timeline(room) {
		if i.Text == "once" || i.Kind == api.ItemUnopenable {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d rows of one message", n)
	}
	// A copy under another client id does not open.
	_, ann, bob, _, room = trio(t)
	lie(t, bob, room, true, func(e []wire.Entry) []wire.Entry {
		if len(e) == 0 {
			return e
		}
		twin := e[0]
		twin.Client = wire.ClientID{7}
		return slices.Insert(slices.Clone(e), 1, twin)
	})
	ann.Send(room, "once")
	bob.Sees(room, "ann", "once")
	bob.Until("unopenable", func() bool {
		return slices.ContainsFunc(bob.Timeline(room), func(i api.Item) bool { return i.Kind == api.ItemUnopenable })
	})
	if n := len(slices.DeleteFunc(bob.Texts(room), func(s string) bool { return s != "once" })); n != 1 {
		t.Errorf("%d times the text", n)
	}
}

func TestAMessageUnderAnotherNameIsNotShownAsTheirs(t *testing.T) {
	t.Parallel()
	_, ann, bob, cyd, room := trio(t)
	as := *testenv.Do(cyd, api.GetStatus, api.None{}).Device
	who := cyd.Person("cyd")
	lie(t, bob, room, true, func(e []wire.Entry) []wire.Entry {
		e = slices.Clone(e)
		for i := range e {
			e[i].Account, e[i].Device = who, as
		}
		return e
	})
	ann.Send(room, "by ann")
	bob.Until("unopenable", func() bool {
		return slices.ContainsFunc(bob.Timeline(room), func(i api.Item) bool { return i.Kind == api.ItemUnopenable })
	})
	if slices.Contains(bob.Texts(room), "by ann") {
		t.Error("shown under another name")
	}
}

func TestTwoHistoriesAreFoundByTheNextCommit(t *testing.T) {
	t.Parallel()
	_, ann, bob, _, room := trio(t)
	lie(t, bob, room, true, func(e []wire.Entry) []wire.Entry {
		// bob never gets to see the first message; all that follows fits.
		return slices.DeleteFunc(slices.Clone(e), func(e wire.Entry) bool { return e.Kind == wire.MessageEntry })
	})
	ann.Sent(ann.Send(room, "not for bob"))
	testenv.Do(ann, api.SetRole, api.SetOwner{Room: room, Member: ann.Person("cyd"), Owner: true})
	blocked(t, bob, api.NoticeSplit, room)
}

func TestAnOwnEntryThatIsNotWhatWeSentIsAFork(t *testing.T) {
	t.Parallel()
	_, _, bob, _, room := trio(t)
	// The answer to the send is lost, and the log shows other bytes for it.
	var lost atomic.Bool
	bob.Link.Answers(func(method string, f *wire.Frame) {
		if method == wire.RoomSend.Name {
			f.ID += 1000
			lost.Store(true)
		}
	})
	bob.Link.Events(func(f *wire.Frame) []wire.Frame {
		var n wire.Nudge
		if f.Method == wire.OnNudge.Name && wire.Decode(f.Body, &n) == nil && n.Room == room {
			if n.Entry == nil {
				t.Error("the nudge has no entry")
				return nil
			}
			n.Entry.Body = append(slices.Clone(n.Entry.Body), 0)
			m := stored(t, bob, room)
			n.Entry.Head = wire.Next(m.Head, room, n.Entry)
			f.Body = encode(n)
		}
		return []wire.Frame{*f}
	})
	bob.Send(room, "mine")
	bob.Until("the answer is lost", lost.Load)
	bob.Link.Drop() // the worker waits for it no longer, and looks at the nudge
	blocked(t, bob, api.NoticeForked, room)
}

func TestAnOlderEpochIsNotRejoined(t *testing.T) {
	t.Parallel()
	_, ann, bob, _, room := trio(t)
	var mu sync.Mutex
	var old []byte
	lost := func() { // bob loses its state, as after a commit that does not apply
		bob.Stop()
		bob.Start()
		err := bob.Store.Update(context.Background(), func(tx *store.Tx) error {
			m, err := store.GetRoom(tx, room)
			if err != nil {
				return err
			}
			m.State = store.RoomJoining
			if err := store.PutRoom(tx, m); err != nil {
				return err
			}
			return store.DropMLS(tx, room)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	bob.Link.Cut()
	lost()
	bob.Link.Answers(func(method string, f *wire.Frame) {
		if method == wire.RoomGroup.Name && f.Error == nil {
			mu.Lock()
			defer mu.Unlock()
			if old == nil {
				old = f.Body
			} else {
				f.Body = old
			}
		}
	})
	bob.Link.Mend()
	bob.Open("council")
	ann.Send(room, "rejoined")
	bob.Sees(room, "ann", "rejoined")
	noNotices(t, bob)

	bob.Link.Cut()
	lost()
	bob.Link.Mend()
	blocked(t, bob, api.NoticeOldEpoch, room)
}

func TestStatementsGoNeitherBackNorElsewhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		lie  func(*wire.Chain)
		want api.NoticeCode
	}{
		{"fewer than are known", func(c *wire.Chain) { c.Statements = []wire.SignedStatement{} }, api.NoticeRollback},
		{"another chain", func(c *wire.Chain) {
			_, _, s := founded(c.Account)
			c.Statements = []wire.SignedStatement{s}
		}, api.NoticeReset},
		{"a statement that its root did not sign", func(c *wire.Chain) {
			if len(c.Statements) > 1 {
				s := c.Statements[1]
				s.Signature = append([]byte{s.Signature[0] ^ 1}, s.Signature[1:]...)
				c.Statements = []wire.SignedStatement{c.Statements[0], s}
			}
		}, api.NoticeReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := testenv.New(t, testenv.WithUsers("ann", "bob"))
			ann, bob := w.Client("ann"), w.Client("bob")
			q := ann.SendTo("bob", "hi")
			bob.Sees(q.Room, "ann", "hi")
			who := bob.Person("ann")
			bob.Link.Answers(func(method string, f *wire.Frame) {
				var s wire.Statements
				if method != wire.DirectoryStatements.Name || wire.Decode(f.Body, &s) != nil {
					return
				}
				for i := range s.Chains {
					if s.Chains[i].Account == who {
						tt.lie(&s.Chains[i])
					}
				}
				f.Body = encode(s)
			})
			two := w.FurtherDevice("ann") // a new statement of ann
			approve(t, ann, two)
			n := bob.Notice(tt.want)
			if !n.Severe || n.Account == nil || *n.Account != who {
				t.Errorf("the notice: %+v", n)
			}
		})
	}
}

func founded(account wire.AccountID) (wire.DeviceID, *identity.DeviceKeys, wire.SignedStatement) {
	keys, err := identity.NewDeviceKeys()
	if err != nil {
		panic(err)
	}
	device := wire.NewDeviceID()
	c, _, err := identity.Found(account, device, keys, 1)
	if err != nil {
		panic(err)
	}
	return device, keys, c.Statement
}
