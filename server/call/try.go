package call

import (
	"context"
	"net/netip"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/wire"
)

// Test connects a device to itself through the forwarder, for a minute at most,
// so that it can see which paths work.
func (cs *Calls) Test(ctx context.Context, a authz.Actor, local netip.Addr, p wire.CallTest) (res wire.CallJoined, err error) {
	switch {
	case !cs.On():
		return res, errOff
	case len(p.Offer) > wire.MaxSDP:
		return res, wire.Refuse(wire.TooLarge, "an offer has at most %d bytes", wire.MaxSDP)
	}
	if err := cs.allow(a.Device, toTest); err != nil {
		return res, err
	}
	id := wire.NewCallID()
	answer, err := cs.cfg.Media.Join(ctx, Joining{
		Call: id, Number: 1, Account: a.Account, Offer: p.Offer, Local: local, Echo: true, Listener: &test{cs, a.Device, id},
	})
	if err != nil {
		return res, refusal(err)
	}
	cs.lock()
	defer cs.unlock()
	if was, ok := cs.tests[a.Device]; ok {
		cs.later = append(cs.later, func() { cs.cfg.Media.Leave(was, 1) })
	}
	cs.tests[a.Device] = id
	cs.after(testTime, func() {
		cs.later = append(cs.later, func() { cs.cfg.Media.Leave(id, 1) })
	})
	return wire.CallJoined{Number: 1, Answer: answer.SDP, Turn: answer.Turn, Call: wire.Call{People: []wire.CallParticipant{}}}, nil
}

// test hears of an echo: that it is over is all that matters.
type test struct {
	cs     *Calls
	device wire.DeviceID
	id     wire.CallID
}

func (*test) Slots([]wire.CallSlot)    {}
func (*test) Quality(wire.CallQuality) {}
func (*test) Levels([]uint32)          {}
func (*test) Pause([]wire.CallLayer)   {}
func (*test) Alive(bool)               {}

func (t *test) Gone() {
	t.cs.lock()
	defer t.cs.unlock()
	if t.cs.tests[t.device] == t.id {
		delete(t.cs.tests, t.device)
	}
}
