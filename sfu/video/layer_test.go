package video

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// packet is a VP8 packet with a picture id of 15 bits.
func packet(seq uint16, ts uint32, picture uint16, key, start bool, size int) Packet {
	b := []byte{0x80, 0xc0, 0x80 | byte(picture>>8&0x7f), byte(picture), 1}
	if start {
		b[0] |= 0x10
	}
	frame := make([]byte, size)
	if !key {
		frame[0] = 1
	}
	return Packet{Sequence: seq, Timestamp: ts, Marker: true, Payload: append(b, frame...)}
}

func TestLayerTakesAPacketOnce(t *testing.T) {
	l := NewSource(VP8, 1, false).Layers[0]
	taken := 0
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 5000 {
		for range 2 {
			back := r.IntN(min(i+1, 1400))
			if _, ok := l.Receive(time.Second, packet(uint16(60_000+i-back), 0, 0, false, true, 20)); ok {
				taken++
			}
		}
	}
	if taken > 5000 {
		t.Errorf("%d packets taken of 5000", taken)
	}
}

func TestLayerBelievesANewSeriesOnItsSecondPacket(t *testing.T) {
	l := NewSource(VP8, 1, false).Layers[0]
	slot := NewSlot(1, 1)
	slot.Show(l)
	for i := range uint16(10) {
		a, _ := l.Receive(time.Second, packet(100+i, 0, i, i == 0, true, 20))
		slot.Forward(l, &a)
	}
	if _, ok := l.Receive(time.Second, packet(30_000, 0, 0, false, true, 20)); ok {
		t.Error("a stray packet is taken")
	}
	if a, ok := l.Receive(time.Second, packet(110, 0, 10, false, true, 20)); !ok || a.Break {
		t.Error("after a stray packet the series does not go on")
	}
	l.Receive(time.Second, packet(30_000, 0, 0, false, true, 20))
	a, ok := l.Receive(time.Second, packet(30_001, 0, 1, false, true, 20))
	if !ok || !a.Break {
		t.Fatalf("a new series is not believed: %v %+v", ok, a)
	}
	if _, ok := slot.Forward(l, &a); ok || !slot.Waits() {
		t.Error("a new series goes on without a key frame")
	}
	a, _ = l.Receive(time.Second, packet(30_002, 0, 2, true, true, 20))
	if o, ok := slot.Forward(l, &a); !ok || o.Index != 1+10+1 {
		t.Errorf("the new series leaves as %d", o.Index)
	}
}

func TestRing(t *testing.T) {
	l := NewSource(VP8, 1, false).Layers[0]
	now := time.Second
	last := map[int64][]byte{}
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 20_000 {
		now += 700 * time.Microsecond // 12 Mbit/s
		p := packet(uint16(i), uint32(i), uint16(i), false, true, 900+r.IntN(200))
		binary.BigEndian.PutUint32(p.Payload[10:], uint32(i))
		a, ok := l.Receive(now, p)
		if !ok {
			t.Fatal("a packet is not taken")
		}
		last[a.Seq] = bytes.Clone(p.Payload)
		for _, back := range []int64{0, 1, int64(r.IntN(600)), 690} {
			want, sent := last[a.Seq-back]
			k, _, ok := l.Get(now, a.Seq-back, nil)
			if sent && !ok {
				t.Fatalf("packet %d, %v ago, is gone; %d bytes kept", i-int(back), time.Duration(back)*700*time.Microsecond, len(l.ring.bytes))
			}
			if ok && !bytes.Equal(k.Payload, want) {
				t.Fatalf("packet %d is another", i)
			}
		}
	}
	for i := 20_000; i < 30_000; i++ { // more than there is room for
		now += 200 * time.Microsecond
		p := packet(uint16(i), uint32(i), uint16(i), false, true, 900+r.IntN(200))
		binary.BigEndian.PutUint32(p.Payload[10:], uint32(i))
		a, _ := l.Receive(now, p)
		last[a.Seq] = bytes.Clone(p.Payload)
		for _, back := range []int64{0, 600, 700, 750, 800, 900, 1000} {
			if k, _, ok := l.Get(now, a.Seq-back, nil); ok && !bytes.Equal(k.Payload, last[a.Seq-back]) {
				t.Fatalf("packet %d before %d is another", back, i)
			}
		}
	}
	if n := len(l.ring.bytes); n > maxRingBytes {
		t.Errorf("%d bytes kept", n)
	}
	if _, _, ok := l.Get(now+keepFor+time.Millisecond, l.top, nil); ok {
		t.Error("a packet is kept for longer than is of use")
	}
	quiet := NewSource(VP8, 1, false).Layers[0]
	for i := range 1000 {
		now += 33 * time.Millisecond
		quiet.Receive(now, packet(uint16(i), 0, 0, false, true, 600))
	}
	if n := len(quiet.ring.bytes) + 48*len(quiet.ring.entries); n > 24<<10 {
		t.Errorf("a layer of 150 kbit/s keeps %d bytes", n)
	}
}

