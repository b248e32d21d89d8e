package video

import "time"

const (
	// Layers is the most that a source has.
	Layers = 3

	// A layer is high enough for a place when it has this part of its pixels:
	// the eye does not miss the rest, the network would.
	enough = 0.8

	// A slot is raised only if this much more than the layer takes is left, and
	// not soon after it had to be lowered: pictures that change their sharpness
	// all the time are worse than soft ones.
	raiseAt    = 1.15
	raiseAfter = 4 * time.Second
)

// usual is what layers take while nothing is known of them, the smallest first:
// bits per second of a camera as browsers send it.
var usual = [Layers]int{150_000, 500_000, 1_500_000}

// usualScreen is what a screen takes.
const usualScreen = 800_000

// Offer is what one layer of a source would take and give.
type Offer struct {
	Bits   int  // per second
	Height int  // pixels, 0 for unknown
	Live   bool // it is being sent
	Dead   bool // it was asked for and does not come: the sender cannot
}

// A Tile is one slot of a receiver as Allocate sees it.
type Tile struct {
	Screen   bool
	Speaking bool
	Height   int // of its place, pixels
	Offers   []Offer
	Now      int           // the layer that it has, -1 for none
	Lowered  time.Duration // when it was given less than it had

	Ask  int // result: the layer that it should have, whether it is sent or not; -1 for none
	Give int // result: the layer that is sent and fits; -1 for none
}

// Allocate divides budget, in bits per second, among tiles: screens come first,
// then who speaks, then the larger before the smaller. Everybody gets the smallest
// layer before anybody gets more; then each in turn the best that its height can
// use and that fits. It returns how much more would be used if there were more.
// More than 64 tiles are not looked at.
func Allocate(now time.Duration, budget int, tiles []Tile) (more int) {
	var order [64]int
	n := min(len(tiles), len(order))
	for i := range n {
		t := &tiles[i]
		t.Ask, t.Give = -1, -1
		j := i
		for ; j > 0 && t.before(&tiles[order[j-1]]); j-- {
			order[j] = order[j-1]
		}
		order[j] = i
	}
	left := budget
	for _, i := range order[:n] {
		left -= tiles[i].raise(now, left, 1)
	}
	for _, i := range order[:n] {
		left -= tiles[i].raise(now, left, Layers)
	}
	for _, i := range order[:n] {
		t := &tiles[i]
		left -= t.settle(left)
		if best := t.best(); best >= 0 {
			more += t.bits(best) - t.bits(t.Ask)
		}
	}
	return max(more, 0)
}

// before says whether t is served before o.
func (t *Tile) before(o *Tile) bool {
	switch {
	case t.Screen != o.Screen:
		return t.Screen
	case t.Speaking != o.Speaking:
		return t.Speaking
	}
	return t.Height > o.Height
}

// bits is what layer i takes, 0 for none.
func (t *Tile) bits(i int) int {
	switch {
	case i < 0:
		return 0
	case t.Offers[i].Bits > 0:
		return t.Offers[i].Bits
	case t.Screen:
		return usualScreen
	}
	return usual[min(i, Layers-1)]
}

// best is the smallest layer that is high enough for the place, or the highest
// that there is; -1 if there is none.
func (t *Tile) best() int {
	best := -1
	for i := range t.Offers {
		if t.Offers[i].Dead {
			continue
		}
		best = i
		if h := t.Offers[i].Height; h > 0 && float64(h) >= enough*float64(t.Height) {
			break
		}
	}
	return best
}

// raise gives t the best layer for which left suffices, at most so many steps from
// what it was given already, and returns what it takes more.
func (t *Tile) raise(now time.Duration, left, steps int) int {
	best, had := t.best(), t.bits(t.Ask)
	for i := t.Ask + 1; i <= best && steps > 0; i++ {
		if t.Offers[i].Dead {
			continue
		}
		steps--
		need := float64(t.bits(i) - had)
		if i > t.Now {
			if t.Now >= 0 && t.Lowered != 0 && now-t.Lowered < raiseAfter {
				break
			}
			need += (raiseAt - 1) * float64(t.bits(i))
		}
		if need > float64(left) {
			continue // a higher one may take less: a still picture
		}
		t.Ask = i
	}
	return t.bits(t.Ask) - had
}

// settle finds the layer that is sent now: the one asked for, else the next below
// it, else one above if that fits too. It returns what it takes beyond Ask.
func (t *Tile) settle(left int) int {
	for i := t.Ask; i >= 0; i-- {
		if t.Offers[i].Live {
			t.Give = i
			return 0
		}
	}
	for i := t.Ask + 1; t.Ask >= 0 && i < len(t.Offers); i++ {
		if extra := t.bits(i) - t.bits(t.Ask); t.Offers[i].Live && extra <= left {
			t.Give = i
			return extra
		}
	}
	return 0
}
