package session

import (
	"context"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

type site struct{ Deps }

// SiteMethods registers the ping and what administrators do for the site.
func SiteMethods(t *Table, d Deps) {
	h := site{d}
	Reads(t, wire.SessionPing, authz.SessionUse, limit.Ask, h.ping)
	Reads(t, wire.SiteAddress, authz.SiteAddress, limit.Ask, h.address)
	Writes(t, wire.InviteCreate, authz.InviteCreate, limit.Invite, h.invite)
}

func (site) ping(context.Context, *Actor, wire.None) (wire.None, error) { return wire.None{}, nil }

func (h site) address(context.Context, *Actor, wire.None) (wire.Address, error) {
	return wire.Address{URL: h.Address()}, nil
}

func (h site) invite(ctx context.Context, a *Actor, _ wire.None) (inv wire.Invite, err error) {
	err = h.DB.Update(ctx, func(tx *db.Tx) error {
		if err := StillActive(tx, a); err != nil {
			return err
		}
		switch who, err := account.Get(tx, a.Account); { // who was an administrator when the request came
		case err != nil:
			return err
		case !who.Admin:
			return authz.ErrDenied
		}
		t, expires, err := account.NewInvite(tx, a.Account, h.Now())
		inv = wire.Invite{Token: t.Secret(), Expires: expires}
		tx.OnCommit(func() {
			h.Audit.Record(audit.Entry{Kind: audit.InviteMade, By: a.Account, Device: a.Device, From: a.From})
		})
		return err
	})
	return inv, err
}

// HelloOf returns what devices hear first. It looks again whether the session
// still stands (one that ended after it was let in, and before the hub knew of
// the connection, is Unauthenticated here), and with which rights; and it tells
// the account's other devices that this one is here.
func HelloOf(d Deps) func(context.Context, *Actor) (wire.Hello, error) {
	return func(ctx context.Context, a *Actor) (h wire.Hello, err error) {
		h = wire.Hello{
			Account: a.Account, Device: a.Device,
			Time: wire.Now(d.Now()), Max: d.Caps, Calls: d.Calls,
		}
		var here wire.Device
		err = d.DB.View(ctx, func(tx *db.Tx) (err error) {
			var ok bool
			if h.State, ok, err = device.Standing(tx, a.Device); err != nil {
				return err
			}
			if !ok {
				return wire.Refuse(wire.Unauthenticated, "the session is over")
			}
			who, err := account.Get(tx, a.Account)
			if err != nil {
				return err
			}
			h.Name, h.Admin = who.Name, who.Admin
			if here, err = device.Get(tx, a.Account, a.Device); err != nil {
				return err
			}
			if h.Life, err = account.LifeOf(tx); err != nil {
				return err
			}
			if h.Password, err = account.PasswordChangeOf(tx, a.Account); err != nil {
				return err
			}
			h.Org, err = account.Org(tx)
			return err
		})
		if err == nil && here.State == wire.DeviceActive {
			here.Online = true
			hub.Tell(d.Hub, hub.Account(a.Account).ButDevice(a.Device), wire.OnDevice, wire.DeviceChange{Device: here})
		}
		return h, err
	}
}
