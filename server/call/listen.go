package call

import (
	"slices"
	"time"

	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

var _ Listener = (*participant)(nil)

// tellOwn tells a participant's device something, unless it has left.
func tellOwn[T any](p *participant, ev wire.Event[T], of func() T) {
	p.cs.lock()
	defer p.cs.unlock()
	if !p.gone {
		hub.Tell(p.cs.cfg.Hub, hub.Device(p.account, p.device), ev, of())
	}
}

// Slots is Listener's, as are those below.
func (p *participant) Slots(slots []wire.CallSlot) {
	tellOwn(p, wire.OnCallSlots, func() wire.CallSlots { return wire.CallSlots{Call: p.call.id, Slots: slots} })
}

func (p *participant) Quality(q wire.CallQuality) {
	q.Call = p.call.id
	tellOwn(p, wire.OnCallQuality, func() wire.CallQuality { return q })
}

func (p *participant) Pause(wanted []wire.CallLayer) {
	tellOwn(p, wire.OnCallPause, func() wire.CallPause { return wire.CallPause{Call: p.call.id, Layers: wanted} })
}

func (p *participant) Levels(numbers []uint32) {
	p.cs.lock()
	defer p.cs.unlock()
	if p.gone || slices.Equal(numbers, p.heard) {
		return
	}
	p.heard = numbers
	hub.Tell(p.cs.cfg.Hub, hub.Device(p.account, p.device), wire.OnCallSpeakers, wire.CallSpeakers{Call: p.call.id, Numbers: numbers})
}

func (p *participant) Alive(alive bool) {
	cs := p.cs
	cs.lock()
	defer cs.unlock()
	if p.gone || alive == p.silent.IsZero() {
		return
	}
	stop(p.watch)
	p.away = !alive
	if alive {
		p.silent = time.Time{}
	} else {
		p.silent = cs.cfg.Now().Add(-silence)
		cs.watch(p)
	}
	if p.ready && !slices.Contains(p.call.joined, p) {
		p.call.joined = append(p.call.joined, p)
		cs.changed(p.call)
	}
}

// watch looks every second whether a participant of whom nothing is heard is
// lost.
func (cs *Calls) watch(p *participant) {
	p.watch = cs.after(watchEvery, func() {
		if p.gone || p.silent.IsZero() {
			return
		}
		quiet := cs.cfg.Now().Sub(p.silent)
		if quiet >= lostTime || quiet >= lostAlone && !cs.cfg.Hub.DeviceOnline(p.account, p.device) {
			cs.out(p.call, p, wire.GoneLost)
			return
		}
		cs.watch(p)
	})
}

func (p *participant) Gone() {
	p.cs.lock()
	defer p.cs.unlock()
	if !p.cs.closed { // else it is the forwarder that ends, with the server
		p.cs.out(p.call, p, wire.GoneLost)
	}
}
