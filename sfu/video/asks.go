package video

import (
	"sync/atomic"
	"time"
)

// askEvery is how often a layer is asked for a key frame at most: they cost the
// sender ten times a usual frame, and everybody who joins wants one.
const askEvery = 500 * time.Millisecond

// Asks gathers the wishes of receivers for a key frame of one layer. Any number of
// goroutines may use it.
type Asks struct {
	wanted atomic.Bool
	last   atomic.Int64 // when the sender was asked; 0 for never
}

// Want says that a receiver cannot go on without a key frame.
func (k *Asks) Want() {
	if !k.wanted.Load() {
		k.wanted.Store(true)
	}
}

// Came says that a key frame began.
func (k *Asks) Came() { k.wanted.Store(false) }

// Due says whether to ask the sender now, and notes that it is done: it is true
// for one caller. A wish is kept until a key frame comes, since requests and
// frames get lost.
func (k *Asks) Due(now time.Duration) bool {
	last := k.last.Load()
	if !k.wanted.Load() || last != 0 && int64(now)-last < int64(askEvery) {
		return false
	}
	return k.last.CompareAndSwap(last, int64(max(now, 1)))
}
