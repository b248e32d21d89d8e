package hub

import (
	"testing"

	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// listener writes down the presence that it hears.
type listener struct {
	account wire.AccountID
	device  wire.DeviceID
	heard   []wire.Presence
}

func (l *listener) Hear(frame []byte) {
	var f wire.Frame
	var p wire.Presence
	if err := wire.Decode(socket.Payload(frame), &f); err != nil {
		panic(err)
	}
	if err := wire.Decode(f.Body, &p); err != nil {
		panic(err)
	}
	l.heard = append(l.heard, p)
}
func (l *listener) Become(wire.DeviceState)              {}
func (l *listener) End(wire.Code)                        {}
func (l *listener) Who() (wire.AccountID, wire.DeviceID) { return l.account, l.device }

func none() ([]wire.RoomID, error) { return nil, nil }

// A device that is revoked while its rooms are read must not come back with
// them: nobody would ever take it out again.
func TestWhoGoesWhileRoomsAreReadLeavesNoTrace(t *testing.T) {
	h := New()
	bob := &listener{account: wire.NewAccountID(), device: wire.NewDeviceID()}
	if err := h.Come(bob, wire.DeviceActive, none); err != nil {
		t.Fatal(err)
	}
	ann := &listener{account: wire.NewAccountID(), device: wire.NewDeviceID()}
	err := h.Come(ann, wire.DeviceActive, func() ([]wire.RoomID, error) {
		h.End(ann.account, ann.device, wire.Unauthenticated)
		return []wire.RoomID{wire.NewRoomID(), wire.NewRoomID()}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Gone(ann)
	if len(h.rooms) != 0 || len(h.accounts) != 1 {
		t.Errorf("%d rooms and %d accounts are kept", len(h.rooms), len(h.accounts))
	}
	if n := len(bob.heard); n == 0 || bob.heard[n-1].Online {
		t.Errorf("the last that others heard is %v", bob.heard)
	}
}

// Whoever tells late tells how it is by then.
func TestPresenceIsToldAsItStands(t *testing.T) {
	h := New()
	bob := &listener{account: wire.NewAccountID(), device: wire.NewDeviceID()}
	ann := &listener{account: wire.NewAccountID(), device: wire.NewDeviceID()}
	for _, l := range []*listener{bob, ann} {
		if err := h.Come(l, wire.DeviceActive, none); err != nil {
			t.Fatal(err)
		}
	}
	h.tellPresence(ann.account) // by a connection that ended before this one came
	if n := len(bob.heard); n == 0 || !bob.heard[n-1].Online {
		t.Errorf("the last that others heard is %v", bob.heard)
	}
}
