package call

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/wire"
)

// ringTime is the longest that it rings, whatever the server says.
const ringTime = 60 * time.Second

// Heard takes an event of the server; ok is false for one that is no call's. It
// returns at once.
func (c *Calls) Heard(name string, body []byte) (ok bool) {
	h, ok := handlers[name]
	if ok && c.hears(len(body)) {
		c.do(func(ctx context.Context) {
			c.mu.Lock()
			c.heard, c.bytes = c.heard-1, c.bytes-len(body)
			c.mu.Unlock()
			if err := h(c, ctx, body); err != nil && ctx.Err() == nil && !errors.Is(err, session.ErrOffline) {
				c.cfg.Log.Warn("event was not handled", "event", name, "err", err)
			}
		})
	}
	return ok
}

// hears makes room for an event among what waits. Once there is none the server
// is asked which calls go on, after all that waits was done.
func (c *Calls) hears(size int) bool {
	c.mu.Lock()
	full := c.deaf || c.heard >= mostHeard || c.bytes+size > mostHeardBytes
	first := full && !c.deaf
	c.deaf = full
	if !full {
		c.heard, c.bytes = c.heard+1, c.bytes+size
	}
	c.mu.Unlock()
	if first {
		c.cfg.Log.Warn("the server says more of calls than can be heard")
		c.do(func(context.Context) {
			c.mu.Lock()
			c.deaf = false
			c.mu.Unlock()
			c.Refresh()
		})
	}
	return !full
}

var handlers = map[string]func(*Calls, context.Context, []byte) error{
	wire.OnCall.Name:    on((*Calls).told),
	wire.OnRing.Name:    on((*Calls).ringing),
	wire.OnRingEnd.Name: on(func(c *Calls, _ context.Context, e wire.RingEnd) error { return c.ringEnded(e) }),
	wire.OnRingAnswer.Name: on(func(c *Calls, _ context.Context, a wire.RingAnswer) error {
		c.answered(a)
		return nil
	}),
	wire.OnCallPeople.Name: on((*Calls).peopleMoved),
	wire.OnCallSignal.Name: on(func(c *Calls, _ context.Context, s wire.CallSignal) error {
		c.hear(s.Call, s)
		return nil
	}),
	wire.OnCallGone.Name: on((*Calls).gone),
	wire.OnCallKnock.Name: on(func(c *Calls, _ context.Context, k wire.CallKnock) error {
		return c.knocked(k)
	}),
	wire.OnCallSlots.Name:    on(func(c *Calls, _ context.Context, s wire.CallSlots) error { return c.slots(s) }),
	wire.OnCallSpeakers.Name: on(func(c *Calls, _ context.Context, s wire.CallSpeakers) error { return c.speakers(s) }),
	wire.OnCallQuality.Name:  on(func(c *Calls, _ context.Context, q wire.CallQuality) error { return c.quality(q) }),
	wire.OnCallPause.Name:    on(func(c *Calls, _ context.Context, p wire.CallPause) error { return c.pause(p) }),
}

func on[T any](f func(c *Calls, ctx context.Context, v T) error) func(*Calls, context.Context, []byte) error {
	return func(c *Calls, ctx context.Context, body []byte) error {
		var v T
		if err := wire.Decode(body, &v); err != nil {
			return err
		}
		return f(c, ctx, v)
	}
}

// Clock takes what the server's clock says now.
func (c *Calls) Clock(now wire.Millis) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skew = c.cfg.Now().Sub(now.Time())
	if isClosed(c.asked) {
		c.asked = make(chan struct{})
	}
}

