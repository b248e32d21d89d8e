package session

import (
	"context"
	"net/netip"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/directory"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

type devices struct{ Deps }

// DeviceMethods registers what a device asks about its own account's devices.
func DeviceMethods(t *Table, d Deps) {
	h := devices{d}
	Writes(t, wire.DevicePublish, authz.DevicePublish, limit.Change, h.publish)
	Writes(t, wire.DeviceRepublish, authz.DeviceRepublish, limit.Change, h.republish)
	Writes(t, wire.DeviceEnrol, authz.DeviceEnrol, limit.Change, h.enrol)
	Reads(t, wire.DeviceList, authz.DeviceRead, limit.Ask, h.list)
	Writes(t, wire.DeviceDrop, authz.DeviceDrop, limit.Change, h.drop)
	Reads(t, wire.DeviceVault, authz.DeviceRead, limit.Ask, h.vault)
}

func (h devices) list(ctx context.Context, a *Actor, _ wire.None) (wire.Devices, error) {
	all := wire.Devices{Devices: []wire.Device{}}
	err := h.DB.View(ctx, func(tx *db.Tx) error {
		list, err := device.List(tx, a.Account)
		all.Devices = append(all.Devices, list...)
		return err
	})
	for i := range all.Devices {
		all.Devices[i].Online = h.Hub.DeviceOnline(a.Account, all.Devices[i].Device)
	}
	return all, err
}

func (h devices) vault(ctx context.Context, a *Actor, _ wire.None) (v wire.Vault, err error) {
	err = h.DB.View(ctx, func(tx *db.Tx) (err error) {
		v, err = device.VaultOf(tx, a.Account)
		return err
	})
	return v, err
}

func (h devices) enrol(ctx context.Context, a *Actor, p wire.Enrol) (wire.None, error) {
	return wire.None{}, h.DB.Update(ctx, func(tx *db.Tx) error {
		if err := device.Enrol(tx, a.Account, a.Device, p); err != nil {
			return err
		}
		return h.tellDevice(tx, a.Account, a.Device)
	})
}

func (h devices) drop(ctx context.Context, a *Actor, p wire.DropDevice) (wire.None, error) {
	return wire.None{}, h.DB.Update(ctx, func(tx *db.Tx) error {
		if err := StillActive(tx, a); err != nil {
			return err
		}
		if err := device.Drop(tx, a.Account, p.Device); err != nil {
			return err
		}
		tx.OnCommit(func() { TurnedAway(h.Hub, h.Audit, a.Account, p.Device, a.From) })
		return nil
	})
}

// TurnedAway ends the connection of a device that waited to be let in and was
// forgotten, and has the account's others hear of it. It is called after the
// commit; from is where who turned it away asked from. The log may be nil.
func TurnedAway(on *hub.Hub, log *audit.Log, account wire.AccountID, id wire.DeviceID, from netip.Addr) {
	log.Record(audit.Entry{Kind: audit.SessionEnded, Account: account, Device: id, From: from, Why: "turned_away"})
	on.End(account, id, wire.Unauthenticated)
	hub.Tell(on, hub.Account(account), wire.OnDevice, wire.DeviceChange{Device: wire.Device{Device: id, State: wire.DeviceRevoked}})
}

func (h devices) publish(ctx context.Context, a *Actor, p wire.Publish) (wire.Published, error) {
	return h.appends(ctx, a, func(tx *db.Tx, state wire.DeviceState) (wire.Published, []device.Change, error) {
		return device.Publish(tx, a.Account, a.Device, state, p, h.Now())
	})
}

// republish takes what a site that was restored has lost. One that never was has
// lost nothing.
func (h devices) republish(ctx context.Context, a *Actor, p wire.Republish) (wire.Published, error) {
	return h.appends(ctx, a, func(tx *db.Tx, state wire.DeviceState) (wire.Published, []device.Change, error) {
		life, err := account.LifeOf(tx)
		if err != nil {
			return wire.Published{}, nil, err
		}
		if life.Began == 0 {
			return wire.Published{}, nil, wire.Refuse(wire.BadRequest, "this site was never restored")
		}
		return device.Republish(tx, a.Account, a.Device, state, p, h.Now())
	})
}

// appends lets add append to the account's chain, and everybody hear of it.
func (h devices) appends(ctx context.Context, a *Actor, add func(*db.Tx, wire.DeviceState) (wire.Published, []device.Change, error)) (res wire.Published, err error) {
	err = h.DB.Update(ctx, func(tx *db.Tx) error {
		d, err := device.Get(tx, a.Account, a.Device)
		if err != nil {
			return err
		}
		if d.State == wire.DeviceRevoked {
			return authz.ErrDenied
		}
		var changes []device.Change
		if res, changes, err = add(tx, d.State); err != nil {
			return err
		}
		for _, c := range changes {
			kind := audit.DeviceEnrolled
			if c.State == wire.DeviceRevoked {
				kind = audit.DeviceRevoked
			}
			tx.OnCommit(func() {
				h.Audit.Record(audit.Entry{Kind: kind, Account: a.Account, Device: c.Device, From: a.From})
				if c.Anew {
					h.Audit.Record(audit.Entry{Kind: audit.SessionEnded, Account: a.Account, Device: c.Device, From: a.From, Why: "replaced"})
					h.Hub.End(a.Account, c.Device, wire.Unauthenticated)
				}
				h.Hub.Become(a.Account, c.Device, c.State)
			})
			if err := h.tellDevice(tx, a.Account, c.Device); err != nil {
				return err
			}
		}
		person, err := directory.PersonOf(tx, a.Account)
		if err != nil {
			return err
		}
		tx.OnCommit(func() {
			person.Online = h.Hub.Online(a.Account)
			hub.Tell(h.Hub, hub.Everyone(), wire.OnAccount, wire.AccountChange{Person: person})
		})
		return nil
	})
	return res, err
}

// tellDevice has the account's active devices, and the device itself, hear how
// it stands after the commit.
func (h devices) tellDevice(tx *db.Tx, account wire.AccountID, id wire.DeviceID) error {
	d, err := device.Get(tx, account, id)
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		d.Online = h.Hub.DeviceOnline(account, id)
		change := wire.DeviceChange{Device: d}
		hub.Tell(h.Hub, hub.Account(account).ButDevice(id), wire.OnDevice, change)
		hub.Tell(h.Hub, hub.Device(account, id), wire.OnDevice, change)
	})
	return nil
}

// StillActive is authz.ErrDenied when the device was revoked since the request
// arrived. What changes something asks in its own transaction.
func StillActive(tx *db.Tx, a *Actor) error {
	ok, err := device.Active(tx, a.Account, a.Device)
	if err == nil && !ok {
		return authz.ErrDenied
	}
	return err
}
