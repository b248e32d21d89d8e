package call

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// maxJoin is the largest join number; calls.md#keys.
const maxJoin = 1<<13 - 1

// A participant of whom nothing is heard is out after lostAlone if its
// connection is gone too, after lostTime in any case.
const (
	lostAlone  = 15 * time.Second
	lostTime   = 30 * time.Second
	watchEvery = time.Second
)

// participant is a device in a call. Its fields belong to Calls.mu.
type participant struct {
	cs      *Calls
	call    *call
	number  uint32
	account wire.AccountID
	device  wire.DeviceID
	at      wire.Millis
	ready   bool // connected to the forwarder; others see it
	gone    bool
	away    bool
	silent  time.Time // since when nothing was heard of its media, zero if something is
	watch   *time.Timer
	state   wire.Sealed
	mids    map[string]bool // slots in which it wants to see something
	heard   []uint32        // speakers, as told
}

func (p *participant) describe() wire.CallParticipant {
	return wire.CallParticipant{Number: p.number, Account: p.account, Device: p.device, Joined: p.at, Away: p.away, State: p.state}
}

// Join makes the actor's device a participant, instead of a former one of the
// same device. Local is where its connection reached the server.
func (cs *Calls) Join(ctx context.Context, a authz.Actor, local netip.Addr, j wire.JoinCall) (res wire.CallJoined, err error) {
	room, err := cs.roomOf(j.Call)
	switch {
	case err != nil:
		return res, err
	case j.Join > maxJoin:
		return res, wire.Refuse(wire.BadRequest, "join number %d of at most %d", j.Join, maxJoin)
	case len(j.Offer) > wire.MaxSDP:
		return res, wire.Refuse(wire.TooLarge, "an offer has at most %d bytes", wire.MaxSDP)
	}
	if err := cs.allow(a.Device, toJoin); err != nil {
		return res, err
	}
	// The place is taken before the right to it is looked up: who is taken out of
	// the room from now on is taken out of it too.
	p, err := cs.reserve(j.Call, a)
	if err != nil {
		return res, err
	}
	defer func() {
		if err != nil {
			cs.lock()
			defer cs.unlock()
			cs.out(p.call, p, "")
		}
	}()
	err = cs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		_, err := cs.enter(tx, a, authz.CallJoin, room, true)
		return err
	})
	if err != nil {
		return res, err
	}
	answer, err := cs.cfg.Media.Join(ctx, Joining{
		Call: j.Call, Number: p.number, Account: a.Account, Offer: j.Offer, Local: local, Listener: p,
	})
	if err != nil {
		return res, refusal(err)
	}
	owners, err := cs.ownersIfKnocked(ctx, p.call)
	if err != nil {
		cs.cfg.Media.Leave(j.Call, p.number)
		return res, err
	}
	cs.lock()
	defer cs.unlock()
	if p.gone { // meanwhile
		cs.later = append(cs.later, func() { cs.cfg.Media.Leave(j.Call, p.number) })
		return res, authz.ErrDenied
	}
	cs.come(p)
	if slices.Contains(owners, a.Account) {
		for account := range p.call.knocking {
			hub.Tell(cs.cfg.Hub, hub.Device(a.Account, a.Device), wire.OnCallKnock, wire.CallKnock{Call: j.Call, Account: account})
		}
	}
	return wire.CallJoined{Number: p.number, Answer: answer.SDP, Turn: answer.Turn, Call: p.call.describe(len(p.call.people))}, nil
}

func refusal(err error) error {
	switch {
	case errors.Is(err, ErrOffer):
		return wire.Refuse(wire.BadRequest, "%v", err)
	case errors.Is(err, ErrFull):
		return wire.Refuse(wire.NoSpace, "%v", err)
	case errors.Is(err, ErrGone):
		return authz.ErrDenied
	}
	return fmt.Errorf("connect a participant: %w", err)
}

// reserve takes a place in a call, which nobody sees yet.
func (cs *Calls) reserve(id wire.CallID, a authz.Actor) (*participant, error) {
	cs.lock()
	defer cs.unlock()
	c := cs.byID[id]
	switch {
	case c == nil || c.removed[a.Account]:
		return nil, authz.ErrDenied
	case len(c.people) >= cs.cfg.Size && c.devices[a.Device] == nil:
		return nil, wire.Refuse(wire.NoSpace, "a call has at most %d participants", cs.cfg.Size)
	case c.last-c.base() == 1<<startsShift-1:
		return nil, wire.Refuse(wire.NoSpace, "start another call")
	}
	c.last++
	p := &participant{cs: cs, call: c, number: c.last, account: a.Account, device: a.Device, mids: map[string]bool{}}
	c.people = append(c.people, p)
	return p, nil
}

