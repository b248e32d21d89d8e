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
	site.Restart() // it sweeps at its start, and then every hour
	again := ann.Connect()
	deadline := time.Now().Add(30 * time.Second)
	for {
		list := testenv.Call(again, wire.DeviceList, wire.None{}).Devices
		here := map[wire.DeviceID]bool{}
		for _, d := range list {
			here[d.Device] = true
		}
		if !here[ann.Device] || !here[fresh.Device] {
			t.Fatalf("too much was forgotten: %+v", list)
		}
		if !here[waiting.Device] {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it is still there")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s, _ := site.Do("GET", wire.PathSession, waiting.Token, "", nil, nil); s != 401 {
		t.Errorf("its session answers %d", s)
	}
}
