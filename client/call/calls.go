package call

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

// Config says what Calls work with. All are required.
type Config struct {
	Store   *store.DB
	Session *session.Session
	Feed    *feed.Feed
	Rooms   *room.Rooms
	Me      func() (room.Me, bool)
	Log     *slog.Logger
	Now     func() time.Time
}

// Calls are the calls of the account's rooms. Methods may be called from any
// goroutine.
type Calls struct {
	cfg   Config
	wake  chan struct{}
	names names

	mu    sync.Mutex            // guards what follows; not held while the store or the network works
	live  map[wire.CallID]*live // that go on, as the server says
	over  map[wire.CallID]*live // that ended just now, for front ends
	rings map[wire.CallID]*ring // what rings, or would if its room were here
	trees map[wire.RoomID]*tree // of rooms with calls
	met   map[wire.RoomID]bool  // rooms of which an epoch was heard
	due   bool                  // the server will be asked which calls go on
	jobs  []func(context.Context)
	heard int           // events of the server that wait among jobs
	bytes int           // of them
	deaf  bool          // they were too many: the server is asked instead, once they are done
	asked chan struct{} // closed once the server has said, since connecting, which go on
	skew  time.Duration // what to add to the server's time to have ours
}

// comeIn is how long after coming into a room the server is asked which calls go
// on: others that are being joined then are answered for, too.
const comeIn = 200 * time.Millisecond

// What waits of a server's events at most, and how many calls may go on. A
// server that says more is not heard, but asked.
const (
	mostHeard      = 1000
	mostHeardBytes = 4 << 20
	mostLive       = 1000
)

// mostOver is how many ended calls are remembered: until front ends heard.
const mostOver = 32

// live is a call that goes on. Its fields belong to Calls.mu.
type live struct {
	call   wire.Call // People is kept in people
	people map[uint32]wire.CallParticipant
	in     *part           // what this device is in it, nil if it is not
	coming *part           // a joining that the server has not answered
	used   map[uint32]bool // numbers that this device had
	seen   map[wire.AccountID]bool
	two    time.Time      // when a second person was first seen
	first  time.Time      // when the call was
	began  bool           // by this device
	rung   bool           // it rang for others
	worst  wire.RingState // how the last of them stood, unless they answered
	quit   bool           // this device left it as the last one
	ours   bool           // this device was in it
}

// ring is a call for this person. Its fields belong to Calls.mu.
type ring struct {
	ring  wire.Ring
	shown bool
	until time.Time   // by our clock
	timer *time.Timer // runs until then
}

// tree is who is in a room, for showing who is in its call.
type tree struct {
	epoch  uint64
	byDev  map[wire.DeviceID]policy.Leaf
	people map[wire.AccountID]bool
	policy policy.Policy
}

func treeOf(e *room.Epoch) *tree {
	t := &tree{epoch: e.Number, byDev: map[wire.DeviceID]policy.Leaf{}, people: map[wire.AccountID]bool{}, policy: e.Policy}
	for _, l := range e.Leaves {
		t.byDev[l.Device] = l
		t.people[l.Account] = true
	}
	return t
}

// New returns Calls that do nothing until Run is called.
func New(cfg Config) *Calls {
	c := &Calls{cfg: cfg, wake: make(chan struct{}, 1), asked: make(chan struct{})}
	close(c.asked)
	c.reset()
	return c
}

func (c *Calls) reset() {
	c.live, c.over, c.rings = map[wire.CallID]*live{}, map[wire.CallID]*live{}, map[wire.CallID]*ring{}
	c.trees, c.jobs = map[wire.RoomID]*tree{}, nil
	c.met, c.due = map[wire.RoomID]bool{}, false
	c.heard, c.bytes, c.deaf = 0, 0, false
}

