package video

import (
	"sync/atomic"
	"time"
)

const (
	// unwanted is how long nobody must want a layer before its sender is told to
	// stop: who scrolls back and forth would stop and start it all the time.
	unwanted = 2 * time.Second

	// patience is how long a layer that is wanted may take to come.
	patience = 6 * time.Second
)

// A Demand says whether anybody wants a layer. Receivers who do repeat it, every
// second at least; when nobody has for a while, it is to be paused. Any number of
// goroutines may use it.
type Demand struct {
	wanted atomic.Int64 // when somebody wanted it last
	since  atomic.Int64 // when it began to be wanted without a pause
	paused atomic.Bool  // as the sender was told
}

// Want notes that a receiver wants the layer. It returns true if the sender must be
// told at once to go on.
func (d *Demand) Want(now time.Duration) bool {
	if d.paused.Load() || d.since.Load() == 0 {
		d.since.Store(int64(max(now, 1)))
	}
	d.wanted.Store(int64(max(now, 1)))
	return d.paused.Load() && d.paused.CompareAndSwap(true, false)
}

// Rest is to be called now and then. It returns true if the sender must be told to
// pause the layer. A layer that nobody has wanted yet counts from the first call.
func (d *Demand) Rest(now time.Duration) bool {
	if d.wanted.CompareAndSwap(0, int64(max(now, 1))) || d.paused.Load() {
		return false
	}
	if now-time.Duration(d.wanted.Load()) < unwanted {
		return false
	}
	return d.paused.CompareAndSwap(false, true)
}

// Paused says what the sender was told last.
func (d *Demand) Paused() bool { return d.paused.Load() }

// Late says that the layer has been wanted for long and could have come.
func (d *Demand) Late(now time.Duration) bool {
	since := d.since.Load()
	return since != 0 && !d.paused.Load() && now-time.Duration(since) > patience
}
