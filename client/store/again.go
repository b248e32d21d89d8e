package store

import "github.com/veche-im/veche/wire"

// PutLeaf notes that a device has a leaf in a room since the entry seq.
func PutLeaf(tx *Tx, room wire.RoomID, device wire.DeviceID, seq int64) error {
	const q = `INSERT INTO leaf_since (room, device, seq) VALUES (?1, ?2, ?3) ON CONFLICT (room, device) DO UPDATE SET seq = excluded.seq`
	_, err := tx.exec(q, room, device, seq)
	return err
}

// DeleteLeaf notes that a device has none any more.
func DeleteLeaf(tx *Tx, room wire.RoomID, device wire.DeviceID) error {
	_, err := tx.exec(`DELETE FROM leaf_since WHERE room = ?1 AND device = ?2`, room, device)
	return err
}

// DeleteLeaves forgets all of a room.
func DeleteLeaves(tx *Tx, room wire.RoomID) error {
	_, err := tx.exec(`DELETE FROM leaf_since WHERE room = ?1`, room)
	return err
}

// LeafSince returns since which entry a device has had a leaf without a break,
// ErrNone if this device does not know that it has one.
func LeafSince(tx *Tx, room wire.RoomID, device wire.DeviceID) (int64, error) {
	return value[int64](tx, `SELECT seq FROM leaf_since WHERE room = ?1 AND device = ?2`, room, device)
}

// Missing is an entry that this device could not open.
type Missing struct {
	Device wire.DeviceID
	Client wire.ClientID
	Seq    int64
	Time   wire.Millis
	Gap    string // the row that says so
}

// PutMissing notes an entry that this device could not open.
func PutMissing(tx *Tx, room wire.RoomID, m Missing) error {
	const q = `INSERT INTO missing (room, device, client, seq, time, gap) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT (room, client, device) DO UPDATE SET seq = excluded.seq, time = excluded.time, gap = excluded.gap`
	_, err := tx.exec(q, room, m.Device, m.Client, m.Seq, m.Time, m.Gap)
	return err
}

// TakeMissing returns an entry that was missing and forgets that it was, ErrNone
// if it was not. last is true if it was the last of its gap.
func TakeMissing(tx *Tx, room wire.RoomID, device wire.DeviceID, client wire.ClientID) (m Missing, last bool, err error) {
	m = Missing{Device: device, Client: client}
	const get = `SELECT seq, time, gap FROM missing WHERE room = ?1 AND client = ?2 AND device = ?3`
	if _, err := one(tx, func(r row) (struct{}, error) { return struct{}{}, r.scan(&m.Seq, &m.Time, &m.Gap) }, get, room, client, device); err != nil {
		return m, false, err
	}
	if _, err := tx.exec(`DELETE FROM missing WHERE room = ?1 AND client = ?2 AND device = ?3`, room, client, device); err != nil {
		return m, false, err
	}
	n, err := value[int64](tx, `SELECT count(*) FROM missing WHERE room = ?1 AND gap = ?2`, room, m.Gap)
	return m, n == 0, err
}

// SayAgain notes that something is said again to a device, and reports whether
// that is for the first time.
func SayAgain(tx *Tx, room wire.RoomID, device wire.DeviceID, client wire.ClientID) (first bool, err error) {
	const q = `INSERT INTO said_again (room, device, client) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`
	res, err := tx.exec(q, room, device, client)
	return res.Changes > 0, err
}
