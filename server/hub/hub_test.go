package hub_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// ear is a connected device that writes down what it hears.
type ear struct {
	account wire.AccountID
	device  wire.DeviceID

	mu    sync.Mutex // guards what follows
	heard []string
	state wire.DeviceState
	ended wire.Code
}

func newEar(account wire.AccountID) *ear { return &ear{account: account, device: wire.NewDeviceID()} }

func (e *ear) Who() (wire.AccountID, wire.DeviceID) { return e.account, e.device }

func (e *ear) Hear(frame []byte) {
	var f wire.Frame
	if err := wire.Decode(socket.Payload(frame), &f); err != nil {
		panic(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if f.Method != wire.OnPresence.Name {
		e.heard = append(e.heard, f.Method)
	}
}

func (e *ear) Become(s wire.DeviceState) { e.mu.Lock(); e.state = s; e.mu.Unlock() }
func (e *ear) End(c wire.Code)           { e.mu.Lock(); e.ended = c; e.mu.Unlock() }

func (e *ear) count() int { e.mu.Lock(); defer e.mu.Unlock(); return len(e.heard) }

func come(t *testing.T, h *hub.Hub, e *ear, state wire.DeviceState, rooms ...wire.RoomID) {
	t.Helper()
	if err := h.Come(e, state, func() ([]wire.RoomID, error) { return rooms, nil }); err != nil {
		t.Fatal(err)
	}
}

func nudge(h *hub.Hub, to hub.Audience) int {
	return hub.Tell(h, to, wire.OnCatchUp, wire.CatchUp{})
}

func TestWhoHearsWhat(t *testing.T) {
	h := hub.New()
	ann, bob := wire.NewAccountID(), wire.NewAccountID()
	room, other := wire.NewRoomID(), wire.NewRoomID()
	phone, laptop, waiting, bobs := newEar(ann), newEar(ann), newEar(ann), newEar(bob)
	come(t, h, phone, wire.DeviceActive, room)
	come(t, h, laptop, wire.DeviceActive, room)
	come(t, h, waiting, wire.DevicePending, room)
	come(t, h, bobs, wire.DeviceActive, room, other)
	for _, tt := range []struct {
		name string
		to   hub.Audience
		who  []*ear
	}{
		{"everyone is all active devices", hub.Everyone(), []*ear{phone, laptop, bobs}},
		{"a room is its members' active devices", hub.Room(room), []*ear{phone, laptop, bobs}},
		{"another room", hub.Room(other), []*ear{bobs}},
		{"a room that nobody is in", hub.Room(wire.NewRoomID()), nil},
		{"a room but for one's own account", hub.Room(room).ButAccount(ann), []*ear{bobs}},
		{"an account", hub.Account(ann), []*ear{phone, laptop}},
		{"an account but for the device that asked", hub.Account(ann).ButDevice(phone.device), []*ear{laptop}},
		{"a device, even while it waits", hub.Device(ann, waiting.device), []*ear{waiting}},
		{"a device under another's account", hub.Device(bob, phone.device), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := []*ear{phone, laptop, waiting, bobs}
			before := map[*ear]int{}
			for _, e := range all {
				before[e] = e.count()
			}
			if n := nudge(h, tt.to); n != len(tt.who) {
				t.Errorf("%d heard it, want %d", n, len(tt.who))
			}
			for _, e := range tt.who {
				before[e]++
			}
			for _, e := range all {
				if e.count() != before[e] {
					t.Errorf("a wrong device heard it, or the right one did not")
				}
			}
		})
	}
}

func TestJoiningAndLeaving(t *testing.T) {
	h := hub.New()
	ann := newEar(wire.NewAccountID())
	come(t, h, ann, wire.DeviceActive)
	room := wire.NewRoomID()
	if nudge(h, hub.Room(room)) != 0 {
		t.Error("heard a room before it joined")
	}
	h.Join(room, ann.account)
	if nudge(h, hub.Room(room)) != 1 {
		t.Error("did not hear its new room")
	}
	h.Leave(room, ann.account)
	if nudge(h, hub.Room(room)) != 0 {
		t.Error("heard a room that it left")
	}
	h.Join(room, wire.NewAccountID()) // nobody of it is here: no trace
	if nudge(h, hub.Room(room)) != 0 {
		t.Error("somebody heard")
	}
}

// What is committed while a connection reads its rooms from the database counts,
// whatever that reading saw.
func TestChangesWhileRoomsAreReadAreNotLost(t *testing.T) {
	h := hub.New()
	ann := newEar(wire.NewAccountID())
	left, joined, kept := wire.NewRoomID(), wire.NewRoomID(), wire.NewRoomID()
	err := h.Come(ann, wire.DeviceActive, func() ([]wire.RoomID, error) {
		h.Join(joined, ann.account)
		h.Leave(left, ann.account)
		return []wire.RoomID{left, kept}, nil // an older view
	})
	if err != nil {
		t.Fatal(err)
	}
	if nudge(h, hub.Room(left)) != 0 {
		t.Error("a room that was left came back")
	}
	if nudge(h, hub.Room(joined)) != 1 || nudge(h, hub.Room(kept)) != 1 {
		t.Error("a room is missing")
	}
	h.Join(left, ann.account)
	if nudge(h, hub.Room(left)) != 1 {
		t.Error("joining again has no effect")
	}
}

func TestRevokedDeviceIsEndedAndHearsNothing(t *testing.T) {
	h := hub.New()
	phone := newEar(wire.NewAccountID())
	room := wire.NewRoomID()
	come(t, h, phone, wire.DeviceActive, room)
	h.Become(phone.account, phone.device, wire.DeviceRevoked)
	if phone.ended != wire.Unauthenticated {
		t.Errorf("ended with %q", phone.ended)
	}
	for _, to := range []hub.Audience{hub.Everyone(), hub.Room(room), hub.Account(phone.account), hub.Device(phone.account, phone.device)} {
		if nudge(h, to) != 0 {
			t.Error("it heard an event")
		}
	}
	if h.Online(phone.account) || h.Len() != 0 {
		t.Error("it counts as here")
	}
	h.Gone(phone) // its connection says so later: harmless
}

func TestPendingDeviceBecomesActive(t *testing.T) {
	h := hub.New()
	phone := newEar(wire.NewAccountID())
	come(t, h, phone, wire.DevicePending)
	if h.Online(phone.account) || !h.DeviceOnline(phone.account, phone.device) {
		t.Error("a pending device counts as its person being online")
	}
	h.Become(phone.account, phone.device, wire.DeviceActive)
	if phone.state != wire.DeviceActive || !h.Online(phone.account) || nudge(h, hub.Everyone()) != 1 {
		t.Error("it did not become active")
	}
}

func TestFailedLoadingIsReported(t *testing.T) {
	h := hub.New()
	phone := newEar(wire.NewAccountID())
	no := errors.New("no")
	if err := h.Come(phone, wire.DeviceActive, func() ([]wire.RoomID, error) { return nil, no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	h.Gone(phone)
	if h.Len() != 0 {
		t.Error("it is still there")
	}
}

func TestEverythingAtOnce(t *testing.T) {
	h := hub.New()
	accounts := []wire.AccountID{wire.NewAccountID(), wire.NewAccountID(), wire.NewAccountID()}
	room := wire.NewRoomID()
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			e := newEar(accounts[i%3])
			come(t, h, e, wire.DeviceActive, room)
			nudge(h, hub.Room(room))
			h.Leave(room, e.account)
			h.Join(room, e.account)
			if i%2 == 0 {
				h.End(e.account, e.device, wire.Unauthenticated)
			}
			nudge(h, hub.Everyone())
			h.Gone(e)
		})
	}
	wg.Wait()
	if h.Len() != 0 || nudge(h, hub.Room(room)) != 0 {
		t.Error("somebody is left")
	}
}
