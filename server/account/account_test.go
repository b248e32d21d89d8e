package account

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/wire"
)

var cheap = Cost{Memory: 64, Time: 1, Threads: 1}

func newTestHasher(t *testing.T) *hasher {
	t.Helper()
	h, err := newHasher(cheap)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashMatchesItsPasswordAlone(t *testing.T) {
	h := newTestHasher(t)
	hash, err := h.hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(hash), "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("stored as %.30s", string(hash))
	}
	other, _ := h.hash(t.Context(), "correct horse")
	if other == hash {
		t.Error("two hashes of one password are equal: no salt")
	}
	for password, want := range map[string]bool{"correct horse": true, "Correct horse": false, "correct horse ": false, "": false, "short": false} {
		if got, err := h.matches(t.Context(), netip.Addr{}, hash, password); got != want || err != nil {
			t.Errorf("%q: %v %v", password, got, err)
		}
	}
	if ok, err := h.matches(t.Context(), netip.Addr{}, "", "correct horse"); ok || err != nil {
		t.Errorf("no hash matched: %v", err)
	}
	// One that was made with another cost still matches.
	stronger, err := newHasher(Cost{Memory: 128, Time: 2, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := stronger.matches(t.Context(), netip.Addr{}, hash, "correct horse"); !ok || err != nil {
		t.Errorf("after the cost was raised: %v %v", ok, err)
	}
	for _, bad := range []Hash{"x", "$argon2id$v=19$m=64,t=0,p=1$AAAA$AAAA", Hash(strings.Replace(string(hash), "argon2id", "argon2i", 1))} {
		if _, err := h.matches(t.Context(), netip.Addr{}, bad, "correct horse"); err == nil {
			t.Errorf("%q was read as a hash", string(bad))
		}
	}
	if s := fmt.Sprintf("%v %s %+v", hash, hash, hash); strings.Contains(s, "argon2id") {
		t.Errorf("a hash prints itself: %s", s)
	}
}

func TestDefaultCostIsThatOfTheSpecification(t *testing.T) {
	if DefaultCost != (Cost{Memory: 65536, Time: 3, Threads: 4}) {
		t.Errorf("%+v", DefaultCost)
	}
}

func TestTooManyHashesAtOnceAreToldToWait(t *testing.T) {
	h := newTestHasher(t)
	release := make(chan struct{})
	var wg sync.WaitGroup
	for range hashing {
		held := make(chan struct{})
		wg.Go(func() { h.slot(context.Background(), netip.Addr{}, func() { close(held); <-release }) })
		<-held
	}
	var busy, ran int
	results := make(chan error, maxWaiting+10)
	for range maxWaiting + 10 {
		go func() { results <- h.slot(context.Background(), netip.Addr{}, func() {}) }()
	}
	for range 10 { // as many as do not fit are answered at once
		if err := <-results; wire.CodeOf(err) == wire.Busy {
			busy++
		}
	}
	close(release)
	for range maxWaiting {
		if err := <-results; err == nil {
			ran++
		}
	}
	wg.Wait()
	if busy != 10 || ran != maxWaiting {
		t.Errorf("%d were told busy, %d ran", busy, ran)
	}
}

func TestWaitingEndsWithTheRequest(t *testing.T) {
	h := newTestHasher(t)
	release := make(chan struct{})
	defer close(release)
	for range hashing {
		held := make(chan struct{})
		go h.slot(context.Background(), netip.Addr{}, func() { close(held); <-release })
		<-held
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.slot(ctx, netip.Addr{}, func() { t.Error("ran") }); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if _, n, _ := h.queue.Counts(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

// A flood of sign-ins from one network leaves places to wait for who comes from
// elsewhere.
func TestOneNetworkDoesNotTakeAllPlacesToWait(t *testing.T) {
	h := newTestHasher(t)
	release := make(chan struct{})
	for range hashing {
		held := make(chan struct{})
		go h.slot(context.Background(), netip.Addr{}, func() { close(held); <-release })
		<-held
	}
	flood, home := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	results := make(chan error, maxWaiting+1)
	for range maxWaiting {
		go func() { results <- h.slot(context.Background(), flood, func() {}) }()
	}
	for waiting := 0; waiting < maxWaiting; time.Sleep(time.Millisecond) {
		_, waiting, _ = h.queue.Counts()
	}
	mine := make(chan error, 1)
	go func() { mine <- h.slot(context.Background(), home, func() {}) }()
	select {
	case err := <-results:
		if wire.CodeOf(err) != wire.Busy {
			t.Errorf("the last of the flood was told %v", err)
		}
	case err := <-mine:
		t.Fatalf("there was no place for who comes from elsewhere: %v", err)
	}
	close(release)
	if err := <-mine; err != nil {
		t.Error(err)
	}
	for range maxWaiting - 1 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// trying is attempts with a clock.
func trying() (a *attempts, pass func(time.Duration)) {
	at := time.Now()
	return newAttempts(func() time.Time { return at }), func(d time.Duration) { at = at.Add(d) }
}

// fail fails until it is told to wait, n times at most.
func (a *attempts) fail(n int, name string, from netip.Addr) (failed int, wait time.Duration) {
	for i := range n {
		if _, err := a.begin(a.signIn(name, from, "")); err != nil {
			return i, time.Duration(err.(*wire.Error).RetryAfter) * time.Millisecond
		}
	}
	return n, 0
}

func TestFailuresAreBounded(t *testing.T) {
	v4 := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}) } // each in a /24 of its own
	beside := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}) }
	v6 := func(i int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 1, byte(i >> 8), byte(i), 15: 1})
	}
	one := func(int) string { return "ann" }
	each := func(i int) string { return fmt.Sprint("name ", i) }
	for _, tt := range []struct {
		what string
		name func(i int) string
		from func(i int) netip.Addr
		want int
	}{
		{"a name from one network", one, func(int) netip.Addr { return v4(1) }, failsOfPair},
		{"a name from a /24", one, beside, failsAround},
		{"a name from a /48", one, v6, failsAround},
		{"a name from everywhere", one, v4, failsOfName},
		{"any names from one network", each, func(int) netip.Addr { return v4(1) }, failsOfOrigin},
		{"any names from a /24", each, beside, 4 * failsOfOrigin},
		{"any names from a /56", each, func(i int) netip.Addr { return v6(i % 256) }, 2 * failsOfOrigin},
		{"any names from a /48", each, func(i int) netip.Addr { return v6(i * 256) }, 4 * failsOfOrigin},
	} {
		a, pass := trying()
		failed := 0
		try := func() (n int) {
			for i := range 250 {
				k, _ := a.fail(1, tt.name(i), tt.from(i))
				n += k
			}
			return n
		}
		if failed = try(); failed != tt.want {
			t.Errorf("%s: %d failed, want %d", tt.what, failed, tt.want)
		}
		// Afterwards it is slow, not closed: as many again in a window.
		for range 20 {
			pass(window / 20)
			failed += try()
		}
		if failed < 2*tt.want-1 || failed > 2*tt.want {
			t.Errorf("%s: %d failed in a window more, want %d", tt.what, failed, 2*tt.want)
		}
	}
}

