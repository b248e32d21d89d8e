package limit

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/veche-im/veche/wire"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newLimiter() (*Limiter, *clock) {
	c := &clock{time.Now()}
	return New(c.now), c
}

// times counts until something is refused.
func times(l *Limiter, c *Class, who Who) (n int) {
	for l.Allow(c, who) == nil {
		if n++; n > 1_000_000 {
			break
		}
	}
	return n
}

func address(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(i))
	return netip.AddrFrom4(b)
}

func TestBurstThenTheRate(t *testing.T) {
	l, clock := newLimiter()
	class := &Class{Name: "test", Account: Rate{100 * time.Millisecond, 5}}
	ann, bob := Who{Account: wire.NewAccountID()}, Who{Account: wire.NewAccountID()}
	if n := times(l, class, ann); n != 5 {
		t.Errorf("%d at once, want 5", n)
	}
	err := l.Allow(class, ann)
	if wire.CodeOf(err) != wire.Busy || err.(*wire.Error).RetryAfter != 100 {
		t.Errorf("the sixth: %v", err)
	}
	if n := times(l, class, bob); n != 5 {
		t.Errorf("another has %d, want 5", n)
	}
	clock.at = clock.at.Add(100 * time.Millisecond) // what it was told to wait
	if n := times(l, class, ann); n != 1 {
		t.Errorf("%d after the wait, want 1", n)
	}
	clock.at = clock.at.Add(time.Hour)
	if n := times(l, class, ann); n != 5 {
		t.Errorf("%d after an hour, want 5", n)
	}
}

func TestEachLimitOfAClassCounts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		class Class
		other Who // has another account, or comes from elsewhere
		fresh bool
	}{
		{"an account from anywhere", Class{Account: Rate{time.Second, 3}}, Who{Account: wire.AccountID{1}, From: address(2)}, false},
		{"another account", Class{Account: Rate{time.Second, 3}}, Who{Account: wire.AccountID{2}, From: address(1)}, true},
		{"a network, whoever asks", Class{Network: Rate{time.Second, 3}}, Who{Account: wire.AccountID{2}, From: address(1)}, false},
		{"another network", Class{Network: Rate{time.Second, 3}}, Who{Account: wire.AccountID{1}, From: address(2)}, true},
		{"a device", Class{Device: Rate{time.Second, 3}}, Who{Device: wire.DeviceID{1}, From: address(2)}, false},
		{"another device of the account", Class{Device: Rate{time.Second, 3}}, Who{Account: wire.AccountID{1}, Device: wire.DeviceID{2}}, true},
		{"the site", Class{Site: Rate{time.Second, 3}}, Who{Account: wire.AccountID{2}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, _ := newLimiter()
			who := Who{Account: wire.AccountID{1}, Device: wire.DeviceID{1}, From: address(1)}
			if tt.class.Site.Burst > 0 {
				who.From = netip.Addr{} // what one network may take of it is another matter
			}
			if n := times(l, &tt.class, who); n != 3 {
				t.Fatalf("%d, want 3", n)
			}
			if n := times(l, &tt.class, tt.other); (n == 3) != tt.fresh {
				t.Errorf("then %d", n)
			}
		})
	}
}

// Some who come as often as they can leave something to whoever comes now and then,
// however many they are, and get what nobody else wants.
func TestFewNetworksDoNotUseUpTheSite(t *testing.T) {
	class := &Class{Name: "test", Network: perSecond(50, 10), Site: perSecond(100, 10)}
	for _, tt := range []struct {
		name    string
		greedy  []netip.Addr
		honest  netip.Addr
		minimum int // of what is the site's, over the time
	}{
		{"two", []netip.Addr{address(0x0a000001), address(0x0b000001)}, address(0x0c000001), 90},
		{"forty", spread(40, 1<<16), address(0x7c000001), 90},
		{"those beside each other", spread(200, 1), address(0x7c000001), 90},
		{"all of a customer's IPv6", customer(3000), netip.MustParseAddr("2001:db8:ffff::1"), 90},
		{"one beside the honest one", []netip.Addr{address(0x0a000001)}, address(0x0a000002), 45},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, clock := newLimiter()
			took, refused := 0, 0
			const seconds, steps = 60, 20
			at := 0
			for i := range seconds * steps {
				clock.at = clock.at.Add(time.Second / steps)
				for range 2 * 100 / steps {
					if at++; l.Allow(class, Who{From: tt.greedy[at%len(tt.greedy)]}) == nil {
						took++
					}
				}
				if i%steps == 0 && l.Allow(class, Who{From: tt.honest}) != nil {
					refused++
				}
			}
			if refused > 0 {
				t.Errorf("who asks once a second was refused %d times of %d", refused, seconds)
			}
			if took < seconds*tt.minimum {
				t.Errorf("the others have taken %d in %d seconds", took, seconds)
			}
		})
	}
}

// spread is n addresses so far apart.
func spread(n, apart int) (all []netip.Addr) {
	for i := range n {
		all = append(all, address(0x0a000000+i*apart))
	}
	return all
}

// customer is n addresses in as many /64 of one /48.
func customer(n int) (all []netip.Addr) {
	for i := range n {
		a := netip.MustParseAddr("2001:db8::1").As16()
		a[6], a[7] = byte(i>>8), byte(i)
		all = append(all, netip.AddrFrom16(a))
	}
	return all
}

