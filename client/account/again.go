package account

import (
	"context"

	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/wire"
)

// again returns what this device shows to come back under its id, nil if it never
// was let in or is to be forgotten. A site that was restored may not know it any
// more; any other makes a new device all the same.
func (a *Account) again(ctx context.Context) (*wire.Again, error) {
	self, ok := a.Self()
	if !ok || self.State != wire.DeviceActive {
		return nil, nil
	}
	if forget, err := a.toForget(ctx); err != nil || forget {
		return nil, err
	}
	k := a.deviceKeys()
	return &wire.Again{Device: self.Device, Key: k.Leaf(), Unlock: k.Unlock(), Proof: k.Prove(self.Account, self.Device)}, nil
}

// resume stores a new session of the device that this was: its rooms, its keys and what
// it has sent are its own as before.
func (a *Account) resume(ctx context.Context, in wire.SignedIn, device string) error {
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		self, err := store.GetSelf(tx)
		if err != nil {
			return err
		}
		self.Name, self.DeviceName, self.Server = in.Name, device, a.cfg.Link.Origin()
		if in.State != wire.DeviceActive {
			self.State = wire.DevicePending
		}
		return begin(tx, self, in.Token)
	})
	if err != nil {
		return err
	}
	return a.Load(ctx)
}

// begin stores who this device is and its new session, so that none has ended.
func begin(tx *store.Tx, self store.Self, token string) error {
	if err := store.PutSelf(tx, self); err != nil {
		return err
	}
	if err := store.PutSecret(tx, store.SecretToken, []byte(token)); err != nil {
		return err
	}
	return store.DeleteSetting(tx, settingEnded)
}

// comeBack brings the account's own statements back to a restored site that does
// not know this device, which they list.
func (a *Account) comeBack(ctx context.Context, self store.Self, keys *identity.DeviceKeys) error {
	pinned, _, err := a.ownChain(ctx)
	if err != nil || pinned == nil || !pinned.Allows(self.Device, keys.Leaf()) {
		return err
	}
	if _, err := session.Call(ctx, a.cfg.Session, wire.DeviceEnrol, a.enrol()); err != nil {
		return err
	}
	return a.republish(ctx)
}
