package sfu

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/veche-im/veche/sfu/load"
)

// dial joins a participant that can send whatever it likes.
func dial(t testing.TB, s *Server, id uint32) *load.Caller {
	t.Helper()
	c, err := load.Dial(context.Background(), func(ctx context.Context, id uint32, offer string) (string, error) {
		a, err := s.Join(ctx, Join{Call: testCall, Participant: id, Offer: offer, Listener: nobody{}})
		return a.SDP, err
	}, id, 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	wait(t, "the handshake", func() bool {
		p, err := s.find(testCall, id)
		return err == nil && p.egress.Load() != nil
	})
	return c
}

// TestHostileParticipantsHarmNobody attacks in many ways. After each, two others
// still hear one another, every packet, and nothing of the attack.
func TestHostileParticipantsHarmNobody(t *testing.T) {
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	for _, tt := range []struct {
		name    string
		attack  func(t *testing.T, s *Server, eve *load.Caller)
		dropped func(d Dropped) uint64
		at      uint64 // at least that many must be dropped
		heard   int    // packets of the attack that the others may hear
	}{
		{"a packet played a hundred times", func(_ *testing.T, _ *Server, eve *load.Caller) {
			b := eve.Packet(0, 30, random(60))
			for range 100 {
				eve.Send(slices.Clone(b))
			}
		}, func(d Dropped) uint64 { return d.Sealed }, 99, 1},

		{"sources that were not offered", func(_ *testing.T, _ *Server, eve *load.Caller) {
			for i := range uint32(200) {
				eve.Send(eve.Packet(1000+i, 30, random(60)))
			}
		}, func(d Dropped) uint64 { return d.SSRC }, 200, 0},

		{"the call's own sources", func(_ *testing.T, s *Server, eve *load.Caller) {
			p, err := s.find(testCall, 3)
			if err != nil {
				return
			}
			for _, ssrc := range p.call.out {
				eve.Send(eve.Named("0", ssrc, 30, random(60)))
			}
		}, func(d Dropped) uint64 { return d.SSRC }, 8, 0},

		{"damaged packets", func(_ *testing.T, _ *Server, eve *load.Caller) {
			for i := range 100 {
				b := eve.Packet(0, 30, random(60))
				b[20+i%60] ^= 1
				eve.Send(b)
			}
		}, func(d Dropped) uint64 { return d.Sealed }, 100, 0},

		{"oversized packets", func(_ *testing.T, _ *Server, eve *load.Caller) {
			for i := range 20 {
				eve.Send(eve.Packet(0, 30, random(1600+i)))
			}
			for i := range 20 {
				eve.Send(eve.Packet(0, 30, random(3000+i)))
			}
		}, func(d Dropped) uint64 { return d.Malformed }, 40, 0},

		{"noise of every first byte", func(_ *testing.T, _ *Server, eve *load.Caller) {
			for i := range 512 {
				b := random(1 + i*2)
				b[0] = byte(i)
				eve.Send(b)
			}
		}, func(d Dropped) uint64 { return d.Malformed + d.SSRC + d.Sealed + d.Rate }, 100, 0},

		{"a flood", func(t *testing.T, s *Server, eve *load.Caller) {
			before := s.Stats().PacketsIn
			for i := range uint64(20_000) {
				eve.Say(127, 60, 0)
				if i%200 == 199 { // not to overrun the socket, which would lose others' packets too
					wait(t, "the server to take what came", func() bool { return s.Stats().PacketsIn > before+i })
				}
			}
		}, func(d Dropped) uint64 { return d.Rate }, 5000, 10 * soundRate},

		{"reports about everything", func(t *testing.T, _ *Server, eve *load.Caller) {
			for i := range uint32(300) {
				plain, err := rtcp.Marshal([]rtcp.Packet{
					&rtcp.SenderReport{SSRC: i, NTPTime: 1 << 63, RTPTime: i, Reports: []rtcp.ReceptionReport{{SSRC: i, FractionLost: 255}}},
					&rtcp.Goodbye{Sources: []uint32{i}},
					&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: i},
					&rtcp.TransportLayerNack{MediaSSRC: i, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 0xffff}}},
				})
				if err != nil {
					t.Error(err)
				}
				b, err := eve.Control(plain, i+1)
				if err != nil {
					t.Error(err)
				}
				eve.Send(b)
			}
		}, func(d Dropped) uint64 { return d.Rate }, 50, 0},

		{"reports that are sealed noise", func(t *testing.T, _ *Server, eve *load.Caller) {
			for i := range uint32(100) {
				b, err := eve.Control(append([]byte{0x80, 200 + byte(i%8), 0, byte(i)}, random(4+int(i))...), i+1)
				if err != nil {
					t.Error(err)
				}
				eve.Send(b)
			}
		}, func(Dropped) uint64 { return 0 }, 0, 0},

		{"strangers' packets", func(t *testing.T, s *Server, eve *load.Caller) {
			conn, err := net.Dial("udp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for i := range 200 {
				b := eve.Packet(0, 30, random(60)) // real ones, from another address
				if i%2 == 0 {
					b = append([]byte{22, 0xfe, 0xfd}, random(100)...) // DTLS before any check
				}
				_, _ = conn.Write(b)
			}
		}, func(d Dropped) uint64 { return d.Stranger }, 200, 0},

		{"leaps of the sequence number", func(_ *testing.T, _ *Server, eve *load.Caller) {
			for i := range 50 {
				eve.Leap(32_000, uint32(i)*1_000_000_007)
				eve.Send(eve.Packet(0, 30, random(60)))
			}
		}, func(Dropped) uint64 { return 0 }, 0, 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			ann, bob := newPeer(t, s, testCall, 1, 8).join(), newPeer(t, s, testCall, 2, 8).join()
			eve := dial(t, s, 3)
			ann.say(0, 0, 30, "before")
			bob.wait("ann", func() bool { return slices.Contains(bob.texts(), "before") })
			tt.attack(t, s, eve)
			wait(t, "the attack to be dropped", func() bool { return tt.dropped(s.Stats().Dropped) >= tt.at })
			said := uint16(0)
			say := func(text string) {
				said++
				ann.say(said, uint32(said)*960, 30, text)
			}
			count := func(want string) (n int) {
				for _, text := range bob.texts() {
					if text == want {
						n++
					}
				}
				return n
			}
			bob.wait("what the attack left in the socket to be read", func() bool {
				say("now?")
				return count("now?") > 0
			})
			for range 10 {
				say("after")
				time.Sleep(2 * time.Millisecond)
			}
			bob.wait("all of ann", func() bool { return count("after") == 10 })
			if n := len(bob.texts()) - count("before") - count("now?") - count("after"); n > tt.heard {
				t.Errorf("bob heard %d packets of the attack, at most %d were to pass", n, tt.heard)
			}
			if _, err := s.find(testCall, 3); err != nil {
				t.Error("the attacker is gone: this server failed in its path")
			}
		})
	}
}

