package room

import (
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// What the writer remembers of rooms, so that it need not ask before each
// message (docs/adr/0014). It reflects these tables and no others:
//
//	room         kind, seq, head, epoch, epoch_seq, epoch_head, proposals, proposed_ms
//	room_member  who is a member now
//	room_leaf    which devices have a leaf, and whose they are
//	room_cursor  delivered, seen
//
// Whatever writes to one of them goes through own first, which forgets the room.
// Only logs.add and progress.store do not: they remember what they wrote. That a
// device is active is device.People's to remember.

// memory reads rooms by way of what the writer remembers. It is the writer's
// goroutine's alone.
type memory struct {
	readings uint64 // of rows, so far
}

// known is the key of a room's row as it is remembered.
type known wire.RoomID

// remembered is a room's row. Each time that it is read from the database it
// gets another number, under which facts about who is in the room are kept: when
// the room is forgotten, so are they.
type remembered struct {
	room
	reading uint64
}

// member is the key of the fact that an account is a member.
type member struct {
	reading uint64
	account wire.AccountID
}

// leaf is the key of the fact that a device has a leaf.
type leaf struct {
	reading uint64
	device  wire.DeviceID
}

// cursor is the key of an account's cursor.
type cursor struct {
	reading uint64
	account wire.AccountID
}

// crowd is the key of how many members a room has.
type crowd struct{ reading uint64 }

// look returns the row of a room as it stands in this transaction; db.ErrNone if
// there is no such room.
func (m *memory) look(tx *db.Tx, id wire.RoomID) (remembered, error) {
	if r, ok := tx.Recall(known(id)).(remembered); ok {
		return r, nil
	}
	r, err := find(tx, id)
	if err != nil {
		return remembered{}, err
	}
	m.readings++
	got := remembered{r, m.readings}
	tx.Remember(known(id), got)
	return got, nil
}

// own has the job change what it likes of a room: its row is as it should be in
// the database, and whatever is remembered of it is forgotten, until the job is
// over. The order matters, and db holds to it: it is called before anything is
// written, or fails; and what was left to be written is, before it is forgotten.
func own(tx *db.Tx, id wire.RoomID) error {
	if err := tx.Settle(known(id)); err != nil {
		return err // and others count on what is remembered
	}
	tx.Forget(known(id))
	return nil
}

// ofMember returns the row of a room if the account is a member. It asks for the
// room after it has asked whether it is the account's, so that to a stranger one
// that is there and one that is not are the same.
func (m *memory) ofMember(tx *db.Tx, id wire.RoomID, account wire.AccountID) (r remembered, is bool, err error) {
	if r, ok := tx.Recall(known(id)).(remembered); ok && tx.Recall(member{r.reading, account}) != nil {
		return r, true, nil
	}
	s, err := spanOf(tx, id, account)
	if err != nil || s.membership != authz.Member {
		return remembered{}, false, err
	}
	r, err = m.look(tx, id)
	if errors.Is(err, db.ErrNone) {
		return remembered{}, false, nil
	}
	if err != nil {
		return remembered{}, false, fmt.Errorf("read room %s: %w", id, err)
	}
	tx.Remember(member{r.reading, account}, true)
	return r, true, nil
}

// hasLeaf reports whether a device has a leaf in a room.
func (r *remembered) hasLeaf(tx *db.Tx, device wire.DeviceID) (bool, error) {
	if tx.Recall(leaf{r.reading, device}) != nil {
		return true, nil
	}
	has, err := hasLeaf(tx, r.id, device)
	if err != nil || !has {
		return false, err
	}
	tx.Remember(leaf{r.reading, device}, true)
	return true, nil
}

// lookAs is enter for Update: what it asks of a member is mostly remembered.
func (m *memory) lookAs(tx *db.Tx, a authz.Actor, do authz.Action, id wire.RoomID) (remembered, error) {
	r, is, err := m.ofMember(tx, id, a.Account)
	if err != nil {
		return r, err
	}
	if is {
		return r, authz.Check(a, do, authz.InRoom(authz.Member))
	}
	if _, _, err := enter(tx, a, do, id); err != nil {
		return r, err
	}
	return m.look(tx, id)
}

// cursorOf returns the cursor of an account.
func (r *remembered) cursorOf(tx *db.Tx, account wire.AccountID) (wire.Cursor, error) {
	if c, ok := tx.Recall(cursor{r.reading, account}).(wire.Cursor); ok {
		return c, nil
	}
	list, err := cursorsOf(tx, r.id, account)
	if err != nil || len(list) == 0 {
		return wire.Cursor{Account: account}, err
	}
	tx.Remember(cursor{r.reading, account}, list[0])
	return list[0], nil
}

// crowd returns how many members a room has, maxIntimate+1 for all above that:
// then they do not hear of one another's cursors.
func (r *remembered) crowd(tx *db.Tx) (members int64, err error) {
	if n, ok := tx.Recall(crowd{r.reading}).(int64); ok {
		return n, nil
	}
	const count = `SELECT COUNT(*) FROM (SELECT 1 FROM room_member WHERE room_id = $1 AND until_seq = 0 LIMIT $2) AS m`
	if err := tx.QueryRow(count, r.id, int64(maxIntimate+1)).Scan(&members); err != nil {
		return 0, fmt.Errorf("count the members of %s: %w", r.id, err)
	}
	tx.Remember(crowd{r.reading}, members)
	return members, nil
}
