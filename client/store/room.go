package store

import (
	"fmt"

	"github.com/veche-im/veche/wire"
)

// RoomState is whether one can write in a room, and why not.
type RoomState string

const (
	RoomJoining RoomState = "joining" // this device is not in the group yet
	RoomOpen    RoomState = "open"
	RoomLeft    RoomState = "left"    // can be read, not written
	RoomBlocked RoomState = "blocked" // the server showed a forked history
)

// Room is how far this device has come in a room, and what lists show of it.
type Room struct {
	ID     wire.RoomID
	Kind   wire.RoomKind
	State  RoomState
	Seq    int64     // newest entry that was processed
	Head   wire.Hash // after it
	Epoch  uint64
	Joined int64          // entry by which this device came in
	Peer   wire.AccountID // the other account of a direct room; zero for groups and notes to oneself
	Name   string
	Named  int64 // seq of the message that gave Name, 0 if none did
	Draft  string
	Time   wire.Millis // of the newest item or of joining
}

const roomColumns = `id, kind, state, seq, head, epoch, joined, peer, name, named, draft, time`

func readRoom(r row) (m Room, err error) {
	err = r.scan(&m.ID, &m.Kind, &m.State, &m.Seq, &m.Head, &m.Epoch, &m.Joined, &m.Peer, &m.Name, &m.Named, &m.Draft, &m.Time)
	return m, err
}

// Rooms returns all rooms, the newest first.
func Rooms(tx *Tx) ([]Room, error) {
	return all(tx, readRoom, `SELECT `+roomColumns+` FROM room ORDER BY time DESC, id`)
}

// GetRoom returns one room, ErrNone if it is not here.
func GetRoom(tx *Tx, id wire.RoomID) (Room, error) {
	return one(tx, readRoom, `SELECT `+roomColumns+` FROM room WHERE id = ?1`, id)
}

// DirectRoom returns the direct room with account, ErrNone if there is none.
func DirectRoom(tx *Tx, account wire.AccountID) (Room, error) {
	const q = `SELECT ` + roomColumns + ` FROM room WHERE peer = ?1 ORDER BY time DESC LIMIT 1`
	return one(tx, readRoom, q, account)
}

// PutRoom stores a room whole, new or known. A known room does not go back to
// an older entry: that is ErrBackward.
func PutRoom(tx *Tx, r Room) error {
	const q = `INSERT INTO room (id, kind, state, seq, head, epoch, joined, peer, name, named, draft, time)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
		ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, state = excluded.state, seq = excluded.seq, head = excluded.head,
			epoch = excluded.epoch, joined = excluded.joined, peer = excluded.peer, name = excluded.name, named = excluded.named,
			draft = excluded.draft, time = excluded.time
		WHERE excluded.seq >= room.seq`
	res, err := tx.exec(q, r.ID, r.Kind, r.State, r.Seq, r.Head, r.Epoch, r.Joined, orNull(r.Peer), r.Name, r.Named, r.Draft, r.Time)
	if err != nil {
		return err
	}
	if res.Changes == 0 {
		return fmt.Errorf("%w: room %s to entry %d", ErrBackward, r.ID, r.Seq)
	}
	return nil
}

// DeleteRoom forgets a room with all that belongs to it.
func DeleteRoom(tx *Tx, id wire.RoomID) error {
	for _, q := range []string{
		`DELETE FROM mls_state WHERE room = ?1`, `DELETE FROM cursor WHERE room = ?1`, `DELETE FROM room WHERE id = ?1`,
	} {
		if _, err := tx.exec(q, id); err != nil {
			return err
		}
	}
	return nil
}

// PutDraft keeps what stands in a room's composer.
func PutDraft(tx *Tx, id wire.RoomID, text string) error {
	_, err := tx.exec(`UPDATE room SET draft = ?2 WHERE id = ?1`, id, text)
	return err
}

// RoomMember is an account with devices in a room.
type RoomMember struct {
	Account wire.AccountID
	Leaves  int
	Owner   bool
}

// Members returns the accounts of a room's tree, as of its newest commit.
func Members(tx *Tx, room wire.RoomID) ([]RoomMember, error) {
	const q = `SELECT account, leaves, owner FROM room_member WHERE room = ?1 ORDER BY account`
	return all(tx, func(r row) (m RoomMember, err error) {
		err = r.scan(&m.Account, &m.Leaves, &m.Owner)
		return m, err
	}, q, room)
}

// SetMembers replaces the copy of who is in a room's tree.
func SetMembers(tx *Tx, room wire.RoomID, members []RoomMember) error {
	if _, err := tx.exec(`DELETE FROM room_member WHERE room = ?1`, room); err != nil {
		return err
	}
	for _, m := range members {
		const q = `INSERT INTO room_member (room, account, leaves, owner) VALUES (?1, ?2, ?3, ?4)`
		if _, err := tx.exec(q, room, m.Account, m.Leaves, m.Owner); err != nil {
			return err
		}
	}
	return nil
}