func TestMissingPacketsAreAskedForWithPauses(t *testing.T) {
	l := NewSource(VP8, 1, false).Layers[0]
	now := time.Second
	l.Receive(now, packet(10, 0, 0, true, true, 20))
	l.Receive(now, packet(14, 0, 0, false, true, 20))
	if got := l.Missing(now, 0, nil); len(got) != 0 {
		t.Errorf("asked for %v before others could overtake", got)
	}
	now += firstTry
	if got := l.Missing(now, 0, nil); !slices.Equal(got, []uint16{11, 12, 13}) {
		t.Errorf("asked for %v", got)
	}
	if got := l.Missing(now, 0, nil); len(got) != 0 {
		t.Errorf("asked again at once for %v", got)
	}
	again, ok := Packet{Payload: append([]byte{0, 12}, packet(0, 0, 0, false, true, 20).Payload...)}.Unwrap()
	if !ok {
		t.Fatal("a retransmission is not understood")
	}
	if a, ok := l.Receive(now, again); !ok || !a.Late || a.Behind != 2 {
		t.Errorf("a retransmission arrives as %v %+v", ok, a)
	}
	asked := 0
	for range 1000 {
		now += time.Millisecond
		for _, s := range l.Missing(now, 30*time.Millisecond, nil) {
			if asked++; s == 12 {
				t.Error("asked for a packet that came")
			}
		}
	}
	if asked == 0 || asked > 16 {
		t.Errorf("asked %d times for two packets", asked)
	}
	l.Receive(now, packet(14+maxMissing+2, 0, 0, false, true, 20))
	if got := l.Missing(now+time.Second, 0, nil); len(got) != 0 || !l.Asks.Due(now) {
		t.Errorf("after a large gap %d packets are asked for, and a key frame: %v", len(got), l.Asks.Due(now))
	}
}

