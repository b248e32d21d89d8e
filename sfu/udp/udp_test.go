package udp_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/veche-im/veche/sfu/udp"
)

func listen(t testing.TB, cfg udp.Config) []*udp.Socket {
	t.Helper()
	sockets, err := udp.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range sockets {
			_ = s.Close()
		}
	})
	return sockets
}

func on(address string) udp.Config { return udp.Config{Addr: netip.MustParseAddrPort(address)} }

// take reads until n packets have come.
func take(t testing.TB, s *udp.Socket, n int) (packets []udp.Packet) {
	t.Helper()
	b := udp.NewBatch()
	for len(packets) < n {
		if err := s.Read(b); err != nil {
			t.Fatal(err)
		}
		for _, p := range b.Packets {
			p.Data = bytes.Clone(p.Data)
			packets = append(packets, p)
		}
	}
	return packets
}

// fill puts a packet into o that can be told from others.
func fill(t testing.TB, o *udp.Out, to netip.AddrPort, from netip.Addr, n int, mark byte) {
	t.Helper()
	b := o.Add(to, from, n)
	if b == nil {
		t.Fatalf("no room for packet %d", mark)
	}
	for i := range b {
		b[i] = mark
	}
}

func TestPacketsArriveWholeAndFromTheRightAddress(t *testing.T) {
	for _, tt := range []struct{ name, server, client string }{
		{"IPv4", "127.0.0.1:0", "127.0.0.1:0"},
		{"IPv6", "[::1]:0", "[::1]:0"},
		{"all addresses, by IPv4", "", "127.0.0.1:0"},
		{"all addresses, by IPv6", "", "[::1]:0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := udp.Config{}
			if tt.server != "" {
				cfg = on(tt.server)
			}
			a := listen(t, cfg)[0]
			b := listen(t, on(tt.client))[0]
			to := netip.AddrPortFrom(b.Addr().Addr(), a.Addr().Port())

			// Runs of one size, a shorter end, another size, one byte, the longest.
			sizes := []int{172, 172, 172, 90, 172, 1200, 1200, 1, udp.MaxPacket}
			o := udp.NewOut(64)
			for i, n := range sizes {
				fill(t, o, to, netip.Addr{}, n, byte(i))
			}
			if err := b.Send(o); err != nil {
				t.Fatal(err)
			}
			if o.Len() != 0 {
				t.Error("what was sent stays")
			}
			for i, p := range take(t, a, len(sizes)) {
				if len(p.Data) != sizes[i] || p.Data[0] != byte(i) || p.Data[len(p.Data)-1] != byte(i) {
					t.Errorf("packet %d: %d bytes of %d", i, len(p.Data), p.Data[0])
				}
				if p.From != b.Addr() {
					t.Errorf("from %v, sent from %v", p.From, b.Addr())
				}
				if p.Local != b.Addr().Addr() && p.Local.IsValid() {
					t.Errorf("said to be sent to %v", p.Local)
				}
			}
		})
	}
}

func TestAFullOutSaysSo(t *testing.T) {
	o, to := udp.NewOut(4), netip.MustParseAddrPort("127.0.0.1:9")
	for range 4 {
		if o.Add(to, netip.Addr{}, 1500) == nil {
			t.Fatal("full too early")
		}
	}
	if o.Add(to, netip.Addr{}, 1) != nil {
		t.Error("a fifth packet of 1,500 bytes fits into four")
	}
	o.Reset()
	if o.Add(to, netip.Addr{}, 0) != nil || o.Add(to, netip.Addr{}, udp.MaxPacket+1) != nil {
		t.Error("packets of no or too great length were taken")
	}
}