// RoomsWith returns the rooms in whose tree account is.
func RoomsWith(tx *Tx, account wire.AccountID) ([]wire.RoomID, error) {
	return all(tx, func(r row) (id wire.RoomID, err error) {
		err = r.scan(&id)
		return id, err
	}, `SELECT room FROM room_member WHERE account = ?1 ORDER BY room`, account)
}

// PutHead notes the head of room after entry seq. Another head for an entry
// that is known is ErrBackward.
func PutHead(tx *Tx, room wire.RoomID, seq int64, head wire.Hash) error {
	const q = `INSERT INTO room_head (room, seq, head) VALUES (?1, ?2, ?3)
		ON CONFLICT (room, seq) DO UPDATE SET head = excluded.head WHERE excluded.head = room_head.head`
	res, err := tx.exec(q, room, seq, head)
	if err != nil {
		return err
	}
	if res.Changes == 0 {
		return fmt.Errorf("%w: head %d of %s", ErrBackward, seq, room)
	}
	return nil
}

// PutEntry is PutHead for an entry that this device has processed: it notes
// whose it was, too.
func PutEntry(tx *Tx, room wire.RoomID, e *wire.Entry) error {
	if err := PutHead(tx, room, e.Seq, e.Head); err != nil {
		return err
	}
	const q = `UPDATE room_head SET device = ?3, client = ?4, body = ?5 WHERE room = ?1 AND seq = ?2`
	_, err := tx.exec(q, room, e.Seq, e.Device, e.Client, e.BodyHash())
	return err
}

// EntryOf returns the seq of the entry that device sent under a client id,
// ErrNone if this device has processed none.
func EntryOf(tx *Tx, room wire.RoomID, device wire.DeviceID, client wire.ClientID) (int64, error) {
	const q = `SELECT seq FROM room_head WHERE room = ?1 AND client = ?2 AND device = ?3 ORDER BY seq LIMIT 1`
	return value[int64](tx, q, room, client, device)
}

// HeadAt returns the head of room after entry seq, ErrNone if it is not known.
func HeadAt(tx *Tx, room wire.RoomID, seq int64) (wire.Hash, error) {
	return value[wire.Hash](tx, `SELECT head FROM room_head WHERE room = ?1 AND seq = ?2`, room, seq)
}

// Cursors returns how far the accounts of a room have come.
func Cursors(tx *Tx, room wire.RoomID) ([]wire.Cursor, error) {
	const q = `SELECT account, delivered, read FROM cursor WHERE room = ?1 ORDER BY account`
	return all(tx, func(r row) (c wire.Cursor, err error) {
		err = r.scan(&c.Account, &c.Delivered, &c.Read)
		return c, err
	}, q, room)
}

// Delivered returns up to where the accounts of every member but me have stored
// everything; 0 if there is none. Of a crowd nobody hears of others' cursors, so
// that the first member without one ends the search.
func Delivered(tx *Tx, room wire.RoomID, me wire.AccountID) (int64, error) {
	const q = `SELECT CASE WHEN EXISTS (SELECT 1 FROM room_member AS m WHERE m.room = ?1 AND m.account <> ?2
			AND NOT EXISTS (SELECT 1 FROM cursor AS c WHERE c.room = m.room AND c.account = m.account)) THEN 0
		ELSE (SELECT min(c.delivered) FROM room_member AS m JOIN cursor AS c ON c.room = m.room AND c.account = m.account
			WHERE m.room = ?1 AND m.account <> ?2) END`
	return value[int64](tx, q, room, me)
}

// GetCursor returns how far account has come in room, zero if nothing is known.
func GetCursor(tx *Tx, room wire.RoomID, account wire.AccountID) (wire.Cursor, error) {
	c := wire.Cursor{Account: account}
	list, err := all(tx, func(r row) (struct{}, error) { return struct{}{}, r.scan(&c.Delivered, &c.Read) },
		`SELECT delivered, read FROM cursor WHERE room = ?1 AND account = ?2`, room, account)
	_ = list
	return c, err
}

// MoveCursor moves a cursor forward, each half by itself, and reports whether
// anything moved; backward is ignored.
func MoveCursor(tx *Tx, room wire.RoomID, c wire.Cursor) (moved bool, err error) {
	const q = `INSERT INTO cursor (room, account, delivered, read) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (room, account) DO UPDATE SET delivered = max(cursor.delivered, excluded.delivered), read = max(cursor.read, excluded.read)
		WHERE excluded.delivered > cursor.delivered OR excluded.read > cursor.read`
	res, err := tx.exec(q, room, c.Account, c.Delivered, c.Read)
	return res.Changes > 0, err
}
