// Package room is this device's part in the rooms of its account: it joins them,
// reads their logs, opens what is in them, changes who is in them, and sends
// what the person writes.
//
// Each room that has something to do has one goroutine, its worker, which alone
// changes the room's group. Everything from outside, a nudge, a command, a
// reconnect, only wakes it. An entry and all that it did are one transaction of
// the store, and so is everything that is sealed, before it leaves: whatever
// crashes, no key is used for two plaintexts and no acknowledged message is
// shown twice or not at all.
//
// The server is believed nothing that can be checked. A history that cannot be,
// or a change that the room's policy forbids, blocks the room: what is here
// stays readable, and the person is told. docs/spec/room-log.md,
// docs/spec/client.md.
package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/people"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// Me is this device as a member of groups.
type Me struct {
	Account wire.AccountID
	Device  wire.DeviceID
	Signer  group.Signer
	Suite   mls.Suite // of rooms that it makes
}

// Uploader brings the files of a message to the server before it is sealed.
type Uploader interface {
	// Upload returns the content of the item with its files filled in, and
	// their blobs, once all of them are on the server. It stores how far it
	// came, so it can be called again after any error.
	Upload(ctx context.Context, room wire.RoomID, item string) ([]byte, []wire.BlobID, error)
}

// Config says what Rooms work with. All are required.
type Config struct {
	Store   *store.DB
	Session *session.Session
	People  *people.People
	Feed    *feed.Feed
	Files   Uploader
	Me      func() (Me, bool) // false as long as the device may not take part in rooms
	Read    func(wire.RoomID) // hears that a room was read further; returns at once
	Unread  func(wire.RoomID) // hears that the server knows less of it than was read; likewise
	// Epoch hears of each new epoch of a room, by a commit or by joining, and Shut
	// that a room cannot be used any more, both after that was stored. They return
	// soon.
	Epoch func(Epoch)
	Shut  func(wire.RoomID)
	Log   *slog.Logger
	Now   func() time.Time
}

// Rooms are the account's rooms. Methods may be called from any goroutine.
type Rooms struct {
	cfg  Config
	wake chan struct{}

	life   sync.RWMutex // held for reading while a room is at work; guards paused
	paused bool         // nothing is taken from the server, and nothing sent

	mu      sync.Mutex // guards what follows
	workers map[wire.RoomID]*worker
	fresh   []*worker // made and not started yet
	closed  bool
}

// New returns Rooms that do nothing until Run is called.
func New(cfg Config) *Rooms {
	return &Rooms{cfg: cfg, wake: make(chan struct{}, 1), workers: map[wire.RoomID]*worker{}}
}

// Run works until ctx ends and all workers have stopped. It may be called again
// after that.
func (r *Rooms) Run(ctx context.Context) error {
	r.mu.Lock()
	r.closed = false
	r.mu.Unlock()
	defer r.forgetWorkers()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		r.mu.Lock()
		fresh := r.fresh
		r.fresh = nil
		r.mu.Unlock()
		for _, w := range fresh {
			wg.Go(func() { w.run(ctx) })
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			r.mu.Lock()
			r.closed = true
			left := r.fresh
			r.fresh = nil
			r.mu.Unlock()
			for _, w := range left {
				wg.Go(func() { w.run(ctx) }) // answers those who wait for it
			}
			return ctx.Err()
		}
	}
}

// forgetWorkers makes the Rooms as new, for the next Run.
func (r *Rooms) forgetWorkers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		w.fail(errClosed) // who came after it had stopped
	}
	r.workers, r.fresh = map[wire.RoomID]*worker{}, nil
}

var errClosed = errors.New("room: the client is stopping")

