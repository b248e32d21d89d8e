package room

import (
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
//
// Whatever writes to one of them goes through own first, which forgets the room.
// Only Send does not: it remembers the row that it moved on. That a device is
// active is device.People's to remember.

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

// look returns the row of a room as it stands in this transaction; db.ErrNone if
// there is no such room.
func (rs *Rooms) look(tx *db.Tx, id wire.RoomID) (remembered, error) {
	if r, ok := tx.Recall(known(id)).(remembered); ok {
		return r, nil
	}
	r, err := find(tx, id)
	if err != nil {
		return remembered{}, err
	}
	rs.readings++
	got := remembered{r, rs.readings}
	tx.Remember(known(id), got)
	return got, nil
}

// own has the job change what it likes of a room: its row is as it should be in
// the database, and whatever is remembered of it is forgotten. It is called
// before anything is written.
func own(tx *db.Tx, id wire.RoomID) error {
	err := tx.Settle(known(id))
	tx.Forget(known(id))
	return err
}

// isMember reports whether an account is a member of a room.
func (r *remembered) isMember(tx *db.Tx, account wire.AccountID) (bool, error) {
	if tx.Recall(member{r.reading, account}) != nil {
		return true, nil
	}
	s, err := spanOf(tx, r.id, account)
	if err != nil || s.membership != authz.Member {
		return false, err
	}
	tx.Remember(member{r.reading, account}, true)
	return true, nil
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
