package video

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxGap is how far a sender's sequence numbers may jump before they count
	// as a new series: about what is sent in a second at the highest rate.
	maxGap = 1500

	// rateWindow is over how long a layer's bit rate is smoothed.
	rateWindow = time.Second
)

// A Packet is an RTP packet of a layer after it was opened: the parts of its
// header that matter here, and its payload without padding.
type Packet struct {
	Sequence  uint16
	Timestamp uint32
	Marker    bool
	Payload   []byte
}

// Unwrap is the packet that a retransmission carries (RFC 4588 §4): the first two
// bytes of its payload are the number that it had. ok is false for padding.
func (p Packet) Unwrap() (original Packet, ok bool) {
	if len(p.Payload) < 2 {
		return p, false
	}
	p.Sequence = binary.BigEndian.Uint16(p.Payload)
	p.Payload = p.Payload[2:]
	return p, true
}

// An Arrival is what a Layer makes of a packet: its place in the order, and its
// descriptor. A packet of padding alone has a Descriptor of Size 0.
type Arrival struct {
	Kept
	Descriptor
	At     time.Duration
	Late   bool   // a later one came before
	Behind int64  // how many numbers later that one was
	Gaps   bool   // packets before it are missing: see Layer.Missing
	Break  bool   // the first of a new series: nothing before it is related
	Clocks Report // the newest sender report of the layer
}

// Padding says whether the packet carries nothing.
func (a *Arrival) Padding() bool { return len(a.Payload) == 0 }

// A Layer is one encoding of a source as it arrives from its sender. Any number of
// goroutines may use it; packets should come from one, or their order is lost.
type Layer struct {
	Source *Source // Source and Codec never change
	Codec  Codec
	Asks   Asks   // for key frames
	Demand Demand // for the layer
	Pulse  Pulse

	// What follows is guarded by Source.mu.
	missing missing
	seen    window
	ring    ring
	rate    rate
	report  Report

	top     int64  // the highest sequence number, extended; -1 before the first
	picture uint16 // newest picture id, 15 bits
	stray   uint16
	strays  int // packets in a row that follow stray instead of top
	breaks  bool
}

// A Pulse is what a layer lets be known of itself.
type Pulse struct {
	heard  atomic.Int64 // when a packet came, to 50 ms; 0 before the first
	bits   atomic.Int64
	height atomic.Int64
}

// Flows says whether packets came within the last while.
func (p *Pulse) Flows(now time.Duration) bool {
	heard := time.Duration(p.heard.Load())
	return heard != 0 && now-heard < flowing
}

// Rate is what the layer took lately, in bits per second; 0 for unknown. It stays
// when the layer stops.
func (p *Pulse) Rate() int { return int(p.bits.Load()) }

// Height is that of the newest key frame in pixels, 0 for unknown.
func (p *Pulse) Height() int { return int(p.height.Load()) }

// flowing is how long after its last packet a layer counts as being sent: longer
// than the pause between two frames of a still screen.
const flowing = 3 * time.Second

// beat notes a packet. Its fields change seldom, so that who reads them elsewhere
// does not slow the media path.
func (l *Layer) beat(now time.Duration, size int, d *Descriptor) {
	if now-time.Duration(l.Pulse.heard.Load()) > 50*time.Millisecond {
		l.Pulse.heard.Store(int64(max(now, 1)))
	}
	l.rate.add(now, size)
	if bits := int64(l.rate.last); bits != l.Pulse.bits.Load() {
		l.Pulse.bits.Store(bits)
	}
	if d.Key && d.Height > 0 {
		l.Pulse.height.Store(int64(min(d.Width, d.Height))) // a phone held upright has no more pixels
	}
}

// A Source is a camera or a screen with its layers, the smallest first. Those
// that the sender has not begun to send are there, too.
type Source struct {
	Screen   bool
	Layers   []*Layer
	Speaking atomic.Bool // its sender is on air: comes before others

	mu sync.Mutex // guards the packets of the layers
}

// NewSource returns a Source of n layers.
func NewSource(c Codec, n int, screen bool) *Source {
	s := &Source{Screen: screen}
	for range n {
		s.Layers = append(s.Layers, &Layer{Source: s, Codec: c, top: -1})
	}
	return s
}

