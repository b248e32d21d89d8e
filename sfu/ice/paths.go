package ice

import (
	"hash/maphash"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// paths is who stands behind each proved path. Every packet of media looks here, so
// reading takes no lock: a shard is replaced whole when it changes, and there are
// many, so that little is copied.
type paths struct {
	shards [64]shard
}

type shard struct {
	mu   sync.Mutex // of who replaces m
	m    atomic.Pointer[map[Path]*Agent]
	_pad [40]byte //nolint:unused // keeps neighbours off one cache line
}

func (s *paths) shard(p Path) *shard {
	return &s.shards[(uint32(p.Remote.Port())^p.Stream)%uint32(len(s.shards))]
}

func (s *paths) find(p Path) *Agent {
	m := s.shard(p).m.Load()
	if m == nil {
		return nil
	}
	return (*m)[p]
}

// put gives p to a, whoever had it before: the newest proof counts.
func (s *paths) put(p Path, a *Agent) {
	s.shard(p).change(func(m map[Path]*Agent) { m[p] = a })
}

// remove takes p from a, if it is still a's.
func (s *paths) remove(p Path, a *Agent) {
	if s.find(p) != a {
		return
	}
	s.shard(p).change(func(m map[Path]*Agent) {
		if m[p] == a {
			delete(m, p)
		}
	})
}

func (s *shard) change(f func(map[Path]*Agent)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[Path]*Agent{}
	if old := s.m.Load(); old != nil {
		m = maps.Clone(*old)
	}
	f(m)
	s.m.Store(&m)
}

// limiter bounds what one address may cost. It is of one size: addresses that share
// a bucket share its tokens, and a random seed keeps anybody from choosing with whom.
type limiter struct {
	seed  maphash.Seed
	rate  float64 // tokens a second, and the most that a bucket holds
	mu    sync.Mutex
	table [8192]bucket
}

type bucket struct {
	tokens float64
	at     int64 // Unix nanoseconds
}

func newLimiter(rate float64) *limiter {
	return &limiter{seed: maphash.MakeSeed(), rate: rate}
}

// network is what one stranger is taken to have: an IPv4 address, or the 64 bits of
// an IPv6 address that a provider gives to one customer.
func network(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, _ := a.WithZone("").Prefix(64)
	return p.Addr()
}

// left reports whether a has tokens left, and takes none.
func (l *limiter) left(a netip.Addr, now time.Time) bool { return l.spend(a, now, 0) }

// take takes a token, if there is one.
func (l *limiter) take(a netip.Addr, now time.Time) bool { return l.spend(a, now, 1) }

func (l *limiter) spend(a netip.Addr, now time.Time, n float64) bool {
	i := maphash.Comparable(l.seed, network(a)) % uint64(len(l.table))
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &l.table[i]
	at := now.UnixNano()
	if passed := at - b.at; passed > 0 {
		b.tokens = min(l.rate, b.tokens+l.rate*float64(passed)/float64(time.Second))
		b.at = at
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens -= n
	return true
}
