package video

import "time"

const (
	// keepFor is how long a packet can be sent again: a receiver that asks
	// later has given the frame up, RFC 4588 §4 leaves the time to us.
	keepFor = 500 * time.Millisecond

	minRingBytes, maxRingBytes     = 16 << 10, 768 << 10 // 12 Mbit/s, the most a participant may send, for 500 ms
	minRingPackets, maxRingPackets = 64, 1024
	maxPayload                     = 1500
)

// A Kept is a packet as it came from a sender: its payload without padding, and
// what of its header is not rewritten.
type Kept struct {
	Seq       int64 // extended by Layer, never wraps
	Timestamp uint32
	Marker    bool
	Picture   int16  // picture id in a series of 15 bits, -1 if the packet tells none
	Payload   []byte // valid until the next packet is added
}

// A ring keeps the newest packets of a layer. It has as many bytes as half a
// second of the layer takes, and at most maxRingBytes: whatever comes, memory
// is bounded, and the oldest give way.
type ring struct {
	entries []entry                  // by Seq modulo their number, a power of two
	bytes   []byte                   // payloads, one after the other, in a circle
	head    int64                    // bytes written since the beginning; position modulo len(bytes)
	written [ringParts]time.Duration // when each part of the circle was last written to, 0 for never
}

// ringParts is into how many parts the circle is divided to know how old its bytes are.
const ringParts = 16

type entry struct {
	seq  int64
	pos  int64 // in the circle, as head counts
	at   time.Duration
	ts   uint32
	pic  int16
	size uint16
	mark bool
	used bool
}

// has says whether seq is in the ring, however old.
func (r *ring) has(seq int64) bool {
	if len(r.entries) == 0 || seq < 0 {
		return false
	}
	e := &r.entries[seq&int64(len(r.entries)-1)]
	return e.used && e.seq == seq
}

// add keeps a packet. What is larger than a network carries is left out, and
// what is so late that its place is taken.
func (r *ring) add(now time.Duration, k Kept) {
	if len(k.Payload) > maxPayload || k.Seq < 0 {
		return
	}
	r.makeRoom(now, k.Seq)
	e := &r.entries[k.Seq&int64(len(r.entries)-1)]
	if e.used && e.seq >= k.Seq {
		return
	}
	pos := r.place(len(k.Payload))
	if part := r.part(pos + int64(len(k.Payload))); part != r.part(r.head) && len(r.bytes) < maxRingBytes && r.young(now, part) {
		r.grow(now)
		pos = r.place(len(k.Payload))
	}
	copy(r.bytes[pos%int64(len(r.bytes)):], k.Payload)
	r.head = pos + int64(len(k.Payload))
	r.written[r.part(r.head)] = now
	*e = entry{seq: k.Seq, pos: pos, at: now, ts: k.Timestamp, pic: k.Picture, size: uint16(len(k.Payload)), mark: k.Marker, used: true}
}

// place is where the next payload of n bytes goes: it lies in one piece.
func (r *ring) place(n int) int64 {
	size := int64(len(r.bytes))
	if free := size - r.head%size; free < int64(n) {
		return r.head + free
	}
	return r.head
}

func (r *ring) part(pos int64) int {
	size := int64(len(r.bytes))
	return int(pos % size * ringParts / size)
}

// young says whether part holds what may still be asked for.
func (r *ring) young(now time.Duration, part int) bool {
	return r.written[part] != 0 && now-r.written[part] <= keepFor
}

// get returns packet seq if it is there and young enough to be of use.
func (r *ring) get(now time.Duration, seq int64) (Kept, bool) {
	if !r.has(seq) {
		return Kept{}, false
	}
	e := &r.entries[seq&int64(len(r.entries)-1)]
	if now-e.at > keepFor || e.pos < r.head-int64(len(r.bytes)) {
		return Kept{}, false
	}
	at := e.pos % int64(len(r.bytes))
	return Kept{Seq: e.seq, Timestamp: e.ts, Marker: e.mark, Picture: e.pic, Payload: r.bytes[at : at+int64(e.size) : at+int64(e.size)]}, true
}

// makeRoom makes more entries when seq would push out one that may still be asked for.
func (r *ring) makeRoom(now time.Duration, seq int64) {
	if r.entries == nil {
		r.entries, r.bytes = make([]entry, minRingPackets), make([]byte, minRingBytes)
		return
	}
	old := &r.entries[seq&int64(len(r.entries)-1)]
	if !old.used || old.seq >= seq || now-old.at > keepFor || len(r.entries) >= maxRingPackets {
		return
	}
	was := r.entries
	r.entries = make([]entry, 2*len(was))
	for _, e := range was {
		if e.used {
			r.entries[e.seq&int64(len(r.entries)-1)] = e
		}
	}
}

// grow doubles the circle, up to maxRingBytes, and moves what it holds.
func (r *ring) grow(now time.Duration) {
	was, head := r.bytes, r.head
	r.bytes, r.head = make([]byte, min(2*len(was), maxRingBytes)), 0
	for i := range r.entries {
		e := &r.entries[i]
		if !e.used || e.pos < head-int64(len(was)) {
			e.used = false
			continue
		}
		at := e.pos % int64(len(was))
		copy(r.bytes[r.head:], was[at:at+int64(e.size)])
		e.pos = r.head
		r.head += int64(e.size)
	}
	r.written = [ringParts]time.Duration{}
	for i := range r.part(r.head) + 1 {
		r.written[i] = now
	}
}
