package video

import "time"

// askEvery is how often a layer is asked for a key frame at most: they cost the
// sender ten times a usual frame, and everybody who joins wants one.
const askEvery = 500 * time.Millisecond

// Asks gathers the wishes of receivers for a key frame of one layer.
type Asks struct {
	wanted bool
	last   time.Duration // when the sender was asked
	ever   bool
}

// Want says that a receiver cannot go on without a key frame.
func (k *Asks) Want() { k.wanted = true }

// Came says that a key frame began.
func (k *Asks) Came() { k.wanted = false }

// Due says whether to ask the sender now, and notes that it is done. A wish is
// kept until a key frame comes: requests and frames get lost.
func (k *Asks) Due(now time.Duration) bool {
	if !k.wanted || k.ever && now-k.last < askEvery {
		return false
	}
	k.ever, k.last = true, now
	return true
}
