package call

import (
	"context"
	"slices"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// ring asks an account to answer. Its fields belong to Calls.mu.
type ring struct {
	account wire.AccountID
	by      wire.AccountID
	device  wire.DeviceID // of by
	until   time.Time
	took    bool // some device rings
	timer   *time.Timer
}

// Ring has the devices of people ring: of those named, or of all members who are
// not in. Who started the call may ring before it takes part.
func (cs *Calls) Ring(ctx context.Context, a authz.Actor, p wire.RingCall) error {
	if len(p.Accounts) > wire.MaxRing {
		return wire.Refuse(wire.TooLarge, "at most %d people", wire.MaxRing)
	}
	room, err := cs.roomOf(p.Call)
	if err != nil {
		return err
	}
	if err := cs.allow(a.Device, toRing); err != nil {
		return err
	}
	var members []wire.AccountID
	err = cs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		if _, err := cs.enter(tx, a, authz.CallRead, room, false); err != nil {
			return err
		}
		members, err = cs.cfg.Rooms.Members(tx, room)
		return err
	})
	if err != nil {
		return err
	}
	for _, account := range p.Accounts {
		if !slices.Contains(members, account) {
			return authz.ErrDenied
		}
	}
	var owners []wire.AccountID // asked only where it matters
	if cs.anyRemoved(p.Call, p.Accounts) {
		if owners, err = cs.cfg.Rooms.Owners(ctx, room); err != nil {
			return err
		}
	}
	cs.lock()
	defer cs.unlock()
	c := cs.byID[p.Call]
	in := c != nil && (c.devices[a.Device] != nil || c.device == a.Device)
	if err := authz.Check(a, authz.CallTake, authz.CallOf(in)); err != nil {
		return err
	}
	accounts := p.Accounts
	if len(accounts) == 0 {
		accounts = members
	}
	n := 0
	for _, account := range accounts {
		if n == wire.MaxRing {
			break
		}
		if c.removed[account] {
			if len(p.Accounts) == 0 || !slices.Contains(owners, a.Account) {
				continue
			}
			delete(c.removed, account) // an owner wants them back
		}
		if account != a.Account && c.has(account) == nil {
			cs.ring(c, account, a)
			n++
		}
	}
	return nil
}

func (cs *Calls) anyRemoved(id wire.CallID, accounts []wire.AccountID) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[id]
	return c != nil && slices.ContainsFunc(accounts, func(a wire.AccountID) bool { return c.removed[a] })
}

// has returns a participant of an account, nil if none is in.
func (c *call) has(account wire.AccountID) *participant {
	for _, p := range c.people {
		if p.ready && p.account == account {
			return p
		}
	}
	return nil
}

func (cs *Calls) ring(c *call, account wire.AccountID, by authz.Actor) {
	if c.rings[account] != nil {
		return
	}
	if cs.busy[account] > 0 {
		cs.tellAnswer(c, by.Device, by.Account, account, wire.RingBusy)
		return
	}
	r := &ring{account: account, by: by.Account, device: by.Device, until: cs.cfg.Now().Add(ringTime)}
	c.rings[account] = r
	r.timer = cs.after(ringTime, func() {
		if c.rings[account] == r {
			cs.endRing(c, r, wire.RingExpired)
		}
	})
	cs.tellRing(c, r, hub.Account(account))
}

// tellRing has devices ring, and says so when the first does.
func (cs *Calls) tellRing(c *call, r *ring, to hub.Audience) {
	n := hub.Tell(cs.cfg.Hub, to, wire.OnRing, wire.Ring{Call: c.id, Room: c.room, By: r.by, Video: c.video, Until: wire.Now(r.until)})
	if n > 0 && !r.took {
		r.took = true
		cs.tellAnswer(c, r.device, r.by, r.account, wire.RingRinging)
	}
}

// tellAnswer says to participants, and to who rang before it was one, how
// somebody stands.
func (cs *Calls) tellAnswer(c *call, device wire.DeviceID, by, account wire.AccountID, how wire.RingState) {
	to := c.audience(nil)
	if c.devices[device] == nil {
		to = append(to, hub.Device(by, device))
	}
	hub.TellAll(cs.cfg.Hub, to, wire.OnRingAnswer, wire.RingAnswer{Call: c.id, Account: account, How: how})
}

// endRing has it ring no more.
func (cs *Calls) endRing(c *call, r *ring, why wire.RingEndReason) {
	stop(r.timer)
	delete(c.rings, r.account)
	hub.Tell(cs.cfg.Hub, hub.Account(r.account), wire.OnRingEnd, wire.RingEnd{Call: c.id, Why: why})
	if why == wire.RingExpired {
		cs.tellAnswer(c, r.device, r.by, r.account, wire.RingNone)
	}
}

// Decline ends the ring on all devices of the account.
func (cs *Calls) Decline(ctx context.Context, a authz.Actor, p wire.DeclineCall) error {
	room, err := cs.roomOf(p.Call)
	if err != nil {
		return err
	}
	err = cs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		_, err := cs.enter(tx, a, authz.CallReply, room, false)
		return err
	})
	if err != nil {
		return err
	}
	cs.lock()
	defer cs.unlock()
	c := cs.byID[p.Call]
	if c == nil || c.rings[a.Account] == nil {
		return nil // it rings no more: what was wanted
	}
	r := c.rings[a.Account]
	cs.endRing(c, r, wire.RingDeclined)
	how := wire.RingRefused
	if p.Busy {
		how = wire.RingBusy
	}
	cs.tellAnswer(c, r.device, r.by, a.Account, how)
	return nil
}