// A company behind one address is let in as fast as the site goes, and may come all
// at once.
func TestOneNetworkAloneHasTheSite(t *testing.T) {
	l, clock := newLimiter()
	class := &Class{Name: "test", Site: perSecond(100, 10)}
	who := Who{From: address(1)}
	if n := times(l, class, who); n < 500 {
		t.Errorf("%d at once", n)
	}
	n := 0
	for range 100 {
		clock.at = clock.at.Add(time.Second)
		for range 200 {
			if l.Allow(class, who) == nil {
				n++
			}
		}
	}
	if n < 100*95 {
		t.Errorf("%d in a hundred seconds", n)
	}
}

// Who has many networks side by side has not as many times the rate.
func TestNetworksSideBySideAreBoundedTogether(t *testing.T) {
	class := &Class{Name: "test", Network: Rate{time.Hour, 10}}
	for name, tt := range map[string]struct {
		from []netip.Addr
		want int
	}{
		"one /24":  {spread(256, 1), 40},
		"two /24s": {spread(512, 1), 80},
		"one /48":  {customer(65536), 40},
		"one /56":  {customer(256), 20},
		"one /64":  {customer(1), 10},
	} {
		l, _ := newLimiter()
		n := 0
		for range 20 {
			for _, a := range tt.from[:min(len(tt.from), 600)] {
				if l.Allow(class, Who{From: a}) == nil {
					n++
				}
			}
		}
		if n != tt.want {
			t.Errorf("%s: %d, want %d", name, n, tt.want)
		}
	}
}

func TestTalliesAreCountedTogetherOrNotAtAll(t *testing.T) {
	l, clock := newLimiter()
	wide, narrow := Tally{"wide", Rate{time.Minute, 10}}, Tally{"narrow", Rate{time.Hour, 2}}
	for range 2 {
		if _, wait := l.Count(wide, narrow); wait != 0 {
			t.Fatalf("told to wait %v", wait)
		}
	}
	if _, wait := l.Count(wide, narrow); wait != time.Hour {
		t.Errorf("the third waits %v", wait)
	}
	if n := l.Counted(wide); n != 2 {
		t.Errorf("what was refused was counted: %d", n)
	}
	undo, _ := l.Count(wide)
	undo()
	if n := l.Counted(wide); n != 2 {
		t.Errorf("after it was taken back: %d", n)
	}
	clock.at = clock.at.Add(time.Minute)
	if n, m := l.Counted(wide), l.Counted(narrow); n != 1 || m != 2 {
		t.Errorf("a minute later: %d and %d", n, m)
	}
}

// What is refused for the site's sake must not use up the account's share.
func TestRefusedCostsNothing(t *testing.T) {
	l, clock := newLimiter()
	class := &Class{Name: "test", Account: Rate{time.Hour, 5}, Site: Rate{time.Second, 1}}
	ann := Who{Account: wire.NewAccountID()}
	for range 100 {
		_ = l.Allow(class, ann)
	}
	allowed := 0
	for range 20 {
		clock.at = clock.at.Add(time.Second)
		if l.Allow(class, ann) == nil {
			allowed++
		}
	}
	if allowed != 4 { // one of five was used before
		t.Errorf("%d were allowed, want 4", allowed)
	}
}

func TestOnePersonsAddressesAreOne(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := Network(netip.MustParseAddr(a)); got.String() != want {
			t.Errorf("%s is %s, want %s", a, got, want)
		}
	}
}

// Who comes from a million addresses neither takes memory nor washes out who is
// over a limit.
func TestFloodOfAddressesForgetsNobodyWhoIsOver(t *testing.T) {
	l, _ := newLimiter()
	class := &Class{Name: "test", Network: Rate{time.Hour, 20}}
	guilty := make([]Who, 200)
	for i := range guilty {
		guilty[i] = Who{From: address(i)}
		times(l, class, guilty[i])
	}
	for i := range 120_000 {
		_ = l.Allow(class, Who{From: address(1<<24 + i)})
	}
	free := 0
	for _, g := range guilty {
		if l.Allow(class, g) == nil {
			free++
		}
	}
	if free > 0 {
		t.Errorf("%d of %d were forgotten", free, len(guilty))
	}
	if size := unsafe.Sizeof(*l); size > 2<<20 {
		t.Errorf("a limiter has %d bytes", size)
	}
	if n := testing.AllocsPerRun(100, func() { _ = l.Allow(class, Who{From: address(77_000_000)}) }); n > 3 { // the refusal, and the networks around
		t.Errorf("%v allocations", n)
	}
}

func TestManyAtOnceAreCountedRight(t *testing.T) {
	l, _ := newLimiter()
	class := &Class{Name: "test", Site: Rate{time.Hour, 1000}}
	counts := make(chan int)
	for range 8 {
		go func() { counts <- times(l, class, Who{}) }()
	}
	sum := 0
	for range 8 {
		sum += <-counts
	}
	if sum != 1000 {
		t.Errorf("%d were allowed, want 1000", sum)
	}
}

// The bench sends a hundred messages a second from one account, for long.
func TestHundredMessagesASecondAreWithinTheLimit(t *testing.T) {
	l, clock := newLimiter()
	ann := Who{Account: wire.NewAccountID(), Device: wire.NewDeviceID(), From: address(1)}
	for range 100 * 120 {
		clock.at = clock.at.Add(10 * time.Millisecond)
		if err := l.Allow(Send, ann); err != nil {
			t.Fatal(err)
		}
	}
}
