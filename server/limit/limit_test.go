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
		{"the site", Class{Site: Rate{time.Second, 3}}, Who{Account: wire.AccountID{2}, From: address(2)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, _ := newLimiter()
			if n := times(l, &tt.class, Who{Account: wire.AccountID{1}, Device: wire.DeviceID{1}, From: address(1)}); n != 3 {
				t.Fatalf("%d, want 3", n)
			}
			if n := times(l, &tt.class, tt.other); (n == 3) != tt.fresh {
				t.Errorf("then %d", n)
			}
		})
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
	for i := range 300_000 {
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
	if n := testing.AllocsPerRun(100, func() { _ = l.Allow(class, Who{From: address(77_000_000)}) }); n > 2 { // the refusal
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
