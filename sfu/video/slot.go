package video

import "time"

const (
	// spans is how many changes of a slot's stream are remembered for packets
	// that come late and for those that a receiver asks for again.
	spans = 32

	// A key frame whose first packet was overtaken by this many others is not
	// switched to. By fewer it is: the receiver asks for the others again.
	overtaken = 128

	// A frame whose time is not known comes this much after the one before.
	leastStep = clock / 1000
)

// A Slot shows one layer at a time at a receiver. It turns what
// comes from the layers into one stream: sequence numbers without a gap but
// for packets that were lost before they got here, timestamps and picture ids
// that go on where the former layer stopped.
//
// A stream is cut into spans, within each of which all numbers move by the same
// amount. So a packet that comes late, or is asked for again, is numbered as it
// would have been, and nothing is kept for each packet.
type Slot struct {
	want, now *Layer // wanted, and shown; the former waits for a key frame
	span      [spans]span
	newest    int // index of the newest span
	count     int

	top       int64 // highest sequence number sent, extended
	stamp     uint32
	stampedAt time.Duration // when the packet with stamp came
	captured  time.Duration // when its frame was taken, by the clock of the source; 0 if unknown
	picture   int
	tl0       int
	started   bool

	left   window // numbers that were given
	clocks Report // of what is shown, as of its newest packet

	Packets, Bytes uint32 // sent, for sender reports
}

// span is a stretch of a slot's stream.
type span struct {
	layer   *Layer
	in      int64 // first sequence number of the layer
	out     int64 // and of the slot
	end     int64 // last sequence number of the layer, while it is not the newest: none beyond belongs to it
	stamp   uint32
	picture int
	tl0     int
}

// An Out is a packet as a slot sends it: the header's fields, and the payload
// as Head and what of the original follows it.
type Out struct {
	Index     uint64 // rollover counter and sequence number, as SRTP counts (RFC 3711 §3.3.1)
	Timestamp uint32
	Marker    bool
	Key       bool
	Codec     Codec
	Head      Head
	Payload   []byte // the original
}

// Append adds the payload to b.
func (o *Out) Append(b []byte) []byte {
	b = append(b, o.Head.Bytes[:o.Head.Len]...)
	return append(b, o.Payload[o.Head.Skip:]...)
}

// Size is the number of bytes that Append adds.
func (o *Out) Size() int { return o.Head.Len + len(o.Payload) - o.Head.Skip }

// NewSlot returns an empty slot whose stream begins after sequence number first
// and timestamp stamp: random ones, RFC 3550 §5.1. Of first 15 bits are used, so
// that a receiver who misses the first packets does not miss the first turn.
func NewSlot(first uint16, stamp uint32) *Slot {
	return &Slot{top: int64(first & 0x7fff), stamp: stamp, picture: int(first) & 0x7fff, tl0: int(stamp & 0xff)}
}

// Show asks for a layer in this slot, nil for none. What is shown goes on until
// a key frame of l comes; the caller asks for one while Waits. A layer of another
// source, or none, ends it at once.
func (s *Slot) Show(l *Layer) {
	if l == nil || s.want == nil || l.Source != s.want.Source {
		s.now = nil
		s.captured = 0
	}
	s.want = l
}

// Forget drops what is remembered of layers of a source that is gone.
func (s *Slot) Forget(source *Source) {
	if s.want != nil && s.want.Source == source {
		s.Show(nil)
	}
	for i := range s.span {
		if sp := &s.span[i]; sp.layer != nil && sp.layer.Source == source {
			sp.layer = nil
		}
	}
}

// Shown is the layer whose packets leave through this slot, nil for none.
func (s *Slot) Shown() *Layer { return s.now }

// Wanted is the layer that was asked for last.
func (s *Slot) Wanted() *Layer { return s.want }

// Waits says whether a key frame of Wanted is needed.
func (s *Slot) Waits() bool { return s.want != nil && s.want != s.now }

// Forward numbers a packet that came from l. ok is false if it does not leave
// here.
func (s *Slot) Forward(l *Layer, a *Arrival) (o Out, ok bool) {
	if l == s.now && a.Break {
		s.now = nil // the rest of the stream hangs in the air
	}
	if l == s.want && l != s.now && a.Key && a.Behind < overtaken && s.unseen(l, a.Seq) {
		s.change(l, a)
	}
	if l != s.now {
		if !a.Late {
			return o, false
		}
		return s.renumber(l, a)
	}
	s.clocks = a.Clocks
	if a.Padding() && s.swallow(a) {
		return o, false
	}
	return s.renumber(l, a)
}

// unseen says whether nothing of l from in on has left here: a stream does not go back.
func (s *Slot) unseen(l *Layer, in int64) bool {
	for i := range s.count {
		if sp := s.back(i); sp.layer == l {
			end := sp.end
			if i == 0 {
				end = sp.in + s.top - sp.out
			}
			return in > end
		}
	}
	return true
}

// change begins a span with the key frame a.
func (s *Slot) change(l *Layer, a *Arrival) {
	if cur := s.current(); cur != nil {
		cur.end = cur.in + (s.top - cur.out)
	}
	s.now = l
	s.push(span{
		layer: l, in: a.Seq, out: s.top + 1,
		stamp:   s.nextStamp(a) - a.Timestamp,
		picture: s.picture + 1 - int(a.Picture),
		tl0:     s.tl0 + 1 - a.TL0,
	})
}

