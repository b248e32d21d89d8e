package load

import (
	"context"
	"fmt"
	"time"
)

// Announced is what came of AllHands.
type Announced struct {
	Cost
	People   int
	Messages int
	ToAck    *Histogram
	ToEach   *Histogram // to each of the others
	ToLast   *Histogram
}

// AllHands has one after the other of the members of a fleet's first room send
// one message, each when everybody has heard the one before.
func AllHands(ctx context.Context, f *Fleet, messages int) (a Announced, err error) {
	a.People, a.Messages = len(f.Layout.Rooms[0]), messages
	a.ToAck, a.ToEach, a.ToLast = new(Histogram), new(Histogram), new(Histogram)
	f.newFlow(1)
	l := f.Ledger
	var meter func() Cost
	for i := range messages + 1 {
		if i == 1 { // the first is to warm up
			l.ToAck.Store(a.ToAck)
			l.ToEach.Store(a.ToEach)
			l.ToLast.Store(a.ToLast)
			meter = f.meter()
		}
		if err := f.send(0); err != nil {
			return a, err
		}
		if err := f.heard(ctx, patience); err != nil {
			return a, fmt.Errorf("all hands at %s: %w", f.Target.Name(), err)
		}
	}
	a.Cost = meter()
	l.ToAck.Store(nil)
	l.ToEach.Store(nil)
	l.ToLast.Store(nil)
	return a, f.settle(ctx, patience)
}

// heard waits until the newest message was acknowledged and has reached
// everybody, without counting all the others again as settle does.
func (f *Fleet) heard(ctx context.Context, patience time.Duration) error {
	m := f.Ledger.message(f.Ledger.last.Load())
	late := time.After(patience)
	for m.acked.Load() == 0 || m.left.Load() > 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-late:
			return f.settle(ctx, 0)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
