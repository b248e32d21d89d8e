package session

import "sync/atomic"

const (
	// maxLine is how many bytes of requests wait at a time, on all connections
	// together, behind one of their own connection that is being carried out. What
	// one connection may have waiting is little; of all of them it would be what
	// there is of memory, as soon as the disk is slow.
	maxLine = 32 << 20
	// lineUnit is what a request that waits takes beside its parameters.
	lineUnit = 512
)

// line counts what waits. The first request of a connection stands in none, so
// who asks one thing at a time is served however much others want.
type line struct {
	bytes  atomic.Int64
	turned atomic.Uint64
}

func lengthOf(r request) int64 { return int64(cap(r.params)) + lineUnit }

// enter counts one more, unless there is no room for it.
func (l *line) enter(r request) bool {
	n := lengthOf(r)
	if l.bytes.Add(n) > maxLine {
		l.bytes.Add(-n)
		l.turned.Add(1)
		return false
	}
	return true
}

func (l *line) leave(r request) { l.bytes.Add(-lengthOf(r)) }
