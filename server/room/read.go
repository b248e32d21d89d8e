package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Log returns entries of a room after p.After, oldest first: at most p.Limit,
// wire.MaxLogPage or wire.MaxLogPageBytes, but at least one if there is one. A
// page never goes across a time in which the account was not a member.
func (rs *Rooms) Log(ctx context.Context, a authz.Actor, p wire.ReadLog) (page wire.LogPage, err error) {
	limit := p.Limit
	if limit <= 0 || limit > wire.MaxLogPage {
		limit = wire.MaxLogPage
	}
	if p.After < 0 {
		return page, wire.Refuse(wire.BadRequest, "entries after %d", p.After)
	}
	err = rs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		r, s, err := enter(tx, a, authz.RoomRead, p.Room)
		if err != nil {
			return err
		}
		page.Seq = r.seq
		if s.until != 0 {
			page.Seq = s.until
		}
		from, until, err := readable(tx, r, a.Account, p.After)
		if err != nil {
			return err
		}
		page.Entries, err = rs.log.page(tx, r.id, from, until, limit)
		return err
	})
	return page, err
}

// readable returns the first stretch of entries after seq that the account may
// read, both ends included; from > until if there is none.
func readable(tx *db.Tx, r room, account wire.AccountID, after int64) (from, until int64, err error) {
	const get = `SELECT from_seq, CASE WHEN until_seq = 0 THEN $4 ELSE until_seq END FROM room_member
		WHERE room_id = $1 AND account_id = $2 AND (until_seq = 0 OR until_seq > $3) ORDER BY from_seq LIMIT 1`
	err = tx.QueryRow(get, r.id, account, after, r.seq).Scan(&from, &until)
	if errors.Is(err, db.ErrNone) {
		return 1, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up what %s may read in %s: %w", account, r.id, err)
	}
	return max(from, after+1), until, nil
}

// Erase deletes the body of a message that the account sent, and the blobs that
// no other message holds. Its place and its hash stay.
func (rs *Rooms) Erase(ctx context.Context, a authz.Actor, p wire.Erase) error {
	return rs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		s, err := spanOf(tx, p.Room, a.Account)
		if err != nil {
			return err
		}
		var (
			kind   int64
			sender wire.AccountID
			body   []byte
		)
		const get = `SELECT kind, account_id, body FROM room_entry WHERE room_id = $1 AND seq = $2`
		err = tx.QueryRow(get, p.Room, p.Seq).Scan(&kind, &sender, &body)
		if err != nil && !errors.Is(err, db.ErrNone) {
			return fmt.Errorf("read %s/%d: %w", p.Room, p.Seq, err)
		}
		if err := authz.Check(a, authz.RoomErase, authz.EntryOf(sender, s.membership)); err != nil {
			return err
		}
		if wire.EntryKind(kind) != wire.MessageEntry {
			return wire.Refuse(wire.BadRequest, "only messages can be erased")
		}
		if err := checkActive(tx, rs.cfg.People, a); err != nil {
			return err
		}
		if body == nil {
			return nil // erased before
		}
		return rs.log.erase(tx, p.Room, p.Seq, body)
	})
}
