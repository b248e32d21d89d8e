package audio

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// talk lets each voice send a packet every 20 ms from *now on, at its level.
func talk(f *Floor, now *time.Duration, length time.Duration, levels map[*Voice]uint8, order ...*Voice) (changes int) {
	for end := *now + length; *now < end; *now += 20 * ms {
		for _, v := range order {
			if on, _ := f.Hear(v, levels[v], true, *now); on {
				changes++
			}
		}
	}
	return changes
}

func TestWhileThereAreStreamsEverybodyIsOnAir(t *testing.T) {
	f, now := NewFloor(8), time.Duration(0)
	voices := make([]Voice, 8)
	for i := range voices {
		f.Hear(&voices[i], 127, true, now) // even in silence
		if voices[i].Stream() != i {
			t.Errorf("voice %d is on stream %d", i, voices[i].Stream())
		}
	}
	var ninth Voice
	if f.Hear(&ninth, 127, true, now); ninth.Stream() >= 0 {
		t.Error("a ninth, silent, is on air")
	}
	f.Leave(&voices[3])
	f.Hear(&ninth, 127, true, now)
	if ninth.Stream() != 3 {
		t.Errorf("with one gone the ninth is on stream %d", ninth.Stream())
	}
}

func TestTheLoudestAreOnAir(t *testing.T) {
	f, now := NewFloor(2), time.Duration(0)
	var a, b, c Voice
	levels := map[*Voice]uint8{&a: 40, &b: 35, &c: 38}
	talk(f, &now, time.Second, levels, &a, &b, &c)
	if a.Stream() < 0 || b.Stream() < 0 || c.Stream() >= 0 {
		t.Fatal("louder by less than 6 dB took a stream")
	}
	levels[&c] = 33 // 7 dB louder than a
	talk(f, &now, time.Second, levels, &a, &b, &c)
	if c.Stream() < 0 || a.Stream() >= 0 {
		t.Error("louder by 7 dB did not take the softest one's stream")
	}
}

func TestTwoEquallyLoudDoNotAlternate(t *testing.T) {
	f, now := NewFloor(1), time.Duration(0)
	var a, b Voice
	levels := map[*Voice]uint8{}
	changes := 0
	for i := range 200 { // each is now 4 dB louder, now 4 dB softer than the other
		levels[&a], levels[&b] = uint8(40+4*(i%2)), uint8(44-4*(i%2))
		changes += talk(f, &now, 100*ms, levels, &a, &b)
	}
	if changes != 1 {
		t.Errorf("%d changes", changes)
	}
}

func TestNobodyIsTakenOffAirWithin400ms(t *testing.T) {
	f, now := NewFloor(1), time.Duration(0)
	var a, b Voice
	f.Hear(&a, 50, true, now)
	for ; now < 399*ms; now += 20 * ms {
		f.Hear(&a, 50, true, now)
		if on, _ := f.Hear(&b, 10, true, now); on {
			t.Fatalf("taken off air after %s", now)
		}
	}
	now = 420 * ms
	if on, off := f.Hear(&b, 10, true, now); !on || off != &a {
		t.Errorf("not taken off air after %s by one who is 40 dB louder", now)
	}
}

func TestAStreamIsFreeAfterASecondOfSilence(t *testing.T) {
	for name, silent := range map[string]func(f *Floor, v *Voice, now time.Duration){
		"silent packets": func(f *Floor, v *Voice, now time.Duration) { f.Hear(v, 127, true, now) },
		"no packets":     func(*Floor, *Voice, time.Duration) {},
	} {
		t.Run(name, func(t *testing.T) {
			f, now := NewFloor(1), time.Duration(0)
			var a, b Voice
			levels := map[*Voice]uint8{&a: 20, &b: 60}
			talk(f, &now, time.Second, levels, &a)
			last := now - 20*ms
			f.Hear(&b, 127, true, now) // is there, and silent: the call has more voices than streams
			for ; now < last+time.Second; now += 20 * ms {
				silent(f, &a, now)
			}
			if on, off := f.Hear(&b, 60, true, now); !on || off != &a {
				t.Error("a soft voice did not get the stream of one who is silent for a second")
			}
		})
	}
}

func TestPacketsWithoutALevelAreSpeech(t *testing.T) {
	f := NewFloor(1)
	var a, b Voice
	f.Hear(&a, 127, true, 0)
	f.Hear(&b, 127, true, 0)
	if on, _ := f.Hear(&b, 0, false, 1100*ms); !on {
		t.Error("not on air")
	}
}

