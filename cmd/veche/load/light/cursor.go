package light

import (
	"sync"
	"time"

	"github.com/veche-im/veche/wire"
)

// cursorWait is how long clients gather before they tell.
const cursorWait = 150 * time.Millisecond

// cursors is how far a device has read, as far as it was not told yet.
type cursors struct {
	mu    sync.Mutex // guards what follows
	moves []wire.SetCursor
}

// moved says that a room was read up to seq, which is told a little later.
func (q *cursors) moved(c *Conn, room int32, seq int64) {
	id := c.site.rooms[room].ID
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.moves {
		if q.moves[i].Room == id {
			q.moves[i].Delivered = seq
			return
		}
	}
	if q.moves = append(q.moves, wire.SetCursor{Room: id, Delivered: seq}); len(q.moves) == 1 {
		time.AfterFunc(cursorWait, func() { q.tell(c) })
	}
}

func (q *cursors) tell(c *Conn) {
	q.mu.Lock()
	moves := q.moves
	q.moves = nil
	q.mu.Unlock()
	for _, m := range moves {
		if c.ask(wire.RoomCursors.Name, pending{}, m) != nil {
			return // with the connection
		}
	}
}
