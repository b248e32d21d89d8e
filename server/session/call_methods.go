package session

import (
	"context"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/call"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

type calls struct{ *call.Calls }

// CallMethods registers what devices do in calls. Package call asks authz about
// the call and the room that it found.
func CallMethods(t *Table, c *call.Calls) {
	h := calls{c}
	Writes(t, wire.CallStart, authz.CallStart, limit.Meet, h.start)
	Reads(t, wire.CallList, authz.CallList, limit.Meet, h.list)
	Reads(t, wire.CallGet, authz.CallRead, limit.Meet, h.get)
	Writes(t, wire.CallJoin, authz.CallJoin, limit.Meet, h.join)
	Writes(t, wire.CallOffer, authz.CallTake, limit.Meet, h.offer)
	Writes(t, wire.CallLeave, authz.CallTake, limit.Meet, h.leave)
	Writes(t, wire.CallViewing, authz.CallTake, limit.Meet, h.view)
	Writes(t, wire.CallState, authz.CallTake, limit.Meet, h.state)
	Writes(t, wire.CallSay, authz.CallTake, limit.Meet, h.say)
	Writes(t, wire.CallRing, authz.CallTake, limit.Meet, h.ring)
	Writes(t, wire.CallDecline, authz.CallReply, limit.Meet, h.decline)
	Writes(t, wire.CallRemove, authz.CallLead, limit.Meet, h.remove)
	Writes(t, wire.CallMakeURL, authz.CallLead, limit.Meet, h.link)
	Writes(t, wire.CallKnocks, authz.CallKnock, limit.Meet, h.knock)
	Writes(t, wire.CallRefuse, authz.CallLead, limit.Meet, h.refuse)
	Writes(t, wire.CallTry, authz.CallTest, limit.Meet, h.test)
}

func (h calls) start(ctx context.Context, a *Actor, p wire.StartCall) (wire.Call, error) {
	return h.Start(ctx, a.Actor, p)
}

func (h calls) list(ctx context.Context, a *Actor, _ wire.None) (wire.Calls, error) {
	return h.List(ctx, a.Actor)
}

func (h calls) get(ctx context.Context, a *Actor, p wire.CallRef) (wire.Call, error) {
	return h.Get(ctx, a.Actor, p.Call)
}

func (h calls) join(ctx context.Context, a *Actor, p wire.JoinCall) (wire.CallJoined, error) {
	return h.Join(ctx, a.Actor, a.Local, p)
}

func (h calls) offer(ctx context.Context, a *Actor, p wire.OfferCall) (wire.CallAnswer, error) {
	return h.Offer(ctx, a.Actor, p)
}

func (h calls) leave(ctx context.Context, a *Actor, p wire.CallRef) (none wire.None, err error) {
	return none, h.Leave(ctx, a.Actor, p.Call)
}

func (h calls) view(ctx context.Context, a *Actor, p wire.ViewCall) (none wire.None, err error) {
	return none, h.View(ctx, a.Actor, p)
}

func (h calls) state(ctx context.Context, a *Actor, p wire.CallSealed) (none wire.None, err error) {
	return none, h.State(ctx, a.Actor, p)
}

func (h calls) say(ctx context.Context, a *Actor, p wire.CallSealed) (none wire.None, err error) {
	return none, h.Say(ctx, a.Actor, p)
}

func (h calls) ring(ctx context.Context, a *Actor, p wire.RingCall) (none wire.None, err error) {
	return none, h.Ring(ctx, a.Actor, p)
}

func (h calls) decline(ctx context.Context, a *Actor, p wire.DeclineCall) (none wire.None, err error) {
	return none, h.Decline(ctx, a.Actor, p)
}

func (h calls) remove(ctx context.Context, a *Actor, p wire.CallPerson) (none wire.None, err error) {
	return none, h.Remove(ctx, a.Actor, p)
}

func (h calls) link(ctx context.Context, a *Actor, p wire.CallRef) (wire.CallLink, error) {
	return h.Link(ctx, a.Actor, p)
}

func (h calls) knock(ctx context.Context, a *Actor, p wire.KnockCall) (none wire.None, err error) {
	return none, h.Knock(ctx, a.Actor, p)
}

func (h calls) refuse(ctx context.Context, a *Actor, p wire.CallPerson) (none wire.None, err error) {
	return none, h.Refuse(ctx, a.Actor, p)
}

func (h calls) test(ctx context.Context, a *Actor, p wire.CallTest) (wire.CallJoined, error) {
	return h.Test(ctx, a.Actor, a.Local, p)
}
