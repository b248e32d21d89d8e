package media

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

// frame is an Opus packet of 20 ms (CELT, one frame) that says which it is.
func frame(n int) []byte { return []byte{0xfc, byte(n), byte(n >> 8)} }

func TestREDComesBackAsItWas(t *testing.T) {
	older := []redFrame{{1920, frame(1)}, {960, frame(2)}}
	b := packRED([]byte("x"), 111, older, frame(3))
	got, ok := parseRED(b[1:])
	if !ok || len(got) != 3 {
		t.Fatalf("reads as %v, %v", got, ok)
	}
	for i, want := range append(older, redFrame{0, frame(3)}) {
		if got[i].Behind != want.Behind || !bytes.Equal(got[i].Opus, want.Opus) {
			t.Errorf("frame %d is %v, not %v", i, got[i], want)
		}
	}
	for cut := range 8 {
		if frames, ok := parseRED(b[1 : 1+cut]); ok {
			t.Errorf("%d bytes read as %v", cut, frames)
		}
	}
	// What does not fit is left out, and the newest still arrives.
	b = packRED(nil, 111, []redFrame{{1 << 14, frame(1)}, {960, make([]byte, 1<<10)}, {960, nil}}, frame(3))
	if got, ok := parseRED(b); !ok || len(got) != 1 || !bytes.Equal(got[0].Opus, frame(3)) {
		t.Errorf("reads as %v, %v", got, ok)
	}
}

func FuzzRED(f *testing.F) {
	f.Add(packRED(nil, 111, []redFrame{{960, frame(2)}}, frame(3)))
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, ok := parseRED(b)
		if ok && len(frames) == 0 {
			t.Fatal("a payload of nothing")
		}
	})
}

func TestOpusDurations(t *testing.T) {
	for _, tt := range []struct {
		p    []byte
		want uint32
	}{
		{nil, 0},
		{[]byte{0xfc}, 960},        // CELT 20 ms
		{[]byte{0xfd}, 1920},       // two of them
		{[]byte{0x00}, 480},        // SILK 10 ms
		{[]byte{0x18}, 2880},       // SILK 60 ms
		{[]byte{0x68}, 960},        // hybrid 20 ms
		{[]byte{0x80}, 120},        // CELT 2.5 ms
		{[]byte{0xff, 0x06}, 5760}, // six of 20 ms
		{[]byte{0xff, 0x07}, 0},    // seven are too many
		{[]byte{0xff}, 0},          // the count is missing
	} {
		if got := opusSamples(tt.p); got != tt.want {
			t.Errorf("%x is %d samples long, not %d", tt.p, got, tt.want)
		}
	}
}

