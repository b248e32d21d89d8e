package account

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// Refresh asks the server for the account's devices.
func (a *Account) Refresh(ctx context.Context) ([]wire.Device, error) {
	list, err := session.Call(ctx, a.cfg.Session, wire.DeviceList, wire.None{})
	if err != nil {
		return nil, err
	}
	if err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return settle(tx, list.Devices) }); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.devices = list.Devices
	a.mu.Unlock()
	a.cfg.Feed.Devices()
	return list.Devices, nil
}

// settle holds the server to the keys with which it first listed a device that
// waits to be let in: otherwise it could show the true ones while the person
// compares codes, and others when they approve. A device that comes with other
// keys is listed without any, so that it has no code and cannot be approved. A
// device's keys never change, so an honest server loses nothing.
func settle(tx *store.Tx, list []wire.Device) error {
	for i := range list {
		d := &list[i]
		if len(d.Key) == 0 {
			continue
		}
		name := "enrol " + d.Device.String()
		sum := sha256.Sum256(slices.Concat(d.Key, d.Unlock))
		first, err := store.GetSetting(tx, name)
		switch {
		case errors.Is(err, store.ErrNone):
			err = store.PutSetting(tx, name, sum[:])
		case err == nil && !bytes.Equal(first, sum[:]):
			d.Key, d.Unlock = nil, nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Devices returns the account's devices as the server last listed them, pending
// ones first. Whether one is active is its statement's word.
func (a *Account) Devices(ctx context.Context) (api.Devices, error) {
	a.mu.Lock()
	list := slices.Clone(a.devices)
	a.mu.Unlock()
	self, _ := a.Self()
	known, err := a.cfg.People.Known(ctx, self.Account)
	if err != nil {
		return api.Devices{}, err
	}
	out := api.Devices{Devices: []api.Device{}}
	for _, d := range list {
		v := api.Device{
			ID: d.Device, Name: d.Name, State: stateOf(known[self.Account], d), This: d.Device == self.Device,
			Online: d.Online, Created: d.Created, Seen: d.Seen,
		}
		if v.State == wire.DeviceRevoked {
			continue
		}
		if v.State == wire.DevicePending && len(d.Key) > 0 {
			v.Code = identity.EnrolCode(self.Account, d.Device, d.Key, d.Unlock)
		}
		out.Devices = append(out.Devices, v)
	}
	slices.SortStableFunc(out.Devices, func(x, y api.Device) int {
		px, py := x.State == wire.DevicePending, y.State == wire.DevicePending
		switch {
		case px != py && px:
			return -1
		case px != py:
			return 1
		}
		return int(y.Created - x.Created)
	})
	return out, nil
}

func stateOf(v *statement.Verified, d wire.Device) wire.DeviceState {
	if v != nil {
		if listed, ok := v.Device(d.Device); ok {
			if listed.Active() {
				return wire.DeviceActive
			}
			return wire.DeviceRevoked
		}
	}
	if d.State == wire.DeviceActive {
		return wire.DevicePending // the server says more than the statement does
	}
	return d.State
}

// Moved takes a newer statement of the account itself: its list of devices has
// changed, and a device that came is news to the person.
func (a *Account) Moved(ctx context.Context, before, after *statement.Verified) error {
	self, ok := a.Self()
	if !ok || after.Account != self.Account {
		return nil
	}
	// The server may have listed its devices before the statement came that says
	// which of them are active.
	a.cfg.Feed.Devices()
	if before == nil {
		return nil
	}
	var fresh []statement.Device
	for _, d := range after.Devices {
		if _, was := before.Device(d.ID); !was && d.ID != self.Device {
			fresh = append(fresh, d)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		for _, d := range fresh {
			err := a.cfg.Feed.Raise(tx, store.Notice{
				ID: string(api.NoticeNewDevice) + " " + d.ID.String(), Code: string(api.NoticeNewDevice),
				Account: self.Account, Time: d.Added, Text: fmt.Sprintf("device %s", d.ID),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
