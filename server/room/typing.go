package room

import (
	"context"
	"sync"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

const (
	// typingEvery is how often one account may say that it is writing in a room;
	// more often tells nobody anything.
	typingEvery = time.Second
	maxTypists  = 10_000
)

// typists remembers who said just now that it is writing.
type typists struct {
	mu   sync.Mutex // guards what follows
	last map[typist]time.Time
}

type typist struct {
	room    wire.RoomID
	account wire.AccountID
}

// fresh reports whether t has not said so just now, and remembers that it has.
func (ts *typists) fresh(t typist, now time.Time) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if since := now.Sub(ts.last[t]); since >= 0 && since < typingEvery {
		return false
	}
	if ts.last == nil || len(ts.last) >= maxTypists {
		ts.last = make(map[typist]time.Time) // forgetting costs an event too many
	}
	ts.last[t] = now
	return true
}

// Typing tells the other members that the account is writing in a room. Nothing
// is stored.
func (rs *Rooms) Typing(ctx context.Context, a authz.Actor, p wire.Typing) error {
	err := rs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		if _, _, err := enter(tx, a, authz.RoomTyping, p.Room); err != nil {
			return err
		}
		return checkActive(tx, rs.cfg.People, a)
	})
	if err != nil {
		return err
	}
	if rs.typing.fresh(typist{p.Room, a.Account}, rs.cfg.Now()) {
		hub.Tell(rs.cfg.Hub, hub.Room(p.Room).ButAccount(a.Account), wire.OnTyping, wire.Typing{Room: p.Room, Account: a.Account})
	}
	return nil
}
