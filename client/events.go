package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// queue holds what came from the server until the goroutine that handles it has
// time. The session's reader must never wait, since the answers that handlers
// wait for come through it. So what a server says faster than it is handled is
// dropped, and everything is asked for once instead.
type queue struct {
	wake chan struct{}

	mu      sync.Mutex // guards what follows
	list    []any
	events  int             // of the server in list
	bytes   int             // of them
	flooded bool            // they were too many: a catch-up stands in list for all that follow
	hellos  int             // how many connections there were
	later   map[string]bool // what is tried again after a while, by name
}

// How much a queue holds of what a server says unasked.
const (
	mostEvents     = 1000
	mostEventBytes = 8 << 20
	cursorCost     = 64 // bytes that one cursor of a nudge counts for
)

// What a queue holds besides events.
type (
	event struct {
		name string
		body []byte
	}
	greeting struct {
		wire.Hello
		heard time.Time
		nth   int // connection
	}
	statementMoved struct{ before, after *statement.Verified }
	refill         struct{} // key packages were used up
	letIn          struct{} // the device became a member of its account
	flood          struct{} // the server said more than there was room for
	missed         struct{} // what the server said could not be done
)

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1), later: map[string]bool{}} }

func (q *queue) add(v any) {
	q.mu.Lock()
	q.list = append(q.list, v)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// heard takes an event of the server. Nudges wait for nothing: they only wake a
// room, and the queue may be busy with what a new connection asks for.
func (c *Client) heard(name string, body []byte) {
	if name == wire.OnNudge.Name {
		var n wire.Nudge
		if err := wire.Decode(body, &n); err != nil {
			c.cfg.Log.Warn("event was not handled", "event", name, "err", err)
			return
		}
		if err := c.rooms.Nudge(n); err != nil {
			c.cfg.Log.Debug("nudge came too late", "room", n.Room, "err", err)
		}
		if len(n.Cursors) > 0 {
			c.events.heard(wire.Cursors{Room: n.Room, Cursors: n.Cursors}, len(n.Cursors)*cursorCost)
		}
		return
	}
	if c.calls.Heard(name, body) {
		return
	}
	c.events.heard(event{name, body}, len(body))
}

// heard takes what a server says, which is so many bytes.
func (q *queue) heard(v any, size int) {
	q.mu.Lock()
	if q.flooded {
		q.mu.Unlock()
		return
	}
	q.events++
	q.bytes += size
	q.flooded = q.events > mostEvents || q.bytes > mostEventBytes
	flooded := q.flooded
	q.mu.Unlock()
	if flooded {
		q.add(flood{})
		return
	}
	q.add(v)
}

// hello takes the place of one of an earlier connection.
func (q *queue) hello(h wire.Hello) {
	q.mu.Lock()
	q.list = slices.DeleteFunc(q.list, func(v any) bool { _, old := v.(greeting); return old })
	q.hellos++
	g := greeting{h, time.Now(), q.hellos}
	q.mu.Unlock()
	q.add(g)
}

// again adds v once more after a while. However often a server has something fail,
// the same waits once; and what came with a connection that is over by then is the
// next one's to say.
func (q *queue) again(ctx context.Context, wait time.Duration, v any) {
	g, greets := v.(greeting)
	name := nameOf(v)
	if greets {
		name = fmt.Sprint(name, g.nth)
	}
	q.mu.Lock()
	waits := q.later[name]
	q.later[name] = true
	q.mu.Unlock()
	if waits {
		return
	}
	time.AfterFunc(wait, func() {
		q.mu.Lock()
		delete(q.later, name)
		old := greets && g.nth < q.hellos
		q.mu.Unlock()
		if ctx.Err() == nil && !old {
			q.add(v)
		}
	})
}

func (q *queue) moved(before, after *statement.Verified) { q.add(statementMoved{before, after}) }

func (q *queue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list, q.events, q.bytes, q.flooded = nil, 0, 0, false
}

func (q *queue) take() []any {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list, q.events, q.bytes, q.flooded = nil, 0, 0, false
	return list
}

// Waits before what has to be done after each connection is tried again when
// the server was too busy for it: the first, doubled up to the most.
const (
	firstAgain = time.Second
	mostAgain  = time.Minute
)

// handle works off the queue until ctx ends.
func (c *Client) handle(ctx context.Context) {
	wait := firstAgain
	for {
		select {
		case <-c.events.wake:
		case <-ctx.Done():
			return
		}
		for _, v := range c.events.take() {
			err := c.handleOne(ctx, v)
			switch {
			case ctx.Err() != nil:
				return
			case errors.Is(err, session.ErrOffline):
				// Said again at the next connection.
			case err != nil:
				c.cfg.Log.Warn("event was not handled", "event", nameOf(v), "err", err)
				if passes(v) {
					break
				}
				// Nobody will say again what was missed.
				if e, ok := v.(event); ok && !catchesUp(e) {
					v = missed{}
				}
				c.events.again(ctx, wait, v)
				wait = min(2*wait, mostAgain)
			case catchesUp(v):
				wait = firstAgain
			}
		}
	}
}

// catchesUp reports whether v brings what no further event would.
func catchesUp(v any) bool {
	switch v := v.(type) {
	case greeting, letIn, flood, missed:
		return true
	case event:
		return v.name == wire.OnCatchUp.Name
	}
	return false
}

// passes reports whether nothing is lost with v: what it says is so for a moment,
// or said with every connection.
func passes(v any) bool {
	switch v := v.(type) {
	case wire.Cursors:
		return true
	case event:
		return v.name == wire.OnTyping.Name || v.name == wire.OnPresence.Name || v.name == wire.OnCursor.Name
	}
	return false
}

func nameOf(v any) string {
	switch v := v.(type) {
	case event:
		return v.name
	case greeting:
		return wire.OnHello.Name
	case letIn:
		return "let in"
	case statementMoved:
		return fmt.Sprintf("statement %d of %s", v.after.Seq, v.after.Account)
	case wire.Cursors:
		return wire.OnCursor.Name
	case flood:
		return "flood"
	case missed:
		return "missed"
	}
	return "key packages"
}

func (c *Client) handleOne(ctx context.Context, v any) error {
	switch v := v.(type) {
	case greeting:
		return c.connected(ctx, v)
	case statementMoved:
		err := errors.Join(c.account.Moved(ctx, v.before, v.after), c.rooms.Moved(ctx, v.before, v.after))
		if v.after.Account == c.account.ID() {
			err = errors.Join(err, c.account.Keep(ctx))
		}
		return err
	case refill:
		return c.account.Refill(ctx)
	case letIn:
		return errors.Join(c.account.Refill(ctx), c.catchUp(ctx))
	case wire.Cursors:
		if c.rooms.Paused() {
			return nil
		}
		return c.cursorsMoved(ctx, v)
	case flood:
		c.cfg.Log.Warn("the server says more than can be heard")
		return c.catchUp(ctx)
	case missed:
		if err := c.account.Settle(ctx); err != nil {
			return err
		}
		if err := c.account.Refill(ctx); err != nil {
			return err
		}
		return c.catchUp(ctx)
	case event:
		if c.rooms.Paused() && v.name != wire.OnDevice.Name {
			return nil // everything is asked for when this device is over to the site's new life
		}
		if h, ok := handlers[v.name]; ok {
			return h(c, ctx, v.body)
		}
		c.cfg.Log.Info("unknown event", "event", v.name)
	}
	return nil
}

// connected brings this device up to date after each connection.
func (c *Client) connected(ctx context.Context, h greeting) error {
	if err := c.account.Hello(ctx, h.Hello); err != nil {
		return err
	}
	c.calls.Clock(h.Time + wire.Millis(time.Since(h.heard).Milliseconds()))
	if err := c.healer.heal(ctx, h.Life); err != nil {
		return err
	}
	if err := c.account.Settle(ctx); err != nil {
		return err
	}
	// First of all others must be able to add this device.
	if err := c.account.Refill(ctx); err != nil {
		return err
	}
	return c.catchUp(ctx)
}

// catchUp asks for everything that events may have told and did not reach us.
func (c *Client) catchUp(ctx context.Context) error {
	if _, ok := c.account.Me(); !ok {
		_, err := c.account.Refresh(ctx)
		return err
	}
	if to := c.healer.pending(); to != nil { // it was let in just now
		if err := c.healer.heal(ctx, *to); err != nil {
			return err
		}
	}
	if err := c.account.Keep(ctx); err != nil {
		return err
	}
	if err := c.people.Sync(ctx); err != nil {
		return err
	}
	if err := c.rooms.Connected(ctx); err != nil {
		return err
	}
	c.calls.Refresh()
	c.cursors.Connected()
	_, err := c.account.Refresh(ctx)
	return err
}

// handlers take the events of the server, by name; for nudges see heard.
var handlers = map[string]func(*Client, context.Context, []byte) error{
	wire.OnRoom.Name: on(func(c *Client, ctx context.Context, r wire.Room) error {
		if r.Welcome {
			c.events.add(refill{}) // a key package was used up
		}
		return c.rooms.Changed(ctx, &r)
	}),
	wire.OnCursor.Name:   on((*Client).cursorsMoved),
	wire.OnTyping.Name:   on((*Client).typing),
	wire.OnErased.Name:   on(func(*Client, context.Context, wire.Erased) error { return nil }), // the sealed deletion is what counts
	wire.OnCatchUp.Name:  on(func(c *Client, ctx context.Context, _ wire.CatchUp) error { return c.catchUp(ctx) }),
	wire.OnAccount.Name:  on((*Client).accountChanged),
	wire.OnPresence.Name: on(func(c *Client, _ context.Context, p wire.Presence) error { c.people.Presence(p); return nil }),
	wire.OnDevice.Name:   on((*Client).deviceChanged),
	wire.OnPassword.Name: on(func(c *Client, ctx context.Context, p wire.PasswordChange) error {
		return c.account.PasswordMoved(ctx, p)
	}),
}

func on[T any](f func(c *Client, ctx context.Context, v T) error) func(*Client, context.Context, []byte) error {
	return func(c *Client, ctx context.Context, body []byte) error {
		var v T
		if err := wire.Decode(body, &v); err != nil {
			return err
		}
		return f(c, ctx, v)
	}
}

// accountChanged takes that somebody is new or has other devices. Rooms that
// waited for a person's first device go on.
func (c *Client) accountChanged(ctx context.Context, a wire.AccountChange) error {
	if _, ok := c.account.Me(); !ok {
		return nil
	}
	if err := c.people.Changed(ctx, a.Person); err != nil {
		return err
	}
	return c.rooms.Enrolled(ctx, a.Person.Account)
}

// deviceChanged takes that the account's list of devices moved.
func (c *Client) deviceChanged(ctx context.Context, d wire.DeviceChange) error {
	_, was := c.account.Me()
	if err := c.account.Settle(ctx); err != nil {
		return err
	}
	if _, is := c.account.Me(); is != was {
		return errors.Join(c.account.Refill(ctx), c.catchUp(ctx))
	}
	if _, err := c.account.Refresh(ctx); err != nil || !was {
		return err
	}
	_, err := c.people.Newest(ctx, c.account.ID())
	return err
}

func (c *Client) typing(ctx context.Context, t wire.Typing) error {
	if t.Account == c.account.ID() {
		return nil
	}
	var name string
	member := false
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		members, err := store.Members(tx, t.Room)
		if err != nil {
			return err
		}
		for _, m := range members {
			member = member || m.Account == t.Account
		}
		if !member {
			return nil
		}
		p, err := store.GetPerson(tx, t.Account)
		name = p.Name
		return err
	})
	if err != nil || !member {
		return err
	}
	c.feed.Typing(api.TypingNow{Room: t.Room, Account: t.Account, Name: name, Until: wire.Now(c.cfg.Now().Add(wire.TypingTTL))})
	return nil
}
