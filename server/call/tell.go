package call

import (
	"time"

	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// pace keeps something from being told too often: the first at once, what comes
// soon after it together, later.
type pace struct {
	told  time.Time
	timer *time.Timer // runs while something waits
}

// at runs tell now, or at the end of every since it last ran.
func (cs *Calls) at(p *pace, every time.Duration, tell func()) {
	if p.timer != nil {
		return
	}
	wait := every - cs.cfg.Now().Sub(p.told)
	if wait <= 0 || wait > every { // the latter: the clock was set back
		p.told = cs.cfg.Now()
		tell()
		return
	}
	p.timer = cs.after(wait, func() {
		p.timer = nil
		p.told = cs.cfg.Now()
		tell()
	})
}

// changed tells who came and who went: to participants at once, or a moment
// later together with others; to the room's other devices at most once a second.
func (cs *Calls) changed(c *call) {
	if c.ended {
		return
	}
	cs.at(&c.delta, deltaEvery, func() { cs.tellPeople(c) })
	cs.at(&c.brief, briefEvery, func() {
		if !c.ended {
			hub.Tell(cs.cfg.Hub, hub.Room(c.room), wire.OnCall, c.describe(wire.MaxCallBrief))
		}
	})
}

func (cs *Calls) tellPeople(c *call) {
	if c.ended {
		return
	}
	c.version++
	change := wire.CallPeople{Call: c.id, Version: c.version, Left: c.left}
	for _, p := range c.joined {
		change.Joined = append(change.Joined, p.describe())
	}
	c.joined, c.left = nil, nil
	hub.TellAll(cs.cfg.Hub, c.audience(nil), wire.OnCallPeople, change)
}

// audience is the devices that take part, but one.
func (c *call) audience(but *participant) []hub.Audience {
	list := make([]hub.Audience, 0, len(c.people))
	for _, p := range c.people {
		if p.ready && p != but {
			list = append(list, hub.Device(p.account, p.device))
		}
	}
	return list
}
