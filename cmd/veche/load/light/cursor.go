package light

import (
	"sync"
	"time"

	pace "github.com/veche-im/veche/client/cursor"
	"github.com/veche-im/veche/wire"
)

// cursors is how far a device has come in its rooms, as far as others wait to
// hear of it. It tells when a client would.
type cursors struct {
	mu    sync.Mutex // guards what follows
	rooms []reading
	alarm *time.Timer
	next  time.Time // when the alarm rings; zero: it does not
}

type reading struct {
	room int32
	seq  int64
	due  time.Time // zero: nothing is to be told
	told time.Time
}

// moved says that another's entry of a room came, which is told a little later.
func (q *cursors) moved(c *Conn, room int32, seq int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.room(room)
	r.seq = seq
	r.due = pace.Due(time.Now(), r.told, r.due)
	if q.next.IsZero() || r.due.Before(q.next) {
		q.ring(c, r.due)
	}
}

func (q *cursors) room(room int32) *reading {
	for i := range q.rooms {
		if q.rooms[i].room == room {
			return &q.rooms[i]
		}
	}
	q.rooms = append(q.rooms, reading{room: room})
	return &q.rooms[len(q.rooms)-1]
}

// ring sets the alarm. The lock is held.
func (q *cursors) ring(c *Conn, at time.Time) {
	if q.next = at; q.alarm == nil {
		q.alarm = time.AfterFunc(time.Until(at), func() { q.tell(c) })
	} else {
		q.alarm.Reset(time.Until(at))
	}
}

// tell tells what is due.
func (q *cursors) tell(c *Conn) {
	now := time.Now()
	var due []reading
	q.mu.Lock()
	q.next = time.Time{}
	for i := range q.rooms {
		switch r := &q.rooms[i]; {
		case r.due.IsZero():
		case !r.due.After(now):
			r.due, r.told = time.Time{}, now
			due = append(due, *r)
		case q.next.IsZero() || r.due.Before(q.next):
			q.next = r.due
		}
	}
	if !q.next.IsZero() {
		q.ring(c, q.next)
	}
	q.mu.Unlock()
	for _, r := range due {
		set := wire.SetCursor{Room: c.site.rooms[r.room].ID, Delivered: r.seq}
		if c.ask(wire.RoomCursors.Name, pending{}, set) != nil {
			return // with the connection
		}
	}
}
