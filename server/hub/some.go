package hub

import "github.com/veche-im/veche/wire"

// TellSome is Tell for those of a few accounts that listen to a room.
func TellSome[T any](h *Hub, r wire.RoomID, few []wire.AccountID, ev wire.Event[T], v T) (n int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	frame := lazily(ev, v)
	for _, id := range few {
		a := h.accounts[id]
		if a == nil {
			continue
		}
		if _, in := a.rooms[r]; in {
			n += a.tell(Room(r), frame)
		}
	}
	return n
}

// Elsewhere reports whether another active device of the account is connected.
func (h *Hub) Elsewhere(id wire.AccountID, device wire.DeviceID) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if a := h.accounts[id]; a != nil {
		for i := range a.peers {
			if a.peers[i].active && a.peers[i].device != device {
				return true
			}
		}
	}
	return false
}
