package load

import (
	"context"
	"fmt"
	"time"
)

// patience is how long a server may make no progress at all before what it owes
// is called lost.
const patience = 20 * time.Second

// ConversationsConfig says how Conversations is to be.
type ConversationsConfig struct {
	InFlight int           // messages without an answer; 0 means 64
	Rate     float64       // messages a second that are begun, come what may; 0: as many as InFlight allows
	Warm     time.Duration // before it is measured; 0 means 2 s
	For      time.Duration // that is measured; 0 means 10 s
}

// Spoken is what came of Conversations. Latencies begin when the message leaves
// the driver.
type Spoken struct {
	Cost
	Acknowledged int64
	Delivered    int64 // to others than the sender
	Refused      int64 // and sent again when the server had said
	ToAck        *Histogram
	ToLast       *Histogram // to the last member that hears it
}

// PerSecond is how many messages were acknowledged in a second.
func (s Spoken) PerSecond() float64 { return float64(s.Acknowledged) / s.Took.Seconds() }

// DeliveredPerSecond is how many times a message reached a member in a second.
func (s Spoken) DeliveredPerSecond() float64 { return float64(s.Delivered) / s.Took.Seconds() }

// PerThousand is the server's seconds of processor for a thousand messages.
func (s Spoken) PerThousand() float64 {
	return s.Server.Seconds() * 1000 / max(1, float64(s.Acknowledged))
}

// DriverPerThousand is the same for this process.
func (s Spoken) DriverPerThousand() float64 {
	return s.Driver.Seconds() * 1000 / max(1, float64(s.Acknowledged))
}

// Conversations has all rooms of a fleet talk: closed loop, with so many messages
// on their way at a time, or open loop at a rate. It ends when everything has
// arrived; what has not is the error.
func Conversations(ctx context.Context, f *Fleet, c ConversationsConfig) (s Spoken, err error) {
	if c.InFlight == 0 {
		c.InFlight = 64
	}
	if c.Warm == 0 {
		c.Warm = 2 * time.Second
	}
	if c.For == 0 {
		c.For = 10 * time.Second
	}
	run := f.newFlow(c.InFlight).run
	if c.Rate > 0 {
		run = f.newFlow(maxOpen).at(c.Rate)
	}
	sending, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(sending) }()
	if err := rest(ctx, c.Warm, ended); err != nil {
		return s, err
	}
	l := f.Ledger
	s.ToAck, s.ToLast = new(Histogram), new(Histogram)
	l.ToAck.Store(s.ToAck)
	l.ToLast.Store(s.ToLast)
	acked, delivered, refused := l.acked.Load(), l.delivered.Load(), l.refused.Load()
	meter := f.meter()
	if err := rest(ctx, c.For, ended); err != nil {
		return s, err
	}
	s.Cost = meter()
	s.Acknowledged, s.Delivered, s.Refused = l.acked.Load()-acked, l.delivered.Load()-delivered, l.refused.Load()-refused
	stop()
	if err := <-ended; err != nil {
		return s, err
	}
	if err := f.settle(ctx, patience); err != nil {
		return s, fmt.Errorf("conversations at %s: %w", f.Target.Name(), err)
	}
	l.ToAck.Store(nil)
	l.ToLast.Store(nil)
	return s, nil
}

// maxOpen bounds what an open loop has on its way, so that a server that stands
// still does not fill the driver's memory.
const maxOpen = 100_000

// at is run at a rate. Messages that are due together leave together.
func (w *flow) at(rate float64) func(context.Context) error {
	return func(ctx context.Context) error {
		const step = time.Millisecond
		began, sent := time.Now(), 0
		for tick := time.NewTicker(step); ; {
			select {
			case <-tick.C:
			case err := <-w.failed:
				return err
			case <-ctx.Done():
				return nil
			}
			for due := int(time.Since(began).Seconds() * rate); sent < due; sent++ {
				select {
				case <-w.tokens:
				default:
					continue // the driver's bound: not offered, see maxOpen
				}
				if err := w.send(sent % len(w.Layout.Rooms)); err != nil {
					return err
				}
			}
		}
	}
}

// rest waits, unless what works meanwhile fails.
func rest(ctx context.Context, d time.Duration, failed <-chan error) error {
	select {
	case <-time.After(d):
		return nil
	case err := <-failed:
		if err == nil {
			err = ctx.Err()
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
