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
