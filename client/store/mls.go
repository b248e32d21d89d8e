package store

import (
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/wire"
)

// mlsState is a group's state within one transaction.
type mlsState struct {
	tx    *Tx
	room  wire.RoomID
	boxes map[string][]byte // all rows, from the first Get on
}

// MLS returns where the group of room keeps its state. It is good for tx alone.
func MLS(tx *Tx, room wire.RoomID) mls.Storage { return &mlsState{tx: tx, room: room} }

// read fetches all rows at once: who reads a group reads nearly all of it, one
// row for each node of its tree.
func (m *mlsState) read() error {
	if m.boxes != nil {
		return nil
	}
	res, err := m.tx.query(`SELECT key, box FROM mls_state WHERE room = ?1`, m.room)
	if err != nil {
		return err
	}
	boxes := make(map[string][]byte, len(res.Rows))
	for _, r := range res.Rows {
		var key string
		var box []byte
		if err := row(r).scan(&key, &box); err != nil {
			return err
		}
		boxes[key] = box
	}
	m.boxes = boxes
	return nil
}

// Get returns a value, nil if there is none.
func (m *mlsState) Get(key string) ([]byte, error) {
	if err := m.read(); err != nil {
		return nil, err
	}
	box, ok := m.boxes[key]
	if !ok {
		return nil, nil
	}
	v, err := m.tx.open(box, "mls_state", "box", m.room[:], []byte(key))
	if err != nil {
		return nil, err
	}
	return bytesOf(v), nil // an empty value is there, nil is not
}

// Put stores a value.
func (m *mlsState) Put(key string, v []byte) error {
	const q = `INSERT INTO mls_state (room, key, box) VALUES (?1, ?2, ?3) ON CONFLICT (room, key) DO UPDATE SET box = excluded.box`
	box := m.tx.seal(v, "mls_state", "box", m.room[:], []byte(key))
	_, err := m.tx.exec(q, m.room, key, box)
	if err == nil && m.boxes != nil {
		m.boxes[key] = box
	}
	return err
}

// Delete forgets a value; there may be none.
func (m *mlsState) Delete(key string) error {
	_, err := m.tx.exec(`DELETE FROM mls_state WHERE room = ?1 AND key = ?2`, m.room, key)
	if err == nil {
		delete(m.boxes, key)
	}
	return err
}

// DropMLS forgets a group's whole state: the group was left, or is joined anew.
func DropMLS(tx *Tx, room wire.RoomID) error {
	_, err := tx.exec(`DELETE FROM mls_state WHERE room = ?1`, room)
	return err
}

// KeyPackage is a key package of this device with its secrets.
type KeyPackage struct {
	Ref        []byte // its reference hash
	Package    []byte
	Secrets    []byte
	LastResort bool
	Made       wire.Millis
}

// PutKeyPackage keeps a key package until it is used.
func PutKeyPackage(tx *Tx, k KeyPackage) error {
	const q = `INSERT INTO key_package (ref, package, box, last_resort, made) VALUES (?1, ?2, ?3, ?4, ?5)`
	_, err := tx.exec(q, k.Ref, k.Package, tx.seal(k.Secrets, "key_package", "box", k.Ref), k.LastResort, k.Made)
	return err
}

// GetKeyPackage returns the key package with this reference hash, ErrNone if it
// is not there or was used.
func GetKeyPackage(tx *Tx, ref []byte) (KeyPackage, error) {
	const q = `SELECT ref, package, box, last_resort, made FROM key_package WHERE ref = ?1`
	return one(tx, func(r row) (k KeyPackage, err error) {
		var box []byte
		if err := r.scan(&k.Ref, &k.Package, &box, &k.LastResort, &k.Made); err != nil {
			return k, err
		}
		k.Secrets, err = tx.open(box, "key_package", "box", k.Ref)
		return k, err
	}, q, ref)
}

// DeleteKeyPackage forgets a key package that was used or replaced.
func DeleteKeyPackage(tx *Tx, ref []byte) error {
	_, err := tx.exec(`DELETE FROM key_package WHERE ref = ?1`, ref)
	return err
}

// DeleteKeyPackages forgets those made before a moment: their lifetime is over.
func DeleteKeyPackages(tx *Tx, before wire.Millis) error {
	_, err := tx.exec(`DELETE FROM key_package WHERE made < ?1`, before)
	return err
}

// CountKeyPackages returns how many one-time key packages wait, and when the
// newest last-resort one was made, 0 if there is none.
func CountKeyPackages(tx *Tx) (n int, lastResort wire.Millis, err error) {
	const q = `SELECT count(*) FILTER (WHERE last_resort = 0), max(made) FILTER (WHERE last_resort = 1) FROM key_package`
	_, err = one(tx, func(r row) (struct{}, error) { return struct{}{}, r.scan(&n, &lastResort) }, q)
	return n, lastResort, err
}