// TestSourcesOfAParticipantAreBounded announces one SSRC after another by mid: the
// newest counts, those that were replaced do not come back, and after some there are
// no more.
func TestSourcesOfAParticipantAreBounded(t *testing.T) {
	s := newServer(t)
	ann, eve := newPeer(t, s, testCall, 1, 8).join(), dial(t, s, 2)
	named := func(i uint32) []byte {
		return eve.Named("0", 5000+i, 30, binary.BigEndian.AppendUint32([]byte("eve "), i))
	}
	first := named(0)
	eve.Send(slices.Clone(first))
	eve.Send(named(1))
	eve.Send(first) // plays the first again, whose window is gone
	wait(t, "a refusal", func() bool { return s.Stats().Dropped.SSRC == 1 })
	for i := range uint32(100) {
		eve.Send(named(2 + i))
	}
	wait(t, "refusals", func() bool { return s.Stats().Dropped.SSRC == 103-maxRetired })
	ann.wait("the sources", func() bool { return len(ann.texts()) >= maxRetired })
	if n := len(ann.texts()); n != maxRetired {
		t.Errorf("%d packets were heard", n)
	}
	ann.continuous()
	p, err := s.find(testCall, 2)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.inputs); n > maxInputs {
		t.Errorf("%d sources are kept", n)
	}
}

// FuzzReports reads arbitrary RTCP from a participant.
func FuzzReports(f *testing.F) {
	s := newServer(f)
	dial(f, s, 1)
	dial(f, s, 2)
	p, err := s.find(testCall, 1)
	if err != nil {
		f.Fatal(err)
	}
	for _, packets := range [][]rtcp.Packet{
		{&rtcp.SenderReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: p.call.out[0]}}}},
		{&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: p.call.out[0], FractionLost: 12}}}, &rtcp.Goodbye{Sources: []uint32{1}}},
		{&rtcp.TransportLayerNack{MediaSSRC: 5, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 3}}}},
	} {
		b, err := rtcp.Marshal(packets)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	sock := s.workers[0].sock
	f.Fuzz(func(t *testing.T, b []byte) {
		newController(s, newOutlet(sock, s.streams)).read(p, b, s.now())
		if down := float64(p.down.Load()) / 65536; down > 1 {
			t.Errorf("a loss of %f", down)
		}
	})
}

// FuzzJoin joins with arbitrary offers: refused or answered, and nothing stays.
func FuzzJoin(f *testing.F) {
	s := newServer(f)
	f.Add(newPeer(f, s, testCall, 1, 2).offer(nil))
	f.Add("v=0\r\n")
	f.Fuzz(func(t *testing.T, offer string) {
		a, err := s.Join(context.Background(), Join{Call: testCall, Participant: 1, Offer: offer, Listener: nobody{}})
		if (err == nil) == (a.SDP == "") {
			t.Errorf("answer %q with %v", a.SDP, err)
		}
		s.Leave(testCall, 1)
		if n := s.ice.Len(); n != 0 {
			t.Errorf("%d agents stay", n)
		}
	})
}