// Run works until ctx ends: it does what events ask for, one after the other.
// After it the Calls are as new.
func (c *Calls) Run(ctx context.Context) error {
	defer c.drop()
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
		for {
			c.mu.Lock()
			if len(c.jobs) == 0 {
				c.mu.Unlock()
				break
			}
			job := c.jobs[0]
			c.jobs = c.jobs[1:]
			c.mu.Unlock()
			job(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

// drop forgets all calls: the session is over.
func (c *Calls) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.live {
		l.stop()
	}
	for _, r := range c.rings {
		r.timer.Stop()
	}
	c.reset()
}

// do has f run on Run's goroutine, after what waits.
func (c *Calls) do(f func(context.Context)) {
	c.mu.Lock()
	c.jobs = append(c.jobs, f)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// later is do when d has passed.
func (c *Calls) later(d time.Duration, f func(context.Context)) *time.Timer {
	return time.AfterFunc(d, func() { c.do(f) })
}

// stop ends what this device is in a call.
func (l *live) stop() {
	for _, p := range []*part{l.in, l.coming} {
		if p != nil {
			p.keys.close()
		}
	}
	l.in, l.coming = nil, nil
}

// Live reports whether a call of a room goes on.
func (c *Calls) Live(r wire.RoomID, id wire.CallID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[id]
	return l != nil && l.call.Room == r
}

// Epoch takes that a room's group is in a new epoch.
func (c *Calls) Epoch(e room.Epoch) {
	c.mu.Lock()
	var parts []*part
	var calls []wire.CallID
	for _, l := range c.live {
		if l.call.Room != e.Room {
			continue
		}
		calls = append(calls, l.call.Call)
		for _, p := range []*part{l.in, l.coming} {
			if p != nil {
				parts = append(parts, p)
			}
		}
	}
	rings := false
	for _, r := range c.rings {
		rings = rings || r.ring.Room == e.Room && !r.shown
	}
	if len(calls) > 0 {
		c.putTree(&e)
	}
	// A room that this device just came into may have a call, which the server
	// told to those who were in it then. One question does for many rooms.
	ask := !c.met[e.Room] && len(calls) == 0 && !c.due
	c.met[e.Room] = true
	c.due = c.due || ask
	c.mu.Unlock()
	if ask {
		c.later(comeIn, func(context.Context) {
			c.mu.Lock()
			c.due = false
			c.mu.Unlock()
			c.Refresh()
		})
	}
	for _, p := range parts {
		if err := p.keys.install(&e); err != nil {
			c.cfg.Log.Error("keys of a call", "call", p.keys.call, "room", e.Room, "err", err)
		}
	}
	if len(calls) > 0 {
		c.cfg.Feed.Calls(calls...)
	}
	if rings {
		c.do(c.showRings)
	}
}

// putTree notes who is in a room. The lock is held.
func (c *Calls) putTree(e *room.Epoch) {
	if t := c.trees[e.Room]; t == nil || t.epoch <= e.Number {
		c.trees[e.Room] = treeOf(e)
	}
}

// Shut takes that this device is out of a room, or cannot use it any more.
func (c *Calls) Shut(r wire.RoomID) {
	c.do(func(ctx context.Context) {
		c.mu.Lock()
		var gone []*live
		for _, l := range c.live {
			if l.call.Room == r {
				gone = append(gone, l)
			}
		}
		c.mu.Unlock()
		for _, l := range gone {
			c.removed(l)
		}
		c.mu.Lock()
		var rings []wire.CallID
		for id, g := range c.rings {
			if g.ring.Room == r {
				rings = append(rings, id)
			}
		}
		c.mu.Unlock()
		for _, id := range rings {
			c.quiet(id, wire.RingCancelled)
		}
	})
}

// removed takes that a call is in a room that is this device's no longer.
func (c *Calls) removed(l *live) {
	c.leave(l, wire.GoneRemoved)
	c.forget(l)
}

// forget takes a call out of those that go on, and keeps it for front ends until
// they have heard.
func (c *Calls) forget(l *live) {
	c.mu.Lock()
	id := l.call.Call
	delete(c.live, id)
	l.call.Ended = true
	l.people = map[uint32]wire.CallParticipant{}
	l.stop()
	if len(c.over) >= mostOver {
		for old := range maps.Keys(c.over) {
			delete(c.over, old)
			break
		}
	}
	c.over[id] = l
	used := slices.ContainsFunc(slices.Collect(maps.Values(c.live)), func(o *live) bool { return o.call.Room == l.call.Room })
	if !used {
		delete(c.trees, l.call.Room)
	}
	c.mu.Unlock()
	c.cfg.Feed.Calls(id)
}

// leave notes that this device is in a call no longer, and tells why if the
// person did not ask for it.
func (c *Calls) leave(l *live, why wire.CallGoneReason) {
	c.mu.Lock()
	was := l.in
	if was != nil {
		was.keys.close()
		delete(l.people, was.number)
		l.in = nil
	}
	id := l.call.Call
	c.mu.Unlock()
	if was == nil {
		return
	}
	if why != "" {
		feed.Say(c.cfg.Feed, api.OnCallGone, "", api.CallGone{Call: id, Why: why})
	}
	c.cfg.Feed.Calls(id)
}
