package bwe

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

type told struct {
	came bool
	at   time.Duration
}

func read(t *testing.T, b []byte) map[uint16]told {
	t.Helper()
	f, err := parseFeedback(b)
	if err != nil {
		t.Fatal(err)
	}
	all := map[uint16]told{}
	for {
		seq, came, at, ok := f.next()
		if !ok {
			return all
		}
		all[seq] = told{came, at + time.Duration(f.ref)*baseTick}
	}
}

// TestRecorderTellsWhatItSaw holds feedback against what was recorded, over
// loss, disorder, long pauses, copies and the wrap of the numbers.
func TestRecorderTellsWhatItSaw(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var rec Recorder
		seq, now := uint16(r.Uint32()), time.Second
		came := map[uint16]time.Duration{}
		checked := 0
		var waiting []uint16
		record := func(s uint16) {
			now += time.Duration(r.IntN(3000)) * time.Microsecond
			if _, again := came[s]; !again {
				came[s] = now
			}
			rec.Record(now, s)
		}
		for range 100 {
			for range r.IntN(60) {
				seq++
				switch {
				case r.IntN(5) == 0: // lost
				case r.IntN(8) == 0:
					waiting = append(waiting, seq)
				default:
					record(seq)
				}
				if r.IntN(20) == 0 && len(waiting) > 0 {
					record(waiting[0])
					waiting = waiting[1:]
				}
			}
			if r.IntN(30) == 0 {
				now += time.Duration(r.IntN(20)) * time.Second
			}
			for {
				b := rec.Feedback(nil, 1, 2)
				if b == nil {
					break
				}
				if len(b)%4 != 0 {
					t.Fatalf("seed %d: %d bytes", seed, len(b))
				}
				for s, w := range read(t, b) {
					at, is := came[s]
					if w.came && (!is || (at-w.at).Abs() > tick) {
						t.Fatalf("seed %d: packet %d came at %v (%v), told %v", seed, s, at, is, w.at)
					}
					if w.came {
						checked++
					}
				}
			}
		}
		if checked < 800 {
			t.Fatalf("seed %d: only %d packets told", seed, checked)
		}
	}
}

func TestMalformedFeedbackIsRefused(t *testing.T) {
	good := []byte{0x8f, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0, 4, 0, 0, 1, 0, 0x40, 4, 0, 9, 1, 0, 1, 0}
	good[20], good[21] = 0x20, 4 // four packets, small deltas
	if _, err := parseFeedback(good); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		mend func([]byte) []byte
	}{
		{"empty", func([]byte) []byte { return nil }},
		{"cut short", func(b []byte) []byte { return b[:24] }},
		{"another kind", func(b []byte) []byte { b[0] = 0x81; return b }},
		{"a length beyond its end", func(b []byte) []byte { b[3] = 9; return b }},
		{"a length that ends in the header", func(b []byte) []byte { b[3] = 3; return b }},
		{"of no packets", func(b []byte) []byte { b[15] = 0; return b }},
		{"more packets than chunks", func(b []byte) []byte { b[15] = 50; return b }},
		{"deltas cut short", func(b []byte) []byte { b[20] = 0x40; return append(b[:3], append([]byte{5}, b[4:24]...)...) }},
		{"a run of none", func(b []byte) []byte { b[21] = 0; return b }},
		{"an unknown symbol", func(b []byte) []byte { b[20] = 0x60; return b }},
		{"more packets than can be on their way", func(b []byte) []byte { b[14], b[15], b[20], b[21] = 0x1f, 0xff, 0x1f, 0xff; return b }},
		{"padding that takes all", func(b []byte) []byte { b[0] |= 0x20; b[27] = 200; return b }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.mend(slices.Clone(good))
			if f, err := parseFeedback(b); err == nil {
				t.Errorf("%x is taken: %+v", b, f)
			}
			if err := New(Config{}).Feedback(time.Second, b); err == nil {
				t.Error("the estimator takes it")
			}
		})
	}
}

func TestRecorderIsSilentWithoutNews(t *testing.T) {
	var rec Recorder
	if rec.Feedback(nil, 1, 2) != nil {
		t.Error("feedback about nothing")
	}
	rec.Record(time.Second, 7)
	if rec.Feedback(nil, 1, 2) == nil {
		t.Error("no feedback about a packet")
	}
	rec.Record(2*time.Second, 7)
	if rec.Feedback(nil, 1, 2) != nil {
		t.Error("feedback about a copy")
	}
}

func TestRecorderSurvivesWildNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var rec Recorder
	now := time.Second
	var b []byte
	for range 100_000 {
		now += time.Duration(r.IntN(1000)) * time.Microsecond
		rec.Record(now, uint16(r.Uint32()))
		if r.IntN(50) == 0 {
			if b = rec.Feedback(b[:0], 1, 2); len(b) > 0 {
				read(t, b)
			}
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	var rec Recorder
	e := New(Config{})
	now, b := time.Second, make([]byte, 0, 2048)
	i := 0
	round := func() {
		for range 20 {
			now += time.Millisecond
			rec.Record(now, e.Sent(now, 1100))
		}
		b = rec.Feedback(b[:0], 1, 2)
		if err := e.Feedback(now, b); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range 500 {
		round()
	}
	if n := testing.AllocsPerRun(500, round); n > 0 {
		t.Errorf("%v allocations for 20 packets and their feedback", n)
	}
}

func FuzzFeedback(f *testing.F) {
	var rec Recorder
	rec.Record(time.Second, 5)
	rec.Record(time.Second+time.Millisecond, 9)
	f.Add(rec.Feedback(nil, 1, 2))
	f.Add([]byte{0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0x10, 0, 0, 0, 1, 0, 0x20, 1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		e := New(Config{})
		for i := range 50 {
			e.Sent(time.Duration(i)*10*time.Millisecond, 1000)
		}
		_ = e.Feedback(time.Second, b)
		if got := e.Target(); got < e.cfg.Min || got > e.cfg.Max {
			t.Errorf("estimate %d", got)
		}
	})
}
