package sfu

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
	pionrtp "github.com/pion/rtp"
)

// TestHostilePicturesHarmNobody has mallory send what no browser would, while ann
// looks at mallory and bob at ann: ann must go on, and bob must not notice.
func TestHostilePicturesHarmNobody(t *testing.T) {
	s := newServer(t)
	ann := newVideoPeer(t, s, testCall, 1, 1).joinVideo().sendCamera()
	bob := newVideoPeer(t, s, testCall, 2, 1).joinVideo()
	mallory := newVideoPeer(t, s, testCall, 3, 1).joinVideo()
	v := bob.look(0, 1, Camera, 720)
	ann.look(0, 3, Camera, 720)
	theirs := mallory.look(0, 1, Camera, 720)
	wait(t, "the large layer", func() bool { return v.seen(1, 2) > 20 && theirs.seen(1, 2) > 5 })
	slot := func() uint32 {
		theirs.mu.Lock()
		defer theirs.mu.Unlock()
		return theirs.ssrc
	}()
	tell := func(p rtcp.Packet) { _ = mallory.pc.WriteRTCP([]rtcp.Packet{p}) }
	for _, tt := range []struct {
		name   string
		attack func(i int)
	}{
		{"payloads of nothing but noise", func(i int) {
			b := make([]byte, rand.IntN(1100))
			for j := range b {
				b[j] = byte(rand.Uint32())
			}
			_ = mallory.layers[i%3].track.WriteRTP(&pionrtp.Packet{Header: pionrtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i)}, Payload: b})
		}},
		{"numbers, times and picture ids that jump", func(i int) {
			b := []byte{0x90, 0xc0, byte(0x80 | rand.Uint32()), byte(rand.Uint32()), byte(rand.Uint32()), byte(rand.Uint32()), 0, 0, 0x9d, 1, 0x2a, 0, 8, 0, 8}
			_ = mallory.layers[2].track.WriteRTP(&pionrtp.Packet{Header: pionrtp.Header{Version: 2, SequenceNumber: uint16(rand.Uint32()), Timestamp: rand.Uint32(), Marker: i%2 == 0}, Payload: b})
		}},
		{"a thousand requests for what was never sent", func(i int) {
			nack := &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: slot}
			for range 300 {
				nack.Nacks = append(nack.Nacks, rtcp.NackPair{PacketID: uint16(rand.Uint32()), LostPackets: 0xffff})
			}
			tell(nack)
		}},
		{"a thousand wishes for key frames", func(i int) { tell(&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: slot}) }},
		{"wishes for key frames of everything", func(i int) {
			tell(&rtcp.FullIntraRequest{SenderSSRC: 1, MediaSSRC: slot, FIR: []rtcp.FIREntry{{SSRC: slot, SequenceNumber: uint8(i)}, {SSRC: rand.Uint32()}}})
		}},
		{"feedback about what was never sent", func(i int) {
			tell(&rtcp.TransportLayerCC{
				Header:     rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 5},
				SenderSSRC: 1, MediaSSRC: slot, BaseSequenceNumber: uint16(rand.Uint32()), PacketStatusCount: 1000, ReferenceTime: rand.Uint32() >> 8, FbPktCount: uint8(i),
				PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{Type: rtcp.TypeTCCRunLengthChunk, PacketStatusSymbol: rtcp.TypeTCCPacketNotReceived, RunLength: 1000}},
			})
		}},
		{"an estimate that is none of its business", func(i int) {
			tell(&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: 1, SSRCs: []uint32{slot}})
		}},
		{"views of everything, all the time", func(i int) {
			s.View(testCall, 3, []View{{MID: mallory.mid(0), Participant: rand.Uint32N(5), Source: Source(rand.Uint32N(6)), Height: int(rand.Int32())}, {MID: "nonsense", Participant: 1}})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v.begin()
			asked, began := ann.layers[2].asked.Load(), time.Now()
			for i := range 1000 {
				tt.attack(i)
			}
			wait(t, "bob, who goes on to see ann", func() bool { return v.seen(1, 2) > 30 })
			if longest, faults := v.stats(); longest > 2*time.Second || len(faults) > 0 {
				t.Errorf("nothing was seen for %v; faults %v", longest, faults)
			}
			if n := ann.layers[2].asked.Load() - asked; int64(n) > int64(2*time.Since(began).Seconds())+4 {
				t.Errorf("ann is asked for %d key frames in %v", n, time.Since(began))
			}
			for _, p := range []*videoPeer{ann, bob, mallory} {
				if gone := get(&p.ear, func(e *ear) int { return len(e.gone) }); gone > 0 {
					t.Errorf("participant %d is gone", p.id)
				}
			}
		})
	}
}