func TestOggComesBackAsItWas(t *testing.T) {
	var file bytes.Buffer
	w, err := newOggWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	packets := [][]byte{frame(1), append([]byte{0xfc}, make([]byte, 254)...), append([]byte{0xfc}, make([]byte, 700)...), frame(2)}
	for _, p := range packets {
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(file.Bytes())
	r, err := OpenOgg(&file)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range packets {
		if got, err := r.Next(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("packet %d is %x: %v", i, got, err)
		}
	}
	if p, err := r.Next(); len(p) != 0 || (err != nil && !errors.Is(err, io.EOF)) {
		t.Errorf("after the last: %x, %v", p, err)
	}
	if _, err := OpenOgg(bytes.NewReader(whole[:40])); !errors.Is(err, ErrOgg) {
		t.Errorf("half a file: %v", err)
	}
	if _, err := OpenOgg(bytes.NewReader([]byte("RIFF and so on, which is no Ogg at all"))); !errors.Is(err, ErrOgg) {
		t.Errorf("another format: %v", err)
	}
}

// arrival is a packet on its way.
type arrival struct {
	seq    uint16
	ts     uint32
	frames []redFrame
	at     time.Duration
}

// heard plays arrivals to a playout whose clock follows them, and returns what
// left, -1 for what had to be made up.
func heard(list []arrival) ([]int, Heard) {
	var out []int
	p := newPlayout(func(opus []byte, samples uint32) {
		if opus == nil {
			for range samples / 960 {
				out = append(out, -1)
			}
			return
		}
		out = append(out, int(opus[1])|int(opus[2])<<8)
	})
	start := time.Unix(1000, 0)
	for _, a := range list {
		p.pull(start.Add(a.at))
		p.put(a.seq, a.ts, a.frames, start.Add(a.at))
	}
	p.pull(start.Add(time.Hour))
	return out, p.stats
}

func TestFramesLeaveInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var list []arrival
	for n := range 500 {
		list = append(list, arrival{uint16(65000 + n), uint32(1<<32 - 100*960 + n*960), []redFrame{{0, frame(n)}}, time.Duration(n)*20*time.Millisecond + time.Duration(r.IntN(50))*time.Millisecond})
	}
	list[0].at = 0
	for i := range list { // by arrival
		for j := i; j > 1 && list[j].at < list[j-1].at; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	out, stats := heard(list)
	if stats.Concealed != 0 || stats.Late != 0 || len(out) != 500 {
		t.Fatalf("%d frames, %+v", len(out), stats)
	}
	for i, n := range out {
		if n != i {
			t.Fatalf("frame %d is %d", i, n)
		}
	}
}

func TestWhatIsLostIsMadeUpUnlessRepeated(t *testing.T) {
	plain, doubled := []arrival{}, []arrival{}
	for n := range 100 {
		if n%10 == 5 {
			continue // lost
		}
		a := arrival{uint16(n), uint32(n * 960), []redFrame{{0, frame(n)}}, time.Duration(n) * 20 * time.Millisecond}
		plain = append(plain, a)
		if n > 0 {
			a.frames = []redFrame{{960, frame(n - 1)}, {0, frame(n)}}
		}
		doubled = append(doubled, a)
	}
	if _, stats := heard(plain); stats.Concealed != 10*960 || stats.Played != 90*960 {
		t.Errorf("without redundancy: %+v", stats)
	}
	if _, stats := heard(doubled); stats.Concealed != 0 || stats.Played != 100*960 || stats.Redundant != 10 {
		t.Errorf("with redundancy: %+v", stats)
	}
}

func TestSilenceIsNotLoss(t *testing.T) {
	var list []arrival
	seq := uint16(0)
	for n := range 300 {
		if n >= 100 && n < 200 {
			continue // the speaker is silent for two seconds
		}
		list = append(list, arrival{seq, uint32(n * 960), []redFrame{{0, frame(n)}}, time.Duration(n) * 20 * time.Millisecond})
		seq++
	}
	if _, stats := heard(list); stats.Concealed != 0 || stats.Played != 200*960 {
		t.Errorf("%+v", stats)
	}
}

func TestLateFramesAreCounted(t *testing.T) {
	var list []arrival
	for n := range 50 {
		list = append(list, arrival{uint16(n), uint32(n * 960), []redFrame{{0, frame(n)}}, time.Duration(n) * 20 * time.Millisecond})
	}
	late := list[10]
	list = append(list[:10], list[11:]...)
	late.at = list[30].at
	list = append(list[:31], append([]arrival{late}, list[31:]...)...)
	if _, stats := heard(list); stats.Late != 1 || stats.Concealed != 960 {
		t.Errorf("%+v", stats)
	}
}

func TestALongOutageBeginsAnew(t *testing.T) {
	var list []arrival
	for n := range 100 {
		at := n
		if n >= 50 {
			at += 3000 // a minute
		}
		list = append(list, arrival{uint16(at), uint32(at * 960), []redFrame{{0, frame(n)}}, time.Duration(at) * 20 * time.Millisecond})
	}
	if _, stats := heard(list); stats.Concealed != 0 || stats.Played != 100*960 {
		t.Errorf("%+v", stats)
	}
}
