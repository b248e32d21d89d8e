package load

import (
	"testing"
	"time"
)

// Whatever is added comes out no more than a thirty-second larger.
func TestABucketIsNarrow(t *testing.T) {
	for d := time.Duration(0); d < time.Hour; d += d/57 + time.Microsecond {
		up := upper(bucket(d))
		if up <= d || up > d+d/32+time.Microsecond {
			t.Fatalf("%v is counted as up to %v", d, up)
		}
	}
}

func TestQuantilesOfAHistogram(t *testing.T) {
	var h Histogram
	for i := range 1000 {
		h.Add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := h.Quantile(q); got < want || got > want+want/32+time.Microsecond {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if h.Count() != 1000 || h.Max() != time.Second {
		t.Errorf("%d counted, at most %v", h.Count(), h.Max())
	}
}
