package stream_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/stream"
	"github.com/veche-im/veche/sfu/udp"
)

func from(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 5000)
}

func open(t testing.TB, s *stream.Streams, i int) *stream.Stream {
	t.Helper()
	x, err := s.Open(from(i), false)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func newStreams(t testing.TB, cfg stream.Config) *stream.Streams {
	if cfg.Owned == nil {
		cfg.Owned = func(ice.Path) bool { return true }
	}
	s := stream.New(cfg)
	t.Cleanup(s.Close)
	return s
}

// packets cuts what Take gave.
func packets(b []byte) (list [][]byte) {
	for len(b) > 0 {
		n := int(binary.BigEndian.Uint16(b))
		list = append(list, b[2:2+n])
		b = b[2+n:]
	}
	return list
}

func TestPacketsGoBothWays(t *testing.T) {
	s := newStreams(t, stream.Config{})
	a, b := open(t, s, 1), open(t, s, 2)
	for i, x := range []*stream.Stream{a, b} {
		if err := x.Receive([]byte(fmt.Sprint("in ", i))); err != nil {
			t.Fatal(err)
		}
	}
	batch := udp.NewBatch()
	if err := s.Read(batch); err != nil {
		t.Fatal(err)
	}
	if len(batch.Packets) != 2 {
		t.Fatalf("%d packets", len(batch.Packets))
	}
	for i, x := range []*stream.Stream{a, b} {
		p := batch.Packets[i]
		if string(p.Data) != fmt.Sprint("in ", i) || p.From != x.Path.Remote || p.Stream != x.Path.Stream {
			t.Errorf("%d: %q from %v (%d)", i, p.Data, p.From, p.Stream)
		}
	}
	s.Send(a.Path.Stream, []byte("one"))
	s.Send(b.Path.Stream, []byte("other"))
	s.Send(a.Path.Stream, []byte("two"))
	got, err := a.Take()
	if list := packets(got); err != nil || len(list) != 2 || string(list[0]) != "one" || string(list[1]) != "two" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestASlowDeviceLosesItsOwnPackets(t *testing.T) {
	s := newStreams(t, stream.Config{})
	slow, other := open(t, s, 1), open(t, s, 2)
	packet := bytes.Repeat([]byte{7}, 1000)
	for range 10_000 {
		s.Send(slow.Path.Stream, packet)
	}
	s.Send(other.Path.Stream, packet)
	got, err := slow.Take()
	if err != nil || len(got) > 100<<10 || len(got) < 50<<10 {
		t.Errorf("%d bytes wait, %v", len(got), err)
	}
	for _, p := range packets(got) {
		if !bytes.Equal(p, packet) {
			t.Fatal("a packet was cut")
		}
	}
	if n := s.Dropped(); n != 10_000-uint64(len(packets(got))) {
		t.Errorf("%d counted as dropped", n)
	}
	if got, err := other.Take(); err != nil || len(packets(got)) != 1 {
		t.Error("the other lost packets too")
	}
}

func TestAStreamThatIsNobodysIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mine atomic.Uint32
		var ended atomic.Int32
		s := stream.New(stream.Config{
			Owned: func(p ice.Path) bool { return p.Stream == mine.Load() },
			Ended: func(ice.Path) { ended.Add(1) },
		})
		defer s.Close()
		a, b := open(t, s, 1), open(t, s, 2)
		vouched, err := s.Open(from(3), true)
		if err != nil {
			t.Fatal(err)
		}
		mine.Store(a.Path.Stream)
		time.Sleep(13 * time.Second)
		synctest.Wait()
		isEnded(t, "a stranger", b, true)
		isEnded(t, "a participant", a, false)
		isEnded(t, "who is vouched for", vouched, false)
		mine.Store(0) // it leaves the call
		time.Sleep(60 * time.Second)
		synctest.Wait()
		isEnded(t, "who left", a, true)
		isEnded(t, "who was vouched for a minute ago", vouched, true)
		if n := ended.Load(); n != 3 || s.Len() != 0 {
			t.Errorf("%d ends told, %d streams", n, s.Len())
		}
	})
}

func isEnded(t *testing.T, who string, x *stream.Stream, want bool) {
	t.Helper()
	select {
	case <-x.Ended():
		if !want {
			t.Errorf("%s is closed", who)
		}
	default:
		if want {
			t.Errorf("%s is still there", who)
		}
	}
}

func TestStrangersOfOneNetworkAreFew(t *testing.T) {
	s := newStreams(t, stream.Config{Owned: func(ice.Path) bool { return false }, Max: 1000})
	n := 0
	var all []*stream.Stream
	for range 10_000 {
		if x, err := s.Open(from(1), false); err == nil {
			all = append(all, x)
			n++
		} else if !errors.Is(err, stream.ErrFull) {
			t.Fatal(err)
		}
	}
	if n > 64 {
		t.Errorf("%d streams of one stranger", n)
	}
	if _, err := s.Open(from(2), false); err != nil {
		t.Errorf("another is kept out: %v", err)
	}
	if _, err := s.Open(from(1), true); err != nil {
		t.Errorf("a participant behind the same address is kept out: %v", err)
	}
	for _, x := range all {
		x.Close()
	}
	if _, err := s.Open(from(1), false); err != nil {
		t.Errorf("for ever: %v", err)
	}
	for i := range 5000 {
		_, _ = s.Open(from(100+i), false)
	}
	if s.Len() > 1000 {
		t.Errorf("%d streams", s.Len())
	}
}

func TestCloseWakesEverybody(t *testing.T) {
	s := stream.New(stream.Config{Owned: func(ice.Path) bool { return true }})
	x := open(t, s, 1)
	errs := make(chan error, 3)
	go func() { _, err := x.Take(); errs <- err }()
	go func() {
		var err error
		for err == nil { // until the queue is full, then it waits
			err = x.Receive([]byte("x"))
		}
		errs <- err
	}()
	time.Sleep(5 * time.Millisecond) // so that they wait, most likely
	s.Close()
	for range 2 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
	if err := s.Read(udp.NewBatch()); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Open(from(1), false); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	s.Send(x.Path.Stream, []byte("nobody"))
	x.Close()
}