// nextStamp is the timestamp at which the frame of a continues the stream: by
// the source's own clock where both layers told it, else by when it came.
func (s *Slot) nextStamp(a *Arrival) uint32 {
	if !s.started {
		return s.stamp
	}
	since := a.At - s.stampedAt
	if r := a.Clocks; r.At != 0 && s.captured != 0 {
		// Clocks that disagree with the arrival by more than a second are not to be believed.
		if by := r.capture(a.Timestamp) - s.captured; by > since-time.Second && by < since+time.Second {
			since = by
		}
	}
	since = min(since, time.Hour)
	return s.stamp + uint32(max(int64(since)*clock/int64(time.Second), leastStep))
}

// swallow takes a packet of padding out of the stream, so that nothing of it is
// sent. It cannot when packets before it are missing or later ones have left:
// then it goes on as padding, which keeps its number from being asked for.
func (s *Slot) swallow(a *Arrival) bool {
	cur := s.current()
	if cur.out+a.Seq-cur.in != s.top+1 {
		return false
	}
	next := *cur
	next.in, next.out = a.Seq+1, s.top+1
	if a.Seq == cur.in {
		*cur = next
		return true
	}
	cur.end = a.Seq - 1
	s.push(next)
	return true
}

// renumber gives a packet the numbers of the span that it belongs to.
func (s *Slot) renumber(l *Layer, a *Arrival) (o Out, ok bool) {
	sp := s.find(l, a.Seq)
	if sp == nil {
		return o, false
	}
	seq := sp.out + a.Seq - sp.in
	if seq > s.top+maxGap {
		s.now = nil // so much is gone that only a key frame helps
		return o, false
	}
	if !s.left.take(seq) {
		return o, false
	}
	o = sp.packet(&a.Kept, &a.Descriptor, seq)
	o.Key = a.Key
	if seq > s.top {
		if missing := int(seq - s.top - 1); a.Padding() {
			// Each of them may be a frame, and may still come.
			s.picture, s.tl0 = (s.picture+missing)&0x7fff, (s.tl0+missing)&0xff
		}
		s.top = seq
		s.advance(a, &o, sp)
	}
	s.Packets++
	s.Bytes += uint32(o.Size())
	return o, true
}

// advance notes where the stream stands after its newest packet.
func (s *Slot) advance(a *Arrival, o *Out, sp *span) {
	if !s.started || int32(o.Timestamp-s.stamp) > 0 {
		s.stamp, s.stampedAt = o.Timestamp, a.At
		s.captured = 0
		if r := a.Clocks; r.At != 0 {
			s.captured = r.capture(a.Timestamp)
		}
	}
	s.started = true
	if a.Picture >= 0 {
		s.picture = (int(a.Picture) + sp.picture) & 0x7fff
	}
	if a.TL0 >= 0 {
		s.tl0 = (a.TL0 + sp.tl0) & 0xff
	}
}

// Find says which packet of which layer left as seq, for sending it again.
func (s *Slot) Find(seq uint16) (l *Layer, in int64, ok bool) {
	out := s.top + int64(int16(seq-uint16(s.top)))
	if out > s.top {
		return nil, 0, false
	}
	sp := s.findOut(out)
	if sp == nil || sp.layer == nil {
		return nil, 0, false
	}
	return sp.layer, sp.in + out - sp.out, true
}

// Again numbers packet k of a layer as it was numbered when it left as seq.
func (s *Slot) Again(seq uint16, k *Kept) (o Out, ok bool) {
	out := s.top + int64(int16(seq-uint16(s.top)))
	sp := s.findOut(out)
	if sp == nil || sp.layer == nil || sp.in+out-sp.out != k.Seq {
		return o, false
	}
	var d Descriptor
	if len(k.Payload) > 0 {
		var err error
		if d, err = Parse(sp.layer.Codec, k.Payload); err != nil {
			return o, false
		}
	}
	return sp.packet(k, &d, out), true
}

// packet is k with the numbers of the span.
func (sp *span) packet(k *Kept, d *Descriptor, seq int64) Out {
	o := Out{Index: uint64(seq), Timestamp: k.Timestamp + sp.stamp, Marker: k.Marker, Codec: sp.layer.Codec, Payload: k.Payload}
	if len(k.Payload) > 0 {
		o.Head = d.rewrite(k.Payload, uint16(int(k.Picture)+sp.picture)&0x7fff, uint8(d.TL0+sp.tl0))
	}
	return o
}

// Timestamp is that of the newest frame that left.
func (s *Slot) Timestamp() uint32 { return s.stamp }

// Clocks are those of the newest sender report of what is shown, with the
// timestamp as it is in this slot's stream.
func (s *Slot) Clocks() (r Report, ok bool) {
	if s.now == nil || s.clocks.At == 0 {
		return r, false
	}
	r = s.clocks
	r.Timestamp += s.current().stamp
	return r, true
}

func (s *Slot) current() *span {
	if s.count == 0 {
		return nil
	}
	return &s.span[s.newest]
}

func (s *Slot) push(sp span) {
	if s.count > 0 {
		s.newest = (s.newest + 1) % spans
	}
	s.count = min(s.count+1, spans)
	s.span[s.newest] = sp
}

// back returns the i-th span from the newest.
func (s *Slot) back(i int) *span { return &s.span[(s.newest-i+spans)%spans] }

func (s *Slot) find(l *Layer, in int64) *span {
	for i := range s.count {
		sp := s.back(i)
		if sp.layer == l && in >= sp.in {
			if i > 0 && in > sp.end {
				return nil
			}
			return sp
		}
	}
	return nil
}

func (s *Slot) findOut(out int64) *span {
	for i := range s.count {
		sp := s.back(i)
		if out >= sp.out {
			if i > 0 && sp.in+out-sp.out > sp.end {
				return nil
			}
			return sp
		}
	}
	return nil
}
