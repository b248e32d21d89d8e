package sfu

import (
	"math"
	"sync/atomic"
	"time"
)

// The tick: how long a worker lets packets gather before it reads them, so that
// those for one receiver leave in one piece. It costs latency, never packets, and
// is paid only when there is not enough processor for all (ADR 13).
const (
	tickFrom  = 0.5 // of one processor
	tickUntil = 0.3 // since with the tick less is needed for the same
	tick      = 2 * time.Millisecond
	tickHigh  = 0.8
	tickAbove = 5 * time.Millisecond

	growFrom    = 0.6 // of one processor, with the tick: then the next worker is woken
	measureSpan = 100 * time.Millisecond
)

// effort measures what part of the time a worker works, and sets its tick.
type effort struct {
	began, worked, mark time.Duration
	working             bool
	tick                time.Duration
	part                atomic.Uint64 // smoothed, 0 to 1, as a float's bits
}

func (l *effort) get() float64 { return math.Float64frombits(l.part.Load()) }

func (l *effort) work(now time.Duration) {
	l.working, l.mark = true, now
}

func (l *effort) rest(now time.Duration) {
	if l.working {
		l.worked += now - l.mark
		l.working = false
	}
	span := now - l.began
	if span < measureSpan {
		return
	}
	part := l.get()
	part += (float64(l.worked)/float64(span) - part) / 2
	l.part.Store(math.Float64bits(part))
	l.began, l.worked = now, 0
	switch {
	case part >= tickHigh:
		l.tick = tickAbove
	case part >= tickFrom && l.tick == 0:
		l.tick = tick
	case part < tickUntil:
		l.tick = 0
	}
}

// tally counts what one read did.
type tally struct {
	in, out, bytesIn, bytesOut                           uint64
	stranger, malformed, rate, ssrc, sealed, quiet, full uint64
}

// counters are the sum of tallies, read by others.
type counters struct {
	in, out, bytesIn, bytesOut                           atomic.Uint64
	stranger, malformed, rate, ssrc, sealed, quiet, full atomic.Uint64
}

func (c *counters) add(t *tally) {
	for _, p := range [...]struct {
		to *atomic.Uint64
		n  uint64
	}{
		{&c.in, t.in}, {&c.out, t.out}, {&c.bytesIn, t.bytesIn}, {&c.bytesOut, t.bytesOut},
		{&c.stranger, t.stranger}, {&c.malformed, t.malformed}, {&c.rate, t.rate}, {&c.ssrc, t.ssrc},
		{&c.sealed, t.sealed}, {&c.quiet, t.quiet}, {&c.full, t.full},
	} {
		if p.n != 0 {
			p.to.Add(p.n)
		}
	}
}

// read fills in what Stats tells.
func (c *counters) read(s *Stats) {
	s.PacketsIn, s.PacketsOut, s.BytesIn, s.BytesOut = c.in.Load(), c.out.Load(), c.bytesIn.Load(), c.bytesOut.Load()
	d := &s.Dropped
	d.Stranger, d.Malformed, d.Rate = c.stranger.Load(), d.Malformed+c.malformed.Load(), c.rate.Load()
	d.SSRC, d.Sealed, d.Quiet, d.Full = c.ssrc.Load(), c.sealed.Load(), c.quiet.Load(), d.Full+c.full.Load()
}
