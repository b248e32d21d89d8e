package udp_test

import (
	"net/netip"
	"testing"

	"github.com/veche-im/veche/sfu/udp"
)

// On a machine with several addresses a device must be answered from the one it
// asked.
func TestAnswersLeaveFromTheAddressThatWasAsked(t *testing.T) {
	a := listen(t, udp.Config{})[0]
	b := listen(t, on("127.0.0.1:0"))[0]
	for _, asked := range []string{"127.0.0.7", "127.0.0.8"} {
		to := netip.AddrPortFrom(netip.MustParseAddr(asked), a.Addr().Port())
		if err := b.WriteTo([]byte("?"), to, netip.Addr{}); err != nil {
			t.Fatal(err)
		}
		p := take(t, a, 1)[0]
		if p.Local != to.Addr() {
			t.Fatalf("asked at %v, told %v", to, p.Local)
		}
		o := udp.NewOut(8)
		fill(t, o, p.From, p.Local, 100, 1)
		fill(t, o, p.From, p.Local, 100, 2) // cut by the kernel
		if err := a.Send(o); err != nil {
			t.Fatal(err)
		}
		if err := a.WriteTo([]byte("!"), p.From, p.Local); err != nil {
			t.Fatal(err)
		}
		for _, got := range take(t, b, 3) {
			if got.From != to {
				t.Errorf("asked %v, answered by %v", to, got.From)
			}
		}
	}
}

func TestEqualPacketsToOneReceiverAreOneSend(t *testing.T) {
	a, b := listen(t, on("127.0.0.1:0"))[0], listen(t, on("127.0.0.1:0"))[0]
	if !a.Segments() {
		t.Skip("this kernel does not segment")
	}
	o := udp.NewOut(64)
	for i := range 40 { // more than one segmented send takes
		fill(t, o, b.Addr(), netip.Addr{}, 100, byte(i))
	}
	if n := o.Sends(); n != 3 {
		t.Errorf("40 packets in %d sends", n)
	}
	if err := a.Send(o); err != nil {
		t.Fatal(err)
	}
	for i, p := range take(t, b, 40) {
		if p.Data[0] != byte(i) || len(p.Data) != 100 {
			t.Fatalf("packet %d: %d, %d bytes", i, p.Data[0], len(p.Data))
		}
	}
}

// A network card that cannot make the checksums of segments says so at the first
// send; one path may be narrower than the packets. Neither may lose any.
func TestWhatTheKernelDoesNotCutGoesOneByOne(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  udp.Refusal
		ever bool // segments again after
	}{
		{"EIO: the card never can", udp.RefuseEIO, false},
		{"ENOPROTOOPT: the kernel never can", udp.RefuseENOPROTOOPT, false},
		{"EINVAL: this path cannot", udp.RefuseEINVAL, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b, c := listen(t, on("127.0.0.1:0"))[0], listen(t, on("127.0.0.1:0"))[0], listen(t, on("127.0.0.1:0"))[0]
			if !a.Segments() {
				t.Skip("this kernel does not segment")
			}
			o := udp.NewOut(64)
			a.Refuse(o, tt.err, 1)
			want := 0
			for range 3 {
				fill(t, o, c.Addr(), netip.Addr{}, 60, 9)
				for range 5 {
					fill(t, o, b.Addr(), netip.Addr{}, 100, byte(want))
					want++
				}
				fill(t, o, b.Addr(), netip.Addr{}, 70, byte(want)) // the run's shorter end
				want++
			}
			if err := a.Send(o); err != nil {
				t.Fatal(err)
			}
			for i, p := range take(t, b, want) {
				n := 100
				if i%6 == 5 {
					n = 70
				}
				if p.Data[0] != byte(i) || len(p.Data) != n {
					t.Fatalf("packet %d: %d, %d bytes", i, p.Data[0], len(p.Data))
				}
			}
			take(t, c, 3)
			if a.Segments() != tt.ever {
				t.Errorf("segments from now on: %v", a.Segments())
			}
			if s := a.Stats(); s.Sent != uint64(want)+3 || s.Dropped != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestSocketsOfOnePortShareTheLoad(t *testing.T) {
	sockets := listen(t, udp.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Sockets: 2})
	if sockets[0].Addr() != sockets[1].Addr() {
		t.Fatalf("%v and %v", sockets[0].Addr(), sockets[1].Addr())
	}
	const senders = 40
	for range senders {
		b := listen(t, on("127.0.0.1:0"))[0]
		if err := b.WriteTo([]byte("x"), sockets[0].Addr(), netip.Addr{}); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan int)
	for i, s := range sockets {
		go func() {
			b := udp.NewBatch()
			for s.Read(b) == nil {
				for range b.Packets {
					got <- i
				}
			}
		}()
	}
	var count [2]int
	for range senders {
		count[<-got]++
	}
	if count[0] == 0 || count[1] == 0 {
		t.Errorf("one socket got all: %v", count)
	}
}

func TestNothingIsAllocatedForAPacket(t *testing.T) {
	a, b := listen(t, on("127.0.0.1:0"))[0], listen(t, on("127.0.0.1:0"))[0]
	o, batch := udp.NewOut(64), udp.NewBatch()
	n := testing.AllocsPerRun(100, func() {
		for range 5 {
			o.Add(b.Addr(), a.Addr().Addr(), 100)
		}
		if a.Send(o) != nil {
			t.Fail()
		}
		for got := 0; got < 5; got += len(batch.Packets) {
			if b.Read(batch) != nil {
				t.Fail()
			}
		}
	})
	if n > 0 {
		t.Errorf("%.1f allocations for five packets", n)
	}
}
