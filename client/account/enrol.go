package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/people"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// Settle goes on with what this device has to do to be let in, after each
// connection and each word that the account's devices changed. It returns with
// the device active, or waiting for somebody to let it in.
func (a *Account) Settle(ctx context.Context) error {
	err := a.settle(ctx)
	if err != nil && !errors.Is(err, session.ErrOffline) && ctx.Err() == nil {
		a.finish(a.Status().Phase, "", err) // whoever signs in need not wait for a wonder
	}
	return a.tellRefused(ctx, err)
}

func (a *Account) settle(ctx context.Context) error {
	self, ok := a.Self()
	if !ok {
		return nil
	}
	if self.State == wire.DeviceActive {
		if err := a.tellUnseen(ctx); err != nil {
			return err
		}
		a.finish(api.PhaseReady, "", nil)
		return a.succeeded(ctx)
	}
	a.publish.Lock()
	defer a.publish.Unlock()
	if self, _ = a.Self(); self.State == wire.DeviceActive { // it was let in meanwhile
		a.finish(api.PhaseReady, "", nil)
		return nil
	}
	if err := a.comeBack(ctx, self, a.deviceKeys()); err != nil {
		return err
	}
	chain, err := a.unpinned(ctx)
	switch {
	case err != nil:
		return err
	case chain == nil:
		return a.found(ctx, self)
	case chain.Allows(self.Device, a.deviceKeys().Leaf()):
		if err := a.accept(ctx, chain); err != nil {
			return err
		}
		a.finish(api.PhaseReady, "", nil)
		return nil
	}
	if _, err := session.Call(ctx, a.cfg.Session, wire.DeviceEnrol, a.enrol()); err != nil {
		return err
	}
	a.finish(api.PhaseEnrolling, "", nil)
	return nil
}

func (a *Account) deviceKeys() *identity.DeviceKeys {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.keys
}

func (a *Account) enrol() wire.Enrol {
	k := a.deviceKeys()
	return wire.Enrol{Key: k.Leaf(), Unlock: k.Unlock()}
}

// unpinned reads and verifies the account's own chain without trusting it: a
// device that is not in the account yet has nothing to hold it against. nil
// means that there is none. What was pinned before, by a former device here,
// must be part of it.
func (a *Account) unpinned(ctx context.Context) (*statement.Verified, error) {
	id := a.ID()
	known, err := a.cfg.People.Known(ctx, id)
	if err != nil {
		return nil, err
	}
	pinned := known[id]
	from := int64(1)
	if pinned != nil {
		from = pinned.Seq
	}
	var all []wire.SignedStatement
	for {
		ask := wire.GetStatements{Of: []wire.StatementsFrom{{Account: id, From: from + int64(len(all))}}}
		res, err := session.Call(ctx, a.cfg.Session, wire.DirectoryStatements, ask)
		if err != nil {
			return nil, err
		}
		if len(res.Chains) == 0 || len(res.Chains[0].Statements) == 0 {
			break
		}
		all = append(all, res.Chains[0].Statements...)
		if !res.More {
			break
		}
	}
	if len(all) == 0 && pinned == nil {
		return nil, nil
	}
	chain, err := people.Follow(pinned, id, all)
	if a.cfg.People.Rolled(err) {
		return nil, api.Fail(api.Busy, "the site was restored, and another device of this account has to come back first: %v", err)
	}
	if err != nil {
		return nil, a.distrust(ctx, err)
	}
	return chain, nil
}

// distrust tells the person that the server shows a false identity of their
// own.
func (a *Account) distrust(ctx context.Context, why error) error {
	id := a.ID()
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return a.cfg.Feed.Raise(tx, store.Notice{
			ID: string(api.NoticeReset) + " " + id.String(), Code: string(api.NoticeReset), Severe: true,
			Account: id, Time: wire.Now(a.cfg.Now()), Text: why.Error(),
		})
	})
	f := api.Fail(api.Distrusted, "%v", why)
	a.finish(api.PhaseEnrolling, "", f)
	return errors.Join(f, err)
}

