package hub

import (
	"fmt"
	"time"

	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// Audience says who hears an event. Pending devices hear what is for their
// device and nothing else.
type Audience struct {
	room       wire.RoomID
	account    wire.AccountID
	device     wire.DeviceID
	butAccount wire.AccountID
	butDevice  wire.DeviceID
}

// Everyone is all active devices.
func Everyone() Audience { return Audience{} }

// Room is the active devices of the room's members.
func Room(r wire.RoomID) Audience { return Audience{room: r} }

// Account is the active devices of an account.
func Account(a wire.AccountID) Audience { return Audience{account: a} }

// Device is one device, pending or active.
func Device(a wire.AccountID, d wire.DeviceID) Audience { return Audience{account: a, device: d} }

// ButAccount leaves out the devices of an account.
func (to Audience) ButAccount(a wire.AccountID) Audience { to.butAccount = a; return to }

// ButDevice leaves out one device.
func (to Audience) ButDevice(d wire.DeviceID) Audience { to.butDevice = d; return to }

// Tell hands an event to an audience. It is encoded once, and only if anybody
// listens. It returns how many heard it; where they are many, how many accounts
// will in a moment: then the caller, who may have others to answer, does not wait.
func Tell[T any](h *Hub, to Audience, ev wire.Event[T], v T) int {
	h.mu.RLock()
	var list []*account
	switch {
	case !to.room.IsZero():
		if c := h.rooms[to.room]; c != nil {
			list = c.all()
		}
	case !to.account.IsZero():
		if a := h.accounts[to.account]; a != nil {
			n := a.tell(to, lazily(ev, v))
			h.mu.RUnlock()
			return n
		}
	default:
		list = h.everyone.all()
	}
	if len(list) <= fewAccounts {
		defer h.mu.RUnlock()
		n, frame := 0, lazily(ev, v)
		for _, a := range list {
			n += a.tell(to, frame)
		}
		return n
	}
	h.mu.RUnlock()
	h.tellMany(to, list, Frame(ev, v))
	return len(list)
}

// lazily encodes an event when it is first asked for.
func lazily[T any](ev wire.Event[T], v T) func() []byte {
	var frame []byte
	return func() []byte {
		if frame == nil {
			frame = Frame(ev, v)
		}
		return frame
	}
}

// TellEach hands each active device of an account an event of its own: what one
// room is, say, differs by device. Of must not block.
func TellEach[T any](h *Hub, id wire.AccountID, ev wire.Event[T], of func(wire.DeviceID) T) (n int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	a := h.accounts[id]
	if a == nil {
		return 0
	}
	for _, p := range a.peers {
		if p.active {
			p.Hear(Frame(ev, of(p.device)))
			n++
		}
	}
	return n
}

func (a *account) tell(to Audience, frame func() []byte) (n int) {
	if a.id == to.butAccount && !to.butAccount.IsZero() {
		return 0
	}
	for _, p := range a.peers {
		if !to.device.IsZero() {
			if p.device != to.device {
				continue
			}
		} else if !p.active || (p.device == to.butDevice && !to.butDevice.IsZero()) {
			continue
		}
		p.Hear(frame())
		n++
	}
	return n
}

// Frame encodes an event as it travels: a whole WebSocket message, which is
// written to everybody who hears it.
func Frame[T any](ev wire.Event[T], v T) []byte {
	b, err := wire.AppendEvent(make([]byte, socket.HeaderRoom), ev, v)
	if err != nil {
		panic(fmt.Sprintf("encode %s: %v", ev.Name, err)) // our own types: cannot fail
	}
	return socket.Complete(b)
}

// tellPresence says whether an account is here, as long as that is cheap: a site
// where many come at once (after a restart) hears of some, and the lists of
// people are right all the same. What is told is how it stands now: of two
// connections, one that went and one that came, either may be the last to tell.
func (h *Hub) tellPresence(id wire.AccountID) {
	h.mu.RLock()
	defer h.mu.RUnlock() // held to the end, so that it is told in the order in which it came about
	if !h.presence.AllowN(time.Now(), max(1, min(len(h.accounts), presencePerSecond))) {
		return
	}
	who := h.accounts[id]
	frame := Frame(wire.OnPresence, wire.Presence{Account: id, Online: who != nil && who.active > 0})
	list, to := h.everyone.all(), Everyone().ButAccount(id)
	if len(list) > fewAccounts {
		h.spread.try(telling{to, list, frame})
		return
	}
	for _, a := range list {
		a.tell(to, func() []byte { return frame })
	}
}

// presencePerSecond bounds the events about people coming and going, over all
// listeners.
const presencePerSecond = 20_000

// TellAll is Tell for several accounts or devices, encoded once for all of them.
func TellAll[T any](h *Hub, to []Audience, ev wire.Event[T], v T) (n int) {
	if len(to) == 0 {
		return 0
	}
	frame := Frame(ev, v)
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, one := range to {
		if a := h.accounts[one.account]; a != nil && one.room.IsZero() {
			n += a.tell(one, func() []byte { return frame })
		}
	}
	return n
}
