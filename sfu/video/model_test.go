package video

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// sender makes a VP8 layer's packets as a browser does, with everything that a
// slot must hide chosen at random: where numbers start, how long frames are.
type sender struct {
	r       *rand.Rand
	layer   *Layer
	seq     uint16
	ts      uint32
	picture uint16
	tl0     uint8
	frame   int
	key     bool // the next frame is one
	long    bool
}

// sent is what the model knows of a packet; it travels in the payload.
type sent struct {
	layer, frame, index int
	key, last           bool
}

func newSender(r *rand.Rand, l *Layer) *sender {
	return &sender{r: r, layer: l, seq: uint16(r.Uint32()), ts: r.Uint32(), picture: uint16(r.Uint32()), tl0: uint8(r.Uint32()), key: true, long: r.IntN(4) > 0}
}

// next makes the packets of one frame, and now and then one of padding after it.
func (s *sender) next(id int) []Packet {
	n := 1 + s.r.IntN(3)
	if s.key {
		n += 3
		s.tl0++
	}
	var all []Packet
	for i := range n {
		b := s.descriptor(i == 0, i == n-1)
		frame := make([]byte, 20)
		if !s.key {
			frame[0] = 1
		}
		copy(frame[3:], []byte{0x9d, 1, 0x2a, 0x40, 1, 0xb4, 0})
		frame[10], frame[11], frame[12] = byte(id), byte(i), byte(n-1)
		binary.BigEndian.PutUint32(frame[13:], uint32(s.frame))
		if s.key {
			frame[17] = 1
		}
		all = append(all, Packet{Sequence: s.seq, Timestamp: s.ts, Marker: i == n-1, Payload: append(b, frame...)})
		s.seq++
	}
	if s.r.IntN(5) == 0 {
		all = append(all, Packet{Sequence: s.seq, Timestamp: s.ts})
		s.seq++
	}
	s.key = false
	s.frame++
	s.picture++
	s.ts += clock / 30
	return all
}

// descriptor is that of a packet of the frame.
func (s *sender) descriptor(first, last bool) []byte {
	b := []byte{0x80, 0xe0}
	if first {
		b[0] |= 0x10
	}
	if s.layer.Codec == VP9 {
		b = []byte{0xa0} // picture id and layers
		if !s.key {
			b[0] |= 0x40
		}
		if first {
			b[0] |= 0x08
		}
		if last {
			b[0] |= 0x04
		}
	}
	if s.long {
		b = binary.BigEndian.AppendUint16(b, 0x8000|s.picture&0x7fff)
	} else {
		b = append(b, byte(s.picture&0x7f))
	}
	if s.layer.Codec == VP9 {
		return append(b, 0, s.tl0)
	}
	return append(b, s.tl0, 0x20)
}

func readSent(o *Out) (sent, Descriptor) {
	b := o.Append(nil)
	d, err := Parse(o.Codec, b)
	if err != nil {
		panic(err)
	}
	f := b[d.Size:]
	return sent{layer: int(f[10]), index: int(f[11]), last: f[11] == f[12], frame: int(binary.BigEndian.Uint32(f[13:])), key: f[17] == 1}, d
}

// received is a packet at the model receiver.
type received struct {
	out int64 // unwrapped
	o   Out
	sent
	d Descriptor
}

// A model receiver holds whatever left a slot and says what is wrong with it.
type receiver struct {
	got []received
	top int64
}

func (m *receiver) take(o Out) error {
	if m.top == 0 {
		m.top = 1<<20 + int64(o.Index)
	}
	out := m.top + int64(int16(uint16(o.Index)-uint16(m.top)))
	m.top = max(m.top, out)
	p := received{out: out, o: o}
	if len(o.Payload) > 0 {
		p.sent, p.d = readSent(&o)
	} else {
		p.sent.index = -1
	}
	p.o.Payload = nil
	for i := len(m.got) - 1; i >= 0 && m.got[i].out >= out-maxGap; i-- {
		if m.got[i].out == out {
			return fmt.Errorf("number %d left twice: %+v and %+v", out, m.got[i].sent, p.sent)
		}
	}
	m.got = append(m.got, p)
	return nil
}

