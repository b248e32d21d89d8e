package hub_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// listener notes the numbers of the nudges that it hears; gate, if there is one,
// holds it up.
type listener struct {
	account wire.AccountID
	device  wire.DeviceID
	gate    chan struct{}

	mu    sync.Mutex // guards what follows
	heard []int64
	first *byte // of the newest frame
}

func (l *listener) Hear(frame []byte) {
	if l.gate != nil {
		<-l.gate
	}
	var f wire.Frame
	var n wire.Nudge
	if wire.Decode(socket.Payload(frame), &f) != nil || f.Method != wire.OnNudge.Name || wire.Decode(f.Body, &n) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard, l.first = append(l.heard, n.Seq), &frame[0]
}
func (*listener) Become(wire.DeviceState)                {}
func (*listener) End(wire.Code)                          {}
func (l *listener) Who() (wire.AccountID, wire.DeviceID) { return l.account, l.device }

// hall is a room with so many people in it.
func hall(t *testing.T, n int) (h *hub.Hub, room wire.RoomID, all []*listener) {
	h, room = hub.New(), wire.NewRoomID()
	for range n {
		l := &listener{account: wire.NewAccountID(), device: wire.NewDeviceID()}
		if err := h.Come(l, wire.DeviceActive, func() ([]wire.RoomID, error) { return []wire.RoomID{room}, nil }); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	synctest.Wait() // until all have heard that all are here
	return h, room, all
}

func say(h *hub.Hub, room wire.RoomID, seq int64) {
	hub.Tell(h, hub.Room(room), wire.OnNudge, wire.Nudge{Room: room, Seq: seq})
}

func TestManyHearEverythingInOrderAndAsTheSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, room, all := hall(t, 100)
		const events = 200 // more than may wait
		for i := range events {
			say(h, room, int64(i))
		}
		synctest.Wait()
		for _, l := range all {
			if len(l.heard) != events {
				t.Fatalf("one heard %d of %d", len(l.heard), events)
			}
			for i, n := range l.heard {
				if n != int64(i) {
					t.Fatalf("heard in the order %v", l.heard)
				}
			}
			if l.first != all[0].first {
				t.Fatal("the event was encoded again")
			}
		}
		if h.Waiting() != 0 {
			t.Errorf("%d wait", h.Waiting())
		}
	})
}

// Whoever tells many does not wait for them, and not more than so much waits.
func TestTellingManyTakesNoTimeAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, room, all := hall(t, 80)
		gate := make(chan struct{})
		for _, l := range all {
			l.gate = gate
		}
		told := make(chan int, 200)
		go func() {
			for i := range 200 {
				say(h, room, int64(i))
				told <- i
			}
		}()
		synctest.Wait()
		if n := len(told); n == 0 || n > 128 { // those being told and those that wait
			t.Errorf("%d events were taken while nobody listens", n)
		}
		close(gate)
		synctest.Wait()
		for _, l := range all {
			if len(l.heard) != 200 {
				t.Fatalf("one heard %d of 200", len(l.heard))
			}
		}
	})
}

// Who is ended hears nothing of what waits.
func TestEndedAmongManyHearsNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, room, all := hall(t, 80)
		gate := make(chan struct{})
		for _, l := range all {
			l.gate = gate
		}
		for i := range 3 {
			say(h, room, int64(i))
		}
		synctest.Wait() // one is being told the first event
		ended := make(map[*listener]bool)
		go func() {
			for _, l := range all[:50] {
				h.End(l.account, l.device, wire.Unauthenticated) // waits for what is being told
				l.mu.Lock()
				ended[l], l.heard = true, nil
				l.mu.Unlock()
			}
		}()
		close(gate)
		synctest.Wait()
		for l := range ended {
			if len(l.heard) > 0 {
				t.Fatalf("one heard %v after its end", l.heard)
			}
		}
		if len(ended) != 50 {
			t.Errorf("%d were ended", len(ended))
		}
	})
}
