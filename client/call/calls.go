// Package call is this device's side of calls: which are going on, which ring,
// the keys of those it is in, and what its participants say of themselves.
//
// The media itself is a front end's: it makes offers, and is given answers and
// keys. What the server says of a call is shown as what it is, a claim; who
// somebody is comes from the leaves of the room's tree, and what somebody says
// (muted, a raised hand, a reaction) opens under the key of that leaf or does
// not count.
//
// Nothing of a call is stored but the join numbers, before they are used, and
// the entries of the room's log that say that it began and how it was.
// docs/spec/calls.md.
package call

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// Rooms is the part of the account's rooms that calls need.
type Rooms interface {
	Do(ctx context.Context, id wire.RoomID, f func(ctx context.Context) error) error
	Resolve(ctx context.Context, id wire.RoomID) (wire.RoomID, error)
	CallKey(ctx context.Context, id wire.RoomID, call wire.CallID) (room.CallKey, bool, error)
	NextJoin(ctx context.Context, id wire.RoomID) (uint16, error)
	SayCall(ctx context.Context, id wire.RoomID, c content.Call) error
	Add(ctx context.Context, id wire.RoomID, accounts []wire.AccountID) error
}

// Config says what Calls work with. All are required.
type Config struct {
	Store   *store.DB
	Session *session.Session
	Rooms   Rooms
	Feed    *feed.Feed
	Me      func() (room.Me, bool)
	Log     *slog.Logger
	Now     func() time.Time
}

// Calls are the calls of the account's rooms. Its methods may be called from
// any goroutine.
type Calls struct {
	cfg Config

	mu    sync.Mutex // guards what follows; not held while the store or the server is asked
	live  map[wire.CallID]*live
	rings map[wire.CallID]wire.Ring
	shown map[wire.CallID]bool // rings that front ends were told of
}

// live is a call that is going on.
type live struct {
	wire.Call
	own   *own      // this device is in; nil else
	heard time.Time // by our own clock, when we first knew of it
	with  map[wire.AccountID]bool
	mine  bool // this device started it, and will say how it was
	rang  bool
	how   map[wire.AccountID]wire.RingState // of those whom this device rang
}

// New returns Calls that know of none.
func New(cfg Config) *Calls {
	return &Calls{cfg: cfg, live: map[wire.CallID]*live{}, rings: map[wire.CallID]wire.Ring{}, shown: map[wire.CallID]bool{}}
}

// Live reports whether a call is going on, as far as is known.
func (c *Calls) Live(id wire.CallID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live[id] != nil
}

// Connected asks the server which calls are going on. What was known before and
// is not among them has ended; where this device is no longer a participant its
// front end is told, and joins anew.
func (c *Calls) Connected(ctx context.Context) error {
	list, err := session.Call(ctx, c.cfg.Session, wire.CallList, wire.None{})
	if wire.CodeOf(err) == wire.BadRequest {
		return nil // a server without calls
	}
	if err != nil {
		return err
	}
	there := map[wire.CallID]bool{}
	for _, k := range list.Calls {
		there[k.Call] = true
		if err := c.Changed(ctx, k); err != nil {
			return err
		}
	}
	c.mu.Lock()
	var ended, lost []wire.Call
	for id, l := range c.live {
		switch {
		case !there[id]:
			ended = append(ended, l.Call)
		case l.own != nil && !slices.ContainsFunc(l.People, func(p wire.CallParticipant) bool { return p.Number == l.own.number }):
			lost = append(lost, l.Call)
		}
	}
	c.mu.Unlock()
	for _, k := range ended {
		k.Ended = true
		if err := c.Changed(ctx, k); err != nil {
			return err
		}
	}
	for _, k := range lost {
		c.gone(k.Call, wire.GoneLost)
	}
	return nil
}

// Offline takes that the server cannot be reached: it rings no more here. The
// media may go on, and with it the calls.
func (c *Calls) Offline() {
	c.mu.Lock()
	ended := c.shown
	c.rings, c.shown = map[wire.CallID]wire.Ring{}, map[wire.CallID]bool{}
	c.mu.Unlock()
	for id := range ended {
		tell(c, api.OnRingEnd, api.RingEnd{Call: id, Why: wire.RingExpired})
	}
}

// Changed takes what the server says of a call. A call in a room that is not
// here is none of ours.
func (c *Calls) Changed(ctx context.Context, k wire.Call) error {
	if ours, err := c.isOpen(ctx, k.Room); err != nil || !ours {
		return err
	}
	c.mu.Lock()
	l := c.live[k.Call]
	known := l != nil
	switch {
	case known && l.Room != k.Room:
		c.mu.Unlock()
		return nil // a call does not move
	case k.Ended && !known:
		c.mu.Unlock()
		return nil
	case !known:
		l = c.begin(k)
	}
	inside := l.own != nil
	// To a participant the deltas say who is in; what is told to everybody
	// names only the first few.
	brief := inside && !k.Ended && len(k.People) < k.Count
	if !brief {
		l.take(k)
	}
	c.mu.Unlock()
	if brief {
		return c.refresh(ctx, k.Call)
	}
	if k.Ended {
		c.ended(ctx, k.Call)
		return nil
	}
	c.readStates(k.Call)
	c.changed(ctx, k.Call, !known)
	return nil
}

// begin adds a call. c.mu is held.
func (c *Calls) begin(k wire.Call) *live {
	l := &live{Call: k, heard: c.cfg.Now(), with: map[wire.AccountID]bool{}, how: map[wire.AccountID]wire.RingState{}}
	l.note(k.People)
	c.live[k.Call] = l
	return l
}

