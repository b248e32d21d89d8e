// Package audio decides who is on air in a call, and rewrites the packets of
// those who are into the call's few audio streams. It is plain arithmetic: no
// clock of its own (times are given, since any fixed moment), no goroutine, no
// lock. All of one call's Floor, Voices and Streams have one owner at a time.
package audio

import "time"

const (
	// silence is the loudness below which a voice does not speak, in dB over the
	// softest that RFC 6464 can state: -60 dBov, under a quiet room's noise with
	// an open microphone.
	silence = 127 - 60

	// unknown is the loudness of packets that state none: -40 dBov, soft speech. A
	// device that sends nothing in silence (DTX) competes fairly with it.
	unknown = 127 - 40

	hysteresis = 6                      // dB that one must be louder to take another's stream
	hold       = 400 * time.Millisecond // for which nobody is taken off air for being softer
	release    = time.Second            // of silence, after which a stream is free

	attackTime  = 40 * time.Millisecond  // in which the smoothed level follows a rise
	releaseTime = 300 * time.Millisecond // and a fall
)

// Voice is one source of sound in a call. Its zero value has said nothing yet.
type Voice struct {
	joined bool
	stream int // counted from 1; 0: off air
	loud   float64
	heard  time.Duration // the last packet
	spoke  time.Duration // the last packet that was not silence
	since  time.Duration // on air
}

// Stream is the number of the stream that v is on, -1 if it is off air.
func (v *Voice) Stream() int { return v.stream - 1 }

// Loudness is the smoothed level, in dB over silence: 0 to 127.
func (v *Voice) Loudness() float64 { return v.loud }

// Level is how loud v is now, as RFC 6464 states it: 127 is silence, also that of
// one from whom nothing comes.
func (v *Voice) Level(now time.Duration) uint8 {
	if now-v.heard > releaseTime {
		return 127
	}
	return 127 - uint8(v.loud)
}

// follow moves the smoothed level towards loud. A first-order filter over the time
// since the last packet: devices send 20 to 60 ms of sound in one.
func (v *Voice) follow(loud float64, now time.Duration) {
	passed := min(max(now-v.heard, 10*time.Millisecond), 200*time.Millisecond)
	constant := releaseTime
	if loud > v.loud {
		constant = attackTime
	}
	v.loud += (loud - v.loud) * float64(passed) / float64(passed+constant)
	v.heard = now
	if loud >= silence {
		v.spoke = now
	}
}

// Floor says who is on air: as many voices as there are streams.
type Floor struct {
	on     []*Voice
	voices int
}

// NewFloor makes a Floor with the given number of streams.
func NewFloor(streams int) *Floor { return &Floor{on: make([]*Voice, streams)} }

// Streams is their number.
func (f *Floor) Streams() int { return len(f.on) }

// On is the voice on stream i, or nil.
func (f *Floor) On(i int) *Voice { return f.on[i] }

func loudness(level uint8, stated bool) float64 {
	if !stated {
		return unknown
	}
	return float64(127 - level&0x7f)
}

// Hear takes the level of an authentic packet of v and says whether v went on air
// with it, and whose stream it took, if anybody's.
//
// While there are as many streams as voices everybody is on air. Beyond, a voice
// that speaks takes a stream that is free, else the one that is silent longest,
// for a second at least, else that of the softest if it is softer by 6 dB and has
// had its 400 ms.
func (f *Floor) Hear(v *Voice, level uint8, stated bool, now time.Duration) (on bool, off *Voice) {
	if !v.joined {
		v.joined = true
		f.voices++
		v.heard, v.spoke = now, now-release
	}
	loud := loudness(level, stated)
	v.follow(loud, now)
	if v.stream != 0 {
		return false, nil
	}
	if loud < silence && f.voices > len(f.on) {
		return false, nil
	}
	i := f.take(v, now)
	if i < 0 {
		return false, nil
	}
	off = f.on[i]
	if off != nil {
		off.stream = 0
	}
	f.on[i] = v
	v.stream, v.since = i+1, now
	return true, off
}

// take finds the stream that v may have now, -1 if none.
func (f *Floor) take(v *Voice, now time.Duration) int {
	silent, softest := -1, -1
	for i, o := range f.on {
		switch {
		case o == nil:
			return i
		case now-o.spoke >= release:
			if silent < 0 || o.spoke < f.on[silent].spoke {
				silent = i
			}
		case now-o.since >= hold:
			if softest < 0 || o.loud < f.on[softest].loud {
				softest = i
			}
		}
	}
	if silent >= 0 {
		return silent
	}
	if softest >= 0 && v.loud >= f.on[softest].loud+hysteresis {
		return softest
	}
	return -1
}

// Quiet says that a packet of v with this level, were it authentic, would not
// bring v on air: it need not be opened. It changes nothing, so a forged level
// harms nobody.
func (f *Floor) Quiet(v *Voice, level uint8, stated bool, now time.Duration) bool {
	if v.stream != 0 || !v.joined {
		return false
	}
	loud := loudness(level, stated)
	if loud < silence {
		return f.voices > len(f.on)
	}
	probe := *v
	probe.follow(loud, now)
	return f.take(&probe, now) < 0 && loud < v.loud+hysteresis // one who gets louder must be heard for that
}

// Leave takes v out of the call.
func (f *Floor) Leave(v *Voice) {
	if v.joined {
		f.voices--
	}
	if v.stream != 0 {
		f.on[v.stream-1] = nil
	}
	*v = Voice{}
}