func TestKeyFramesAreAskedForTwiceASecondAtMost(t *testing.T) {
	var k Asks
	now, asked := time.Second, 0
	if k.Due(now) {
		t.Error("asked though nobody wants")
	}
	for range 1000 {
		now += time.Millisecond
		for range 20 {
			k.Want()
			if k.Due(now) {
				asked++
			}
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times in a second", asked)
	}
	k.Want()
	k.Came()
	if k.Due(now + time.Minute) {
		t.Error("asked after it came")
	}
}

func TestAKeyFrameWhoseFirstPacketIsLateIsTaken(t *testing.T) {
	l := NewSource(VP8, 1, false).Layers[0]
	slot := NewSlot(1, 1)
	slot.Show(l)
	now := time.Second
	for _, p := range []Packet{packet(10, 0, 0, false, true, 20), packet(12, 9, 1, true, false, 20), packet(13, 9, 1, true, false, 20)} {
		a, _ := l.Receive(now, p)
		if _, ok := slot.Forward(l, &a); ok {
			t.Fatal("something leaves before the key frame")
		}
	}
	a, _ := l.Receive(now, packet(11, 9, 1, true, true, 20))
	first, ok := slot.Forward(l, &a)
	if !ok {
		t.Fatal("the key frame does not leave")
	}
	for i := range uint16(2) {
		seq := uint16(first.Index) + 1 + i
		a, _ = l.Receive(now, packet(14+i, 10, 2, false, true, 20))
		slot.Forward(l, &a)
		got, in, ok := slot.Find(seq)
		k, _, ok2 := l.Get(now, in, nil)
		if !ok || !ok2 || got != l || uint16(in) != 12+i {
			t.Errorf("the receiver asks for %d and gets %d", seq, in)
		}
		if o, ok := slot.Again(seq, &k); !ok || o.Index != first.Index+1+uint64(i) || o.Timestamp != first.Timestamp {
			t.Errorf("sent again as %+v", o)
		}
	}
}

// TestANumberLeavesOnce: SRTP would seal two packets under one nonce.
func TestANumberLeavesOnce(t *testing.T) {
	l := NewSource(VP8, 1, false).Layers[0]
	slot := NewSlot(1, 1)
	slot.Show(l)
	a, _ := l.Receive(time.Second, packet(1, 0, 0, true, true, 20))
	if _, ok := slot.Forward(l, &a); !ok {
		t.Fatal("a key frame does not leave")
	}
	b := a
	if _, ok := slot.Forward(l, &b); ok {
		t.Error("a packet leaves twice")
	}
	b.Payload = append(bytes.Clone(a.Payload), 1)
	if _, ok := slot.Forward(l, &b); ok {
		t.Error("another packet leaves under the same number")
	}
}

func TestTheSourcesClockTellsTheStepBetweenLayers(t *testing.T) {
	s := NewSource(VP8, 2, false)
	small, large := s.Layers[0], s.Layers[1]
	small.Reported(Report{NTP: 100 << 32, Timestamp: 5_000, At: 1})
	large.Reported(Report{NTP: 100 << 32, Timestamp: 900_000, At: 1})
	slot := NewSlot(1, 1)
	slot.Show(small)
	a, _ := small.Receive(time.Second, packet(1, 5_000, 0, true, true, 20))
	o, _ := slot.Forward(small, &a)
	slot.Show(large)
	// taken 100 ms later, came 400 ms later
	a, _ = large.Receive(1400*time.Millisecond, packet(1, 900_000+clock/10, 0, true, true, 20))
	p, ok := slot.Forward(large, &a)
	if !ok || p.Timestamp-o.Timestamp != clock/10 {
		t.Errorf("the timestamp goes by %d", p.Timestamp-o.Timestamp)
	}
	if r, ok := slot.Clocks(); !ok || r.Timestamp != p.Timestamp-clock/10 {
		t.Errorf("the sender report says %+v", r)
	}
}

func TestNothingIsAllocatedForAPacket(t *testing.T) {
	l := NewSource(VP8, 1, false).Layers[0]
	slot := NewSlot(1, 1)
	slot.Show(l)
	p := packet(0, 0, 0, true, true, 1100)
	out := make([]byte, 0, 1500)
	now := time.Second
	one := func() {
		now += time.Millisecond
		p.Sequence++
		a, ok := l.Receive(now, p)
		o, ok2 := slot.Forward(l, &a)
		if !ok || !ok2 {
			t.Fatal("a packet does not leave")
		}
		out = o.Append(out[:0])
	}
	for range 2000 {
		one()
	}
	if n := testing.AllocsPerRun(2000, one); n > 0 {
		t.Errorf("%v allocations for a packet", n)
	}
}

func BenchmarkForwardToTen(b *testing.B) {
	l := NewSource(VP8, 1, false).Layers[0]
	var slots []*Slot
	for range 10 {
		s := NewSlot(1, 1)
		s.Show(l)
		slots = append(slots, s)
	}
	p := packet(0, 0, 0, true, true, 1100)
	now := time.Second
	b.ReportAllocs()
	for b.Loop() {
		now += 100 * time.Microsecond
		p.Sequence++
		a, _ := l.Receive(now, p)
		for _, s := range slots {
			s.Forward(l, &a)
		}
	}
}
