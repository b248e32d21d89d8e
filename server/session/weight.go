package session

import (
	"time"

	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// What one account may have written down, in bytes of requests: files have a quota,
// and what stands in logs and beside them stays, so that somebody who sends the
// largest messages as often as they may would fill any disk within the day. A
// hundred messages of 1 KiB a second are within it for as long as one likes.
const (
	maxWritten       = 256 << 20 // at once
	writtenPerSecond = 256 << 10 // after that
	leastWritten     = 512       // what a request weighs beside its parameters: rows, indexes
)

// weigh counts the bytes of a request that changes something. It is Busy if the
// account has had too many of them.
func weigh(l *limit.Limiter, account wire.AccountID, size int) error {
	n := size + leastWritten
	return l.Bound(limit.Tally{
		Key:  "written " + string(account[:]),
		Rate: limit.Rate{Every: time.Duration(n) * (time.Second / writtenPerSecond), Burst: maxWritten / n},
	}, "too many bytes")
}
