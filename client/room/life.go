package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// ErrPaused is returned for what needs the server while the rooms are brought
// over to another life of the site.
var ErrPaused = errors.New("room: the site was restored, and this device is not through with that")

// Pause keeps the rooms from the server until Resume, and returns when none of
// them is at work any more.
func (r *Rooms) Pause() {
	r.life.Lock()
	defer r.life.Unlock()
	r.paused = true
}

// Resume lets the rooms go on, with nothing in memory from before.
func (r *Rooms) Resume() {
	r.life.Lock()
	defer r.life.Unlock()
	r.paused = false
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		w.forgetLife()
		w.wake()
	}
}

// Paused reports whether the rooms are kept from the server.
func (r *Rooms) Paused() bool {
	r.life.RLock()
	defer r.life.RUnlock()
	return r.paused
}

// forgetLife drops what was heard in the former life, and has the worker drop what
// it worked out before it does anything else. No cycle runs meanwhile.
func (w *worker) forgetLife() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq, w.nudged, w.server = 0, map[int64]wire.Entry{}, nil
	w.anew = true
}

// beginLife drops what the worker worked out in a former life, if there was one.
func (w *worker) beginLife() {
	w.mu.Lock()
	anew := w.anew
	w.anew = false
	w.mu.Unlock()
	if anew {
		w.g, w.clean, w.retries = nil, clean{}, 0
	}
}

// Restored compares every room with how the server of a restored site has it,
// and takes back those that are further than it. The rooms must be paused. It
// can be called again after any error. docs/spec/restore.md.
func (r *Rooms) Restored(ctx context.Context) error {
	me, ok := r.cfg.Me()
	if !ok {
		return ErrPaused
	}
	list, err := session.Call(ctx, r.cfg.Session, wire.RoomList, wire.None{})
	if err != nil {
		return err
	}
	there := map[wire.RoomID]*wire.Room{}
	for i := range list.Rooms {
		there[list.Rooms[i].Room] = &list.Rooms[i]
	}
	var rooms []store.Room
	if err := r.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		rooms, err = store.Rooms(tx)
		return err
	}); err != nil {
		return err
	}
	for _, m := range rooms {
		if m.State == store.RoomBlocked {
			continue
		}
		err := comparison{r, me, m, there[m.ID]}.settle(ctx)
		if code := wire.CodeOf(err); code != "" && code != wire.Busy {
			// Something is wrong with this room there. It alone waits.
			r.cfg.Log.Warn("room is compared later", "room", m.ID, "err", err)
			err = r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
				return store.PutSetting(tx, compareName(m.ID), []byte{1})
			})
		}
		if err != nil {
			return fmt.Errorf("compare %s: %w", m.ID, err)
		}
	}
	return nil
}

// compareLater compares a room that could not be when the site was found to be
// restored.
func (w *worker) compareLater(ctx context.Context) error {
	waits := false
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := store.GetSetting(tx, compareName(w.id))
		waits = err == nil
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	if err != nil || !waits {
		return err
	}
	s, err := session.Call(ctx, w.cfg.Session, wire.RoomGet, wire.GetRoom{Room: w.id})
	if err != nil {
		return err
	}
	if err := (comparison{w.Rooms, w.me(), w.row, &s}).settle(ctx); err != nil {
		return err
	}
	w.forgetLife()
	w.raiseTarget(s.Seq)
	if err := w.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DeleteSetting(tx, compareName(w.id)) }); err != nil {
		return err
	}
	return w.load(ctx)
}

func compareName(room wire.RoomID) string { return "compare " + room.String() }
