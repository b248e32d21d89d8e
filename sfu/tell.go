package sfu

import (
	"fmt"
	"slices"
)

// told is what a listener has heard. It belongs to the keeper.
type told struct {
	slots  []Slot
	first  bool // slots were told once
	levels []Level
	layers []Layer
	alive  bool

	lost, expected uint64 // packets from the participant, since the last Quality
}

// slotName is the cname of audio slot i.
func slotName(i int) string { return fmt.Sprintf("slot-%d", i) }

// tellSlots says who is in which slot, if that changed.
func (p *participant) tellSlots(air []airing) {
	if p.egress.Load() == nil {
		return
	}
	slots := make([]Slot, 0, len(p.told.slots))
	for i, mid := range p.plan.audio {
		if i >= len(air) || !air[i].on || air[i].participant == p.id && !p.call.echo {
			continue
		}
		slots = append(slots, Slot{MID: mid, Participant: air[i].participant, Source: air[i].source})
	}
	slots = p.viewer.slots(slots, p.call.s.now())
	if p.told.first && slices.Equal(slots, p.told.slots) {
		return
	}
	p.told.first, p.told.slots = true, slots
	p.listener.Slots(slots)
}

// tellPauses says which layers nobody looks at, if that changed.
func (p *participant) tellPauses() {
	if p.egress.Load() == nil {
		return
	}
	layers := p.layers()
	if slices.Equal(layers, p.told.layers) {
		return
	}
	p.told.layers = layers
	p.listener.Pause(layers)
}

func (p *participant) tellLevels(levels []Level) {
	if p.egress.Load() == nil || slices.Equal(levels, p.told.levels) {
		return
	}
	p.told.levels = levels
	p.listener.Levels(levels)
}

func (p *participant) tellAlive(alive bool) {
	if alive != p.told.alive {
		p.told.alive = alive
		p.listener.Alive(alive)
	}
}

func (p *participant) tellQuality() {
	if p.egress.Load() == nil {
		return
	}
	q := Quality{Down: float64(p.down.Load()) / 65536, RTT: p.agent.RTT()}
	if p.told.expected > 0 {
		q.Up = float64(p.told.lost) / float64(p.told.expected)
	}
	p.told.lost, p.told.expected = 0, 0
	q.Rate = p.viewer.rate()
	if path, ok := p.agent.Path(); ok {
		q.Relay = path.Stream != 0
	}
	p.listener.Quality(q)
}
