package video

import (
	"sync"
	"time"

	"github.com/veche-im/veche/sfu/bwe"
)

const (
	// share is the part of a path that video may take; the rest is for sound and
	// for sending again what was lost.
	share = 0.9

	// againPart is the part of a path that packets sent again may take, and
	// againLeast the rate that they always have: who asks for everything twice
	// harms nobody but itself.
	againPart  = 0.5
	againLeast = 200_000
	againBurst = 250 * time.Millisecond

	// wishEvery is how often a receiver may ask for a key frame on average, and
	// wishBurst how many of them in a row: everybody pays for it who sees the same
	// layer.
	wishEvery = time.Second
	wishBurst = 8
)

// A Place is a slot at a receiver and what is to be seen there.
type Place struct {
	Slot   *Slot
	SSRC   uint32
	Repair uint32 // SSRC of packets sent again; 0 if the receiver takes none
	Source *Source
	Height int

	given   int // layer, -1 for none
	lowered time.Duration
	repairs uint64 // index of the next packet under Repair
}

// Given is the layer that the place has, -1 for none: it is paused, unless its
// source sends nothing at all.
func (p *Place) Given() int { return p.given }

// NextRepair numbers a packet that is sent under Repair.
func (p *Place) NextRepair() uint64 {
	p.repairs++
	return p.repairs - 1
}

// A Viewer is a receiver of video: its places, and what its path carries. Lock it
// before using anything of it.
type Viewer struct {
	sync.Mutex
	Places []*Place
	Path   *bwe.Estimator

	more   int           // bits per second that would be used beyond what Path carries
	tokens float64       // bytes that may be sent again
	filled time.Duration // when tokens was
	wished time.Duration // when the last key frame may be asked for, if they are asked for one by one
	tiles  []Tile        // as many as Places: most participants of a call have none
	offers [][Layers]Offer
}

// NewViewer returns a Viewer without places.
func NewViewer(path *bwe.Estimator) *Viewer { return &Viewer{Path: path} }

// Add makes one more place; beyond 64 they stay empty. first and stamp are where its stream begins, repair the
// same for packets sent again: random numbers.
func (v *Viewer) Add(ssrc, repair uint32, first, firstRepair uint16, stamp uint32) *Place {
	p := &Place{Slot: NewSlot(first, stamp), SSRC: ssrc, Repair: repair, given: -1, repairs: uint64(firstRepair & 0x7fff)}
	v.Places = append(v.Places, p)
	v.tiles, v.offers = append(v.tiles, Tile{}), append(v.offers, [Layers]Offer{})
	return p
}

// View says what place p is to show and how high it is in pixels; nil for nothing.
// It takes effect with the next Allocate.
func (v *Viewer) View(p *Place, s *Source, height int) {
	if p.Source != s {
		p.Slot.Show(nil)
		p.given, p.lowered = -1, 0
	}
	p.Source, p.Height = s, height
}

// Forget drops all of a source that is gone.
func (v *Viewer) Forget(s *Source) (changed bool) {
	for _, p := range v.Places {
		p.Slot.Forget(s)
		if p.Source == s {
			p.Source, p.given = nil, -1
			changed = true
		}
	}
	return changed
}

// Allocate divides what the path carries among the places, and says so to their
// layers. changed is true if a place has another layer than before; woken if a
// layer that its sender was told to pause is wanted again. To be called every
// 100 ms, and when views change.
func (v *Viewer) Allocate(now time.Duration) (changed, woken bool) {
	for i, p := range v.Places {
		v.tiles[i] = p.tile(now, &v.offers[i])
	}
	v.more = Allocate(now, int(share*float64(v.Path.Target())), v.tiles)
	for i, p := range v.Places {
		t := &v.tiles[i]
		if t.Give != p.given {
			changed = true
			if t.Give < p.given {
				p.lowered = now
			}
			p.given = t.Give
		}
		if p.Source == nil {
			continue
		}
		woken = p.want(now, t) || woken
		if t.Give < 0 {
			p.Slot.Show(nil)
			continue
		}
		p.Slot.Show(p.Source.Layers[t.Give])
		if p.Slot.Waits() {
			p.Slot.Wanted().Asks.Want()
		}
	}
	return changed, woken
}

