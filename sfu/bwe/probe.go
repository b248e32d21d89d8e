package bwe

import "time"

const (
	probeTime   = 80 * time.Millisecond  // of sending at the higher rate
	probeWait   = 600 * time.Millisecond // for word of it, at most
	probePause  = 2 * time.Second        // between two, doubled after each that found nothing
	probeLonger = 30 * time.Second       // but no longer than this
	probeStep   = 2.0                    // times the estimate, at most, is tried
	probeFloor  = 500_000                // the lowest rate that is tried: below it a probe has too few packets
	probeLeast  = 5                      // packets that came of a probe that says anything
	probePart   = 0.7                    // of them that must have come
)

// probe sends more than is needed for a moment, to see if it fits.
type probe struct {
	id     uint8
	tries  int  // probes begun
	on     bool // it is being sent
	open   bool // word of it is awaited
	target float64
	begin  time.Duration
	bytes  int // sent in it
	next   time.Duration
	pause  time.Duration

	sentN, cameN        int
	firstSent, lastSent time.Duration
	firstCame, lastCame time.Duration
	sentBytes           int // without the last packet
	cameBytes           int // without the first
	lastSize            int
}

// padding says how many bytes are to be added now, and begins a probe if one is due.
func (p *probe) padding(now time.Duration, have, wanted int, calm bool) int {
	if p.open && now-p.begin > probeTime+probeWait {
		if p.cameN == 0 {
			p.rest(now)
			p.next = now + probePause/2 // nothing passes at all: ask again, but no longer pauses
		} else {
			p.failed(now)
		}
	}
	if !p.open {
		if !calm || wanted <= have || now < p.next {
			return 0
		}
		p.start(now, max(min(float64(wanted)*1.1, float64(have)*probeStep), probeFloor))
	}
	if !p.on {
		return 0
	}
	if now-p.begin >= probeTime {
		p.on = false
		return 0
	}
	should := int(p.target * (now - p.begin + 10*time.Millisecond).Seconds() / 8)
	return max(0, should-p.bytes)
}

func (p *probe) start(now time.Duration, target float64) {
	id := p.id%255 + 1
	*p = probe{id: id, tries: p.tries + 1, on: true, open: true, target: target, begin: now, pause: p.pause}
}

// sent notes a packet that leaves and returns the number of the probe that it
// belongs to.
func (p *probe) sent(now time.Duration, size int) uint8 {
	if !p.on || now-p.begin >= probeTime {
		p.on = false
		return 0
	}
	if p.sentN == 0 {
		p.firstSent = now
	}
	p.sentN++
	p.sentBytes += p.lastSize
	p.lastSize, p.lastSent = size, now
	p.bytes += size
	return p.id
}

// came notes that a packet arrived.
func (p *probe) came(s *sentPacket, at time.Duration) {
	if !p.open || s.probe != p.id {
		return
	}
	if p.cameN == 0 || at < p.firstCame {
		p.firstCame = at
	}
	if p.cameN > 0 {
		p.cameBytes += int(s.size)
	}
	p.lastCame = max(p.lastCame, at)
	p.cameN++
}

// result is the rate that a finished probe found, in bits per second.
func (p *probe) result(now time.Duration) (float64, bool) {
	if !p.open || p.on && now-p.begin < probeTime || p.sentN < probeLeast {
		return 0, false
	}
	if float64(p.cameN) < probePart*float64(p.sentN) || p.cameN < probeLeast {
		return 0, false // not yet, or lost
	}
	sent, came := p.lastSent-p.firstSent, p.lastCame-p.firstCame
	if sent < 10*time.Millisecond || came <= 0 {
		p.failed(now)
		return 0, false
	}
	out := float64(p.sentBytes) * 8 / sent.Seconds()
	in := float64(p.cameBytes) * 8 / came.Seconds()
	found := min(out, in)
	if in < 0.9*out {
		found = 0.95 * in // this is where the path is full
		p.failed(now)
		return found, true
	}
	p.open, p.on = false, false
	p.pause, p.next = 0, now+100*time.Millisecond // it fits: try more
	return found, true
}

// recent says whether what is heard now may come of a probe.
func (p *probe) recent(now time.Duration) bool {
	return p.tries > 0 && now-p.begin < probeTime+probeWait
}

// failed ends a probe that found no more room.
func (p *probe) failed(now time.Duration) {
	if p.open {
		p.pause = min(max(2*p.pause, probePause), probeLonger)
		p.next = now + p.pause
	} else {
		p.next = max(p.next, now+probePause)
	}
	p.open, p.on = false, false
}

// rest ends a probe because the path was silent: when it speaks again it is
// likely to be as it was.
func (p *probe) rest(now time.Duration) {
	p.open, p.on, p.pause = false, false, 0
	p.next = now
}