// found makes the account's identity: this is its first device.
func (a *Account) found(ctx context.Context, self store.Self) error {
	if _, err := session.Call(ctx, a.cfg.Session, wire.DeviceEnrol, a.enrol()); err != nil {
		return err
	}
	c, key, err := identity.Found(self.Account, self.Device, a.deviceKeys(), wire.Now(a.cfg.Now()))
	if err != nil {
		return err
	}
	// Until somebody was shown the key, a restart tells that nobody was.
	if err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.PutSetting(tx, settingUnseen, []byte{1}) }); err != nil {
		return err
	}
	if err := a.put(ctx, c, 0); err != nil {
		if wire.CodeOf(err) == wire.Conflict {
			return nil // published before, and the answer was lost: the event device follows
		}
		return unlessTaken(err)
	}
	if !a.finish(api.PhaseReady, key.Text(), nil) {
		return a.tellUnseen(ctx)
	}
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DeleteSetting(tx, settingUnseen) })
}

// tellUnseen tells the person if the account's recovery key could not be shown
// to anybody.
func (a *Account) tellUnseen(ctx context.Context) error {
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := store.GetSetting(tx, settingUnseen)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := store.DeleteSetting(tx, settingUnseen); err != nil {
			return err
		}
		return a.cfg.Feed.Raise(tx, store.Notice{
			ID: string(api.NoticeNoRecovery), Code: string(api.NoticeNoRecovery), Time: wire.Now(a.cfg.Now()),
			Text: "signing up was interrupted before the recovery key could be shown",
		})
	})
}

// put publishes a change of the account's devices and pins what it says.
func (a *Account) put(ctx context.Context, c identity.Change, version int64) error {
	res, err := session.Call(ctx, a.cfg.Session, wire.DevicePublish, wire.Publish{Statement: c.Statement, Vault: c.Vault, Version: version})
	if err != nil {
		return err
	}
	return a.trust(ctx, c.Chain, res.Version)
}

// trust pins the account's own chain, which the vault has proven, and makes the
// device active if the chain lists it.
func (a *Account) trust(ctx context.Context, chain *statement.Verified, version int64) error {
	leaf := a.deviceKeys().Leaf()
	return a.store(ctx, func(tx *store.Tx, self *store.Self) error {
		if err := store.PutPin(tx, chain); err != nil && !errors.Is(err, store.ErrBackward) {
			return err
		}
		if chain.Allows(self.Device, leaf) {
			self.State = wire.DeviceActive
		}
		self.VaultVersion = version
		return taken(tx)
	})
}

// accept trusts a chain that lists this device after the vault opened to the
// chain's root.
func (a *Account) accept(ctx context.Context, chain *statement.Verified) error {
	self, _ := a.Self()
	v, err := session.Call(ctx, a.cfg.Session, wire.DeviceVault, wire.None{})
	if err != nil {
		return err
	}
	opened, err := identity.Open(chain, v.Vault, self.Device, a.deviceKeys())
	if err != nil {
		return a.distrust(ctx, err)
	}
	opened.Wipe()
	return a.trust(ctx, chain, v.Version)
}

// Recover lets this device in with the recovery key.
func (a *Account) Recover(ctx context.Context, text string) (api.Entered, error) {
	self, ok := a.Self()
	if !ok || self.State != wire.DevicePending {
		return api.Entered{}, api.Fail(api.BadInput, "this device is not waiting to be let in")
	}
	key, err := identity.ParseRecoveryKey(text)
	if err != nil {
		return api.Entered{}, &api.Failure{Code: api.WrongKey, Field: "key", Text: err.Error()}
	}
	a.publish.Lock()
	defer a.publish.Unlock()
	if _, err := session.Call(ctx, a.cfg.Session, wire.DeviceEnrol, a.enrol()); err != nil {
		return api.Entered{}, err
	}
	err = a.retry(func() error {
		chain, err := a.unpinned(ctx)
		if err != nil {
			return err
		}
		if chain == nil {
			return api.Fail(api.BadInput, "the account has no identity yet")
		}
		v, err := session.Call(ctx, a.cfg.Session, wire.DeviceVault, wire.None{})
		if err != nil {
			return err
		}
		opened, err := identity.Recover(chain, v.Vault, key)
		if errors.Is(err, identity.ErrOpen) {
			return &api.Failure{Code: api.WrongKey, Field: "key", Text: "the recovery key does not open the account"}
		}
		if err != nil {
			return a.distrust(ctx, err)
		}
		defer opened.Wipe()
		e := a.enrol()
		c, err := opened.Add(self.Device, e.Key, e.Unlock, wire.Now(a.cfg.Now()))
		if err != nil {
			return err
		}
		return a.put(ctx, c, v.Version)
	})
	if err != nil {
		return api.Entered{}, err
	}
	return api.Entered{Phase: api.PhaseReady}, nil
}