// Typing mistakes of three hundred who sit behind one address, and begin the day
// together on browsers that nobody knows, keep none of them out.
func TestAnOfficeMayMistype(t *testing.T) {
	a, pass := trying()
	office := netip.MustParseAddr("192.0.2.1")
	turned := 0
	for i := range 300 {
		name, id := fmt.Sprint("clerk ", i), wire.NewAccountID()
		if n, _ := a.fail(1, name, office); n == 0 { // everybody mistypes once
			turned++
		}
		undo, err := a.begin(a.signIn(name, office, ""))
		if err != nil {
			turned++
			continue
		}
		undo()
		a.settled(id, office)
		a.settled(id, office)
		pass(2 * time.Second)
	}
	if turned > 0 {
		t.Errorf("%d were told to wait", turned)
	}
	// Each account counts once: who has one makes no room for guesses by signing in.
	lone := netip.MustParseAddr("198.51.100.1")
	id := wire.NewAccountID()
	for range 100 {
		a.settled(id, lone)
	}
	n := 0
	for i := range 200 {
		k, _ := a.fail(1, fmt.Sprint("guess ", i), lone)
		n += k
	}
	if n != failsOfOrigin+1 {
		t.Errorf("%d guesses from where one account signs in over and over, want %d", n, failsOfOrigin+1)
	}
	// And after a day in which nobody signed in it is as anywhere.
	pass(13 * 24 * time.Hour)
	n = 0
	for i := range 500 {
		k, _ := a.fail(1, fmt.Sprint("guess ", i), office)
		n += k
	}
	if n != failsOfOrigin {
		t.Errorf("%d guesses from an office that is gone, want %d", n, failsOfOrigin)
	}
}

