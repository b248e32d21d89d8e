package call

import (
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/wire"
)

var sources = map[wire.Source]api.Source{
	wire.Microphone: api.Microphone, wire.Camera: api.Camera, wire.Screen: api.Screen, wire.ScreenSound: api.ScreenSound,
}

// sourceOf is the reverse of sources; ok is false for a word that is none.
func sourceOf(s api.Source) (wire.Source, bool) {
	for w, word := range sources {
		if word == s {
			return w, true
		}
	}
	return 0, false
}

// What the forwarder tells this device of its media goes on to front ends as it
// is, while the device is in the call. Whose a frame is stands in the frame.

func (c *Calls) slots(s wire.CallSlots) error {
	if _, _, err := c.partOf(s.Call); err != nil {
		return nil
	}
	out := api.CallSlots{Call: s.Call, Slots: []api.CallSlot{}}
	for _, o := range s.Slots {
		out.Slots = append(out.Slots, api.CallSlot{Mid: o.Mid, Number: int(o.Number), Source: sources[o.Source], Layer: o.Layer, Paused: o.Paused})
	}
	feed.Say(c.cfg.Feed, api.OnCallSlots, s.Call.String(), out)
	return nil
}

func (c *Calls) speakers(s wire.CallSpeakers) error {
	if _, _, err := c.partOf(s.Call); err != nil {
		return nil
	}
	out := api.CallSpeakers{Call: s.Call, Numbers: []int{}}
	for _, n := range s.Numbers {
		out.Numbers = append(out.Numbers, int(n))
	}
	feed.Say(c.cfg.Feed, api.OnCallSpeakers, s.Call.String(), out)
	return nil
}

func (c *Calls) quality(q wire.CallQuality) error {
	if _, _, err := c.partOf(q.Call); err != nil {
		return nil
	}
	feed.Say(c.cfg.Feed, api.OnCallQuality, q.Call.String(), api.CallQuality{
		Call: q.Call, LossUp: q.LossUp, LossDown: q.LossDown, RTT: q.RTT, Down: q.Down, Path: q.Path,
	})
	return nil
}

func (c *Calls) pause(p wire.CallPause) error {
	if _, _, err := c.partOf(p.Call); err != nil {
		return nil
	}
	out := api.CallPause{Call: p.Call, Layers: []api.CallLayer{}}
	for _, l := range p.Layers {
		out.Layers = append(out.Layers, api.CallLayer{Source: sources[l.Source], RID: l.RID})
	}
	feed.Say(c.cfg.Feed, api.OnCallPause, p.Call.String(), out)
	return nil
}