func (c *Calls) answeredAll(context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !isClosed(c.asked) {
		close(c.asked)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// known waits, a little, until the server has said which calls go on, if there is
// a connection.
func (c *Calls) known(ctx context.Context) {
	if !isClosed(c.cfg.Session.Online()) {
		return
	}
	c.mu.Lock()
	asked := c.asked
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, knownWait)
	defer cancel()
	select {
	case <-asked:
	case <-ctx.Done():
	}
}

// knownWait is how long a list of calls waits for the server at most.
const knownWait = 3 * time.Second

// Refresh asks the server which calls go on, and whether this device is still in
// those that it was in: at connecting, and when events did not reach us.
func (c *Calls) Refresh() {
	c.do(func(ctx context.Context) {
		if err := c.refresh(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, session.ErrOffline) {
			c.cfg.Log.Warn("calls were not listed", "err", err)
			c.later(10*time.Second, func(context.Context) { c.Refresh() })
		}
	})
}

func (c *Calls) refresh(ctx context.Context) error {
	c.mu.Lock()
	before := maps.Clone(c.live) // what begins meanwhile may not be in the list
	c.mu.Unlock()
	list, err := session.Call(ctx, c.cfg.Session, wire.CallList, wire.None{})
	if err != nil {
		return err
	}
	there := map[wire.CallID]bool{}
	for _, w := range list.Calls {
		there[w.Call] = true
		if err := c.told(ctx, w); err != nil {
			return err
		}
	}
	c.do(c.answeredAll) // after the rings that came before the answer
	c.mu.Lock()
	var gone, in []*live
	for id, l := range c.live {
		switch {
		case !there[id] && before[id] == l:
			gone = append(gone, l)
		case l.in != nil:
			in = append(in, l)
		}
	}
	c.mu.Unlock()
	for _, l := range gone {
		if err := c.noMore(ctx, l); err != nil {
			return err
		}
	}
	for _, l := range in {
		if err := c.askPeople(ctx, l); err != nil {
			return err
		}
		if err := c.sayState(ctx, l.call.Call); err != nil && api.FailureOf(err).Code != api.NotFound {
			return err
		}
	}
	return nil
}

// told takes how a call stands for those that are not in.
func (c *Calls) told(ctx context.Context, w wire.Call) error {
	c.mu.Lock()
	l := c.live[w.Call]
	if l != nil && l.call.Room != w.Room || l == nil && (w.Ended || c.over[w.Call] != nil || len(c.live) >= mostLive) {
		c.mu.Unlock()
		return nil // another room's, or over: nothing new
	}
	var former []*live
	fresh := l == nil
	if fresh {
		for _, o := range c.live {
			if o.call.Room == w.Room {
				former = append(former, o) // a room has one
			}
		}
		l = &live{people: map[uint32]wire.CallParticipant{}, used: map[uint32]bool{}, seen: map[wire.AccountID]bool{}, first: c.cfg.Now()}
		if age := c.cfg.Now().Sub(w.Started.Time()) - c.skew; age > 0 {
			l.first = c.cfg.Now().Add(-age)
		}
		c.live[w.Call] = l
	}
	list := w.People
	w.People = nil
	l.call = w
	if l.in == nil {
		l.people = map[uint32]wire.CallParticipant{}
		for _, p := range list[:min(len(list), wire.MaxCallBrief)] {
			l.people[p.Number] = p
		}
	}
	l.note(c.cfg.Now())
	c.mu.Unlock()
	for _, o := range former {
		c.ended(ctx, o)
	}
	if w.Ended {
		c.ended(ctx, l)
		return nil
	}
	if fresh {
		if err := c.look(ctx, w.Room, w.Call); err != nil {
			return err
		}
	}
	c.cfg.Feed.Calls(w.Call)
	return nil
}

// look reads who is in a room of which a call was heard for the first time, and
// has its row shown as live.
func (c *Calls) look(ctx context.Context, r wire.RoomID, id wire.CallID) error {
	var item string
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		e, ok, err := c.cfg.Rooms.Epoch(tx, r)
		if err != nil {
			return err
		}
		if ok {
			c.mu.Lock()
			c.putTree(&e)
			c.mu.Unlock()
		}
		item, err = timeline.CallItem(tx, r, id)
		return err
	})
	if item != "" {
		c.cfg.Feed.Items(r, item)
	}
	return err
}

// note remembers who was in. The lock is held.
func (l *live) note(now time.Time) {
	for _, p := range l.people {
		if len(l.seen) < wire.MaxParticipants {
			l.seen[p.Account] = true
		}
	}
	if len(l.seen) > 1 && l.two.IsZero() {
		l.two = now
	}
}

