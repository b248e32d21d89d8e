// Package cursor tells the server how far this device and its person have come
// in each room: that is the second tick of those who wrote, and keeps what is
// unread alike on all devices of the person.
//
// In a quiet room it is told a moment after something came. As long as more
// comes it is told every two seconds, and once nothing does for half a second; at
// once when the person looks away or the program ends. What others wait for is
// told, and no more: not that the person's own messages came, and of a crowd,
// where nobody hears of it, only what was read.
//
// Nothing is kept across a restart or a connection: the server says with each
// connection how much it knows, and what it lacks is told Again.
// docs/spec/client.md#cursors.
package cursor

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/wire"
)

const (
	// wait gathers what comes together: an entry, and that the person saw it.
	wait = 150 * time.Millisecond
	// rest is how long a room is left alone after it was told while it is busy,
	// which it no longer is once nothing came for quiet.
	rest  = 2 * time.Second
	quiet = 500 * time.Millisecond
	// mostBusy is the longest that a server may put it off.
	mostBusy = 5 * time.Minute
)

// Standing is how far a room was read.
type Standing struct {
	Delivered int64 // by this device; 0: nothing is to be told
	Read      int64 // by the person
	Owed      bool  // somebody waits to hear of what is delivered
}

// Config says what Cursors work with. All is required.
type Config struct {
	// Standing reads how a room stands. Told is how much was delivered when the
	// server was told last, 0 if that is not known.
	Standing func(ctx context.Context, room wire.RoomID, told int64) (Standing, error)
	Tell     func(ctx context.Context, set wire.SetCursor) error
	Log      *slog.Logger
}

// Cursors is what the server is to be told. Its methods may be called from any
// goroutine and do not wait, but for Run and Rest.
type Cursors struct {
	cfg  Config
	wake chan struct{}

	mu    sync.Mutex // guards what follows
	rooms map[wire.RoomID]*place
	away  bool // not connected
	line  int  // which connection it is: the end of one may be heard of when the next is there
}

// place is what a room was told on this connection, and when it is told more.
type place struct {
	due  time.Time // zero: there is nothing to tell
	told time.Time // the last time; zero: not yet
	set  wire.SetCursor
}

// New returns Cursors that wait for Connected.
func New(cfg Config) *Cursors {
	return &Cursors{cfg: cfg, wake: make(chan struct{}, 1), rooms: map[wire.RoomID]*place{}, away: true}
}

// Moved says that a room was read further, by the device or the person.
func (q *Cursors) Moved(room wire.RoomID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.place(room)
	p.due = Due(time.Now(), p.told, p.due)
	q.poke()
}

// Due returns when the server is to hear of a room that was read further now. It
// was told last at told, and is to be told at due already; zero for neither.
func Due(now, told, due time.Time) time.Time {
	soon, rested := now.Add(wait), told.Add(rest)
	switch {
	case rested.After(soon):
		if later := now.Add(quiet); later.Before(rested) {
			return later
		}
		return rested
	case due.IsZero():
		return soon
	default:
		return due
	}
}

// Again says that the server does not know what it was told of a room.
func (q *Cursors) Again(room wire.RoomID) {
	q.mu.Lock()
	q.place(room).set = wire.SetCursor{}
	q.mu.Unlock()
	q.Moved(room)
}

// Hurry has everything told at once: the person looks away.
func (q *Cursors) Hurry() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, p := range q.rooms {
		if p.due.After(now) {
			p.due = now
		}
	}
	q.poke()
}

// Connected has told what could not be told without a connection.
func (q *Cursors) Connected() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away = false
	q.line++
	q.poke()
}

// Gone says that there is no connection. What the next server knows, it says.
func (q *Cursors) Gone() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gone()
}

func (q *Cursors) gone() {
	q.away = true
	for room, p := range q.rooms {
		if p.due.IsZero() {
			delete(q.rooms, room)
		} else {
			p.set, p.told = wire.SetCursor{}, time.Time{}
		}
	}
}

// place returns what is known of a room. The lock is held.
func (q *Cursors) place(room wire.RoomID) *place {
	p := q.rooms[room]
	if p == nil {
		p = &place{}
		q.rooms[room] = p
	}
	return p
}

func (q *Cursors) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run tells what is due until ctx ends.
func (q *Cursors) Run(ctx context.Context) {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for ctx.Err() == nil {
		select {
		case <-q.wake:
		case <-alarm.C:
		case <-ctx.Done():
			return
		}
		next := q.round(ctx, time.Now())
		alarm.Stop()
		if !next.IsZero() {
			alarm.Reset(time.Until(next))
		}
	}
}

// Rest tells everything that waits, for the last time, until ctx ends.
func (q *Cursors) Rest(ctx context.Context) {
	q.Hurry()
	q.round(ctx, time.Now())
}

// round tells of the rooms that are due, and returns when the next one is; zero
// if none waits.
func (q *Cursors) round(ctx context.Context, now time.Time) (next time.Time) {
	for _, room := range q.due(now) {
		q.one(ctx, room)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.away {
		return next
	}
	for _, p := range q.rooms {
		if !p.due.IsZero() && (next.IsZero() || p.due.Before(next)) {
			next = p.due
		}
	}
	return next
}

func (q *Cursors) due(now time.Time) (rooms []wire.RoomID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.away {
		return nil
	}
	for room, p := range q.rooms {
		if !p.due.IsZero() && !p.due.After(now) {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

// one tells of one room, if there is something to tell.
func (q *Cursors) one(ctx context.Context, room wire.RoomID) {
	q.mu.Lock()
	p := q.place(room)
	p.due = time.Time{} // what moves from now on is told later
	was, line := p.set, q.line
	q.mu.Unlock()
	now, err := q.cfg.Standing(ctx, room, was.Delivered)
	if err == nil && now.Delivered == 0 {
		return
	}
	set := wire.SetCursor{Room: room, Delivered: max(now.Delivered, was.Delivered), Read: max(now.Read, was.Read)}
	asks := err == nil && (now.Owed && set.Delivered > was.Delivered || set.Read > was.Read)
	if asks {
		err = q.cfg.Tell(ctx, set)
	}
	q.note(ctx, set, asks, line, err)
}

// note keeps what came of it: nobody lacks it now, or it is told later.
func (q *Cursors) note(ctx context.Context, set wire.SetCursor, asked bool, line int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.place(set.Room)
	var refused *wire.Error
	switch {
	case err == nil:
		if p.set = set; asked {
			p.told = time.Now()
		}
	case ctx.Err() != nil:
		p.due = time.Now()
	case errors.Is(err, session.ErrOffline):
		p.due = time.Now()
		if line == q.line {
			q.gone()
		}
	case errors.As(err, &refused) && (refused.Code == wire.NotFound || refused.Code == wire.BadRequest):
		// The room is not ours any more.
	default:
		p.due = time.Now().Add(rest)
		if refused != nil {
			most := int64(mostBusy / time.Millisecond)
			p.due = p.due.Add(time.Duration(min(max(refused.RetryAfter, 0), most)) * time.Millisecond)
		} else {
			q.cfg.Log.Warn("cursor was not told", "room", set.Room, "err", err)
		}
	}
}
