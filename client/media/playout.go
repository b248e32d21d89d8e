package media

import "time"

// delay is how long a frame is waited for after its moment: what a browser's
// jitter buffer settles at on a network of middling quality.
const delay = 120 * time.Millisecond

// playout puts the frames of one speaker into their order and says which are
// missing when their moment has come. Timestamps are in samples at 48 kHz.
type playout struct {
	started bool
	base    time.Time // when the frame at origin was due, without delay
	origin  int64
	next    int64 // timestamp of the next frame to leave
	top     int64 // newest timestamp that a packet had
	topSeq  uint16
	topLen  int64
	frames  map[int64][]byte
	silent  map[int64]int64 // silences that the speaker meant: from, to
	emit    func(opus []byte, samples uint32)
	stats   Heard
}

// Heard is what became of one speaker's frames, each of 20 ms or so.
type Heard struct {
	Played    int `json:"played"`    // samples at 48 kHz that arrived in time
	Concealed int `json:"concealed"` // samples that a listener's decoder has to make up
	Redundant int `json:"redundant"` // frames that came in a later packet alone
	Late      int `json:"late"`      // frames that came after their moment
}

func newPlayout(emit func([]byte, uint32)) *playout {
	return &playout{frames: map[int64][]byte{}, silent: map[int64]int64{}, emit: emit}
}

// put takes the frames of the packet with this sequence number and timestamp.
func (p *playout) put(seq uint16, timestamp uint32, frames []redFrame, now time.Time) {
	if len(frames) == 0 {
		return
	}
	ts := p.unwrap(timestamp)
	samples := int64(opusSamples(frames[len(frames)-1].Opus))
	if samples == 0 {
		return
	}
	// A jump of time by more than anybody waits is a new beginning.
	if !p.started || ts > p.top+10*48000 || ts < p.next-10*48000 {
		p.restart(ts, now)
	} else if ahead := int16(seq - p.topSeq); ahead > 0 {
		if end := p.top + p.topLen; ahead == 1 && ts > end {
			p.silent[end] = ts
			p.retime(ts, now) // a speaker's clock and ours part while it is silent
		}
	}
	if ts >= p.top {
		p.top, p.topLen, p.topSeq = ts, samples, seq
	}
	for i, f := range frames {
		at := ts - int64(f.Behind)
		if opusSamples(f.Opus) == 0 {
			continue
		}
		newest := i == len(frames)-1
		if _, there := p.frames[at]; there {
			continue
		}
		if at < p.next {
			if newest {
				p.stats.Late++
			}
			continue
		}
		if !newest {
			p.stats.Redundant++
		}
		p.frames[at] = append([]byte(nil), f.Opus...)
	}
	p.pull(now)
}

func (p *playout) restart(ts int64, now time.Time) {
	p.started, p.base, p.origin, p.next, p.top, p.topLen = true, now, ts, ts, ts, 0
	clear(p.frames)
	clear(p.silent)
}

// retime has the frame at ts due when it came, if everything before has left.
func (p *playout) retime(ts int64, now time.Time) {
	p.pull(now)
	p.base, p.origin = now, ts
}

// unwrap extends a timestamp of 32 bits to the nearest to the newest one.
func (p *playout) unwrap(timestamp uint32) int64 {
	if !p.started {
		return int64(timestamp)
	}
	return p.top + int64(int32(timestamp-uint32(p.top)))
}

// pull lets everything leave that is due at now.
func (p *playout) pull(now time.Time) {
	for p.started {
		due := p.base.Add(time.Duration(p.next-p.origin) * time.Second / 48000).Add(delay)
		if now.Before(due) {
			return
		}
		if f, ok := p.frames[p.next]; ok {
			delete(p.frames, p.next)
			n := opusSamples(f)
			p.stats.Played += int(n)
			p.emit(f, n)
			p.next += int64(n)
			continue
		}
		if to, ok := p.silent[p.next]; ok {
			delete(p.silent, p.next)
			p.emit(nil, uint32(to-p.next))
			p.next = to
			continue
		}
		if p.next > p.top {
			return // nothing later is known: silence, or the end
		}
		step := int64(960)
		for at := range p.frames {
			step = min(step, at-p.next)
		}
		p.stats.Concealed += int(step)
		p.emit(nil, uint32(step))
		p.next += step
	}
}