// with calls f with the worker of a room, which is made if need be, under the
// lock that keeps it from ending meanwhile.
func (r *Rooms) with(id wire.RoomID, f func(w *worker)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	w := r.workers[id]
	if w == nil {
		w = newWorker(r, id)
		r.workers[id] = w
		r.fresh = append(r.fresh, w)
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	f(w)
	return nil
}

// Wake lets the worker of a room look whether there is something to do.
func (r *Rooms) Wake(id wire.RoomID) { _ = r.with(id, (*worker).wake) }

// Do runs f on the worker of a room after the room was joined and read to its
// end, and returns f's error. With a nil f it only waits for that.
func (r *Rooms) Do(ctx context.Context, id wire.RoomID, f func(ctx context.Context) error) error {
	return r.do(ctx, id, func(ctx context.Context, _ *worker) error {
		if f == nil {
			return nil
		}
		return f(ctx)
	})
}

func (r *Rooms) do(ctx context.Context, id wire.RoomID, f func(context.Context, *worker) error) error {
	j := job{run: f, done: make(chan error, 1)}
	if err := r.with(id, func(w *worker) { w.add(j) }); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Connected asks the server how the account's rooms stand, and wakes those that
// have something to do.
func (r *Rooms) Connected(ctx context.Context) error {
	list, err := session.Call(ctx, r.cfg.Session, wire.RoomList, wire.None{})
	if err != nil {
		return err
	}
	for i := range list.Rooms {
		if err := r.Changed(ctx, &list.Rooms[i]); err != nil {
			return err
		}
	}
	var open []wire.RoomID
	err = r.cfg.Store.View(ctx, func(tx *store.Tx) error {
		all, err := store.Rooms(tx)
		for _, m := range all {
			if m.State == store.RoomOpen || m.State == store.RoomJoining {
				open = append(open, m.ID)
			}
		}
		return err
	})
	for _, id := range open {
		r.Wake(id)
	}
	return err
}

// Changed takes what the server says of a room: at connecting, and with the
// event room.
func (r *Rooms) Changed(ctx context.Context, s *wire.Room) error {
	me, ok := r.cfg.Me()
	if !ok {
		return nil
	}
	behind := false
	err := r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, s.Room)
		switch {
		case errors.Is(err, store.ErrNone):
			if s.Until != 0 {
				return nil // left before this device came
			}
			m = store.Room{ID: s.Room, Kind: s.Kind, State: store.RoomJoining, Time: wire.Now(r.cfg.Now())}
			if s.Kind == wire.Direct {
				m.Peer = other(me.Account, s.Members)
			}
			if err := store.PutRoom(tx, m); err != nil {
				return err
			}
			behind = true
			tx.OnCommit(func() { r.cfg.Feed.Rooms(s.Room) })
		case err != nil:
			return err
		case m.State == store.RoomLeft && s.Until == 0:
			// Taken in again, or a leaving that fell with its epoch.
			m.State = store.RoomJoining
			if err := store.PutRoom(tx, m); err != nil {
				return err
			}
			behind = true
			tx.OnCommit(func() { r.cfg.Feed.Rooms(s.Room) })
		case m.State != store.RoomBlocked:
			behind = m.Seq < s.Seq || m.State == store.RoomJoining || s.Welcome || s.Proposals > 0
			if err := r.retell(tx, &m, me.Account, s.Cursors); err != nil {
				return err
			}
		}
		for _, c := range s.Cursors {
			moved, err := store.MoveCursor(tx, s.Room, c)
			if err != nil {
				return err
			}
			if moved {
				tx.OnCommit(func() { r.cfg.Feed.Rooms(s.Room) })
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note room %s: %w", s.Room, err)
	}
	if !behind {
		return nil
	}
	return r.with(s.Room, func(w *worker) { w.told(s) })
}

// retell tells the server how far this device has come, if it knows less: the
// program ended before it was told.
func (r *Rooms) retell(tx *store.Tx, m *store.Room, me wire.AccountID, told []wire.Cursor) error {
	own, err := store.GetCursor(tx, m.ID, me)
	if err != nil || m.State != store.RoomOpen {
		return err
	}
	var there wire.Cursor
	for _, c := range told {
		if c.Account == me {
			there = c
		}
	}
	owes, err := store.Owes(tx, m.ID, there.Delivered, m.Seq)
	if err != nil {
		return err
	}
	if owes || there.Read < own.Read {
		tx.OnCommit(func() { r.cfg.Unread(m.ID) })
	}
	return nil
}

func other(me wire.AccountID, members []wire.AccountID) wire.AccountID {
	for _, a := range members {
		if a != me {
			return a
		}
	}
	return wire.AccountID{}
}

// known reports whether there is such a room here: no worker is made for what a
// server makes up.
func (r *Rooms) known(id wire.RoomID) (bool, error) {
	r.mu.Lock()
	_, works := r.workers[id]
	r.mu.Unlock()
	if works {
		return true, nil
	}
	err := r.cfg.Store.View(context.Background(), func(tx *store.Tx) error {
		_, err := store.GetRoom(tx, id)
		return err
	})
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return err == nil, err
}

// Nudge takes the event nudge.
func (r *Rooms) Nudge(n wire.Nudge) error {
	if r.Paused() {
		return nil // every room is asked about afterwards
	}
	known, err := r.known(n.Room)
	if err != nil || !known {
		return err // the event room comes first
	}
	return r.with(n.Room, func(w *worker) { w.nudge(n) })
}

// Moved takes a newer statement of an account: its devices that were revoked
// leave the rooms in which they are.
func (r *Rooms) Moved(ctx context.Context, before, after *statement.Verified) error {
	revoked := false
	for _, d := range after.Devices {
		if d.Active() {
			continue
		}
		was := statement.Device{}
		if before != nil {
			was, _ = before.Device(d.ID)
		}
		revoked = revoked || was.Active()
	}
	if !revoked {
		return nil
	}
	var in []wire.RoomID
	err := r.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		in, err = store.RoomsWith(tx, after.Account)
		return err
	})
	for _, id := range in {
		r.Wake(id)
	}
	return err
}

// notice makes a notice about a room; the same trouble in one room is told once.
func (r *Rooms) notice(tx *store.Tx, id wire.RoomID, code api.NoticeCode, account wire.AccountID, text string) error {
	r.cfg.Log.Warn("refused", "room", id, "code", code, "why", text)
	return r.cfg.Feed.Raise(tx, store.Notice{
		ID: fmt.Sprintf("%s %s", code, id), Code: string(code), Severe: true,
		Room: id, Account: account, Time: wire.Now(r.cfg.Now()), Text: text,
	})
}
