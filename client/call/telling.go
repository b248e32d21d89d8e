package call

import (
	"context"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

// isIn reports whether this device is in a call: what is told of one's own
// connection is for front ends of calls that one is in.
func (c *Calls) isIn(id wire.CallID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live[id] != nil && c.live[id].own != nil
}

// Slots takes who is in which slot.
func (c *Calls) Slots(_ context.Context, s wire.CallSlots) error {
	if !c.isIn(s.Call) {
		return nil
	}
	out := api.CallSlots{Call: s.Call, Slots: []api.CallSlot{}}
	for _, slot := range s.Slots {
		if source, ok := sourceOf(slot.Source); ok {
			out.Slots = append(out.Slots, api.CallSlot{Mid: slot.Mid, Number: int(slot.Number), Source: source, Layer: slot.Layer, Paused: slot.Paused})
		}
	}
	tell(c, api.OnCallSlots, out)
	return nil
}

// Speakers takes who is heard.
func (c *Calls) Speakers(_ context.Context, s wire.CallSpeakers) error {
	if !c.isIn(s.Call) {
		return nil
	}
	out := api.CallSpeakers{Call: s.Call, Numbers: []int{}}
	for _, n := range s.Numbers {
		out.Numbers = append(out.Numbers, int(n))
	}
	tell(c, api.OnCallSpeakers, out)
	return nil
}

// Quality takes how one's own network does.
func (c *Calls) Quality(_ context.Context, q wire.CallQuality) error {
	if c.isIn(q.Call) {
		tell(c, api.OnCallQuality, api.CallQuality(q))
	}
	return nil
}

// Pause takes which layers anybody looks at.
func (c *Calls) Pause(_ context.Context, p wire.CallPause) error {
	if !c.isIn(p.Call) {
		return nil
	}
	out := api.CallPause{Call: p.Call, Layers: []api.CallLayer{}}
	for _, l := range p.Layers {
		if source, ok := sourceOf(l.Source); ok {
			out.Layers = append(out.Layers, api.CallLayer{Source: source, RID: l.RID})
		}
	}
	tell(c, api.OnCallPause, out)
	return nil
}
