package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// exists scans a row that may not be there.
func exists(row db.Row, dest ...any) (bool, error) {
	err := row.Scan(dest...)
	if errors.Is(err, db.ErrNone) {
		return false, nil
	}
	return err == nil, err
}

// cursorsOf returns the cursor of an account as a list of one, or an empty one.
func cursorsOf(tx *db.Tx, id wire.RoomID, account wire.AccountID) ([]wire.Cursor, error) {
	c := wire.Cursor{Account: account}
	const get = `SELECT delivered, seen FROM room_cursor WHERE room_id = $1 AND account_id = $2`
	found, err := exists(tx.QueryRow(get, id, account), &c.Delivered, &c.Read)
	if err != nil {
		return nil, fmt.Errorf("read the cursor of %s in %s: %w", account, id, err)
	}
	if !found {
		return []wire.Cursor{}, nil
	}
	return []wire.Cursor{c}, nil
}

// SetCursor moves the account's cursors forward, up to the newest entry;
// backward is ignored. What was read was delivered. It is stored a moment later:
// see progress. The account's other devices hear of both at once; of what was
// delivered the other members hear too, in rooms of up to wire.MaxCursors people.
func (rs *Rooms) SetCursor(ctx context.Context, a authz.Actor, p wire.SetCursor) error {
	return rs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		r, err := rs.memory.lookAs(tx, a, authz.RoomCursor, p.Room)
		if err != nil {
			return err
		}
		if err := checkActive(tx, rs.cfg.People, a); err != nil {
			return err
		}
		was, waits := rs.progress.at(r.id, a.Account)
		if !waits {
			if was, err = r.cursorOf(tx, a.Account); err != nil {
				return err
			}
		}
		now := was
		now.Read = max(was.Read, min(p.Read, r.seq))
		now.Delivered = max(was.Delivered, min(p.Delivered, r.seq), now.Read)
		if now == was {
			return nil
		}
		tx.OnCommit(func() {
			if rs.cfg.Hub.Elsewhere(a.Account, a.Device) {
				hub.Tell(rs.cfg.Hub, hub.Account(a.Account).ButDevice(a.Device), wire.OnCursor, wire.Cursors{Room: r.id, Cursors: []wire.Cursor{now}})
			}
		})
		return rs.progress.move(ctx, tx, &r, now, was.Delivered)
	})
}
