package room

import (
	"context"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// typingRate is how often one account may say that it is writing in a room; more
// often tells nobody anything.
var typingRate = limit.Rate{Every: time.Second, Burst: 1}

// tellsAnew reports whether an account has not said just now that it is writing in
// a room.
func tellsAnew(l *limit.Limiter, id wire.RoomID, account wire.AccountID) bool {
	key := append(append([]byte("typing "), id[:]...), account[:]...)
	_, wait := l.Count(limit.Tally{Key: string(key), Rate: typingRate})
	return wait == 0
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
	if tellsAnew(rs.cfg.Limit, p.Room, a.Account) {
		hub.Tell(rs.cfg.Hub, hub.Room(p.Room).ButAccount(a.Account), wire.OnTyping, wire.Typing{Room: p.Room, Account: a.Account})
	}
	return nil
}
