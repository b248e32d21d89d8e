package server

import (
	"context"
	"runtime/debug"
	counts "runtime/metrics"
	"time"
)

const (
	calmEvery = 15 * time.Second
	// worthwhile is how much memory must be to be had.
	worthwhile = 32 << 20 // bytes
)

// heapUse is how the server's memory stands, in bytes.
type heapUse struct {
	allocated uint64 // since the start
	held      uint64 // of the system, for objects that live or did
	live      uint64 // as of the last collection
}

func readHeapUse() heapUse {
	s := []counts.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/gc/heap/live:bytes"},
	}
	counts.Read(s)
	n := func(i int) uint64 {
		if s[i].Value.Kind() != counts.KindUint64 {
			return 0
		}
		return s[i].Value.Uint64()
	}
	return heapUse{allocated: n(0), held: n(1) + n(2) + n(3), live: n(4)}
}

// tidies reports whether it is time to give memory back: little was asked for
// since before, and much more is held than what lived is likely to need.
func (m heapUse) tidies(before heapUse) bool {
	return m.allocated-before.allocated < m.held/8 && m.held > m.live+m.live/2+worthwhile
}

// calm gives memory back to the system when a rush is over. Ten thousand devices
// that come at once leave behind what their handshakes took, and Go collects when
// as much has been allocated again: by devices that are idle, in a long time.
func (s *Server) calm(ctx context.Context) error {
	t := time.NewTicker(calmEvery)
	defer t.Stop()
	for before := readHeapUse(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		now := readHeapUse()
		if now.tidies(before) {
			debug.FreeOSMemory()
			now = readHeapUse()
		}
		before = now
	}
}
