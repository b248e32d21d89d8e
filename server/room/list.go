package room

import (
	"context"
	"fmt"
	"math"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// common is a room as it stands for everybody; as makes it somebody's.
type common struct{ room wire.Room }

// as returns the room as it stands for a device. What is told to the account's
// own devices alone is left out for others.
func (c common) as(account wire.AccountID, s span, leaf, welcome bool) wire.Room {
	r := c.room
	r.From, r.Until, r.Leaf, r.Welcome = s.from, s.until, leaf, welcome
	r.Cursors = make([]wire.Cursor, len(c.room.Cursors))
	for i, cur := range c.room.Cursors {
		if cur.Account != account {
			cur.Read = 0
		}
		r.Cursors[i] = cur
	}
	return r
}

// everybody is for describe: whoever they are.
const everybody = math.MaxInt

// describe reads how a room stands for everybody: with members and cursors if
// they are at most few.
func describe(tx *db.Tx, r room, few int) (common, error) {
	c := common{wire.Room{
		Room: r.id, Kind: r.kind, Seq: r.seq, Head: r.head, Epoch: r.epoch, Proposals: int(r.proposals),
		Cursors: []wire.Cursor{}, Members: []wire.AccountID{},
	}}
	// One more than few says as much as all of them: a list of rooms is asked for
	// with every connection, and must not cost what the largest room has members.
	const some = `SELECT account_id FROM room_member WHERE room_id = $1 AND until_seq = 0 ORDER BY account_id LIMIT $2`
	members, err := column[wire.AccountID](tx, some, r.id, int64(min(few, everybody-1))+1)
	if err != nil {
		return common{}, fmt.Errorf("list the members of %s: %w", r.id, err)
	}
	if len(members) > few {
		return c, nil
	}
	if len(members) > 0 {
		c.room.Members = members
	}
	const get = `SELECT account_id, delivered, seen FROM room_cursor WHERE room_id = $1 ORDER BY account_id`
	err = tx.Each(func(rows *db.Rows) error {
		var cur wire.Cursor
		if err := rows.Scan(&cur.Account, &cur.Delivered, &cur.Read); err != nil {
			return err
		}
		c.room.Cursors = append(c.room.Cursors, cur)
		return nil
	}, get, r.id)
	if err != nil {
		return common{}, fmt.Errorf("read the cursors of %s: %w", r.id, err)
	}
	return c, nil
}

// standing reads how a room stands for the actor's device.
func standing(tx *db.Tx, a authz.Actor, r room, s span, few int) (wire.Room, error) {
	c, err := describe(tx, r, few)
	if err != nil {
		return wire.Room{}, err
	}
	if len(c.room.Cursors) == 0 && few < everybody { // many members: one's own cursor at least
		if c.room.Cursors, err = cursorsOf(tx, r.id, a.Account); err != nil {
			return wire.Room{}, err
		}
	}
	leaf, err := hasLeaf(tx, r.id, a.Device)
	if err != nil {
		return wire.Room{}, err
	}
	var n int64
	welcome, err := exists(tx.QueryRow(`SELECT epoch FROM room_welcome WHERE room_id = $1 AND device_id = $2`, r.id, a.Device), &n)
	if err != nil {
		return wire.Room{}, fmt.Errorf("look for a Welcome of %s to %s: %w", a.Device, r.id, err)
	}
	return c.as(a.Account, s, leaf, welcome), nil
}

// Get returns how a room stands for the actor's device. An account that has left
// sees the room as it stood then no longer, but where its own reading ends.
func (rs *Rooms) Get(ctx context.Context, a authz.Actor, id wire.RoomID) (got wire.Room, err error) {
	err = rs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		r, s, err := enter(tx, a, authz.RoomRead, id)
		if err != nil {
			return err
		}
		got, err = former(tx, a, r, s, everybody)
		return err
	})
	return got, err
}

// former is standing, but for who has left it tells nothing of what came after.
func former(tx *db.Tx, a authz.Actor, r room, s span, few int) (wire.Room, error) {
	if s.membership == authz.Member {
		return standing(tx, a, r, s, few)
	}
	w := wire.Room{
		Room: r.id, Kind: r.kind, Seq: s.until, From: s.from, Until: s.until, Members: []wire.AccountID{},
	}
	var epoch int64
	const last = `SELECT head, epoch FROM room_entry WHERE room_id = $1 AND seq = $2`
	if err := tx.QueryRow(last, r.id, s.until).Scan(&w.Head, &epoch); err != nil {
		return wire.Room{}, fmt.Errorf("read %s/%d: %w", r.id, s.until, err)
	}
	w.Epoch = uint64(epoch)
	var err error
	w.Cursors, err = cursorsOf(tx, r.id, a.Account)
	if err != nil {
		return wire.Room{}, err
	}
	return w, nil
}

// List returns the rooms that the account is in or was in. Of groups of more
// than 100 people it leaves out who they are and how far others have read; Get
// tells that.
//
// Anybody can put an account into many groups. So that the list still fits into
// an answer, it leaves that out of small groups too once it has become long.
func (rs *Rooms) List(ctx context.Context, a authz.Actor) (wire.Rooms, error) {
	list, details := wire.Rooms{Rooms: []wire.Room{}}, 0
	err := rs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		ids, err := column[wire.RoomID](tx, `SELECT DISTINCT room_id FROM room_member WHERE account_id = $1 ORDER BY room_id`, a.Account)
		if err != nil {
			return fmt.Errorf("list the rooms of %s: %w", a.Account, err)
		}
		for _, id := range ids {
			r, s, err := enter(tx, a, authz.RoomRead, id)
			if err != nil {
				return err
			}
			few := maxIntimate
			if details >= rs.listDetails {
				few = 2 // the two of a direct room, by which it is found
			}
			w, err := former(tx, a, r, s, few)
			if err != nil {
				return err
			}
			details += len(w.Members) + len(w.Cursors)
			list.Rooms = append(list.Rooms, w)
		}
		return nil
	})
	return list, err
}

// Of lists the rooms that an account is a member of, for the hub.
func (rs *Rooms) Of(ctx context.Context, account wire.AccountID) ([]wire.RoomID, error) {
	return roomsBy(ctx, rs.cfg.DB, `SELECT room_id FROM room_member WHERE account_id = $1 AND until_seq = 0`, account)
}