// Who fails from everywhere under all names does not have forgotten who is over.
func TestAFloodOfFailuresForgetsNobodyWhoIsOver(t *testing.T) {
	a, _ := trying()
	victim := netip.MustParseAddr("2001:db8:ffff::1")
	for i := range 100 {
		a.fail(failsOfPair, fmt.Sprint("victim ", i), netip.AddrFrom4([4]byte{192, 0, byte(i), 1}))
	}
	a.fail(failsOfName, "ann", netip.MustParseAddr("198.51.100.1"))
	n := 0
	for i := range 60 {
		k, _ := a.fail(1, fmt.Sprint("other ", i), victim)
		n += k
	}
	for i := range 30_000 { // a quarter of an hour's hashes, and more
		a.fail(1, fmt.Sprint("name ", i), netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 16), byte(i >> 8), byte(i), 15: 1}))
	}
	for i := range 100 {
		if k, _ := a.fail(1, fmt.Sprint("victim ", i), netip.AddrFrom4([4]byte{192, 0, byte(i), 1})); k > 0 {
			t.Errorf("what failed under the name of victim %d was forgotten", i)
		}
	}
	if k, _ := a.fail(1, "other", victim); k > 0 || n != failsOfOrigin {
		t.Errorf("%d failed from one network, and then that was forgotten", n)
	}
}

func TestSuccessTakesBackItsOwnAttemptAlone(t *testing.T) {
	a, _ := trying()
	ip := netip.MustParseAddr("192.0.2.1")
	a.fail(failsOfPair-1, "ann", ip)
	for range 10 {
		undo, err := a.begin(a.signIn("ann", ip, ""))
		if err != nil {
			t.Fatal(err)
		}
		undo()
		a.settled(wire.AccountID{1}, ip)
	}
	if n, _ := a.fail(2, "ann", ip); n != 1 {
		t.Errorf("the failures were forgotten: %d more", n)
	}
}

func TestTokensDoNotPrint(t *testing.T) {
	tok := newToken()
	if s := fmt.Sprintf("%v %+v %s", tok, tok, tok); strings.Contains(s, tok.Secret()) {
		t.Errorf("a token prints itself: %s", s)
	}
	if len(tok.Secret()) != 32 {
		t.Errorf("20 bytes in base32 have %d characters", len(tok.Secret()))
	}
	for _, bad := range []string{"", "x", strings.Repeat("a", 33), strings.Repeat("1", 32), strings.ToUpper(tok.Secret())} {
		if _, err := ParseToken(bad); wire.CodeOf(err) != wire.NotFound {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"Ann", " a  b ", "\x00", "\u202e", strings.Repeat("я", 65), "ﬁ", "\u00a0", "Ϲ", "Σ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err != nil {
			if wire.CodeOf(err) != wire.BadRequest {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		again, err := ParseName(n.Shown)
		if err != nil || again != n {
			t.Errorf("%q is %q, and that is %q %v", s, n, again, err)
		}
	})
}