// tile describes p to Allocate.
func (p *Place) tile(now time.Duration, offers *[Layers]Offer) Tile {
	t := Tile{Height: p.Height, Now: p.given, Lowered: p.lowered}
	if p.Source == nil {
		return t
	}
	t.Screen, t.Speaking = p.Source.Screen, p.Source.Speaking.Load()
	n := min(len(p.Source.Layers), Layers)
	for i, l := range p.Source.Layers[:n] {
		live := l.Pulse.Flows(now) && !l.Demand.Paused()
		offers[i] = Offer{Bits: l.Pulse.Rate(), Height: l.Pulse.Height(), Live: live, Dead: !live && l.Demand.Late(now)}
	}
	t.Offers = offers[:n]
	return t
}

// want says to the layers which of them this place would like to have. Those that
// do not come stay wanted: they may.
func (p *Place) want(now time.Duration, t *Tile) (woken bool) {
	for i, l := range p.Source.Layers {
		if i == t.Ask || i == t.Give || i < len(t.Offers) && t.Offers[i].Dead {
			woken = l.Demand.Want(now) || woken
		}
	}
	if t.Ask < 0 && len(p.Source.Layers) > 0 { // nothing fits now; the smallest must be there when it does
		woken = p.Source.Layers[0].Demand.Want(now) || woken
	}
	return woken
}

// Padding is how many bytes of padding are to leave now, to find out if more would
// fit. To be called every 10 ms or so while it may be more than 0.
func (v *Viewer) Padding(now time.Duration) int {
	if v.more == 0 {
		return 0
	}
	have := v.Path.Target()
	return v.Path.Padding(now, have+int(float64(v.more)*raiseAt/share)+50_000)
}

// Short says whether more would be used than fits.
func (v *Viewer) Short() bool { return v.more > 0 }

// place finds the place that sends under ssrc.
func (v *Viewer) place(ssrc uint32) *Place {
	for _, p := range v.Places {
		if p.SSRC == ssrc {
			return p
		}
	}
	return nil
}

// KeyFrame asks for a key frame of what leaves under ssrc: a receiver cannot go
// on. It returns the layer to ask, nil if there is none or it was asked too often.
func (v *Viewer) KeyFrame(now time.Duration, ssrc uint32) *Layer {
	p := v.place(ssrc)
	if p == nil || v.wished-now > (wishBurst-1)*wishEvery {
		return nil
	}
	v.wished = max(v.wished, now) + wishEvery
	l := p.Slot.Wanted()
	if l == nil {
		l = p.Slot.Shown()
	}
	if l != nil {
		l.Asks.Want()
	}
	return l
}

// An Again is a packet that a receiver asks for: Place sends it under Repair.
type Again struct {
	Place *Place
	Seq   uint16 // as it left
	Layer *Layer
	In    int64 // as it came
}

// Lost says which packets a receiver lost of what left under ssrc, and appends
// those that may be sent again. Fetch each from its layer, without the lock, and
// hand it to Place.Slot.Again.
func (v *Viewer) Lost(now time.Duration, ssrc uint32, seqs []uint16, to []Again) []Again {
	p := v.place(ssrc)
	if p == nil || p.Repair == 0 {
		return to
	}
	rate := max(againPart*float64(v.Path.Target()), againLeast) / 8
	v.tokens = min(v.tokens+rate*(now-v.filled).Seconds(), rate*againBurst.Seconds()+10_000)
	v.filled = now
	for _, seq := range seqs {
		l, in, ok := p.Slot.Find(seq)
		if !ok {
			continue
		}
		if v.tokens < 0 {
			break
		}
		v.tokens -= 1100
		to = append(to, Again{p, seq, l, in})
	}
	return to
}
