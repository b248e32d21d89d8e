package account

import (
	"testing"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/wire"
)

// TestKeysDoNotChangeAfterTheCodeWasShown: a server that shows a waiting
// device's true keys while the person compares codes, and its own when they
// approve, gets neither approved.
func TestKeysDoNotChangeAfterTheCodeWasShown(t *testing.T) {
	db, err := native.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	device := func(id wire.DeviceID) wire.Device {
		k, err := identity.NewDeviceKeys()
		if err != nil {
			t.Fatal(err)
		}
		return wire.Device{Device: id, State: wire.DevicePending, Key: k.Leaf(), Unlock: k.Unlock()}
	}
	list := func(d wire.Device) wire.Device {
		t.Helper()
		all := []wire.Device{d, {Device: wire.DeviceID{9}, State: wire.DeviceActive}}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return settle(tx, all) }); err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	shown, other := device(wire.DeviceID{1}), device(wire.DeviceID{1})
	half := shown
	half.Unlock = other.Unlock
	waiting := shown
	waiting.Key, waiting.Unlock = nil, nil // it has not sent its keys yet
	for _, tt := range []struct {
		name string
		d    wire.Device
		keys bool
	}{
		{"not yet", waiting, false},
		{"at first", shown, true},
		{"again", shown, true},
		{"swapped", other, false},
		{"half swapped", half, false},
		{"the first again", shown, true},
		{"another device", device(wire.DeviceID{2}), true},
	} {
		if got := list(tt.d); (len(got.Key) > 0) != tt.keys || (len(got.Unlock) > 0) != tt.keys {
			t.Errorf("%s: listed with %d and %d bytes of keys", tt.name, len(got.Key), len(got.Unlock))
		}
	}
}
