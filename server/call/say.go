package call

import (
	"context"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// State keeps what a participant says of itself, sealed, for who comes later,
// and passes it on.
func (cs *Calls) State(_ context.Context, a authz.Actor, s wire.CallSealed) error {
	return cs.pass(a, s, toState)
}

// Say passes a sealed signal on, to all or to one.
func (cs *Calls) Say(_ context.Context, a authz.Actor, s wire.CallSealed) error {
	return cs.pass(a, s, toSay)
}

func (cs *Calls) pass(a authz.Actor, s wire.CallSealed, do what) error {
	switch {
	case len(s.Body) > wire.MaxCallSealed:
		return wire.Refuse(wire.TooLarge, "a signal has at most %d bytes", wire.MaxCallSealed)
	case len(s.Body) == 0, do == toState && s.To != 0:
		return wire.Refuse(wire.BadRequest, "no such signal")
	}
	cs.lock()
	defer cs.unlock()
	p, err := cs.take(a, s.Call)
	if err != nil {
		return err
	}
	if err := cs.allow(a.Device, do); err != nil {
		return err
	}
	to := p.call.audience(p)
	if do == toState {
		p.state = s.Body
	}
	if s.To != 0 {
		to = nil
		for _, o := range p.call.people {
			if o.number == s.To && o.ready {
				to = []hub.Audience{hub.Device(o.account, o.device)}
			}
		}
		if to == nil {
			return authz.ErrDenied
		}
	}
	hub.TellAll(cs.cfg.Hub, to, wire.OnCallSignal, wire.CallSignal{Call: s.Call, Number: p.number, Body: s.Body, State: do == toState})
	return nil
}