// mostConflicts is how often another device may change the account first.
const mostConflicts = 5

func (a *Account) retry(f func() error) error {
	for i := 0; ; i++ {
		err := f()
		if wire.CodeOf(err) != wire.Conflict || i >= mostConflicts {
			return err
		}
	}
}

// alter makes a change of the account's devices with the root key, which this
// device takes out of the vault.
func (a *Account) alter(ctx context.Context, f func(*identity.Account) (identity.Change, error)) error {
	self, ok := a.Self()
	if !ok || self.State != wire.DeviceActive {
		return api.Fail(api.NotEnrolled, "this device has not been let in")
	}
	a.publish.Lock()
	defer a.publish.Unlock()
	return a.retry(func() error {
		known, err := a.cfg.People.Newest(ctx, self.Account)
		if err != nil {
			return err
		}
		v, err := session.Call(ctx, a.cfg.Session, wire.DeviceVault, wire.None{})
		if err != nil {
			return err
		}
		if known[self.Account] == nil {
			return api.Fail(api.Distrusted, "the account's own statements are missing")
		}
		opened, err := identity.Open(known[self.Account], v.Vault, self.Device, a.deviceKeys())
		if err != nil {
			return a.distrust(ctx, err)
		}
		defer opened.Wipe()
		c, err := f(opened)
		if err != nil {
			return err
		}
		if _, err := session.Call(ctx, a.cfg.Session, wire.DevicePublish, wire.Publish{Statement: c.Statement, Vault: c.Vault, Version: v.Version}); err != nil {
			return err
		}
		_, err = a.cfg.People.Newest(ctx, self.Account) // pins it, and lets rooms know
		return err
	})
}

// Approve lets a pending device in, whose code the person has compared.
func (a *Account) Approve(ctx context.Context, id wire.DeviceID) error {
	list, err := a.Refresh(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(d wire.Device) bool { return d.Device == id })
	if i < 0 || list[i].State != wire.DevicePending || len(list[i].Key) == 0 {
		return api.Fail(api.NotFound, "no device of that id waits to be let in")
	}
	d := list[i]
	return a.alter(ctx, func(opened *identity.Account) (identity.Change, error) {
		return opened.Add(d.Device, d.Key, d.Unlock, wire.Now(a.cfg.Now()))
	})
}

// Reject turns a pending device away.
func (a *Account) Reject(ctx context.Context, id wire.DeviceID) error {
	_, err := session.Call(ctx, a.cfg.Session, wire.DeviceDrop, wire.DropDevice{Device: id})
	return err
}

// Revoke removes a device from the account. Rooms remove its leaves.
func (a *Account) Revoke(ctx context.Context, id wire.DeviceID) error {
	err := a.alter(ctx, func(opened *identity.Account) (identity.Change, error) {
		return opened.Revoke(id, wire.Now(a.cfg.Now()))
	})
	if errors.Is(err, identity.ErrNotListed) {
		return api.Fail(api.NotFound, "no such device")
	}
	self, _ := a.Self()
	if err != nil && id == self.Device && errors.Is(err, session.ErrOffline) {
		// The server ends the sessions of a revoked device at once, its own
		// last words included.
		if known, e := a.cfg.People.Known(ctx, self.Account); e == nil && known[self.Account] != nil {
			if d, ok := known[self.Account].Device(id); ok && !d.Active() {
				return nil
			}
		}
	}
	return err
}

// succeeded removes the device that this one took the place of.
func (a *Account) succeeded(ctx context.Context) error {
	var former []byte
	err := a.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		former, err = store.GetSetting(tx, settingFormer)
		return err
	})
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(former) == len(wire.DeviceID{}) {
		if err := a.Revoke(ctx, wire.DeviceID(former)); err != nil && api.FailureOf(err).Code != api.NotFound {
			return fmt.Errorf("remove the device before this one: %w", err)
		}
	}
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DeleteSetting(tx, settingFormer) })
}

// NewRecovery replaces the recovery key.
func (a *Account) NewRecovery(ctx context.Context) (string, error) {
	var text string
	err := a.alter(ctx, func(opened *identity.Account) (identity.Change, error) {
		c, key, err := opened.NewRecovery(wire.Now(a.cfg.Now()))
		text = key.Text()
		return c, err
	})
	if err != nil {
		return "", err
	}
	return text, a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DismissNotice(tx, string(api.NoticeNoRecovery)) })
}
