package call

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// How long devices wait before they say how a call was, so that not all do:
// whoever left last says it at once, then the one that started it, then those
// that were in.
const (
	starterWait = 2 * time.Second
	otherWait   = 4 * time.Second
)

// sayEnd has the log say how a call was that has ended, unless somebody did.
func (c *Calls) sayEnd(ctx context.Context, l *live) {
	me, ok := c.cfg.Me()
	if !ok || !l.with[me.Account] && !l.mine {
		return // this person was not in it
	}
	last := len(l.Call.People) <= 1 && (len(l.Call.People) == 0 || l.Call.People[0].Device == me.Device)
	var wait time.Duration
	if l.mine {
		wait = rand.N(starterWait)
	} else {
		wait = starterWait + rand.N(otherWait-starterWait)
	}
	end := l.end(c.cfg.Now())
	say := func(ctx context.Context) {
		if err := c.sayEndNow(ctx, l, end); err != nil {
			c.cfg.Log.Warn("end of the call not said", "call", l.Call.Call, "err", err)
		}
	}
	if last {
		say(ctx) // before the command to leave is answered: the program may end then
		return
	}
	time.AfterFunc(wait, func() {
		ctx, stop := context.WithTimeout(context.Background(), sayTime)
		defer stop()
		say(ctx)
	})
}

func (c *Calls) sayEndNow(ctx context.Context, l *live, end content.CallEnd) error {
	said, gone := false, false
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		if m, err := store.GetRoom(tx, l.Room); err != nil || m.State != store.RoomOpen {
			gone = true
			return ignoreNone(err)
		}
		said, err = timeline.HasEnd(tx, l.Room, l.Call.Call)
		return err
	})
	if err != nil || said || gone {
		return err
	}
	return c.cfg.Rooms.SayCall(ctx, l.Room, content.Call{Call: l.Call.Call, End: &end})
}

// end is how a call was, as this device saw it.
func (l *live) end(now time.Time) content.CallEnd {
	e := content.CallEnd{Seconds: max(0, int64(now.Sub(l.heard)/time.Second)), Why: content.CallEnded}
	for a := range l.with {
		e.People = append(e.People, a)
	}
	if len(l.with) > 1 || !l.rang {
		return e
	}
	// It rang, and nobody came.
	e.Seconds, e.Why = 0, content.CallCancelled
	for _, how := range l.how {
		switch how {
		case wire.RingRefused:
			e.Why = content.CallDeclined
		case wire.RingBusy:
			e.Why = content.CallBusy
		case wire.RingNone:
			e.Why = content.CallNone
		}
	}
	return e
}
