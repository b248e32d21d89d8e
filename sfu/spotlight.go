package sfu

// A spotlight is on who speaks: their camera comes before those of others. It moves
// to another only when that one was the loudest for a while.
type spotlight struct {
	on, next uint32 // participants, 0 for none
	turns    int    // for which next was the loudest
}

const (
	spotTurns = 3  // of levelEvery
	spotLevel = 60 // -dBov: who is not louder does not speak
)

// spot moves the spotlight by the newest levels.
func (c *call) spot(levels []Level) {
	loudest := Level{Level: spotLevel}
	for _, l := range levels {
		if l.Level < loudest.Level {
			loudest = l
		}
	}
	l := &c.light
	switch who := loudest.Participant; {
	case who == 0 || who == l.on:
		l.turns = 0
	case who != l.next:
		l.next, l.turns = who, 1
	default:
		l.turns++
	}
	if l.turns < spotTurns {
		return
	}
	c.shine(l.on, false)
	c.shine(l.next, true)
	l.on, l.turns = l.next, 0
}

func (c *call) shine(on uint32, speaks bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.participants[on]; p != nil {
		for _, t := range p.plan.tracks {
			if t.pictures != nil {
				t.pictures.Speaking.Store(speaks)
			}
		}
	}
}
