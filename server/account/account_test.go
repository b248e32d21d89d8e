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
		if got, err := h.matches(t.Context(), hash, password); got != want || err != nil {
			t.Errorf("%q: %v %v", password, got, err)
		}
	}
	if ok, err := h.matches(t.Context(), "", "correct horse"); ok || err != nil {
		t.Errorf("no hash matched: %v", err)
	}
	// One that was made with another cost still matches.
	stronger, err := newHasher(Cost{Memory: 128, Time: 2, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := stronger.matches(t.Context(), hash, "correct horse"); !ok || err != nil {
		t.Errorf("after the cost was raised: %v %v", ok, err)
	}
	for _, bad := range []Hash{"x", "$argon2id$v=19$m=64,t=0,p=1$AAAA$AAAA", Hash(strings.Replace(string(hash), "argon2id", "argon2i", 1))} {
		if _, err := h.matches(t.Context(), bad, "correct horse"); err == nil {
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
		wg.Go(func() { h.slot(context.Background(), func() { close(held); <-release }) })
		<-held
	}
	var busy, ran int
	results := make(chan error, maxWaiting+10)
	for range maxWaiting + 10 {
		go func() { results <- h.slot(context.Background(), func() {}) }()
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
		go h.slot(context.Background(), func() { close(held); <-release })
		<-held
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.slot(ctx, func() { t.Error("ran") }); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if n := h.waiting.Load(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestAttemptsAreBoundedInMemory(t *testing.T) {
	at := time.Now()
	a := newAttempts(func() time.Time { return at })
	for i := range maxWatched {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if _, err := a.begin(fmt.Sprint("name", i), ip, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.order.Len(); n != maxWatched || len(a.byKey) != maxWatched { // each fills three
		t.Errorf("%d and %d are remembered", n, len(a.byKey))
	}
}

func TestSuccessTakesBackItsOwnAttemptAlone(t *testing.T) {
	at := time.Now()
	a := newAttempts(func() time.Time { return at })
	ip := netip.MustParseAddr("192.0.2.1")
	for range failsOfPair - 1 {
		if _, err := a.begin("ann", ip, ""); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		ok, err := a.begin("ann", ip, "")
		if err != nil {
			t.Fatal(err)
		}
		ok()
	}
	if _, err := a.begin("ann", ip, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := a.begin("ann", ip, ""); wire.CodeOf(err) != wire.Busy {
		t.Errorf("the failures were forgotten: %v", err)
	}
}

func TestOneNetworkCountsAsOneAddress(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
	} {
		if same := network(netip.MustParseAddr(tt.a)) == network(netip.MustParseAddr(tt.b)); same != tt.same {
			t.Errorf("%s and %s: %v", tt.a, tt.b, same)
		}
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
	for _, s := range []string{"Ann", " a  b ", "\x00", "\u202e", strings.Repeat("я", 65), "ﬁ", "\u00a0"} {
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
