package video

import (
	"slices"
	"testing"
	"time"

	"github.com/veche-im/veche/sfu/bwe"
)

func camera(height, now int) Tile {
	return Tile{Height: height, Now: now, Offers: []Offer{
		{Bits: 150_000, Height: 180, Live: true}, {Bits: 500_000, Height: 360, Live: true}, {Bits: 1_500_000, Height: 720, Live: true},
	}}
}

func with(t Tile, change func(*Tile)) Tile {
	t.Offers = slices.Clone(t.Offers)
	change(&t)
	return t
}

func TestAllocate(t *testing.T) {
	screen := Tile{Screen: true, Height: 900, Now: -1, Offers: []Offer{{Bits: 1_000_000, Height: 1080, Live: true}}}
	speaker := with(camera(360, -1), func(t *Tile) { t.Speaking = true })
	small, big := camera(150, -1), camera(720, -1)
	for _, tt := range []struct {
		name   string
		budget int
		tiles  []Tile
		give   []int
	}{
		{"as high as the place and no higher", 10_000_000, []Tile{small, camera(300, -1), big}, []int{0, 1, 2}},
		{"the screen before all others", 1_250_000, []Tile{big, speaker, screen}, []int{-1, 0, 0}},
		{"then who speaks", 1_000_000, []Tile{camera(360, -1), speaker, camera(360, -1)}, []int{0, 1, 0}},
		{"then the larger", 1_100_000, []Tile{camera(300, -1), big, camera(300, -1)}, []int{0, 1, 0}},
		{"everybody something before anybody more", 700_000, []Tile{big, big, big, big}, []int{0, 0, 0, 0}},
		{"nothing fits", 100_000, []Tile{big, small}, []int{-1, -1}},
		{"one fits", 200_000, []Tile{small, big}, []int{-1, 0}},
		{"it stays while it fits just so", 1_500_000, []Tile{camera(720, 2)}, []int{2}},
		{"but comes only with room to spare", 1_600_000, []Tile{camera(720, 1)}, []int{1}},
		{"and comes then", 1_800_000, []Tile{camera(720, 1)}, []int{2}},
		{"not again soon after it was lowered", 9_000_000, []Tile{with(camera(720, 1), func(t *Tile) { t.Lowered = 97 * time.Second })}, []int{1}},
		{"but later", 9_000_000, []Tile{with(camera(720, 1), func(t *Tile) { t.Lowered = 90 * time.Second })}, []int{2}},
		{"what is sent, below what it might be", 9_000_000, []Tile{with(camera(720, -1), func(t *Tile) { t.Offers[2].Live = false })}, []int{1}},
		{"above it, if nothing else is sent", 9_000_000, []Tile{with(camera(150, -1), func(t *Tile) { t.Offers[0].Live = false })}, []int{1}},
		{"nothing is sent", 9_000_000, []Tile{with(camera(150, -1), func(t *Tile) { t.Offers = nil }), camera(150, -1)}, []int{-1, 0}},
		{"what the sender cannot is not waited for", 700_000, []Tile{with(camera(150, -1), func(t *Tile) { t.Offers[0] = Offer{Dead: true} })}, []int{1}},
		{"no tiles", 9_000_000, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			Allocate(100*time.Second, tt.budget, tt.tiles)
			var give []int
			sum := 0
			for i := range tt.tiles {
				give = append(give, tt.tiles[i].Give)
				sum += tt.tiles[i].bits(tt.tiles[i].Give)
			}
			if !slices.Equal(give, tt.give) {
				t.Errorf("gave %v, want %v", give, tt.give)
			}
			if sum > tt.budget {
				t.Errorf("gave %d of %d", sum, tt.budget)
			}
		})
	}
}

func TestAllocateSaysHowMuchMoreWouldBeUsed(t *testing.T) {
	tiles := []Tile{camera(720, -1), camera(150, -1)}
	if more := Allocate(0, 400_000, tiles); more != 1_350_000 {
		t.Errorf("%d more", more)
	}
	if more := Allocate(0, 9_000_000, tiles); more != 0 {
		t.Errorf("%d more than all", more)
	}
}

func TestAllocateDoesNotFlap(t *testing.T) {
	tiles := []Tile{camera(720, -1), camera(720, -1)}
	changes := 0
	for i := range 600 { // a minute in which the estimate goes up and down by a tenth
		budget := 1_700_000
		if i/7%2 == 0 {
			budget = 1_530_000
		}
		Allocate(time.Duration(i)*100*time.Millisecond, budget, tiles)
		for j := range tiles {
			if tiles[j].Give != tiles[j].Now {
				changes++
			}
			if tiles[j].Give < tiles[j].Now {
				tiles[j].Lowered = time.Duration(i) * 100 * time.Millisecond
			}
			tiles[j].Now = tiles[j].Give
		}
	}
	if changes > 8 {
		t.Errorf("%d changes in a minute", changes)
	}
}

