package audio

import "time"

const (
	clock = 48_000 // Hz, Opus always (RFC 7587 section 4.1)
	frame = 960    // of the shortest step between two packets of different voices: 20 ms

	// A voice whose numbers jump further than this begins anew, without a gap. A
	// receiver that loses packets guesses the rollover counter from the sequence
	// number (RFC 3711 section 3.3.1): jumps of half a turn, sent on purpose, would
	// put it wrong, and with it the stream, for whoever speaks in it later.
	maxGap  = 256       // packets: 5 s
	maxLeap = 5 * clock // timestamps off from what the clock says
)

// Stream is one of the audio streams of a call, in which voices follow one
// another. Its packets have one SSRC, indices (rollover counter and sequence
// number) without a gap but for what a voice lost on its way here, and timestamps
// that follow the clock.
type Stream struct {
	SSRC uint32

	next  uint64        // after the highest index that was given
	time  uint32        // of the newest packet
	at    time.Duration // when the newest packet came
	first uint64        // the voice's index that got base
	base  uint64
	shift uint32 // added to the voice's timestamps
	mark  bool   // the next packet begins a voice

	Packets uint32 // that were mapped, and their payload, for sender reports; they wrap
	Octets  uint32
}

// Next is the lowest index that no packet has had: what is mapped from now on and
// was not on its way before has this index or a higher one.
func (s *Stream) Next() uint64 { return s.next }

// Start hands the stream to another voice. first and time are of the oldest packet
// that it will send, live is the timestamp of the newest, which has just come: the
// older ones were kept, and are placed before it.
func (s *Stream) Start(first uint64, time, live uint32, now time.Duration) {
	s.first, s.base, s.mark = first, s.next, true
	if s.Packets == 0 && s.next == 0 {
		s.time, s.at = time-frame, now
	}
	step := int64(passed(now-s.at)) - int64(int32(live-time))
	s.shift = s.time + uint32(max(step, frame)) - time
}

// Map rewrites one packet of the voice that has the stream. It fails for a packet
// from before the voice had it, which comes too late.
func (s *Stream) Map(index uint64, time uint32, size int, now time.Duration) (out uint64, t uint32, mark, ok bool) {
	if index < s.first {
		return 0, 0, false, false
	}
	if s.leaps(index, time, now) {
		s.Start(index, time, time, now)
	}
	out, t = s.base+(index-s.first), time+s.shift
	if out >= s.next {
		s.next, s.time, s.at = out+1, t, now
	}
	mark, s.mark = s.mark, false
	s.Packets++
	s.Octets += uint32(size)
	return out, t, mark, true
}

// leaps says whether a packet's numbers are not those of a voice that goes on.
func (s *Stream) leaps(index uint64, time uint32, now time.Duration) bool {
	if s.base+(index-s.first) > s.next+maxGap {
		return true
	}
	d := int32(time + s.shift - s.time - passed(now-s.at))
	return d > maxLeap || d < -maxLeap
}

// passed is d in timestamps.
func passed(d time.Duration) uint32 { return uint32(max(0, d).Microseconds() * (clock / 1000) / 1000) }

// Time maps a timestamp of the voice, as a sender report states it.
func (s *Stream) Time(time uint32) uint32 { return time + s.shift }
