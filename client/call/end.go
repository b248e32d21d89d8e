package call

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

// endWait is how long somebody may wait before writing down how a call ended, so
// that not all do it: nobody if this device was the last to leave, devices of who
// started it and those that were in up to endWait, others after them.
const (
	endWait     = 2 * time.Second
	endWaitEach = 20 * time.Millisecond // more for each member
)

// ended takes that a call goes on no longer.
func (c *Calls) ended(ctx context.Context, l *live) {
	c.mu.Lock()
	id, r := l.call.Call, l.call.Room
	if c.live[id] != l {
		c.mu.Unlock()
		return
	}
	me, _ := c.cfg.Me()
	var wait time.Duration
	switch t := c.trees[r]; {
	case l.quit:
	case l.ours, l.began, l.call.By == me.Account:
		wait = rand.N(endWait)
	case t != nil:
		wait = endWait + rand.N(endWait+time.Duration(len(t.people))*endWaitEach)
	default:
		wait = 2 * endWait
	}
	entry := l.entry(c.cfg.Now(), c.trees[r])
	ours, knew := l.ours, l.ours || l.began
	c.mu.Unlock()
	c.leave(l, wire.GoneEnded)
	c.forget(l)
	c.quiet(id, wire.RingCancelled)
	c.refreshRow(ctx, r, id, ours)
	if wait == 0 {
		c.writeEnd(ctx, r, entry, knew)
		return
	}
	c.later(wait, func(ctx context.Context) { c.writeEnd(ctx, r, entry, knew) })
}

// entry is what the log will say of the call. The lock is held. Whom the server
// named and who is in no leaf of the room was not there.
func (l *live) entry(now time.Time, t *tree) content.Call {
	e := content.Call{Call: l.call.Call, Why: content.CallEnded, People: []wire.AccountID{}}
	var people []wire.AccountID
	for a := range l.seen {
		if t != nil && t.people[a] {
			people = append(people, a)
		}
	}
	e.People = append(e.People, policy.Sorted(people...)...)
	from := l.first
	if !l.two.IsZero() {
		from = l.two
	}
	e.Seconds = int(now.Sub(from) / time.Second)
	if len(e.People) > 1 || !l.rung {
		return e
	}
	e.Seconds = 0
	switch l.worst {
	case wire.RingRefused:
		e.Why = content.CallDeclined
	case wire.RingBusy:
		e.Why = content.CallBusy
	case wire.RingNone:
		e.Why = content.CallNone
	default:
		e.Why = content.CallCancelled
	}
	return e
}

// writeEnd has the log say how a call ended, unless it does. That there was a call
// at all this device must know by itself, or read in the log: else a server could
// make up calls and have members put them there.
func (c *Calls) writeEnd(ctx context.Context, r wire.RoomID, e content.Call, knew bool) {
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		item, err := timeline.CallItem(tx, r, e.Call)
		if err != nil || item == "" && !knew {
			return err
		}
		over, err := timeline.CallOver(tx, r, e.Call)
		if err != nil || over {
			return err
		}
		made, err := content.NewCall(e)
		if err != nil {
			return err
		}
		return c.cfg.Rooms.SayCall(tx, r, made.Content)
	})
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.Info("end of a call was not written", "call", e.Call, "err", err)
	}
}

// refreshRow has the row of a call shown anew. Here says that this device took
// part or declined, so that nobody calls it missed.
func (c *Calls) refreshRow(ctx context.Context, r wire.RoomID, id wire.CallID, here bool) {
	var item string
	f := func(tx *store.Tx) (err error) {
		if here {
			item, err = timeline.CallHere(tx, r, id)
		} else {
			item, err = timeline.CallItem(tx, r, id)
		}
		return err
	}
	var err error
	if here {
		err = c.cfg.Store.Update(ctx, f)
	} else {
		err = c.cfg.Store.View(ctx, f)
	}
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.Warn("row of a call", "call", id, "err", err)
	}
	if item != "" {
		c.cfg.Feed.Items(r, item)
	}
}
