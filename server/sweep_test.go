package server_test

import (
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