// take replaces what is known of the call, unless what comes is older. Calls.mu
// is held.
func (l *live) take(k wire.Call) {
	if k.Version < l.Version {
		return
	}
	l.Call = k
	l.note(k.People)
}

func (l *live) note(people []wire.CallParticipant) {
	for _, p := range people {
		l.with[p.Account] = true
	}
}

// refresh asks for the whole of a call.
func (c *Calls) refresh(ctx context.Context, id wire.CallID) error {
	k, err := session.Call(ctx, c.cfg.Session, wire.CallGet, wire.CallRef{Call: id})
	if err != nil {
		return err
	}
	c.mu.Lock()
	if l := c.live[id]; l != nil && l.Room == k.Room && k.Call == id {
		l.take(k)
	}
	c.mu.Unlock()
	c.readStates(id)
	c.changed(ctx, id, false)
	return nil
}

// People takes who came into and went from a call that this device is in.
func (c *Calls) People(ctx context.Context, d wire.CallPeople) error {
	c.mu.Lock()
	l := c.live[d.Call]
	if l == nil || d.Version <= l.Version {
		c.mu.Unlock()
		return nil
	}
	whole := d.Version == l.Version+1
	if whole {
		l.Version = d.Version
		people := slices.DeleteFunc(slices.Clone(l.Call.People), func(p wire.CallParticipant) bool {
			return slices.Contains(d.Left, p.Number) ||
				slices.ContainsFunc(d.Joined, func(q wire.CallParticipant) bool { return q.Number == p.Number })
		})
		l.Call.People = append(people, d.Joined...)
		l.Count = len(l.Call.People)
		l.note(d.Joined)
	}
	c.mu.Unlock()
	if !whole {
		return c.refresh(ctx, d.Call)
	}
	c.readStates(d.Call)
	c.changed(ctx, d.Call, false)
	return nil
}

// changed tells front ends of a call, and that its row in the timeline is
// another when it begins.
func (c *Calls) changed(ctx context.Context, id wire.CallID, began bool) {
	v, ok, err := c.view(ctx, id)
	if err != nil {
		c.cfg.Log.Warn("call not told", "call", id, "err", err)
		return
	}
	if !ok {
		return
	}
	tell(c, api.OnCall, v)
	if began {
		c.row(v.Room, id)
	}
}

// ended forgets a call, and tells.
func (c *Calls) ended(ctx context.Context, id wire.CallID) {
	v, ok, err := c.view(ctx, id)
	c.mu.Lock()
	l := c.live[id]
	delete(c.live, id)
	if l != nil {
		l.own.stop()
	}
	c.mu.Unlock()
	c.ringEnded(id, wire.RingCancelled)
	if l == nil {
		return
	}
	if err != nil {
		c.cfg.Log.Warn("call not told", "call", id, "err", err)
	} else if ok {
		v.Ended, v.Me = true, 0
		tell(c, api.OnCall, v)
	}
	if l.own != nil {
		tell(c, api.OnCallGone, api.CallGone{Call: id, Why: wire.GoneEnded})
	}
	c.row(l.Room, id)
	c.sayEnd(ctx, l)
}

// Gone takes that this device is no longer in a call.
func (c *Calls) Gone(ctx context.Context, g wire.CallGone) error {
	c.mu.Lock()
	l := c.live[g.Call]
	stale := g.Number != 0 && (l == nil || l.own == nil || l.own.number != g.Number)
	c.mu.Unlock()
	if stale {
		return nil // of a joining that another has replaced
	}
	c.gone(g.Call, g.Why)
	c.changed(ctx, g.Call, false)
	return nil
}

func (c *Calls) gone(id wire.CallID, why wire.CallGoneReason) {
	c.mu.Lock()
	if l := c.live[id]; l != nil {
		l.own.stop()
		l.own = nil
	}
	c.mu.Unlock()
	tell(c, api.OnCallGone, api.CallGone{Call: id, Why: why})
}

// RoomMoved takes that a room has another epoch or state: its calls get new
// keys, and rings that waited for the room are shown.
func (c *Calls) RoomMoved(ctx context.Context, id wire.RoomID) {
	open, err := c.isOpen(ctx, id)
	if err != nil {
		c.cfg.Log.Warn("room not read for its calls", "room", id, "err", err)
		return
	}
	c.mu.Lock()
	var in, out []wire.CallID
	var waiting []wire.Ring
	for call, l := range c.live {
		if l.Room != id {
			continue
		}
		if open {
			in = append(in, call)
		} else {
			out = append(out, call)
		}
	}
	for call, r := range c.rings {
		if r.Room == id && !c.shown[call] {
			waiting = append(waiting, r)
		}
	}
	c.mu.Unlock()
	for _, call := range out { // this device is not in the room any more
		c.ended(ctx, call)
	}
	for _, call := range in {
		c.rekey(ctx, call)
		c.changed(ctx, call, false) // leaves, names and owners may be others
	}
	if open {
		for _, r := range waiting {
			if err := c.Ring(ctx, r); err != nil {
				c.cfg.Log.Warn("ring not shown", "call", r.Call, "err", err)
			}
		}
	}
}

// isOpen reports whether a room is one that this device is in.
func (c *Calls) isOpen(ctx context.Context, id wire.RoomID) (open bool, err error) {
	err = c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, id)
		open = err == nil && m.State == store.RoomOpen
		return ignoreNone(err)
	})
	return open, err
}

// row says that the row of a call in the timeline changed.
func (c *Calls) row(id wire.RoomID, call wire.CallID) { c.cfg.Feed.Items(id, rowID(call)) }

func tell[T any](c *Calls, e api.Event[T], v T) { c.cfg.Feed.Tell(e.Name, v) }
