package session

import (
	"context"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/steward"
	"github.com/veche-im/veche/wire"
)

type accounts struct{ *steward.Steward }

// AccountMethods registers what administrators do to accounts.
func AccountMethods(t *Table, s *steward.Steward) {
	h := accounts{s}
	Writes(t, wire.AccountReset, authz.AccountReset, limit.Invite, func(ctx context.Context, a *Actor, p wire.AccountRef) (wire.ResetLink, error) {
		return h.Reset(ctx, steward.By{Actor: a.Actor}, p.Account)
	})
	Writes(t, wire.AccountShut, authz.AccountShut, limit.Change, on(h.Shut))
	Writes(t, wire.AccountOpen, authz.AccountOpen, limit.Change, on(h.Open))
	Writes(t, wire.AccountSignOut, authz.AccountSignOut, limit.Change, on(h.SignOut))
	Writes(t, wire.AccountAdmin, authz.AccountAdmin, limit.Change, func(ctx context.Context, a *Actor, p wire.MakeAdmin) (wire.None, error) {
		return wire.None{}, h.SetAdmin(ctx, steward.By{Actor: a.Actor}, p.Account, p.Admin)
	})
}

// on is a method of what is done to one account.
func on(do func(context.Context, steward.By, wire.AccountID) error) func(context.Context, *Actor, wire.AccountRef) (wire.None, error) {
	return func(ctx context.Context, a *Actor, p wire.AccountRef) (wire.None, error) {
		return wire.None{}, do(ctx, steward.By{Actor: a.Actor}, p.Account)
	}
}
