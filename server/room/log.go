package room

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// insert takes the values of an entry, in the order of values.
const insert = `INSERT INTO room_entry (room_id, seq, kind, account_id, device_id, client_id, epoch, time_ms, head, body)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

func values(id wire.RoomID, e *wire.Entry) []any {
	return []any{id[:], e.Seq, int64(e.Kind), e.Account[:], e.Device[:], e.Client[:], int64(e.Epoch), int64(e.Time), e.Head[:], []byte(e.Body)}
}

// append stores an entry as the newest of r, fills in its Seq, Time and Head,
// and moves r on. The room must be locked. Whoever listens hears of it after
// the commit.
func (rs *Rooms) append(tx *db.Tx, r *room, e *wire.Entry) error {
	rs.number(r, e)
	if _, err := tx.Exec(insert, values(r.id, e)...); err != nil {
		return fmt.Errorf("append %s/%d: %w", r.id, e.Seq, err)
	}
	r.seq, r.head = e.Seq, e.Head
	if err := move(tx, r); err != nil {
		return err
	}
	rs.nudge(tx, r.id, e)
	return nil
}

// number gives an entry its place after the newest of r.
func (rs *Rooms) number(r *room, e *wire.Entry) {
	e.Seq = r.seq + 1
	e.Time = wire.Now(rs.cfg.Now())
	e.Head = wire.Next(r.head, r.id, e)
}

// move stores how far r has come.
func move(tx *db.Tx, r *room) error {
	if _, err := tx.Exec(`UPDATE room SET seq = $2, head = $3 WHERE id = $1`, r.id[:], r.seq, r.head[:]); err != nil {
		return fmt.Errorf("move %s on to %d: %w", r.id, r.seq, err)
	}
	return nil
}

// nudge tells whoever listens of a new entry, once it is on disk.
func (rs *Rooms) nudge(tx *db.Tx, id wire.RoomID, e *wire.Entry) {
	nudge := wire.Nudge{Room: id, Seq: e.Seq}
	if len(e.Body) <= smallEntry {
		nudge.Entry = e
	}
	tx.OnCommit(func() {
		rs.tails.add(id, *e)
		nudge.Cursors, _ = rs.progress.take(id)
		hub.Tell(rs.cfg.Hub, hub.Room(id), wire.OnNudge, nudge)
	})
}

func receipt(e *wire.Entry) wire.Receipt {
	return wire.Receipt{Seq: e.Seq, Time: e.Time, Head: e.Head}
}

// receiptOf returns the receipt of what a device sent under a client id, nil if
// nothing.
func receiptOf(tx *db.Tx, id wire.RoomID, device wire.DeviceID, client wire.ClientID) (*wire.Receipt, error) {
	const get = `SELECT seq, time_ms, head FROM room_entry WHERE room_id = $1 AND device_id = $2 AND client_id = $3`
	var r wire.Receipt
	err := tx.QueryRow(get, id, device, client).Scan(&r.Seq, (*int64)(&r.Time), &r.Head)
	if errors.Is(err, db.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an earlier entry in %s: %w", id, err)
	}
	return &r, nil
}

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
		if page.Entries = rs.tails.page(r.id, from, min(until, from+int64(limit)-1)); page.Entries != nil {
			return nil
		}
		page.Entries, err = rs.whole(tx, r.id, from, until, limit)
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

// entries reads a page. What was read before an error is returned with it.
func entries(tx *db.Tx, id wire.RoomID, from, until int64, limit int) ([]wire.Entry, error) {
	const get = `SELECT seq, kind, account_id, device_id, client_id, epoch, time_ms, head, erased, body FROM room_entry
		WHERE room_id = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq LIMIT $4`
	list, size := []wire.Entry{}, 0
	rows, err := tx.Query(get, id, from, until, int64(limit))
	if err != nil {
		return list, fmt.Errorf("read %s: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return list, fmt.Errorf("read an entry of %s: %w", id, err)
		}
		if size += len(e.Body); size > wire.MaxLogPageBytes && len(list) > 0 {
			break
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

func scanEntry(rows *db.Rows) (e wire.Entry, err error) {
	var kind, epoch int64
	var erased, body []byte
	if err := rows.Scan(&e.Seq, &kind, &e.Account, &e.Device, &e.Client, &epoch, (*int64)(&e.Time), &e.Head, &erased, &body); err != nil {
		return e, err
	}
	e.Kind, e.Epoch, e.Body = wire.EntryKind(kind), uint64(epoch), body
	if erased != nil {
		if len(erased) != len(wire.Hash{}) {
			return e, fmt.Errorf("entry %d: %w: %d bytes where a hash belongs", e.Seq, db.ErrDamaged, len(erased))
		}
		e.Erased = (*wire.Hash)(erased)
		e.Body = nil
	}
	return e, nil
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
		const erase = `UPDATE room_entry SET body = NULL, erased = $3 WHERE room_id = $1 AND seq = $2`
		if _, err := tx.Exec(erase, p.Room, p.Seq, wire.Hash(sha256.Sum256(body))); err != nil {
			return fmt.Errorf("erase %s/%d: %w", p.Room, p.Seq, err)
		}
		if err := rs.cfg.Blobs.Release(tx, p.Room, p.Seq); err != nil {
			return err
		}
		tx.OnCommit(func() {
			rs.tails.drop(p.Room)
			hub.Tell(rs.cfg.Hub, hub.Room(p.Room), wire.OnErased, wire.Erased(p))
		})
		return nil
	})
}
