// Package limit bounds how often things are done: by one account, from one
// network, and by everybody together. It is there for floods. No person, and no
// program that does a person's work, comes near a limit; who does is told when
// to come back.
//
// What it remembers has a fixed size. When there is no room, it forgets whoever
// would be free of it first: a stranger who comes from ever new addresses does
// not wash out those who are over their limit. After a restart everybody begins anew.
package limit

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/veche-im/veche/wire"
)

// Rate is how often something may be done: once in Every on average, Burst times
// at once. The zero Rate is no limit.
type Rate struct {
	Every time.Duration
	Burst int
}

// perSecond is n a second, and at once what they make in so many seconds.
func perSecond(n, seconds int) Rate { return Rate{time.Second / time.Duration(n), n * seconds} }

// Who is whose doing something is. What is zero is not asked.
type Who struct {
	Account wire.AccountID
	Device  wire.DeviceID
	From    netip.Addr
}

const (
	ways   = 8    // entries among which one place is sought
	sets   = 8192 // of so many entries: 64 Ki, which is a megabyte
	shards = 64
)

// Limiter counts. Its methods may be called by anybody.
type Limiter struct {
	now  func() time.Time
	seed maphash.Seed
	zero time.Time

	shards [shards]struct {
		mu   sync.Mutex // guards its sets: those with the same remainder
		shed uint64
	}
	table [sets][ways]entry
}

// entry is one that was counted: until when what it did lasts if done at its
// rate, in nanoseconds after zero. Then it may do a whole burst again.
type entry struct {
	key   uint64 // 0: free
	until int64
}

// New returns a Limiter. Now is the clock.
func New(now func() time.Time) *Limiter {
	return &Limiter{now: now, seed: maphash.MakeSeed(), zero: now()}
}

// kind says what a key is made of.
type kind byte

const (
	ofAccount kind = iota + 1
	ofDevice
	ofNetwork
	ofSite
)

// Allow counts one thing of a class, unless somebody is over a limit: then it
// counts nothing, and is Busy with the time after which the next one is allowed.
func (l *Limiter) Allow(c *Class, who Who) error {
	now := l.now().Sub(l.zero).Nanoseconds()
	var counted [4]struct {
		rate Rate
		key  uint64
	}
	n := 0
	count := func(r Rate, k kind, id []byte) (wait time.Duration) {
		if r.Burst == 0 {
			return 0
		}
		key := l.key(c, k, id)
		if wait = l.take(key, r, now); wait == 0 {
			counted[n].rate, counted[n].key = r, key
			n++
		}
		return wait
	}
	var wait time.Duration
	if !who.Account.IsZero() {
		wait = count(c.Account, ofAccount, who.Account[:])
	}
	if wait == 0 && !who.Device.IsZero() {
		wait = count(c.Device, ofDevice, who.Device[:])
	}
	if wait == 0 && who.From.IsValid() {
		p := Network(who.From)
		b := p.Addr().As16()
		wait = count(c.Network, ofNetwork, b[:])
	}
	if wait == 0 {
		wait = count(c.Site, ofSite, nil)
	}
	if wait == 0 {
		return nil
	}
	for _, back := range counted[:n] {
		l.giveBack(back.key, back.rate)
	}
	return &wire.Error{Code: wire.Busy, Text: "too often", RetryAfter: (wait + time.Millisecond - 1).Milliseconds()}
}

// Network is what counts as one stranger: a machine in IPv4, and in IPv6 a whole
// /64, because one person has that many addresses.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

func (l *Limiter) key(c *Class, k kind, id []byte) uint64 {
	var b [64]byte
	n := copy(b[:], c.Name)
	b[n] = byte(k)
	n += 1 + copy(b[n+1:], id)
	if h := maphash.Bytes(l.seed, b[:n]); h != 0 {
		return h
	}
	return 1
}

// take counts one, or returns how long to wait for that.
func (l *Limiter) take(key uint64, r Rate, now int64) time.Duration {
	set := key % sets
	s := &l.shards[set%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	at, least := -1, 0
	for i := range l.table[set] {
		e := &l.table[set][i]
		if e.key == key {
			at = i
			break
		}
		if e.until < l.table[set][least].until {
			least = i
		}
	}
	if at < 0 { // the one that would be free of it first makes room
		at = least
		l.table[set][at] = entry{key: key}
	}
	e := &l.table[set][at]
	until := max(e.until, now) + int64(r.Every)
	if over := until - now - int64(r.Burst)*int64(r.Every); over > 0 {
		s.shed++
		return time.Duration(over)
	}
	e.until = until
	return 0
}

// giveBack takes back what was counted.
func (l *Limiter) giveBack(key uint64, r Rate) {
	set := key % sets
	s := &l.shards[set%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range l.table[set] {
		if e := &l.table[set][i]; e.key == key {
			e.until -= int64(r.Every)
		}
	}
}

// Refused returns how often something was not allowed.
func (l *Limiter) Refused() (n uint64) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		n += s.shed
		s.mu.Unlock()
	}
	return n
}
