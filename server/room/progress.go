package room

import (
	"slices"
	"sync"
	"time"

	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// gather is how long a cursor that moved waits for others of its room. Of one
// message all members tell within a moment that it came.
const gather = 200 * time.Millisecond

// progress is cursors that moved and of which the members have not heard. They
// leave with the next nudge of their room, or together in one event: once all
// that can be are there, which in a direct room is at once, or after gather. A
// cursor that is told late, twice or never harms nothing: it only moves forward,
// and room.list tells all.
type progress struct {
	mu    sync.Mutex // guards what follows
	rooms map[wire.RoomID]*moves
}

// moves is the cursors of one room that wait.
type moves struct {
	list  []wire.Cursor // of each account one, without what it has read
	from  int64         // the lowest that one of them stood at before
	alarm *time.Timer
}

// put keeps a cursor that stood at was before, and returns how many wait in its
// room. The first sets the alarm.
func (p *progress) put(id wire.RoomID, c wire.Cursor, was int64, alarm func()) int {
	c.Read = 0
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.rooms[id]
	if m == nil {
		if p.rooms == nil {
			p.rooms = make(map[wire.RoomID]*moves)
		}
		m = &moves{from: was, alarm: time.AfterFunc(gather, alarm)}
		p.rooms[id] = m
	}
	m.from = min(m.from, was)
	if i := slices.IndexFunc(m.list, func(had wire.Cursor) bool { return had.Account == c.Account }); i >= 0 {
		m.list[i] = c
	} else {
		m.list = append(m.list, c)
	}
	return len(m.list)
}

// take returns what waits in a room, if anything does, for who tells it now.
func (p *progress) take(id wire.RoomID) (list []wire.Cursor, from int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.rooms[id]
	if m == nil {
		return nil, 0
	}
	delete(p.rooms, id)
	m.alarm.Stop()
	return m.list, m.from
}

// progressed takes a cursor that stood at was, in a room of so many members.
func (rs *Rooms) progressed(id wire.RoomID, c wire.Cursor, was, members int64) {
	tell := func() { rs.tellProgress(id) }
	if n := rs.progress.put(id, c, was, tell); int64(n) >= members-1 {
		tell() // whoever said it does not say that it heard it
	}
}

// tellProgress tells those members whom it concerns of the cursors that wait in
// a room: who said something in between sees how far it came. Others need not
// know; what they say later stands after it.
func (rs *Rooms) tellProgress(id wire.RoomID) {
	list, from := rs.progress.take(id)
	if len(list) == 0 {
		return // a nudge took them along
	}
	to, alone := from, wire.AccountID{}
	for _, c := range list {
		to = max(to, c.Delivered)
	}
	if len(list) == 1 {
		alone = list[0].Account
	}
	event := wire.Cursors{Room: id, Cursors: list}
	who, known := rs.tails.senders(id, from+1, to)
	if !known || len(who) > maxTold {
		hub.Tell(rs.cfg.Hub, hub.Room(id).ButAccount(alone), wire.OnCursor, event)
		return
	}
	hub.TellSome(rs.cfg.Hub, id, slices.DeleteFunc(who, func(a wire.AccountID) bool { return a == alone }), wire.OnCursor, event)
}

// maxTold is how many are told one by one; more are all told.
const maxTold = 32
