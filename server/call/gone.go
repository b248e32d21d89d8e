package call

import (
	"slices"

	"github.com/veche-im/veche/wire"
)

// Left hears from rooms that an account is no longer a member, or, with a device,
// that this one has no leaf any more: it is out of the room's call.
func (cs *Calls) Left(room wire.RoomID, account wire.AccountID, device wire.DeviceID) {
	cs.lock()
	defer cs.unlock()
	c := cs.byRoom[room]
	if c == nil || cs.closed {
		return
	}
	if r := c.rings[account]; r != nil && device.IsZero() {
		cs.endRing(c, r, wire.RingCancelled)
	}
	cs.remove(c, func(p *participant) bool {
		return p.account == account && (device.IsZero() || p.device == device)
	})
}

// SessionOver hears from the hub that a device's session has ended: it is out of
// every call.
func (cs *Calls) SessionOver(account wire.AccountID, device wire.DeviceID) {
	cs.lock()
	defer cs.unlock()
	if cs.closed {
		return
	}
	calls := make([]*call, 0, len(cs.byID))
	for _, c := range cs.byID {
		calls = append(calls, c)
	}
	for _, c := range calls {
		if slices.ContainsFunc(c.people, func(p *participant) bool { return p.device == device }) {
			cs.remove(c, func(p *participant) bool { return p.account == account && p.device == device })
		}
	}
	if id, ok := cs.tests[device]; ok {
		delete(cs.tests, device)
		cs.later = append(cs.later, func() { cs.cfg.Media.Leave(id, 1) })
	}
}