// TestQuietIsNeverWrong lets voices speak at random: where Quiet says that a
// packet need not be opened, hearing it must not bring its voice on air.
func TestQuietIsNeverWrong(t *testing.T) {
	f, now := NewFloor(3), time.Duration(0)
	voices := make([]Voice, 20)
	seed, quiet := uint32(1), 0
	next := func(n uint32) uint32 { seed = seed*1664525 + 1013904223; return (seed >> 8) % n }
	for range 50_000 {
		now += time.Duration(next(4)) * ms
		v := &voices[next(20)]
		level := uint8(next(128))
		if f.Quiet(v, level, true, now) {
			quiet++
			if on, _ := f.Hear(v, level, true, now); on {
				t.Fatalf("at %s a quiet packet brought its voice on air", now)
			}
			continue
		}
		f.Hear(v, level, true, now)
	}
	if quiet < 10_000 {
		t.Errorf("%d of 50,000 packets need not be opened: too few for 3 streams and 20 voices", quiet)
	}
}

func TestSequenceAndTimeGoOnAcrossVoices(t *testing.T) {
	var s Stream
	type packet struct {
		index uint64
		time  uint32
	}
	var got []packet
	send := func(index uint64, time uint32, now time.Duration) {
		t.Helper()
		out, ts, _, ok := s.Map(index, time, 60, now)
		if !ok {
			t.Fatalf("%d was not mapped", index)
		}
		got = append(got, packet{out, ts})
	}
	s.Start(70_000, 1000, 1000, 0)
	for i := range uint64(10) {
		send(70_000+i, 1000+uint32(i)*960, time.Duration(i)*20*ms)
	}
	// Another voice 500 ms later, with three packets that were kept.
	now := 680 * ms
	begin := uint32(0xffffff00) // the clock turns over between the kept packets
	s.Start(5, begin, begin+3*960, now)
	for i := range uint64(4) {
		send(5+i, begin+uint32(i)*960, now)
	}
	for i, p := range got {
		if p.index != uint64(i) {
			t.Errorf("packet %d has index %d", i, p.index)
		}
	}
	if passed := got[13].time - got[9].time; passed != 500*48 {
		t.Errorf("after 500 ms the time moved by %d", passed)
	}
	if passed := got[11].time - got[10].time; passed != 960 {
		t.Errorf("kept packets are %d apart", passed)
	}
	if _, _, _, ok := s.Map(4, 0, 60, now); ok {
		t.Error("a packet from before the voice had the stream was mapped")
	}
}

func TestAVoiceRightAfterAnotherDoesNotGoBackInTime(t *testing.T) {
	var s Stream
	s.Start(0, 0, 0, 0)
	_, before, _, _ := s.Map(0, 0, 60, 0)
	s.Start(100, 50_000, 50_000+3*960, ms) // kept packets are older than what was just sent
	_, after, mark, _ := s.Map(100, 50_000, 60, ms)
	if after-before != frame {
		t.Errorf("time moved by %d", int32(after-before))
	}
	if !mark {
		t.Error("the first packet of a voice is not marked")
	}
}

func TestLossStaysVisibleAndReorderingKeepsItsPlace(t *testing.T) {
	var s Stream
	s.Start(10, 0, 0, 0)
	for _, tt := range []struct{ in, out uint64 }{{10, 0}, {13, 3}, {12, 2}, {14, 4}} {
		if out, _, _, _ := s.Map(tt.in, 0, 0, 0); out != tt.out {
			t.Errorf("%d became %d, want %d", tt.in, out, tt.out)
		}
	}
	s.Start(500, 0, 0, 0)
	if out, _, _, _ := s.Map(500, 0, 0, 0); out != 5 {
		t.Errorf("the next voice begins at %d: an index would be given twice", out)
	}
}

// TestLeapsAreTakenOut attacks the receivers' guess of the rollover counter.
func TestLeapsAreTakenOut(t *testing.T) {
	var s Stream
	s.Start(0, 0, 0, 0)
	last, lastTime := uint64(0), uint32(0)
	s.Map(0, 0, 60, 0)
	for i := range uint64(100) {
		now := time.Duration(i+1) * 20 * ms
		out, stamp, _, ok := s.Map((i+1)*32_000, uint32(i+1)*2_000_000_000, 60, now)
		if !ok || out != last+1 || stamp-lastTime != frame {
			t.Fatalf("packet %d became %d, %d later", i, out, stamp-lastTime)
		}
		last, lastTime = out, stamp
	}
	// Silence is no leap: nothing is sent, and the timestamp follows the clock.
	if _, stamp, _, _ := s.Map(100*32_000+1, uint32(100%2*2_000_000_000), 60, time.Minute); stamp-lastTime < 50*clock {
		t.Errorf("after a minute the time moved by %d", stamp-lastTime)
	}
}