func TestManyReceiversGetTheirOwn(t *testing.T) {
	a := listen(t, on("127.0.0.1:0"))[0]
	const receivers, each = 150, 3 // more than one system call takes
	var bs []*udp.Socket
	o := udp.NewOut(receivers * each)
	for i := range receivers {
		b := listen(t, udp.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Buffer: 64 << 10})[0]
		bs = append(bs, b)
		for range each {
			fill(t, o, b.Addr(), netip.Addr{}, 100, byte(i))
		}
	}
	if err := a.Send(o); err != nil {
		t.Fatal(err)
	}
	for i, b := range bs {
		for _, p := range take(t, b, each) {
			if p.Data[0] != byte(i) {
				t.Fatalf("receiver %d got what was for %d", i, p.Data[0])
			}
		}
	}
	if s := a.Stats(); s.Sent != receivers*each || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOneUnreachableReceiverHarmsNoOther(t *testing.T) {
	a, b := listen(t, on("127.0.0.1:0"))[0], listen(t, on("127.0.0.1:0"))[0]
	nowhere := netip.MustParseAddrPort("[2001:db8::1]:9") // no socket of IPv4 gets there
	o := udp.NewOut(16)
	fill(t, o, b.Addr(), netip.Addr{}, 50, 1)
	fill(t, o, nowhere, netip.Addr{}, 50, 2)
	fill(t, o, nowhere, netip.Addr{}, 50, 3)
	fill(t, o, b.Addr(), netip.Addr{}, 50, 4)
	if err := a.Send(o); err != nil {
		t.Fatal(err)
	}
	if got := take(t, b, 2); got[0].Data[0] != 1 || got[1].Data[0] != 4 {
		t.Error("the packets around it did not arrive")
	}
	if s := a.Stats(); s.Sent != 2 || s.Dropped != 2 {
		t.Errorf("%+v", s)
	}
}

func TestLongPacketsAreDropped(t *testing.T) {
	a := listen(t, on("127.0.0.1:0"))[0]
	c, err := net.Dial("udp", a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, n := range []int{udp.MaxPacket + 1, 10} {
		if _, err := c.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	if p := take(t, a, 1); len(p[0].Data) != 10 {
		t.Errorf("%d bytes", len(p[0].Data))
	}
	if s := a.Stats(); s.Long != 1 {
		t.Errorf("%+v", s)
	}
}

func TestCloseWakesTheReader(t *testing.T) {
	a := listen(t, udp.Config{})[0]
	ended := make(chan error)
	go func() { ended <- a.Read(udp.NewBatch()) }()
	time.Sleep(10 * time.Millisecond) // the reader waits most likely; the test holds if it does not
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	o := udp.NewOut(1)
	fill(t, o, netip.MustParseAddrPort("127.0.0.1:9"), netip.Addr{}, 1, 1)
	if err := a.Send(o); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send: %v", err)
	}
	if err := a.WriteTo([]byte{1}, netip.MustParseAddrPort("127.0.0.1:9"), netip.Addr{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteTo: %v", err)
	}
}

func TestABusyPortIsAnError(t *testing.T) {
	a := listen(t, on("127.0.0.1:0"))[0]
	if _, err := udp.Listen(udp.Config{Addr: a.Addr()}); err == nil {
		t.Error("the port was given twice")
	}
	if _, err := udp.Listen(udp.Config{Sockets: 1000}); err == nil {
		t.Error("a thousand sockets")
	}
}

// BenchmarkSend measures what one packet of a 50-packet-a-second voice costs the
// sender, for runs of so many packets to one receiver.
func BenchmarkSend(b *testing.B) {
	for _, run := range []int{1, 4, 8} {
		b.Run(fmt.Sprint(run), func(b *testing.B) {
			s := listen(b, on("127.0.0.1:0"))[0]
			var to []netip.AddrPort
			for range 32 { // they never read: their buffers fill and the kernel drops
				to = append(to, listen(b, udp.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Buffer: 4096})[0].Addr())
			}
			o := udp.NewOut(32 * run)
			b.ReportAllocs()
			for sent := 0; sent < b.N; sent += o.Len() {
				for _, t := range to {
					for range run {
						o.Add(t, netip.Addr{}, 110)
					}
				}
				n := o.Len()
				if err := s.Send(o); err != nil {
					b.Fatal(err)
				}
				sent += n
			}
			b.ReportMetric(float64(s.Stats().Calls)/float64(s.Stats().Sent), "calls/packet")
		})
	}
}
