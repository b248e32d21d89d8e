package media

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/veche-im/veche/e2ee/sframe"
)

// level is the loudness that we state (RFC 6464), in -dBov: nothing here
// decodes what it plays.
const level = 30

// speaking plays a source into whichever connection there is.
type speaking struct {
	keys       *keyring
	source     Source
	redundancy int // older frames in each packet

	mu   sync.Mutex // guards what follows
	peer *peer
	seq  uint16
	time uint32
	old  []redFrame // newest last, their Behind unused
	sent Sent
}

func newSpeaking(keys *keyring, source Source, redundancy int) *speaking {
	return &speaking{keys: keys, source: source, redundancy: redundancy, seq: uint16(rand.Uint32()), time: rand.Uint32()}
}

// through has what is played go through p; nil loses it.
func (s *speaking) through(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peer = p
}

// run plays until the source ends or ctx does.
func (s *speaking) run(ctx context.Context) error {
	if s.source == nil {
		<-ctx.Done()
		return nil
	}
	due := time.Now()
	wait := time.NewTimer(0)
	defer wait.Stop()
	marker := true
	for {
		opus, err := s.source.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		samples := opusSamples(opus)
		if samples == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		s.frame(opus, samples, &marker)
		due = due.Add(duration(samples))
		wait.Reset(time.Until(due))
	}
}

// frame seals and sends one frame. Frames of one or two bytes are what an
// encoder makes of silence (DTX): they are left out, and time goes on.
func (s *speaking) frame(opus []byte, samples uint32, marker *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.time += samples }()
	if len(opus) <= 2 {
		s.sent.Silence++
		s.old, *marker = s.old[:0], true
		return
	}
	p := s.peer
	if p == nil {
		s.old, *marker = s.old[:0], true
		return
	}
	payloadType, plain := uint8(ptOpus), opus
	if p.mic.takesRED() && s.redundancy > 0 {
		for i := range s.old {
			s.old[i].Behind += samples
		}
		payloadType, plain = ptRED, packRED(nil, ptOpus, s.old, opus)
		s.old = append(s.old, redFrame{Opus: append([]byte(nil), opus...)})
		if len(s.old) > s.redundancy {
			s.old = s.old[1:]
		}
	}
	sealed, ok := s.keys.sealed(nil, sframe.Microphone, plain, 0)
	if !ok {
		s.sent.Unsent++
		return
	}
	packet := &rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: *marker, PayloadType: payloadType, SequenceNumber: s.seq, Timestamp: s.time},
		Payload: sealed,
	}
	if p.level != 0 {
		_ = packet.SetExtension(p.level, []byte{0x80 | level}) // one byte always fits
	}
	s.seq++
	*marker = false
	if p.mic.write(packet) {
		s.sent.Packets++
		s.sent.Bytes += len(sealed)
	}
}

func (s *speaking) stats() Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}
