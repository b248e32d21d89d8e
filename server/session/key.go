package session

import (
	"context"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

type keys struct{ Deps }

// KeyMethods registers what devices do with key packages.
func KeyMethods(t *Table, d Deps) {
	h := keys{d}
	Writes(t, wire.KeyUpload, authz.KeyUpload, limit.Change, h.upload)
	Reads(t, wire.KeyCounted, authz.KeyRead, limit.Ask, h.count)
	Writes(t, wire.KeyClaim, authz.KeyClaim, limit.Keys, h.claim)
}

func (h keys) upload(ctx context.Context, a *Actor, p wire.UploadKeys) (c wire.KeyCount, err error) {
	err = h.DB.Update(ctx, func(tx *db.Tx) error {
		if err := device.AddKeys(tx, a.Account, a.Device, p, h.Now()); err != nil {
			return err
		}
		c, err = device.CountKeys(tx, a.Device, h.Now())
		return err
	})
	return c, err
}

func (h keys) count(ctx context.Context, a *Actor, _ wire.None) (c wire.KeyCount, err error) {
	err = h.DB.View(ctx, func(tx *db.Tx) (err error) {
		c, err = device.CountKeys(tx, a.Device, h.Now())
		return err
	})
	return c, err
}

func (h keys) claim(ctx context.Context, a *Actor, p wire.ClaimKeys) (c wire.ClaimedKeys, err error) {
	for _, account := range p.Accounts {
		if err := authz.Check(a.Actor, authz.KeyClaim, authz.AccountOf(account)); err != nil {
			return wire.ClaimedKeys{}, err
		}
	}
	err = h.DB.Update(ctx, func(tx *db.Tx) error {
		if err := StillActive(tx, a); err != nil {
			return err
		}
		c, err = device.ClaimKeys(tx, p, h.Now())
		return err
	})
	return c, err
}
