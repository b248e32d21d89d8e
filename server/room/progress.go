package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// gather is how long a cursor that moved waits for others of its room. Of one
// message all members tell within a moment that it came.
const gather = 200 * time.Millisecond

// progress is cursors that moved. Those of a room are stored together, with its
// next message or by themselves: once all that can be are there, which in a
// direct room is at once, or after gather. Then the members hear of them, with
// the nudge of that message or in one event. A cursor that is lost, told late or
// twice harms nothing: it only moves forward, room.list tells all, and a device
// that finds there less than it has told tells again.
type progress struct {
	db     *db.DB
	hub    *hub.Hub
	memory *memory
	tails  *tails // say whom a cursor concerns
	log    *slog.Logger

	mu    sync.Mutex // guards what follows
	rooms map[wire.RoomID]*moves
}

// moves is the cursors of one room that wait.
type moves struct {
	waiting []moved       // to be stored; while there are any the alarm is set
	stored  []wire.Cursor // of which members are to hear, without what was read
	from    int64         // the lowest that one of those stood at before
	alarm   *time.Timer
}

// moved is a cursor that stood at was, or the first of those that it moved from.
type moved struct {
	wire.Cursor
	was int64
}

// put keeps a cursor until it is stored, and returns how many wait in its room.
func (p *progress) put(id wire.RoomID, c wire.Cursor, was int64, alarm func()) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.rooms[id]
	if m == nil {
		if p.rooms == nil {
			p.rooms = make(map[wire.RoomID]*moves)
		}
		m = &moves{}
		p.rooms[id] = m
	}
	if len(m.waiting) == 0 {
		if m.alarm != nil {
			m.alarm.Stop()
		}
		m.alarm = time.AfterFunc(gather, alarm)
	}
	if i := m.find(c.Account); i >= 0 {
		m.waiting[i].Cursor = c
	} else {
		m.waiting = append(m.waiting, moved{c, was})
	}
	return len(m.waiting)
}

func (m *moves) find(account wire.AccountID) int {
	return slices.IndexFunc(m.waiting, func(c moved) bool { return c.Account == account })
}

// at returns the cursor of an account if it waits to be stored.
func (p *progress) at(id wire.RoomID, account wire.AccountID) (wire.Cursor, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.rooms[id]; m != nil {
		if i := m.find(account); i >= 0 {
			return m.waiting[i].Cursor, true
		}
	}
	return wire.Cursor{}, false
}

// unstored hands out what is to be stored of a room.
func (p *progress) unstored(id wire.RoomID) []moved {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.rooms[id]
	if m == nil {
		return nil
	}
	list := m.waiting
	if m.waiting = nil; len(m.stored) == 0 {
		p.end(id, m)
	}
	return list
}

// again sets the alarm anew for what is still to be stored of a room.
func (p *progress) again(id wire.RoomID, alarm func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.rooms[id]; m != nil && len(m.waiting)+len(m.stored) > 0 {
		if m.alarm != nil {
			m.alarm.Stop()
		}
		m.alarm = time.AfterFunc(gather, alarm)
	}
}

func (p *progress) end(id wire.RoomID, m *moves) {
	if m.alarm != nil {
		m.alarm.Stop()
	}
	delete(p.rooms, id)
}

// keep has what was stored wait until members hear of it.
func (p *progress) keep(id wire.RoomID, list []moved) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.rooms[id]
	for _, c := range list {
		if c.Delivered == c.was {
			continue // read further, which is nobody's business
		}
		if m == nil {
			m = &moves{}
			p.rooms[id] = m
		}
		if len(m.stored) == 0 || c.was < m.from {
			m.from = c.was
		}
		c.Read = 0
		m.stored = append(slices.DeleteFunc(m.stored, func(had wire.Cursor) bool { return had.Account == c.Account }), c.Cursor)
	}
}

// take returns what members are to hear of a room, for who tells them now.
func (p *progress) take(id wire.RoomID) (list []wire.Cursor, from int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.rooms[id]
	if m == nil || len(m.stored) == 0 {
		return nil, 0
	}
	list, from = m.stored, m.from
	if m.stored = nil; len(m.waiting) == 0 {
		p.end(id, m)
	}
	return list, from
}

// move takes a cursor that stood at was. Whoever spoke need not say that it
// heard itself: once all others have told, nobody is waited for.
func (p *progress) move(ctx context.Context, tx *db.Tx, r *remembered, c wire.Cursor, was int64) error {
	members, err := r.crowd(tx)
	if err != nil {
		return err
	}
	id, later := r.id, context.WithoutCancel(ctx)
	if n := p.put(id, c, was, func() { p.storeLate(later, id) }); int64(n) < members-1 {
		return nil
	}
	tx.OnCommit(func() { p.tell(id) })
	return p.store(tx, r)
}

// storeLate stores and tells what nothing else took along.
func (p *progress) storeLate(ctx context.Context, id wire.RoomID) {
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		tx.OnCommit(func() { p.tell(id) })
		r, err := p.memory.look(tx, id)
		if errors.Is(err, db.ErrNone) {
			p.unstored(id) // gone with it
			return nil
		}
		if err != nil {
			return err
		}
		return p.store(tx, &r)
	})
	switch {
	case err == nil:
		return
	case errors.Is(err, db.ErrBusy): // it was answered: a moment later still
		p.again(id, func() { p.storeLate(ctx, id) })
		return
	}
	p.unstored(id)
	if !errors.Is(err, db.ErrClosed) {
		p.log.Warn("cursors were not stored", "room", id, "err", err)
	}
}

// store stores what waits in a room, as the last that its job does.
func (p *progress) store(tx *db.Tx, r *remembered) error {
	list := p.unstored(r.id)
	if len(list) == 0 {
		return nil
	}
	members, err := r.crowd(tx)
	if err != nil {
		return err
	}
	write := tx.Exec
	if len(list) == 1 {
		write = tx.ExecLast
	}
	const set = `INSERT INTO room_cursor (room_id, account_id, delivered, seen) VALUES ($1, $2, $3, $4)
		ON CONFLICT (room_id, account_id) DO UPDATE SET delivered = excluded.delivered, seen = excluded.seen`
	for _, c := range list {
		if _, err := write(set, r.id[:], c.Account[:], c.Delivered, c.Read); err != nil {
			return fmt.Errorf("move the cursor of %s in %s: %w", c.Account, r.id, err)
		}
		tx.Remember(cursor{r.reading, c.Account}, c.Cursor)
	}
	if members <= maxIntimate {
		p.keep(r.id, list)
	}
	return nil
}

// tell tells those members whom it concerns of the cursors that wait in
// a room: who said something in between sees how far it came. Others need not
// know; what they say later stands after it.
func (p *progress) tell(id wire.RoomID) {
	list, from := p.take(id)
	if len(list) == 0 {
		return // a nudge took them along, or nobody is to hear
	}
	to, alone := from, wire.AccountID{}
	for _, c := range list {
		to = max(to, c.Delivered)
	}
	if len(list) == 1 {
		alone = list[0].Account
	}
	event := wire.Cursors{Room: id, Cursors: list}
	who, known := p.tails.senders(id, from+1, to)
	if !known || len(who) > maxTold {
		hub.Tell(p.hub, hub.Room(id).ButAccount(alone), wire.OnCursor, event)
		return
	}
	hub.TellSome(p.hub, id, slices.DeleteFunc(who, func(a wire.AccountID) bool { return a == alone }), wire.OnCursor, event)
}

// maxTold is how many are told one by one; more are all told.
const maxTold = 32
