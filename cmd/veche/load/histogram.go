package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets that are at most 1/32 wide of what they
// hold, from a microsecond to an hour. It may be used by many goroutines.
type Histogram struct {
	counts [rows * perRow]atomic.Uint32
	most   atomic.Int64
}

const (
	perRow = 32
	rows   = 28
)

// Add counts d.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(d)].Add(1)
	for {
		most := h.most.Load()
		if int64(d) <= most || h.most.CompareAndSwap(most, int64(d)) {
			return
		}
	}
}

// bucket is a float's way of rounding: the row is the power of two, the place
// in it the five bits that follow.
func bucket(d time.Duration) int {
	us := uint64(max(d/time.Microsecond, 0))
	if us < perRow {
		return int(us)
	}
	row := bits.Len64(us) - 5 // at least 1
	return min(row*perRow+int(us>>(row-1))-perRow, rows*perRow-1)
}

// upper is the longest duration that bucket i holds.
func upper(i int) time.Duration {
	row, place := i/perRow, i%perRow
	if row == 0 {
		return time.Duration(i+1) * time.Microsecond
	}
	return time.Duration(uint64(place+perRow+1)<<(row-1)) * time.Microsecond
}

// Count is how many were added.
func (h *Histogram) Count() (n uint64) {
	for i := range h.counts {
		n += uint64(h.counts[i].Load())
	}
	return n
}

// Quantile is the duration that part q of all did not exceed, 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	total, sum := h.Count(), uint64(0)
	for i := range h.counts {
		sum += uint64(h.counts[i].Load())
		if total > 0 && float64(sum) >= q*float64(total) {
			return min(upper(i), h.Max())
		}
	}
	return 0
}

// Max is the longest.
func (h *Histogram) Max() time.Duration { return time.Duration(h.most.Load()) }
