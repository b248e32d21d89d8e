package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// OverloadConfig says how Overload is to be. Peak, Calm, For and After are required.
type OverloadConfig struct {
	Peak  float64       // messages a second that the server was seen to take
	Times float64       // so many times as many are offered; 0 means 3
	Calm  time.Duration // how long half of the peak is offered before, to know how it is then
	For   time.Duration // how long too many are
	After time.Duration // how long it is watched, with half of the peak offered, after that
	Each  int           // messages that one person has on their way at most, as clients do; 0 means 4
}

// Overloaded is what came of Overload.
type Overloaded struct {
	Offered, Taken, Refused float64 // messages a second, while too many were offered
	Held                    float64 // a second, that did not leave because the person had too many on their way
	ToAck                   *Histogram
	RSS                     int64         // the most that the server held meanwhile
	Normal                  time.Duration // after the overload until a second in which acknowledgements took at most twice as long as before; -1: none while it was watched
	AfterAck                *Histogram    // of the last seconds of the watch
}

// leastNormal is what is taken for quick even of a server that was quicker before.
const leastNormal = 50 * time.Millisecond

// Overload offers a server more than it can take, and then half of what it can.
// Whose message the server refuses does not send it again, as if the person had
// given up; what was acknowledged must reach everybody all the same.
func Overload(ctx context.Context, f *Fleet, c OverloadConfig) (o Overloaded, err error) {
	if c.Times == 0 {
		c.Times = 3
	}
	if c.Each == 0 {
		c.Each = 4
	}
	l := f.Ledger
	w := newGuests(f, c.Each)
	f.setAnswered(w.answered)
	defer f.setAnswered(nil)

	calm := new(Histogram)
	l.ToAck.Store(calm)
	defer l.ToAck.Store(nil)
	if err := w.offer(ctx, c.Peak/2, c.Calm); err != nil {
		return o, err
	}
	normal := max(2*calm.Quantile(0.99), leastNormal)
	w.offered.Store(0)
	w.held.Store(0)

	o.ToAck = new(Histogram)
	l.ToAck.Store(o.ToAck)
	acked, refused, began := l.acked.Load(), l.refused.Load(), time.Now()
	watch := w.watch(f.Target.Processes())
	err = w.offer(ctx, c.Peak*c.Times, c.For)
	o.RSS = watch()
	if err != nil {
		return o, err
	}
	took := time.Since(began).Seconds()
	o.Taken, o.Refused = float64(l.acked.Load()-acked)/took, float64(l.refused.Load()-refused)/took
	o.Offered, o.Held = float64(w.offered.Load())/took, float64(w.held.Load())/took

	// Seconds in which every message begun was acknowledged as quickly as before.
	o.Normal = -1
	ended := make(chan error, 1)
	began = time.Now()
	go func() { ended <- w.offer(ctx, c.Peak/2, c.After) }()
	for end := false; !end; {
		o.AfterAck = new(Histogram)
		from := l.last.Load()
		l.ToAck.Store(o.AfterAck)
		select {
		case err = <-ended:
			end = true
		case <-time.After(time.Second):
		}
		if o.Normal < 0 && !end && o.AfterAck.Count() > 0 && o.AfterAck.Quantile(0.99) < normal && l.answeredFrom(from, normal) {
			o.Normal = time.Since(began) - time.Second
		}
	}
	if err != nil {
		return o, err
	}
	if err := f.settle(ctx, patience); err != nil {
		return o, fmt.Errorf("overload at %s: %w", f.Target.Name(), err)
	}
	return o, nil
}

// answeredFrom reports whether nothing that was sent since message from waits
// for its answer for longer than d.
func (l *Ledger) answeredFrom(from uint64, d time.Duration) bool {
	now := l.now()
	for i := from + 1; i <= l.last.Load(); i++ {
		if m := l.message(i); m != nil && m.acked.Load() == 0 && now-m.sent.Load() > int64(d) {
			return false
		}
	}
	return true
}

// guests are people who send whatever others say of it.
type guests struct {
	*Fleet
	most          int32
	underWay      []atomic.Int32 // of each person
	offered, held atomic.Int64
}

func newGuests(f *Fleet, most int) *guests {
	return &guests{Fleet: f, most: int32(most), underWay: make([]atomic.Int32, f.Layout.People)}
}

// answered is told of each answer. A refusal is taken for the last word.
func (g *guests) answered(n uint64, _ time.Duration) {
	g.underWay[g.Ledger.message(n).from].Add(-1)
}

// senders is how many send at a time, so that one connection that takes nothing
// does not hold up all.
const senders = 64

// offer begins messages at a rate, whether they are answered or not.
func (g *guests) offer(ctx context.Context, rate float64, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var all sync.WaitGroup
	errs := make([]error, senders)
	for i := range senders {
		all.Go(func() { errs[i] = g.some(ctx, i, rate/senders) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// some is one sender's part, in its part of the rooms.
func (g *guests) some(ctx context.Context, part int, rate float64) error {
	began, begun := time.Now(), 0
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	rooms := len(g.Layout.Rooms)
	for room := part; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		for due := int(time.Since(began).Seconds() * rate); begun < due; begun++ {
			g.offered.Add(1)
			room = (room + senders) % rooms
			from := g.pick(room)
			if g.underWay[from].Add(1) > g.most {
				g.underWay[from].Add(-1)
				g.held.Add(1)
				continue
			}
			if err := g.sendAs(room, from); err != nil {
				return err
			}
		}
	}
}

// watch looks at the memory of processes now and then, and returns what tells
// the most of it.
func (g *guests) watch(pids []int) func() int64 {
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		top := int64(0)
		for {
			rss, _ := Memory(pids)
			top = max(top, rss)
			select {
			case <-stop:
				most <- top
				return
			case <-time.After(time.Second):
			}
		}
	}()
	return func() int64 { close(stop); return <-most }
}
