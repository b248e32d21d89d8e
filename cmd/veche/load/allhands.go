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
	if err := f.calm(ctx); err != nil {
		return a, err
	}
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
	left, late := m.left.Load(), time.Now().Add(patience)
	for m.acked.Load() == 0 || m.left.Load() > 0 {
		if now := m.left.Load(); now != left {
			left, late = now, time.Now().Add(patience)
		}
		if time.Now().After(late) {
			return f.settle(ctx, 0)
		}
		if err := rest(ctx, time.Millisecond, nil); err != nil {
			return err
		}
	}
	return nil
}

const (
	calmPart = 0.1              // of one processor
	calmMost = 30 * time.Second // then it is measured all the same
)

// calm waits until the server has little to do: thousands who came a moment ago
// are told of one another.
func (f *Fleet) calm(ctx context.Context) error {
	const look = 500 * time.Millisecond
	if len(f.Target.Processes()) == 0 {
		return nil
	}
	for until := time.Now().Add(calmMost); time.Now().Before(until); {
		meter := f.meter()
		if err := rest(ctx, look, nil); err != nil {
			return err
		}
		if c := meter(); c.Server.Seconds() < calmPart*c.Took.Seconds() {
			return nil
		}
	}
	return nil
}
