package load

import (
	"sync/atomic"
	"time"
)

const (
	step  = 20 * time.Microsecond
	steps = 5000 // up to 100 ms; what took longer counts as that
)

// histogram counts durations. One goroutine adds while others read.
type histogram struct {
	counts [steps]atomic.Uint32
}

func (h *histogram) add(d time.Duration) {
	h.counts[min(max(d/step, 0), steps-1)].Add(1)
}

func (h *histogram) reset() {
	for i := range h.counts {
		h.counts[i].Store(0)
	}
}

func (h *histogram) merge(o *histogram) {
	for i := range o.counts {
		h.counts[i].Add(o.counts[i].Load())
	}
}

// quantile is the duration that part q of all did not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	total := uint64(0)
	for i := range h.counts {
		total += uint64(h.counts[i].Load())
	}
	sum := uint64(0)
	for i := range h.counts {
		if sum += uint64(h.counts[i].Load()); total > 0 && float64(sum) >= q*float64(total) {
			return time.Duration(i+1) * step
		}
	}
	return 0
}