// come makes a place visible: the device takes part, and in no other call any more.
func (cs *Calls) come(p *participant) {
	c := p.call
	for _, o := range cs.byID {
		if was := o.devices[p.device]; was != nil && o != c {
			cs.out(o, was, wire.GoneReplaced)
		}
	}
	if was := c.devices[p.device]; was != nil {
		cs.out(c, was, wire.GoneReplaced)
	}
	p.ready, p.at, c.ever = true, wire.Now(cs.cfg.Now()), true
	c.ready++
	c.devices[p.device] = p
	cs.busy[p.account]++
	stop(c.empty)
	delete(c.knocking, p.account)
	if r := c.rings[p.account]; r != nil {
		cs.endRing(c, r, wire.RingAnswered)
	}
	c.joined = append(c.joined, p)
	cs.changed(c)
}

// out takes a participant, or a place that nobody sees yet, out of its call. Why
// is told to its device, unless empty.
func (cs *Calls) out(c *call, p *participant, why wire.CallGoneReason) {
	if p.gone {
		return
	}
	p.gone = true
	stop(p.watch)
	c.people = slices.DeleteFunc(c.people, func(o *participant) bool { return o == p })
	if !p.ready {
		cs.lookEmpty(c)
		return
	}
	cs.later = append(cs.later, func() { cs.cfg.Media.Leave(c.id, p.number) })
	c.ready--
	if c.devices[p.device] == p {
		delete(c.devices, p.device)
	}
	if cs.busy[p.account]--; cs.busy[p.account] == 0 {
		delete(cs.busy, p.account)
	}
	if why != "" {
		hub.Tell(cs.cfg.Hub, hub.Device(p.account, p.device), wire.OnCallGone, wire.CallGone{Call: c.id, Number: p.number, Why: why})
	}
	c.joined = slices.DeleteFunc(c.joined, func(o *participant) bool { return o == p })
	c.left = append(c.left, p.number)
	if c.ended {
		return
	}
	if why != wire.GoneReplaced {
		for _, r := range c.rings {
			if r.device == p.device {
				cs.endRing(c, r, wire.RingCancelled)
			}
		}
	}
	cs.changed(c)
	cs.lookEmpty(c)
}

// lookEmpty ends a call that the last participant has left. One in which nobody
// was yet has its minute.
func (cs *Calls) lookEmpty(c *call) {
	if len(c.people) == 0 && c.ever {
		cs.end(c)
	}
}

// take returns the participant that the actor's device is.
func (cs *Calls) take(a authz.Actor, id wire.CallID) (*participant, error) {
	if !cs.On() {
		return nil, errOff
	}
	c := cs.byID[id]
	var p *participant
	if c != nil {
		p = c.devices[a.Device]
	}
	if err := authz.Check(a, authz.CallTake, authz.CallOf(p != nil)); err != nil {
		return nil, err
	}
	return p, nil
}

// Leave takes the actor's device out. Who started a call and leaves before
// anybody came ends it.
func (cs *Calls) Leave(_ context.Context, a authz.Actor, id wire.CallID) error {
	cs.lock()
	defer cs.unlock()
	if c := cs.byID[id]; c != nil && len(c.people) == 0 && c.device == a.Device && authz.Can(a, authz.CallTake, authz.CallOf(true)) {
		cs.end(c)
		return nil
	}
	p, err := cs.take(a, id)
	if err != nil {
		return err
	}
	cs.out(p.call, p, "")
	return nil
}

// Offer answers a further offer of a participant.
func (cs *Calls) Offer(ctx context.Context, a authz.Actor, o wire.OfferCall) (res wire.CallAnswer, err error) {
	if len(o.Offer) > wire.MaxSDP {
		return res, wire.Refuse(wire.TooLarge, "an offer has at most %d bytes", wire.MaxSDP)
	}
	cs.lock()
	p, err := cs.take(a, o.Call)
	cs.unlock()
	if err != nil {
		return res, err
	}
	if err := cs.allow(a.Device, toOffer); err != nil {
		return res, err
	}
	if res.Answer, err = cs.cfg.Media.Offer(ctx, o.Call, p.number, o.Offer); err != nil {
		return res, refusal(err)
	}
	return res, nil
}

// View notes what a participant shows. Slots that it does not name are empty.
func (cs *Calls) View(_ context.Context, a authz.Actor, v wire.ViewCall) error {
	if len(v.Views) > wire.MaxCallViews {
		return wire.Refuse(wire.TooLarge, "at most %d views", wire.MaxCallViews)
	}
	for _, w := range v.Views {
		if len(w.Mid) > 16 || w.Height < 0 || w.Source != wire.Camera && w.Source != wire.Screen {
			return wire.Refuse(wire.BadRequest, "no such view")
		}
	}
	if err := cs.allow(a.Device, toView); err != nil {
		return err
	}
	cs.lock()
	defer cs.unlock()
	p, err := cs.take(a, v.Call)
	if err != nil {
		return err
	}
	views, now := v.Views, make(map[string]bool, len(v.Views))
	for _, w := range v.Views {
		now[w.Mid] = true
	}
	for mid := range p.mids {
		if !now[mid] {
			views = append(views, wire.CallView{Mid: mid, Source: wire.Camera})
		}
	}
	p.mids = now
	number := p.number
	cs.later = append(cs.later, func() { cs.cfg.Media.View(v.Call, number, views) })
	return nil
}
