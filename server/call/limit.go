package call

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/veche-im/veche/wire"
)

// what a device does, of which each has a rate of its own.
type what uint8

const (
	toStart what = iota
	toJoin
	toOffer
	toView
	toState
	toSay
	toRing
	toLead
	toKnock
	toTest
)

// rates are how often a device may, and how often at once.
var rates = [...]struct {
	every time.Duration
	burst int
}{
	toStart: {2 * time.Second, 5},
	toJoin:  {2 * time.Second, 5}, // each costs a handshake
	toOffer: {time.Second, 3},
	toView:  {100 * time.Millisecond, 10},
	toState: {500 * time.Millisecond, 4},
	toSay:   {200 * time.Millisecond, 5},
	toRing:  {2 * time.Second, 5},
	toLead:  {500 * time.Millisecond, 10},
	toKnock: {5 * time.Second, 3},
	toTest:  {5 * time.Second, 3},
}

// maxLimiters bounds what is remembered of devices; forgetting lets somebody do
// a thing a few times more.
const maxLimiters = 20_000

type limits struct {
	mu sync.Mutex // guards what follows
	of map[limitKey]*rate.Limiter
}

type limitKey struct {
	device wire.DeviceID
	what   what
}

// allow refuses, with Busy, what a device does too often.
func (l *limits) allow(d wire.DeviceID, do what, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := limitKey{d, do}
	r := l.of[k]
	if r == nil {
		if l.of == nil || len(l.of) >= maxLimiters {
			l.of = map[limitKey]*rate.Limiter{}
		}
		r = rate.NewLimiter(rate.Every(rates[do].every), rates[do].burst)
		l.of[k] = r
	}
	if !r.AllowN(now, 1) {
		return &wire.Error{Code: wire.Busy, Text: "too often", RetryAfter: rates[do].every.Milliseconds()}
	}
	return nil
}