// peopleMoved takes who came and who went, of a call that this device is in.
func (c *Calls) peopleMoved(ctx context.Context, m wire.CallPeople) error {
	c.mu.Lock()
	l := c.live[m.Call]
	if l == nil || l.in == nil || m.Version <= l.in.version {
		c.mu.Unlock()
		return nil
	}
	missed := m.Version != l.in.version+1
	if !missed {
		l.in.version = m.Version
		for _, n := range m.Left {
			delete(l.people, n)
			delete(l.in.states, n)
			delete(l.in.sealed, n)
			delete(l.in.shown, n)
		}
		for i := range m.Joined {
			p := &m.Joined[i]
			if len(l.people) < wire.MaxParticipants {
				l.people[p.Number] = *p
			}
			if early := l.in.sealed[p.Number]; early != nil && len(p.State) == 0 {
				p.State = early // said before we knew who it was
			}
		}
		l.call.Count = len(l.people)
		l.note(c.cfg.Now())
	}
	c.mu.Unlock()
	if missed {
		return c.askPeople(ctx, l)
	}
	c.hearStates(m.Call, m.Joined)
	c.cfg.Feed.Calls(m.Call)
	return nil
}

// hearStates opens what participants said of themselves before.
func (c *Calls) hearStates(id wire.CallID, list []wire.CallParticipant) {
	for _, p := range list {
		if len(p.State) > 0 {
			c.hear(id, wire.CallSignal{Call: id, Number: p.Number, Body: p.State, State: true})
		}
	}
}

// noMore takes that there is no such call for this device: it has ended, or its
// room is this device's no longer. That of one that it is in is asked, because the
// answer may be here before the news from the room.
func (c *Calls) noMore(ctx context.Context, l *live) error {
	c.mu.Lock()
	in, r := l.in != nil, l.call.Room
	c.mu.Unlock()
	if in {
		switch s, err := session.Call(ctx, c.cfg.Session, wire.RoomGet, wire.GetRoom{Room: r}); {
		case wire.CodeOf(err) == wire.NotFound, err == nil && (s.Until != 0 || !s.Leaf):
			c.removed(l)
			return nil
		case err != nil:
			return err
		}
	}
	c.ended(ctx, l)
	return nil
}

// askPeople asks who is in a call that this device is in. If it is not among
// them it is out.
func (c *Calls) askPeople(ctx context.Context, l *live) error {
	c.mu.Lock()
	id, p := l.call.Call, l.in
	c.mu.Unlock()
	w, err := session.Call(ctx, c.cfg.Session, wire.CallGet, wire.CallRef{Call: id})
	if wire.CodeOf(err) == wire.NotFound {
		return c.noMore(ctx, l)
	}
	if err != nil {
		return err
	}
	if !c.takePeople(l, p, &w) {
		c.leave(l, wire.GoneLost)
		return nil
	}
	c.hearStates(id, w.People)
	c.cfg.Feed.Calls(id)
	return nil
}

// takePeople replaces the participants of a call that this device is in. It is
// false if this device is not among them.
func (c *Calls) takePeople(l *live, p *part, w *wire.Call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p == nil || l.in != p {
		return true
	}
	me, _ := c.cfg.Me()
	people := map[uint32]wire.CallParticipant{}
	for _, q := range w.People {
		people[q.Number] = q
	}
	if people[p.number].Device != me.Device {
		return l.coming != nil // it comes again: the answer to that says who is in
	}
	l.people, p.version, l.call.Count = people, w.Version, len(people)
	for n := range p.states {
		if _, there := people[n]; !there {
			delete(p.states, n)
		}
	}
	l.note(c.cfg.Now())
	return true
}

// gone takes that this device, or this person at the door, is out.
func (c *Calls) gone(ctx context.Context, g wire.CallGone) error {
	c.mu.Lock()
	l := c.live[g.Call]
	mine := l != nil && l.in != nil && l.in.number == g.Number
	// What replaces it is our own coming, whose answer is on its way: to say in
	// between that this device is out would have a front end come in again.
	if mine && l.coming != nil && g.Why == wire.GoneReplaced {
		mine = false
	}
	c.mu.Unlock()
	switch {
	case g.Number == 0:
		feed.Say(c.cfg.Feed, api.OnCallGone, "", api.CallGone{Call: g.Call, Why: g.Why})
	case mine:
		c.leave(l, g.Why)
	}
	return nil
}

