package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Waits of a client that lost its connection, docs/spec/framing.md#heartbeat.
const (
	firstWait = 500 * time.Millisecond
	mostWait  = 30 * time.Second
)

// stormPatience is when a storm that does not end is given up.
const stormPatience = 5 * time.Minute

// Stormed is what came of Storm.
type Stormed struct {
	Cost           // until the last was back
	Cut        int // connections
	Back       *Histogram
	Attempts   int64 // to connect
	TurnedAway int64 // of them, because the server said that it was busy
	Failed     error // why one of the others failed; nil if none did
	Sent       int64 // messages meanwhile, which nobody may have missed
}

// Storm cuts all connections of a fleet at once but those of each room's first
// member, who go on talking at a rate, and has everybody come back as clients
// do: after a wait with jitter, doubled with each attempt that fails, and no
// sooner than the server says. Who is back reads what it missed; in the end
// nobody may lack anything.
func Storm(ctx context.Context, f *Fleet, rate float64) (s Stormed, err error) {
	stays := make([]bool, f.Layout.People)
	speakers := make([][]int, len(f.Layout.Rooms))
	for r, members := range f.Layout.Rooms {
		stays[members[0]] = true
		speakers[r] = members[:1]
	}
	f.speakers = speakers
	defer func() { f.speakers = f.Layout.Rooms }()
	talking, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	before := f.Ledger.acked.Load()
	go func() { ended <- f.newFlow(maxOpen).at(rate)(talking) }()
	if err := rest(ctx, time.Second, ended); err != nil {
		return s, err
	}
	var gone []int
	for p, stay := range stays {
		if !stay {
			gone = append(gone, p)
		}
	}
	s.Cut, s.Back = len(gone), new(Histogram)
	limit, cancel := context.WithTimeout(ctx, stormPatience)
	defer cancel()
	turned := f.turnedAway.Load()
	var attempts atomic.Int64
	var failed atomic.Pointer[error]
	meter, began := f.meter(), time.Now()
	_ = each(len(gone), 4*connecting, func(i int) error { f.conns[gone[i]].Close(); return nil })
	errs := make([]error, len(gone))
	var all sync.WaitGroup
	for i, p := range gone {
		all.Go(func() {
			if errs[i] = f.comeBack(limit, p, &attempts, &failed); errs[i] == nil {
				s.Back.Add(time.Since(began))
			}
		})
	}
	all.Wait()
	s.Cost = meter()
	s.Attempts, s.TurnedAway = attempts.Load(), f.turnedAway.Load()-turned
	if err := failed.Load(); err != nil {
		s.Failed = *err
	}
	for i, err := range errs {
		if err != nil {
			return s, fmt.Errorf("storm at %s: person %d did not come back (%d of %d did): %w", f.Target.Name(), gone[i], s.Back.Count(), s.Cut, err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		return s, err
	}
	if err := f.settle(ctx, patience); err != nil {
		return s, fmt.Errorf("storm at %s: %w", f.Target.Name(), err)
	}
	s.Sent = f.Ledger.acked.Load() - before
	return s, nil
}

// comeBack connects a person again.
func (f *Fleet) comeBack(ctx context.Context, p int, attempts *atomic.Int64, failed *atomic.Pointer[error]) error {
	for pause := firstWait; ; pause = min(2*pause, mostWait) {
		wait := jitter(pause)
		for {
			if err := rest(ctx, wait, nil); err != nil {
				return err
			}
			attempts.Add(1)
			err := f.try(ctx, p)
			if err == nil {
				return nil
			}
			var later *Later
			if !errors.As(err, &later) {
				failed.Store(&err)
				break
			}
			f.turnedAway.Add(1)
			wait = max(jitter(pause), later.Wait)
			pause = min(2*pause, mostWait)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
