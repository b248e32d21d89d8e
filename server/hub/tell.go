package hub

import (
	"fmt"
	"time"

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
// listens. It returns how many heard it.
func Tell[T any](h *Hub, to Audience, ev wire.Event[T], v T) int {
	var frame []byte
	encode := func() []byte {
		if frame == nil {
			frame = Frame(ev, v)
		}
		return frame
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := 0
	switch {
	case !to.room.IsZero():
		for a := range h.rooms[to.room] {
			n += a.tell(to, encode)
		}
	case !to.account.IsZero():
		if a := h.accounts[to.account]; a != nil {
			n = a.tell(to, encode)
		}
	default:
		for _, a := range h.accounts {
			n += a.tell(to, encode)
		}
	}
	return n
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
	for l, p := range a.peers {
		if p.active {
			l.Hear(Frame(ev, of(p.device)))
			n++
		}
	}
	return n
}

func (a *account) tell(to Audience, frame func() []byte) (n int) {
	if a.id == to.butAccount && !to.butAccount.IsZero() {
		return 0
	}
	for l, p := range a.peers {
		if !to.device.IsZero() {
			if p.device != to.device {
				continue
			}
		} else if !p.active || (p.device == to.butDevice && !to.butDevice.IsZero()) {
			continue
		}
		l.Hear(frame())
		n++
	}
	return n
}

// Frame encodes an event.
func Frame[T any](ev wire.Event[T], v T) []byte {
	body, err := wire.Encode(v)
	if err == nil {
		body, err = wire.Encode(wire.Frame{Method: ev.Name, Body: body})
	}
	if err != nil {
		panic(fmt.Sprintf("encode %s: %v", ev.Name, err)) // our own types: cannot fail
	}
	return body
}

// tellPresence says whether an account is here, as long as that is cheap: a site
// where many come at once (after a restart) hears of some, and the lists of
// people are right all the same. What is told is how it stands now: of two
// connections, one that went and one that came, either may be the last to tell.
func (h *Hub) tellPresence(id wire.AccountID) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if !h.presence.AllowN(time.Now(), max(1, min(len(h.accounts), presencePerSecond))) {
		return
	}
	who := h.accounts[id]
	frame := Frame(wire.OnPresence, wire.Presence{Account: id, Online: who != nil && who.active > 0})
	for _, a := range h.accounts {
		a.tell(Everyone().ButAccount(id), func() []byte { return frame })
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