// check returns the first thing that a decoder would stumble over.
func (m *receiver) check() error {
	slices.SortFunc(m.got, func(a, b received) int { return int(a.out - b.out) })
	for i := 1; i < len(m.got); i++ {
		a, b := m.got[i-1], m.got[i]
		if a.index < 0 || b.index < 0 {
			continue
		}
		same := a.layer == b.layer && a.frame == b.frame
		switch step := int32(b.o.Timestamp - a.o.Timestamp); {
		case same && step != 0:
			return fmt.Errorf("frame %d of layer %d has two timestamps: %+v %+v", a.frame, a.layer, a, b)
		case !same && step <= 0:
			return fmt.Errorf("timestamp goes by %d from %+v to %+v", step, a.sent, b.sent)
		}
		if same != (a.d.ID == b.d.ID) {
			return fmt.Errorf("picture ids %d and %d of %+v and %+v", a.d.ID, b.d.ID, a.sent, b.sent)
		}
		if b.out != a.out+1 {
			continue // something is really missing
		}
		follows := a.layer == b.layer && (a.frame == b.frame && b.index == a.index+1 || b.frame == a.frame+1 && a.last && b.index == 0)
		if !follows && !(b.key && b.index == 0) {
			return fmt.Errorf("%+v follows %+v without a key frame", b.sent, a.sent)
		}
		if !same && b.d.ID != (a.d.ID+1)&0x7fff {
			return fmt.Errorf("picture id goes from %d to %d", a.d.ID, b.d.ID)
		}
	}
	return nil
}

// TestSlotMakesOneValidStream drives a slot through random sources, layers,
// pauses, loss, doubling and disorder, and holds what comes out against what a
// decoder needs.
func TestSlotMakesOneValidStream(t *testing.T) {
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 7))
		sources := []*Source{NewSource(VP8, 3, false), NewSource(VP8, 3, false), NewSource(VP8, 1, true)}
		if seed%3 == 0 {
			sources[1] = NewSource(VP9, 2, false)
		}
		var senders []*sender
		for _, s := range sources {
			for _, l := range s.Layers {
				senders = append(senders, newSender(r, l))
			}
		}
		loss, disorder := r.Float64()*0.2, r.Float64()*0.3
		slot, model := NewSlot(uint16(r.Uint32()), r.Uint32()), &receiver{}
		var now time.Duration
		switches, again := 0, 0
		type flight struct {
			from *sender
			p    Packet
			due  int
		}
		var air []flight
		deliver := func(f flight) {
			a, ok := f.from.layer.Receive(now, f.p)
			if !ok {
				return
			}
			was := slot.Shown()
			o, ok := slot.Forward(f.from.layer, &a)
			if slot.Shown() != was && slot.Shown() != nil {
				switches++
			}
			if !ok {
				return
			}
			if err := model.take(o); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for step := range 600 {
			now += 33 * time.Millisecond
			if r.IntN(12) == 0 {
				switch s := sources[r.IntN(len(sources))]; r.IntN(5) {
				case 0:
					slot.Show(nil)
				default:
					slot.Show(s.Layers[r.IntN(len(s.Layers))])
				}
			}
			for id, s := range senders {
				s.key = s.key || slot.Waits() && slot.Wanted() == s.layer && r.IntN(4) == 0
				for _, p := range s.next(id) {
					if r.Float64() < loss {
						continue
					}
					due := step
					if r.Float64() < disorder {
						due += r.IntN(3)
					}
					air = append(air, flight{s, p, due})
					if r.IntN(50) == 0 {
						air = append(air, flight{s, p, due + r.IntN(2)})
					}
				}
			}
			air = slices.DeleteFunc(air, func(f flight) bool {
				if f.due > step {
					return false
				}
				deliver(f)
				return true
			})
			// what is asked for again is what left, number for number
			if n := len(model.got); n > 0 {
				p := model.got[n-1-r.IntN(min(n, 20))]
				if l, in, ok := slot.Find(uint16(p.o.Index)); ok && p.index >= 0 {
					k, _, ok := l.Get(now, in, nil)
					if !ok {
						continue
					}
					o, ok := slot.Again(uint16(p.o.Index), &k)
					if !ok {
						t.Fatalf("seed %d: packet %d cannot be sent again", seed, p.out)
					}
					if s, d := readSent(&o); s != p.sent || d != p.d || o.Timestamp != p.o.Timestamp || o.Marker != p.o.Marker {
						t.Fatalf("seed %d: %d left as %+v and again as %+v", seed, p.out, p.sent, s)
					}
					again++
				}
			}
		}
		if err := model.check(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if switches < 5 || again < 20 || len(model.got) < 100 {
			t.Fatalf("seed %d proves nothing: %d switches, %d sent again, %d packets", seed, switches, again, len(model.got))
		}
	}
}
