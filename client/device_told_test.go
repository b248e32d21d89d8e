package client_test

import (
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// The server lists a device as active a moment before its statement is here.
// A front end that asks "is this you?" must hear of both.
func TestOthersHearThatADeviceLetItselfIn(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann"))
	ann := w.Client("ann")
	two := w.FurtherDevice("ann")
	// said is the state of the other device in the newest event.
	said := func() (state wire.DeviceState) {
		for _, e := range ann.Told() {
			if list, ok := e.Value.(api.Devices); ok {
				for _, d := range list.Devices {
					if !d.This {
						state = d.State
					}
				}
			}
		}
		return state
	}
	ann.Until("asked", func() bool { return said() == wire.DevicePending })
	testenv.Do(two, api.Recover, api.RecoveryKey{Key: ann.RecoveryKey})
	ann.Until("told that it is in", func() bool { return said() == wire.DeviceActive })
}
