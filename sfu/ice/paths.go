package ice

import (
	"encoding/binary"
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
	mu sync.Mutex // of who replaces m
	m  atomic.Pointer[map[key]*Agent]
}

// key is a Path in plain bytes, which hash several times faster than netip's
// addresses. The zone of a link-local address is not in it.
type key [38]byte

func keyOf(p Path) (k key) {
	*(*[16]byte)(k[0:]) = p.Remote.Addr().As16()
	if p.Local.IsValid() {
		*(*[16]byte)(k[16:]) = p.Local.As16()
	}
	binary.NativeEndian.PutUint16(k[32:], p.Remote.Port())
	binary.NativeEndian.PutUint32(k[34:], p.Stream)
	return k
}

func (s *paths) shard(p Path) *shard {
	return &s.shards[(uint32(p.Remote.Port())^p.Stream)%uint32(len(s.shards))]
}

func (s *paths) find(p Path) *Agent {
	m := s.shard(p).m.Load()
	if m == nil {
		return nil
	}
	return (*m)[keyOf(p)]
}

// put gives p to a, whoever had it before: the newest proof counts.
func (s *paths) put(p Path, a *Agent) {
	if s.find(p) != a {
		s.shard(p).change(func(m map[key]*Agent) { m[keyOf(p)] = a })
	}
}

// remove takes p from a, if it is still a's.
func (s *paths) remove(p Path, a *Agent) {
	if s.find(p) != a {
		return
	}
	s.shard(p).change(func(m map[key]*Agent) {
		if k := keyOf(p); m[k] == a {
			delete(m, k)
		}
	})
}

func (s *shard) change(f func(map[key]*Agent)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[key]*Agent{}
	if old := s.m.Load(); old != nil {
		m = maps.Clone(*old)
	}
	f(m)
	s.m.Store(&m)
}

// limiter bounds what one address may cost. It is of one size, whatever comes: sets
// of a few places, of which the one that was idle longest makes room. A random seed
// keeps anybody from choosing whom to share a set with.
type limiter struct {
	seed maphash.Seed
	rate float64 // tokens a second, and the most that a bucket holds

	mu   sync.Mutex // guards what follows
	sets [2048][4]bucket
}

type bucket struct {
	tag    uint32 // of the address
	tokens float32
	at     int64 // Unix nanoseconds
}

func newLimiter(rate float64) *limiter {
	return &limiter{seed: maphash.MakeSeed(), rate: rate}
}

// Network is what one stranger is taken to have: an IPv4 address, or the 64 bits of
// an IPv6 address that a provider gives to one customer.
func Network(a netip.Addr) netip.Addr {
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

func (l *limiter) spend(a netip.Addr, now time.Time, n float32) bool {
	h := maphash.Comparable(l.seed, Network(a))
	at := now.UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(&l.sets[h%uint64(len(l.sets))], uint32(h>>32), at)
	if passed := at - b.at; passed > 0 {
		b.tokens = float32(min(l.rate, float64(b.tokens)+l.rate*float64(passed)/float64(time.Second)))
		b.at = at
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens -= n
	return true
}

// bucket finds the one of tag in a set, or gives it the place of another.
func (l *limiter) bucket(set *[4]bucket, tag uint32, at int64) *bucket {
	idle := &set[0]
	for i := range set {
		b := &set[i]
		if b.tag == tag && b.at != 0 {
			return b
		}
		if b.at < idle.at {
			idle = b
		}
	}
	*idle = bucket{tag: tag, tokens: float32(l.rate), at: at}
	return idle
}