// Receive takes a packet. ok is false if there is nothing to forward: it came
// twice, is too old, or is not what it says.
func (l *Layer) Receive(now time.Duration, p Packet) (a Arrival, ok bool) {
	if len(p.Payload) > maxPayload {
		return a, false
	}
	var d Descriptor
	if len(p.Payload) > 0 {
		var err error
		if d, err = Parse(l.Codec, p.Payload); err != nil {
			return a, false
		}
	}
	l.Source.mu.Lock()
	defer l.Source.mu.Unlock()
	before := l.top
	seq, ok := l.extend(p.Sequence)
	if !ok || !l.seen.take(seq) {
		return a, false
	}
	a = Arrival{
		Kept:       Kept{Seq: seq, Timestamp: p.Timestamp, Marker: p.Marker, Picture: l.series(&d, len(p.Payload)), Payload: p.Payload},
		Descriptor: d, At: now, Late: seq < before, Behind: l.top - seq, Break: l.breaks, Clocks: l.report,
	}
	l.breaks = false
	switch {
	case a.Break || before < 0:
		l.missing.forget()
	case a.Late:
		l.missing.found(seq)
	case !l.missing.gap(now, before+1, seq):
		l.Asks.Want() // too much is gone to ask for it
	}
	a.Gaps = len(l.missing.list) > 0
	l.beat(now, len(p.Payload), &d)
	l.ring.add(now, a.Kept)
	if d.Key {
		l.Asks.Came()
	}
	return a, true
}

// series is the picture id in a series of 15 bits, also where it is sent with 7.
func (l *Layer) series(d *Descriptor, size int) int16 {
	if size == 0 || d.ID < 0 {
		return -1
	}
	next := uint16(d.ID)
	if !d.Long {
		next = l.picture + uint16(int8(d.ID-int(l.picture&0x7f))<<1>>1)
	}
	next &= 0x7fff
	if d.Start || d.Long {
		l.picture = next
	}
	return int16(next)
}

// extend gives seq its place in the series. A jump beyond maxGap is believed
// when the next packet follows it (as RFC 3550 appendix A.1 does it): then a
// new series begins, far enough from the old one that no two packets meet.
func (l *Layer) extend(seq uint16) (int64, bool) {
	if l.top < 0 {
		l.top = int64(seq) + 1<<17 // so that what is a little older has a place, too
		l.top += int64(seq) - int64(uint16(l.top))
		return l.top, true
	}
	step := int64(int16(seq - uint16(l.top)))
	if step > -maxGap && step < maxGap {
		l.strays = 0
		l.top = max(l.top, l.top+step)
		return l.top - max(0, -step), true
	}
	if l.strays > 0 && seq == l.stray+1 {
		l.strays = 0
		next := (l.top/(1<<16)+2)<<16 + int64(seq)
		l.top, l.breaks = next, true
		return next, true
	}
	l.stray, l.strays = seq, 1
	return 0, false
}

// Get returns packet seq for sending it again, if it is still there. Its payload is
// appended to b, which is returned.
func (l *Layer) Get(now time.Duration, seq int64, b []byte) (Kept, []byte, bool) {
	l.Source.mu.Lock()
	defer l.Source.mu.Unlock()
	k, ok := l.ring.get(now, seq)
	if !ok {
		return Kept{}, b, false
	}
	n := len(b)
	b = append(b, k.Payload...)
	k.Payload = b[n:len(b):len(b)]
	return k, b, true
}

// Missing appends the sequence numbers to be asked for now with a NACK, given
// the round trip to the sender.
func (l *Layer) Missing(now, rtt time.Duration, to []uint16) []uint16 {
	l.Source.mu.Lock()
	defer l.Source.mu.Unlock()
	return l.missing.due(now, rtt, to)
}

// A Report is a sender report's pair of clocks (RFC 3550 §6.4.1).
type Report struct {
	NTP       uint64
	Timestamp uint32
	At        time.Duration // when it came; 0 for none yet
}

// Reported takes the clocks of a sender report.
func (l *Layer) Reported(r Report) {
	l.Source.mu.Lock()
	defer l.Source.mu.Unlock()
	l.report = r
}

// capture is when, by the sender's clock, the frame with timestamp ts was taken.
func (r Report) capture(ts uint32) time.Duration {
	ntp := time.Duration(r.NTP>>32)*time.Second + time.Duration((r.NTP&0xffffffff)*uint64(time.Second)>>32)
	return ntp + time.Duration(int32(ts-r.Timestamp))*time.Second/clock
}

// clock is how many units of an RTP timestamp of video make a second.
const clock = 90000

// A rate is bits per second, smoothed. Silence does not lower it: it is what the
// layer takes while it is sent.
type rate struct {
	since time.Duration
	bytes int
	last  int
	began bool
}

func (r *rate) add(now time.Duration, n int) {
	if !r.began {
		r.began, r.since = true, now
	}
	r.roll(now)
	r.bytes += n
}

// roll closes the running window of a quarter of rateWindow.
func (r *rate) roll(now time.Duration) {
	const part = rateWindow / 4
	if now-r.since < part {
		return
	}
	if now-r.since < rateWindow {
		seen := int(float64(r.bytes*8) / (now - r.since).Seconds())
		if r.last == 0 {
			r.last = seen
		} else {
			r.last += (seen - r.last) / 4
		}
	}
	r.bytes, r.since = 0, now
}
