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
	"sync/atomic"
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
		mu sync.Mutex // guards its sets: those with the same remainder
	}
	table   [sets][ways]entry
	refused atomic.Uint64
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
	ofShare
	ofTally
)

// Allow counts one thing of a class, unless somebody is over a limit: then it
// counts nothing, and is Busy with the time after which the next one is allowed.
func (l *Limiter) Allow(c *Class, who Who) error {
	k := counting{l: l, now: l.ticks()}
	if !who.Account.IsZero() {
		k.take(c.Account, l.key(c.Name, ofAccount, who.Account[:]))
	}
	if !who.Device.IsZero() {
		k.take(c.Device, l.key(c.Name, ofDevice, who.Device[:]))
	}
	var around []Around
	if who.From.IsValid() && (c.Network.Burst > 0 || c.Site.Burst > 0) {
		around = Networks(who.From)
	}
	for _, a := range around {
		k.take(c.Network.times(a.Times), l.keyOf(c.Name, ofNetwork, a.Prefix))
	}
	if c.Site.Burst > 0 {
		site := l.key(c.Name, ofSite, nil)
		for _, a := range around {
			k.share(c.Site, site, a.Times, l.keyOf(c.Name, ofShare, a.Prefix))
		}
		k.take(c.Site, site)
	}
	if k.wait == 0 {
		return nil
	}
	k.undo()
	l.refused.Add(1)
	return &wire.Error{Code: wire.Busy, Text: "too often", RetryAfter: (k.wait + time.Millisecond - 1).Milliseconds()}
}

// times is a rate n times as high.
func (r Rate) times(n int) Rate { return Rate{r.Every / time.Duration(n), r.Burst * n} }

// Tally is a thing that is counted for its own sake, under a key of at most 400
// bytes that no other thing has.
type Tally struct {
	Key  string
	Rate Rate
}

// Count counts one in each of some tallies, unless one of them is full: then it
// counts nothing, and returns the time after which it may be tried again. What was
// counted, undo takes back; it is called once at most.
func (l *Limiter) Count(tallies ...Tally) (undo func(), wait time.Duration) {
	k := &counting{l: l, now: l.ticks()}
	for _, t := range tallies {
		k.take(t.Rate, l.key(t.Key, ofTally, nil))
	}
	if k.wait > 0 {
		k.undo()
	}
	return k.undo, k.wait
}

// Bound counts one in a tally, unless that is full: then it counts nothing, and is
// Busy with the time after which it may be tried again.
func (l *Limiter) Bound(t Tally, text string) error {
	_, wait := l.Count(t)
	if wait == 0 {
		return nil
	}
	l.refused.Add(1)
	return &wire.Error{Code: wire.Busy, Text: text, RetryAfter: (wait + time.Millisecond - 1).Milliseconds()}
}

// Counted returns how many of those in a tally the passing of time has not taken
// away yet.
func (l *Limiter) Counted(t Tally) int {
	used := l.used(l.key(t.Key, ofTally, nil), l.ticks())
	return int((used + t.Rate.Every - 1) / t.Rate.Every)
}

func (l *Limiter) ticks() int64 { return l.now().Sub(l.zero).Nanoseconds() }

// counting is one thing on its way through several limits.
type counting struct {
	l    *Limiter
	now  int64
	wait time.Duration // until it is worth trying again; 0 as long as nothing was over
	done [maxCounts]struct {
		key   uint64
		every time.Duration
	}
	n int
}

// maxCounts is what one thing is counted in at most: account, device, three
// prefixes and as many shares, and the site.
const maxCounts = 9

// take counts it in one of the limits, unless it was over one before.
func (k *counting) take(r Rate, key uint64) {
	if k.wait > 0 || r.Burst == 0 {
		return
	}
	if k.wait = k.l.take(key, r, k.now); k.wait == 0 {
		k.counted(key, r.Every)
	}
}

func (k *counting) counted(key uint64, every time.Duration) {
	k.done[k.n].key, k.done[k.n].every = key, every
	k.n++
}

const (
	// shareSlower is how many times slower than the site itself a network is
	// forgiven what it took of the site's rate: more networks than this must take
	// all they can before one that comes anew finds nothing left.
	shareSlower = 256
	// shareWait is the longest that who is over its share is told to wait: others
	// may want less by then.
	shareWait = 5 * time.Second
)

// share has a network take no more of what is for the whole site than is left of
// it, or a few times that for the networks around it, once half of it is taken. So
// those who ask for much leave something to whoever asks for little, however many
// they are: a network that comes anew is let in as long as anything is left, and n
// that take all they can leave one part in n+1.
func (k *counting) share(site Rate, siteKey uint64, times int, key uint64) {
	if k.wait > 0 {
		return
	}
	whole := time.Duration(site.Burst) * site.Every
	left := whole - k.l.used(siteKey, k.now)
	own := Rate{site.Every * shareSlower, int(left/site.Every) * times}
	if left > whole/2 { // none is refused, nor remembered for more than it may have then
		own.Burst = site.Burst / 2 * times
		if k.l.take(key, own, k.now) == 0 {
			k.counted(key, own.Every)
		}
		return
	}
	if own.Burst == 0 {
		return // the site itself says so
	}
	k.take(own, key)
	k.wait = min(k.wait, shareWait)
}

// undo takes back what was counted.
func (k *counting) undo() {
	for _, c := range k.done[:k.n] {
		k.l.giveBack(c.key, c.every)
	}
}

func (l *Limiter) keyOf(name string, of kind, p netip.Prefix) uint64 {
	b := p.Addr().As16()
	return l.key(name, of, append(b[:], byte(p.Bits())))
}

func (l *Limiter) key(name string, of kind, id []byte) uint64 {
	var buf [512]byte
	b := append(append(append(buf[:0], byte(of)), id...), name...)
	if h := maphash.Bytes(l.seed, b); h != 0 {
		return h
	}
	return 1
}

// used returns how much of its time a key has taken that has not passed.
func (l *Limiter) used(key uint64, now int64) time.Duration {
	set := key % sets
	s := &l.shards[set%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range l.table[set] {
		if e := &l.table[set][i]; e.key == key {
			return time.Duration(max(0, e.until-now))
		}
	}
	return 0
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
		return time.Duration(over)
	}
	e.until = until
	return 0
}

// giveBack takes back what was counted.
func (l *Limiter) giveBack(key uint64, every time.Duration) {
	set := key % sets
	s := &l.shards[set%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range l.table[set] {
		if e := &l.table[set][i]; e.key == key {
			e.until -= int64(every)
		}
	}
}

// Refused returns how often Allow and Bound did not.
func (l *Limiter) Refused() uint64 { return l.refused.Load() }
