package load

import (
	"context"
	"fmt"
	"time"
)

// CaughtUp is what came of CatchUp.
type CaughtUp struct {
	Cost
	Rooms, Last int
	Messages    int // that came each time
	Times       int
	Each        *Histogram
}

// Fill has so many messages sent to each room of a fleet, and waits until all
// have arrived.
func Fill(ctx context.Context, f *Fleet, each int) error {
	const inFlight = 256
	w := f.newFlow(inFlight)
	for i := range each * len(f.Layout.Rooms) {
		if err := w.take(ctx); err != nil {
			return err
		}
		if err := w.send(i % len(f.Layout.Rooms)); err != nil {
			return err
		}
	}
	for range inFlight { // who sent more than one may in a second is told to come back
		if err := w.take(ctx); err != nil {
			return err
		}
	}
	return f.settle(ctx, patience)
}

// CatchUp has the first person of a filled fleet read the newest messages of all
// its rooms, one time after the other, and sees that all come.
func CatchUp(ctx context.Context, f *Fleet, last, times int) (c CaughtUp, err error) {
	c.Rooms, c.Last, c.Times, c.Each = len(f.roomsOf[0]), last, times, new(Histogram)
	meter := f.meter()
	for range times {
		began := time.Now()
		c.Messages, err = f.conns[0].CatchUp(ctx, f.roomsOf[0], last)
		if err != nil {
			return c, fmt.Errorf("catch up at %s: %w", f.Target.Name(), err)
		}
		c.Each.Add(time.Since(began))
		if want := c.Rooms * last; c.Messages != want {
			return c, fmt.Errorf("catch up at %s: %d messages came, not %d", f.Target.Name(), c.Messages, want)
		}
	}
	c.Cost = meter()
	return c, nil
}
