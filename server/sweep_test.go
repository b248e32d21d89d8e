package server_test

import (
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

func TestDeviceThatNeverEnrolledIsForgotten(t *testing.T) {
	c := newClock()
	site := testenv.Start(t, testenv.WithClock(c.now))
	ann := site.SetUpPerson("Ann")
	waiting := site.SignIn("Ann")
	c.advance(25 * time.Hour)
	fresh := site.SignIn("Ann")
	if err := site.Server.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	here := map[wire.DeviceID]bool{}
	for _, d := range testenv.Call(ann.Socket, wire.DeviceList, wire.None{}).Devices {
		here[d.Device] = true
	}
	if !here[ann.Device] || !here[fresh.Device] || here[waiting.Device] {
		t.Errorf("after the sweep there are %v", here)
	}
	if s, _ := site.Do("GET", wire.PathSession, waiting.Token, "", nil, nil); s != 401 {
		t.Errorf("its session answers %d", s)
	}
}

func TestConnectedSessionIsInUse(t *testing.T) {
	c := newClock()
	site := testenv.Start(t, testenv.WithClock(c.now))
	ann := site.SetUpPerson("Ann")
	// Its connection stands and nothing is asked over HTTP: only the sweep, which
	// comes every hour, can know that the session is in use.
	for range 3 {
		c.advance(89 * 24 * time.Hour)
		if err := site.Server.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	testenv.Call(ann.Socket, wire.SessionPing, wire.None{})
	if err := ann.Err(); err != nil {
		t.Errorf("it was ended: %v", err)
	}
}

// A clock that leaps, because a battery died or somebody set it wrong, ends and
// deletes nothing at once.
func TestAClockThatLeapsDestroysNothing(t *testing.T) {
	var mu sync.Mutex
	var leap time.Duration
	now := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(leap)
	}
	site := testenv.Start(t, testenv.WithWrongClock(now))
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	waiting := site.SignIn("Ann")
	bob.Close()
	for _, by := range []time.Duration{10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour, 0} {
		mu.Lock()
		leap = by
		mu.Unlock()
		if err := site.Server.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		for who, token := range map[string]string{"who is here": ann.Token, "who is away": bob.Token, "who waits": waiting.Token} {
			if s, _ := site.Do("GET", wire.PathSession, token, "", nil, nil); s != 200 {
				t.Errorf("leapt by %v, the session of %s answers %d", by, who, s)
			}
		}
	}
}
