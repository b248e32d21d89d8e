package server

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestMemoryIsGivenBackWhenARushIsOver(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		what        string
		before, now heapUse
		want        bool
	}{
		{"a rush", heapUse{allocated: 0, held: 100 * mb, live: 80 * mb}, heapUse{allocated: 400 * mb, held: 300 * mb, live: 120 * mb}, false},
		{"after it", heapUse{allocated: 400 * mb, held: 300 * mb, live: 120 * mb}, heapUse{allocated: 402 * mb, held: 300 * mb, live: 120 * mb}, true},
		{"once is enough", heapUse{allocated: 402 * mb, held: 125 * mb, live: 120 * mb}, heapUse{allocated: 404 * mb, held: 127 * mb, live: 120 * mb}, false},
		{"a small server", heapUse{allocated: 10 * mb, held: 30 * mb, live: 4 * mb}, heapUse{allocated: 11 * mb, held: 31 * mb, live: 4 * mb}, false},
		{"at work", heapUse{allocated: 400 * mb, held: 300 * mb, live: 120 * mb}, heapUse{allocated: 440 * mb, held: 300 * mb, live: 120 * mb}, false},
	} {
		if got := c.now.tidies(c.before); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

// What calm looks at is there, and what it does makes an end of it.
func TestTheHeapIsTold(t *testing.T) {
	rush := make([][]byte, 64)
	for i := range rush {
		rush[i] = make([]byte, 1<<20)
	}
	runtime.KeepAlive(rush)
	h := readHeapUse()
	if h.allocated < 64<<20 || h.held == 0 {
		t.Fatalf("%+v", h)
	}
	rush = nil
	debug.FreeOSMemory()
	if h = readHeapUse(); h.live == 0 || h.held > h.live+h.live/2+worthwhile {
		t.Errorf("%+v is left", h)
	}
}