// ringing takes that somebody calls.
func (c *Calls) ringing(ctx context.Context, r wire.Ring) error {
	c.mu.Lock()
	now := c.cfg.Now()
	left := min(r.Until.Time().Add(c.skew).Sub(now), ringTime)
	known := c.rings[r.Call] != nil
	if left > 0 && !known && len(c.rings) < maxRings {
		c.rings[r.Call] = &ring{ring: r, until: now.Add(left), timer: c.later(left, func(context.Context) { c.quiet(r.Call, wire.RingExpired) })}
	}
	c.mu.Unlock()
	c.showRings(ctx)
	return nil
}

// maxRings bounds what a server can have ring.
const maxRings = 32

// showRings tells front ends of rings whose room is here and whose caller is in
// it. One for a room that is being joined waits for that.
func (c *Calls) showRings(ctx context.Context) {
	c.mu.Lock()
	var list []*ring
	for _, r := range c.rings {
		if !r.shown {
			list = append(list, r)
		}
	}
	c.mu.Unlock()
	for _, r := range list {
		shown, ok, err := c.showRing(ctx, r)
		if err != nil && ctx.Err() == nil {
			c.cfg.Log.Warn("ring was not shown", "call", r.ring.Call, "err", err)
		}
		if !ok {
			continue
		}
		c.mu.Lock()
		now := c.rings[r.ring.Call] == r && !r.shown
		r.shown = r.shown || now
		c.mu.Unlock()
		if now {
			feed.Say(c.cfg.Feed, api.OnRing, r.ring.Call.String(), shown)
		}
	}
}

// showRing returns a ring as front ends see it; ok is false if it must not be
// seen.
func (c *Calls) showRing(ctx context.Context, r *ring) (out api.Ring, ok bool, err error) {
	me, _ := c.cfg.Me()
	err = c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, r.ring.Room)
		if errors.Is(err, store.ErrNone) || err == nil && m.State != store.RoomOpen {
			return nil
		}
		if err != nil {
			return err
		}
		members, err := store.Members(tx, r.ring.Room)
		if err != nil {
			return err
		}
		if r.ring.By == me.Account || !slices.ContainsFunc(members, func(o store.RoomMember) bool { return o.Account == r.ring.By }) {
			return nil
		}
		by, err := store.GetPerson(tx, r.ring.By)
		if err != nil {
			return err
		}
		out = api.Ring{
			Call: r.ring.Call, Room: r.ring.Room, Direct: m.Kind == wire.Direct, By: r.ring.By, Name: by.Name, Title: m.Name,
			Video: r.ring.Video, Until: wire.Now(r.until),
		}
		if out.Direct {
			out.Title = by.Name
		}
		ok = true
		return nil
	})
	return out, ok, err
}

func (c *Calls) ringEnded(e wire.RingEnd) error {
	c.quiet(e.Call, e.Why)
	return nil
}

// quiet has it ring no more.
func (c *Calls) quiet(id wire.CallID, why wire.RingEndReason) {
	c.mu.Lock()
	r := c.rings[id]
	if r != nil {
		r.timer.Stop() // it may ring again, for longer
	}
	delete(c.rings, id)
	c.mu.Unlock()
	if r != nil && r.shown {
		feed.Say(c.cfg.Feed, api.OnRingEnd, "", api.RingEnd{Call: id, Why: why})
	}
}

// answered takes how somebody who was rung stands.
func (c *Calls) answered(a wire.RingAnswer) {
	c.mu.Lock()
	l := c.live[a.Call]
	var t *tree
	if l != nil {
		t = c.trees[l.call.Room]
	}
	member := t != nil && t.people[a.Account]
	if member && a.How != wire.RingRinging {
		l.worst = a.How
	}
	c.mu.Unlock()
	if member {
		feed.Say(c.cfg.Feed, api.OnRingAnswer, "", api.RingAnswer{Call: a.Call, Account: a.Account, Name: c.nameOf(a.Account), How: a.How})
	}
}

func (c *Calls) knocked(k wire.CallKnock) error {
	if _, _, err := c.partOf(k.Call); err != nil {
		return nil
	}
	feed.Say(c.cfg.Feed, api.OnCallKnock, "", api.CallKnock{Call: k.Call, Account: k.Account, Name: c.nameOf(k.Account)})
	return nil
}
