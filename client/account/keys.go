package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// Key packages: the server keeps at least Config.Keys one-time ones, and a
// last-resort one that is replaced every month. They are good for keyLife;
// their secrets are kept a little longer, for Welcomes that are under way.
const (
	keyBatch    = 25 // made and stored at a time
	keyLife     = 90 * 24 * time.Hour
	keyKept     = 120 * 24 * time.Hour
	lastResorts = 30 * 24 * time.Hour
	clockSkew   = time.Hour // how much others' clocks may run behind
)

// Refill uploads key packages if the server has too few.
func (a *Account) Refill(ctx context.Context) error { return a.fill(ctx, false) }

// Replace uploads new key packages whatever the server has, and forgets those
// from before: a site that was restored may give out some that were used since.
// Those by which a room may still be joined are kept until they are too old.
func (a *Account) Replace(ctx context.Context) error {
	began := wire.Now(a.cfg.Now())
	if err := a.fill(ctx, true); err != nil {
		return err
	}
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		rooms, err := store.Rooms(tx)
		if err != nil || slices.ContainsFunc(rooms, func(m store.Room) bool { return m.State == store.RoomJoining }) {
			return err
		}
		return store.DeleteKeyPackages(tx, began)
	})
}

func (a *Account) fill(ctx context.Context, anew bool) error {
	a.refill.Lock()
	defer a.refill.Unlock()
	me, ok := a.Me()
	if !ok {
		return nil
	}
	count, err := session.Call(ctx, a.cfg.Session, wire.KeyCounted, wire.None{})
	if err != nil {
		return err
	}
	now := a.cfg.Now()
	var made wire.Millis
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		if err := store.DeleteKeyPackages(tx, wire.Now(now.Add(-keyKept))); err != nil {
			return err
		}
		_, made, err = store.CountKeyPackages(tx)
		return err
	})
	if err != nil {
		return err
	}
	renew := anew || !count.LastResort || now.Sub(made.Time()) >= lastResorts
	for have := count.Count; have < a.cfg.Keys || renew; {
		batch := min(keyBatch, a.cfg.Keys)
		n := max(0, min(batch, wire.MaxKeyPackages-have, a.cfg.Keys+batch-have))
		var up wire.UploadKeys
		var keep []store.KeyPackage
		for range n {
			k, err := newPackage(me.Suite, me.Signer, identity.Credential(me.Account, me.Device), false, now)
			if err != nil {
				return err
			}
			keep, up.Packages = append(keep, k), append(up.Packages, k.Package)
		}
		if renew {
			k, err := newPackage(me.Suite, me.Signer, identity.Credential(me.Account, me.Device), true, now)
			if err != nil {
				return err
			}
			keep, up.LastResort = append(keep, k), k.Package
			renew = false
		}
		// The secrets are here before anybody can use the public halves.
		err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			for _, k := range keep {
				if err := store.PutKeyPackage(tx, k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		res, err := session.Call(ctx, a.cfg.Session, wire.KeyUpload, up)
		if err != nil {
			return err
		}
		if res.Count <= have && n > 0 {
			return fmt.Errorf("upload key packages: the server has %d after %d more than %d", res.Count, n, have)
		}
		have = res.Count
	}
	return nil
}

func newPackage(suite mls.Suite, signer group.Signer, cred mls.Credential, last bool, now time.Time) (store.KeyPackage, error) {
	caps := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	kp, secrets, err := group.NewKeyPackage(group.KeyPackageConfig{
		Suite: suite, Signer: signer, Credential: cred, LastResort: last, Capabilities: &caps,
		Lifetime: mls.Lifetime{NotBefore: uint64(now.Add(-clockSkew).Unix()), NotAfter: uint64(now.Add(keyLife).Unix())},
	})
	if err != nil {
		return store.KeyPackage{}, fmt.Errorf("make a key package: %w", err)
	}
	public, err := mls.Marshal(kp)
	if err != nil {
		return store.KeyPackage{}, err
	}
	ref, err := kp.Ref()
	if err != nil {
		return store.KeyPackage{}, err
	}
	return store.KeyPackage{Ref: ref, Package: public, Secrets: secrets.Export(), LastResort: last, Made: wire.Now(now)}, nil
}
