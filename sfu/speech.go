package sfu

import (
	"time"

	"github.com/veche-im/veche/sfu/rtp"
)

const (
	// openEvery is how many packets of one who is off air and quiet are dropped
	// unopened before one is opened, to see that they are theirs and to follow the
	// sequence number.
	openEvery = 8

	keepPackets = 3 // of one who is off air, to be sent first when they get on air
	keepSize    = 512
	keepFor     = 200 * time.Millisecond
)

// kept are the newest packets of one who is off air, a ring. Levels come a little
// late: without these the first syllable would be lost.
type kept struct {
	next    int
	packets [keepPackets]keptPacket
}

type keptPacket struct {
	size   int // 0: none
	header int // bytes of RTP header, while it is still sealed
	opened bool
	index  uint64
	time   uint32
	coding coding
	at     time.Duration
	bytes  [keepSize]byte // the packet, or the payload once opened
}

// place is where the next packet is kept.
func (k *kept) place() *keptPacket {
	p := &k.packets[k.next]
	k.next = (k.next + 1) % keepPackets
	return p
}

// keep keeps b: a whole packet if header is not 0, else a payload.
func (in *input) keep(b []byte, header int, index uint64, stamp uint32, code coding, now time.Duration) {
	if len(b) > keepSize {
		return
	}
	if in.kept == nil {
		in.kept = &kept{}
	}
	p := in.kept.place()
	p.size, p.header, p.opened = copy(p.bytes[:], b), header, header == 0
	p.index, p.time, p.coding, p.at = index, stamp, code, now
}

// audio takes a packet of sound of p, whose mu is held.
func (w *worker) audio(p *participant, in *input, known bool, h *rtp.Header, b []byte) {
	c, t := p.call, in.track
	code := t.types[h.Type]
	if code == codingNone || in.repairs {
		w.count.malformed++
		return
	}
	if !t.limit.take(1, w.now) { // what all others get has a limit of its own
		w.count.rate++
		return
	}
	level, stated := h.Level(p.plan.level)
	if !t.onAir.Load() && c.quiet(t, level, stated, w.now) && in.skipped < openEvery {
		in.skipped++
		in.got.packets++
		in.keep(b, h.Size, 0, h.Time, code, w.now)
		w.count.quiet++
		return
	}
	in.skipped = 0
	payload, index, ok := w.open(p, in, known, h, b)
	if !ok || len(payload) == 0 {
		return
	}
	it := item{from: p, index: index, time: h.Time, mark: h.Marker, coding: code, payload: payload}
	if !w.speak(c, in, it, level, stated) {
		in.keep(payload, 0, index, h.Time, code, w.now)
		w.count.quiet++
	}
}

// quiet says that a packet with this level would not get t on air.
func (c *call) quiet(t *track, level uint8, stated bool, now time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor.Quiet(&t.voice, level, stated, now)
}

// speak puts a packet on its voice's stream, after those that were kept if the
// voice has just got one. False says that it is off air. p.mu is held, so that a
// voice's packets keep their order.
func (w *worker) speak(c *call, in *input, it item, level uint8, stated bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := in.track
	if it.from.gone.Load() {
		return false
	}
	on, off := c.floor.Hear(&t.voice, level, stated, w.now)
	i := t.voice.Stream()
	if i < 0 {
		return false
	}
	if on || c.voices[i] != in { // or the device changed its SSRC
		if off != nil {
			c.voices[i].track.onAir.Store(false)
		}
		c.voices[i] = in
		t.onAir.Store(true)
		c.changed()
		w.begin(c, in, i, it)
	}
	w.stream(c, i, it)
	return true
}

// begin hands stream i to in, whose first packet on air is it, and sends the ones
// before that were kept.
func (w *worker) begin(c *call, in *input, i int, it item) {
	var before [keepPackets]item
	n := 0
	for j := range keepPackets {
		if in.kept == nil {
			break
		}
		k := &in.kept.packets[(in.kept.next+j)%keepPackets]
		payload, ok := w.unkeep(it.from, in, k)
		if !ok || k.index >= it.index || it.index-k.index > 2*keepPackets || w.now-k.at > keepFor || it.time-k.time > clockOf(keepFor) {
			continue
		}
		m := n
		for ; m > 0 && before[m-1].index > k.index; m-- {
			before[m] = before[m-1]
		}
		before[m] = item{from: it.from, index: k.index, time: k.time, coding: k.coding, payload: w.aside(payload)}
		n++
	}
	first := it
	if n > 0 {
		first = before[0]
	}
	in.kept = nil
	c.streams[i].Start(first.index, first.time, it.time, w.now)
	for _, b := range before[:n] {
		w.stream(c, i, b)
	}
}

// unkeep is the payload of a kept packet, opened if it was not.
func (w *worker) unkeep(p *participant, in *input, k *keptPacket) (payload []byte, ok bool) {
	if k.size == 0 {
		return nil, false
	}
	if k.opened {
		return k.bytes[:k.size], true
	}
	h, err := rtp.Parse(k.bytes[:k.size])
	if err != nil {
		return nil, false
	}
	payload, k.index, ok = w.open(p, in, true, &h, k.bytes[:k.size])
	in.got.packets-- // it was counted when it came
	return payload, ok && len(payload) > 0
}

// aside copies a payload that its owner may overwrite before it is sent.
func (w *worker) aside(b []byte) []byte {
	n := len(w.side)
	w.side = append(w.side, b...)
	return w.side[n:len(w.side):len(w.side)]
}

func clockOf(d time.Duration) uint32 { return uint32(d.Microseconds() * 48 / 1000) }

// stream rewrites it into stream i. c.mu is held.
func (w *worker) stream(c *call, i int, it item) {
	s := &c.streams[i]
	index, stamp, mark, ok := s.Map(it.index, it.time, len(it.payload), w.now)
	if !ok {
		return
	}
	it.stream, it.ssrc, it.index, it.time = i, s.SSRC, index, stamp
	it.mark = it.mark || mark
	w.items = append(w.items, it)
}
