package room

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// logs is the logs of all rooms. What was appended is on disk before anybody
// hears of it, is told in the order of its numbers, and never changes but that a
// body is erased; what is read is held against the heads.
type logs struct {
	hub      *hub.Hub
	blobs    Blobs
	now      func() time.Time
	tails    *tails
	progress *progress // goes out with the next nudge
	log      *slog.Logger
}

// insert takes the values of an entry, in the order of values.
const insert = `INSERT INTO room_entry (room_id, seq, kind, account_id, device_id, client_id, epoch, time_ms, head, body)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

func values(id wire.RoomID, e *wire.Entry) []any {
	return []any{id[:], e.Seq, int64(e.Kind), e.Account[:], e.Device[:], e.Client[:], int64(e.Epoch), int64(e.Time), e.Head[:], []byte(e.Body)}
}

// append stores an entry as the newest of r, fills in its Seq, Time and Head,
// and moves r on. The room must be locked. Whoever listens hears of it after
// the commit.
func (l *logs) append(tx *db.Tx, r *room, e *wire.Entry) error {
	l.number(r, e)
	if _, err := tx.Exec(insert, values(r.id, e)...); err != nil {
		return fmt.Errorf("append %s/%d: %w", r.id, e.Seq, err)
	}
	r.seq, r.head = e.Seq, e.Head
	if err := move(tx, r); err != nil {
		return err
	}
	l.nudge(tx, r.id, e)
	return nil
}

// number gives an entry its place after the newest of r.
func (l *logs) number(r *room, e *wire.Entry) {
	e.Seq = r.seq + 1
	e.Time = wire.Now(l.now())
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
func (l *logs) nudge(tx *db.Tx, id wire.RoomID, e *wire.Entry) {
	nudge := wire.Nudge{Room: id, Seq: e.Seq}
	if len(e.Body) <= smallEntry {
		nudge.Entry = e
	}
	tx.OnCommit(func() {
		l.tails.add(id, *e)
		nudge.Cursors, _ = l.progress.take(id)
		hub.Tell(l.hub, hub.Room(id), wire.OnNudge, nudge)
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

// page reads entries from … until of a room, both included, at most limit and no
// more than wire.MaxLogPageBytes.
func (l *logs) page(tx *db.Tx, id wire.RoomID, from, until int64, limit int) ([]wire.Entry, error) {
	if newest := l.tails.page(id, from, min(until, from+int64(limit)-1)); newest != nil {
		return newest, nil
	}
	return l.whole(tx, id, from, until, limit)
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

// erase deletes the body of an entry, and the blobs that no other holds. Its place
// and its hash stay.
func (l *logs) erase(tx *db.Tx, id wire.RoomID, seq int64, body []byte) error {
	const erase = `UPDATE room_entry SET body = NULL, erased = $3 WHERE room_id = $1 AND seq = $2`
	if _, err := tx.Exec(erase, id, seq, wire.Hash(sha256.Sum256(body))); err != nil {
		return fmt.Errorf("erase %s/%d: %w", id, seq, err)
	}
	if err := l.blobs.Release(tx, id, seq); err != nil {
		return err
	}
	tx.OnCommit(func() {
		l.tails.drop(id)
		hub.Tell(l.hub, hub.Room(id), wire.OnErased, wire.Erased{Room: id, Seq: seq})
	})
	return nil
}
