package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Fault is a place where what is stored of a room is not what was written. It is
// an error that is db.ErrDamaged.
type Fault struct {
	Table string
	Room  wire.RoomID // zero: of no room alone
	Seq   int64       // 0: of no entry alone
	What  string
}

func (f *Fault) Error() string {
	where := f.Table
	switch {
	case f.Seq > 0:
		where = fmt.Sprintf("entry %d of room %s", f.Seq, f.Room)
	case !f.Room.IsZero():
		where = fmt.Sprintf("room %s in %s", f.Room, f.Table)
	}
	return where + ": " + f.What
}

// Unwrap says what kind of error it is.
func (f *Fault) Unwrap() error { return db.ErrDamaged }

// sound returns how many of the entries of a room, which follow one another as
// they came from the disk, fit the head before the first of them, and what is
// wrong with the next.
func sound(id wire.RoomID, before wire.Hash, list []wire.Entry) (int, *Fault) {
	for i := range list {
		e := &list[i]
		if i > 0 && e.Seq != list[i-1].Seq+1 {
			return i, &Fault{"room_entry", id, list[i-1].Seq + 1, "it is missing"}
		}
		if wire.Next(before, id, e) != e.Head {
			return i, &Fault{"room_entry", id, e.Seq, "it is not what was written: its head does not fit"}
		}
		before = e.Head
	}
	return len(list), nil
}

// whole reads a page of a log and holds it against the heads. A page ends before
// what is damaged; one that would begin with it is refused with a *Fault, so that
// a device reads all that is whole and then hears why there is no more.
func (l *logs) whole(tx *db.Tx, id wire.RoomID, from, until int64, limit int) ([]wire.Entry, error) {
	if from > until {
		return []wire.Entry{}, nil
	}
	before, err := headAt(tx, id, from-1)
	if err != nil {
		return nil, err
	}
	list, err := entries(tx, id, from, until, limit)
	if err != nil && !errors.Is(err, db.ErrDamaged) {
		return nil, err
	}
	n, fault := 0, (*Fault)(nil)
	if len(list) > 0 && list[0].Seq == from {
		n, fault = sound(id, before, list)
	}
	switch {
	case fault != nil:
	case err != nil:
		fault = &Fault{"room_entry", id, from + int64(n), err.Error()}
	case n == 0:
		fault = &Fault{"room_entry", id, from, "it is missing"}
	default:
		return list, nil
	}
	l.log.Error("a stored entry is damaged", "room", id, "seq", fault.Seq, "what", fault.What)
	if n == 0 {
		return nil, fault
	}
	return list[:n], nil
}

// headAt returns the head after entry seq.
func headAt(tx *db.Tx, id wire.RoomID, seq int64) (h wire.Hash, err error) {
	if seq == 0 {
		return h, nil
	}
	err = tx.QueryRow(`SELECT head FROM room_entry WHERE room_id = $1 AND seq = $2`, id, seq).Scan(&h)
	if errors.Is(err, db.ErrNone) {
		return h, &Fault{"room_entry", id, seq, "it is missing"}
	}
	return h, err
}

// Counts is how much Check has looked at.
type Counts struct{ Rooms, Entries int64 }

// Check reads every room's log and tells what does not fit: a number that is
// missing, a head that does not follow from the entry and the head before it, a
// room that stands elsewhere than its log. Bodies that were erased count by their
// hash. Each room is looked at in a moment of its own, got from view. The error
// is ctx's, or one that is no damage.
func Check(ctx context.Context, view func(context.Context, func(*db.Tx) error) error, tell func(Fault)) (c Counts, err error) {
	var last wire.RoomID
	for first := true; ; first = false {
		var page []wire.RoomID
		err := view(ctx, func(tx *db.Tx) (err error) {
			page, err = column[wire.RoomID](tx, `SELECT id FROM room WHERE id > $1 OR $2 = 1 ORDER BY id LIMIT 500`, last, first)
			return err
		})
		switch {
		case errors.Is(err, db.ErrDamaged):
			tell(Fault{Table: "room", What: err.Error()})
			return c, nil
		case err != nil || len(page) == 0:
			return c, err
		}
		for _, id := range page {
			k := checking{id: id, tell: tell}
			if err := view(ctx, k.look); err != nil && !errors.Is(err, db.ErrDamaged) {
				return c, err
			} else if err != nil {
				tell(Fault{"room_entry", id, k.seq + 1, err.Error()})
			}
			c.Rooms++
			c.Entries += k.count
		}
		last = page[len(page)-1]
	}
}

// checking is one room's.
type checking struct {
	id    wire.RoomID
	tell  func(Fault)
	seq   int64 // looked at up to here
	head  wire.Hash
	count int64
}

func (k *checking) fault(seq int64, format string, args ...any) {
	table := "room_entry"
	if seq == 0 {
		table = "room"
	}
	k.tell(Fault{table, k.id, seq, fmt.Sprintf(format, args...)})
}

func (k *checking) look(tx *db.Tx) error {
	r, err := find(tx, k.id)
	if errors.Is(err, db.ErrNone) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	if going, err := beingDeleted(tx, k.id); going || err != nil {
		return err
	}
	const get = `SELECT seq, kind, account_id, device_id, client_id, epoch, time_ms, head, erased, body FROM room_entry WHERE room_id = $1 ORDER BY seq`
	err = tx.Each(func(rows *db.Rows) error {
		e, err := scanEntry(rows)
		if err != nil {
			return err
		}
		if e.Seq != k.seq+1 {
			k.fault(k.seq+1, "it is missing; %d comes next", e.Seq)
		} else if wire.Next(k.head, k.id, &e) != e.Head {
			k.fault(e.Seq, "it is not what was written: its head does not fit")
		}
		if e.Seq == r.epochSeq && e.Head != r.epochHead {
			k.fault(0, "it has another head for entry %d, which began the epoch", e.Seq)
		}
		k.seq, k.head = e.Seq, e.Head
		k.count++
		return nil
	}, get, k.id)
	if err != nil {
		return err
	}
	if k.seq != r.seq || k.head != r.head {
		k.fault(0, "it stands at entry %d, its log at %d, or at another head", r.seq, k.seq)
	}
	return nil
}

// beingDeleted reports whether a sweep that was cut off has begun to delete the
// room: its log is half gone.
func beingDeleted(tx *db.Tx, id wire.RoomID) (bool, error) {
	var n int64
	err := tx.QueryRow(`SELECT count(*) FROM room r WHERE r.id = $1 AND r.deserted_ms > 0 AND NOT EXISTS (SELECT 1 FROM room_member m WHERE m.room_id = r.id)`, id).Scan(&n)
	return n > 0, err
}
