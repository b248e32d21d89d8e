package sfu

import (
	"testing"
	"time"

	"github.com/veche-im/veche/sfu/udp"
)

// hands is a worker that is driven by hand, and packets of one participant for it.
func hands(t testing.TB, s *Server, receivers, packets int) (w *worker, in []udp.Packet) {
	t.Helper()
	talker := dial(t, s, 1)
	for i := range receivers {
		dial(t, s, uint32(i+2))
	}
	p, err := s.find(testCall, 1)
	if err != nil {
		t.Fatal(err)
	}
	path, ok := p.agent.Path()
	if !ok {
		t.Fatal("no path")
	}
	w = newWorker(s, s.workers[0].sock, s.workers[0].sock)
	for range packets {
		in = append(in, udp.Packet{Data: talker.Packet(0, 30, make([]byte, 76)), From: path.Remote, Local: path.Local})
	}
	return w, in
}

// forward does what a read of one packet does, but for the system calls.
func (w *worker) forward(p *udp.Packet) {
	w.now = w.s.now()
	w.take(p)
	w.send()
	w.show()
	w.out.Reset()
	w.s.total.add(&w.count)
	w.count = tally{}
}

func TestNothingIsAllocatedForAPacket(t *testing.T) {
	var c clock
	s := newServer(t, func(cfg *Config) { cfg.Now = c.Now })
	w, in := hands(t, s, 10, 1200)
	next := 0
	forward := func() {
		c.advance(10 * time.Millisecond) // within the limits
		w.forward(&in[next])
		next++
	}
	for range 50 {
		forward() // room is made
	}
	if n := testing.AllocsPerRun(1000, forward); n != 0 {
		t.Errorf("%v allocations for a packet to ten", n)
	}
	if got, want := w.sentPackets, uint64(next*10); got != want {
		t.Errorf("%d packets were sent, want %d: what was measured was not forwarding", got, want)
	}
}

// TestTheTickFollowsTheLoad sets what part of the time a worker works.
func TestTheTickFollowsTheLoad(t *testing.T) {
	var e effort
	now := time.Duration(0)
	work := func(part float64) {
		for range 200 { // reads, 10 ms apart
			e.rest(now)
			e.work(now + time.Duration((1-part)*float64(10*time.Millisecond)))
			now += 10 * time.Millisecond
		}
	}
	for _, tt := range []struct {
		part float64
		want time.Duration
	}{
		{0.1, 0}, {0.45, 0}, {0.6, tick}, {0.4, tick}, {0.9, tickAbove}, {0.6, tickAbove}, {0.2, 0}, {0.45, 0},
	} {
		if work(tt.part); e.tick != tt.want {
			t.Errorf("with %.0f %% of the time: %s, want %s (measured %.2f)", 100*tt.part, e.tick, tt.want, e.get())
		}
	}
}