func TestALayerThatNobodyWantsIsPausedAfterAWhile(t *testing.T) {
	var d Demand
	now := time.Second
	if d.Rest(now) {
		t.Error("paused before anybody could want it")
	}
	now += unwanted - time.Millisecond
	if d.Rest(now) {
		t.Error("paused too soon")
	}
	d.Want(now)
	now += unwanted - time.Millisecond
	if d.Rest(now) {
		t.Error("paused though it was wanted")
	}
	now += time.Millisecond
	if !d.Rest(now) || !d.Paused() {
		t.Error("not paused")
	}
	if d.Rest(now) {
		t.Error("paused twice")
	}
	if d.Late(now + time.Hour) {
		t.Error("late though it was told to pause")
	}
	if !d.Want(now) || d.Paused() || d.Want(now) {
		t.Error("not woken, or twice")
	}
	if d.Late(now+patience) || !d.Late(now+patience+1) {
		t.Error("late too soon or never")
	}
}

// TestViewerShowsSomething sends two cameras with three layers through a viewer
// whose path gets worse and better.
func TestViewerShowsSomething(t *testing.T) {
	v := NewViewer(bwe.New(bwe.Config{Start: 5_000_000}))
	sources := []*Source{NewSource(VP8, 3, false), NewSource(VP8, 3, false)}
	for i, s := range sources {
		p := v.Add(uint32(i+1), uint32(i+11), 1, 1, 1)
		v.View(p, s, 720)
	}
	now := time.Second
	var seq uint16
	sent := map[*Place]int{}
	run := func(d time.Duration) {
		clear(sent)
		for end := now + d; now < end; now += 50 * time.Millisecond {
			seq++
			for _, s := range sources {
				for i, l := range s.Layers {
					if l.Demand.Paused() || l.Demand.Rest(now) {
						continue
					}
					a, _ := l.Receive(now, packet(seq, uint32(now/11111), seq, l.Asks.Due(now), true, []int{900, 3000, 9000}[i]/8))
					for _, p := range v.Places {
						if _, ok := p.Slot.Forward(l, &a); ok {
							sent[p]++
						}
					}
				}
			}
			v.Allocate(now)
		}
	}
	given := func() []int { return []int{v.Places[0].Given(), v.Places[1].Given()} }
	run(3 * time.Second)
	if got := given(); !slices.Equal(got, []int{2, 2}) {
		t.Errorf("with all the room the layers are %v", got)
	}
	for _, l := range sources[0].Layers[:2] {
		if !l.Demand.Paused() {
			t.Error("a layer that nobody looks at is not paused")
		}
	}
	path := v.Path
	v.Path = bwe.New(bwe.Config{Start: 60_000})
	run(3 * time.Second)
	if got := given(); !slices.Equal(got, []int{0, 0}) {
		t.Errorf("with little room the layers are %v", got)
	}
	for _, p := range v.Places {
		if sent[p] < 50 {
			t.Errorf("%d frames left of 60", sent[p])
		}
	}
	if !v.Short() {
		t.Error("nothing more is wanted")
	}
	v.Path = path
	run(raiseAfter + 3*time.Second)
	if got := given(); !slices.Equal(got, []int{2, 2}) {
		t.Errorf("with room again the layers are %v", got)
	}
	v.View(v.Places[0], nil, 0)
	v.Forget(sources[1])
	run(3 * time.Second)
	if len(sent) != 0 {
		t.Errorf("something is sent to places that show nothing: %v", sent)
	}
	for _, s := range sources {
		for i, l := range s.Layers {
			if !l.Demand.Paused() {
				t.Errorf("layer %d goes on though nobody looks", i)
			}
		}
	}
}

func TestAFloodOfRequestsForLostPacketsIsBounded(t *testing.T) {
	v := NewViewer(bwe.New(bwe.Config{Start: 1_000_000}))
	s := NewSource(VP8, 1, false)
	v.View(v.Add(1, 2, 0, 0, 0), s, 720)
	now := time.Second
	var seqs []uint16
	for i := range 500 {
		a, _ := s.Layers[0].Receive(now, packet(uint16(i), 0, 0, i == 0, true, 1000))
		if i == 0 {
			v.Allocate(now)
		}
		if o, ok := v.Places[0].Slot.Forward(s.Layers[0], &a); ok {
			seqs = append(seqs, uint16(o.Index))
		}
	}
	if len(seqs) != 500 {
		t.Fatalf("%d packets left", len(seqs))
	}
	n := 0
	for range 1000 {
		now += time.Millisecond
		n += len(v.Lost(now, 1, seqs, nil))
	}
	if n == 0 || n > 100 {
		t.Errorf("%d packets are sent again in a second at 1 Mbit/s", n)
	}
	if got := v.Lost(now, 7, seqs, nil); len(got) != 0 {
		t.Error("packets of a strange SSRC are sent again")
	}
}

func TestOneReceiverCannotHaveAllOthersPayForKeyFrames(t *testing.T) {
	v := NewViewer(bwe.New(bwe.Config{}))
	s := NewSource(VP8, 1, false)
	p := v.Add(1, 2, 0, 0, 0)
	v.View(p, s, 720)
	p.Slot.Show(s.Layers[0])
	now, asked := time.Second, 0
	for range 20_000 { // 20 s
		now += time.Millisecond
		if v.KeyFrame(now, 1) != nil {
			asked++
		}
	}
	if asked < 20 || asked > 20+wishBurst {
		t.Errorf("%d key frames in 20 s", asked)
	}
	if v.KeyFrame(now+time.Minute, 9) != nil {
		t.Error("a strange SSRC has a key frame")
	}
}
