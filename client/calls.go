package client

import (
	"context"

	"github.com/veche-im/veche/client/api"
)

// handleCalls registers what is asked of calls. What this device
// knows and what it is itself it says without the server; all else needs it.
func (c commands) handleCalls(m *api.Mux) {
	handle(m, api.ListCalls, c, func(ctx context.Context, _ api.None) (api.Calls, error) { return c.calls.List(ctx) })
	handle(m, api.GetCallKeys, c, func(_ context.Context, p api.CallRef) (api.CallKeys, error) { return c.calls.Keys(p.Call) })
	handleNone(m, api.LeaveCall, c, func(ctx context.Context, p api.CallRef) error { return c.calls.Leave(ctx, p.Call) })
	handleNone(m, api.SetCallState, c, c.calls.SetState)

	handleOnline(m, api.BeginCall, c, func(ctx context.Context, p api.StartCall) (api.Call, error) {
		id, err := c.rooms.Resolve(ctx, p.Room)
		if err != nil {
			return api.Call{}, err
		}
		return c.calls.Start(ctx, id, p)
	})
	handleOnline(m, api.JoinCall, c, c.calls.Join)
	handleOnline(m, api.OfferCall, c, c.calls.Offer)
	handleOnline(m, api.MakeCallLink, c, func(ctx context.Context, p api.CallRef) (api.CallLink, error) {
		l, err := c.calls.Link(ctx, p.Call)
		if whole := c.whole(ctx, l.Link); err == nil && whole != "" {
			l.Link = whole
		}
		return l, err
	})
	handleOnline(m, api.TryCall, c, c.calls.Try)
	for _, one := range []struct {
		cmd api.Command[api.CallAccount, api.None]
		do  func(context.Context, api.CallAccount) error
	}{{api.RemoveFromCall, c.calls.Remove}, {api.AdmitToCall, c.calls.Admit}, {api.RefuseKnock, c.calls.Refuse}} {
		handleOnline(m, one.cmd, c, none(one.do))
	}
	handleOnline(m, api.ViewCall, c, none(c.calls.View))
	handleOnline(m, api.ReactInCall, c, none(c.calls.React))
	handleOnline(m, api.MuteInCall, c, none(func(ctx context.Context, p api.CallNumber) error { return c.calls.Ask(ctx, p, api.AskMute) }))
	handleOnline(m, api.LowerHand, c, none(func(ctx context.Context, p api.CallNumber) error { return c.calls.Ask(ctx, p, api.AskHand) }))
	handleOnline(m, api.RingPeople, c, none(c.calls.Ring))
	handleOnline(m, api.Decline, c, none(c.calls.Decline))
	handleOnline(m, api.KnockAtCall, c, none(c.calls.Knock))
}

// none is f as the answer to a command without a result.
func none[P any](f func(context.Context, P) error) func(context.Context, P) (api.None, error) {
	return func(ctx context.Context, p P) (api.None, error) { return api.None{}, f(ctx, p) }
}

// handleOnline is handle for commands that need the server: without a connection,
// and at a site without calls, they are refused at once.
func handleOnline[P, R any](m *api.Mux, cmd api.Command[P, R], c commands, f func(context.Context, P) (R, error)) {
	handle(m, cmd, c, func(ctx context.Context, p P) (r R, err error) {
		err = c.online(func() error {
			if !c.account.Status().Calls {
				return api.Fail(api.Unsupported, "this site has no calls")
			}
			r, err = f(ctx, p)
			return err
		})
		return r, err
	})
}
