package client

import (
	"context"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

func (c commands) handleCalls(m *api.Mux) {
	k := c.calls
	handle(m, api.ListCalls, c, func(ctx context.Context, _ api.None) (api.Calls, error) { return k.List(ctx) })
	handle(m, api.BeginCall, c, k.Start)
	handle(m, api.JoinCall, c, k.Join)
	handle(m, api.OfferCall, c, k.Offer)
	handleNone(m, api.LeaveCall, c, k.Leave)
	handle(m, api.GetCallKeys, c, func(ctx context.Context, p api.CallRef) (api.CallKeys, error) { return k.Keys(ctx, p.Call) })
	handleNone(m, api.ViewCall, c, k.View)
	handleNone(m, api.SetCallState, c, k.SetState)
	handleNone(m, api.ReactInCall, c, k.React)
	handleNone(m, api.MuteInCall, c, k.Mute)
	handleNone(m, api.LowerHand, c, k.LowerHand)
	handleNone(m, api.RemoveFromCall, c, k.Remove)
	handleNone(m, api.RingPeople, c, k.Ringing)
	handleNone(m, api.Decline, c, k.Decline)
	handle(m, api.MakeCallLink, c, k.Link)
	handleNone(m, api.KnockAtCall, c, k.Knock)
	handleNone(m, api.AdmitToCall, c, k.Admit)
	handleNone(m, api.RefuseKnock, c, k.RefuseKnock)
	handle(m, api.TryCall, c, k.Try)
}

// roomMoved: a room has another epoch or state, which its calls must hear of.
type roomMoved struct{ room wire.RoomID }

// callHandlers take what the server tells of calls.
var callHandlers = map[string]func(*Client, context.Context, []byte) error{
	wire.OnCall.Name:         on(func(c *Client, ctx context.Context, v wire.Call) error { return c.calls.Changed(ctx, v) }),
	wire.OnRing.Name:         on(func(c *Client, ctx context.Context, v wire.Ring) error { return c.calls.Ring(ctx, v) }),
	wire.OnRingEnd.Name:      on(func(c *Client, ctx context.Context, v wire.RingEnd) error { return c.calls.RingEnd(ctx, v) }),
	wire.OnRingAnswer.Name:   on(func(c *Client, ctx context.Context, v wire.RingAnswer) error { return c.calls.Answered(ctx, v) }),
	wire.OnCallPeople.Name:   on(func(c *Client, ctx context.Context, v wire.CallPeople) error { return c.calls.People(ctx, v) }),
	wire.OnCallSlots.Name:    on(func(c *Client, ctx context.Context, v wire.CallSlots) error { return c.calls.Slots(ctx, v) }),
	wire.OnCallSpeakers.Name: on(func(c *Client, ctx context.Context, v wire.CallSpeakers) error { return c.calls.Speakers(ctx, v) }),
	wire.OnCallQuality.Name:  on(func(c *Client, ctx context.Context, v wire.CallQuality) error { return c.calls.Quality(ctx, v) }),
	wire.OnCallPause.Name:    on(func(c *Client, ctx context.Context, v wire.CallPause) error { return c.calls.Pause(ctx, v) }),
	wire.OnCallSignal.Name:   on(func(c *Client, ctx context.Context, v wire.CallSignal) error { return c.calls.Signal(ctx, v) }),
	wire.OnCallKnock.Name:    on(func(c *Client, ctx context.Context, v wire.CallKnock) error { return c.calls.Knocked(ctx, v) }),
	wire.OnCallGone.Name:     on(func(c *Client, ctx context.Context, v wire.CallGone) error { return c.calls.Gone(ctx, v) }),
}
