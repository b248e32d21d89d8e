package device

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Devices that were let in after the moment of a backup are unknown to the site
// that was restored from it. Their account's statements, which other devices
// have, list them all the same; and they have their keys. docs/spec/restore.md.

// Republish appends statements that a restored site has lost, and replaces the
// vault, all or nothing. Unlike Publish it lets in devices that the site does not
// know, or that wait with other keys: the root has signed that they were let in.
// Actor, state, the result and Conflict are as in Publish.
func Republish(tx *db.Tx, account wire.AccountID, actor wire.DeviceID, state wire.DeviceState, p wire.Republish, now time.Time) (wire.Published, []Change, error) {
	if n := len(p.Statements); n == 0 || n > statement.MaxListed*2 {
		return wire.Published{}, nil, wire.Refuse(wire.BadRequest, "%d statements are published again at a time", n)
	}
	prev, err := Newest(tx, account)
	if err != nil {
		return wire.Published{}, nil, err
	}
	var changes []Change
	for _, s := range p.Statements {
		next, err := appendTo(tx, account, prev, s, now)
		if err != nil {
			return wire.Published{}, nil, err
		}
		more, err := apply(tx, account, prev, next, admit)
		if err != nil {
			return wire.Published{}, nil, err
		}
		changes, prev = append(changes, more...), next
	}
	return published(tx, account, actor, state, prev, changes, p.Vault, p.Version)
}

// admit makes a device active because a statement lists it. The session of a
// device that waits under its id with other keys is over.
func admit(tx *db.Tx, account wire.AccountID, d statement.Device) (anew bool, err error) {
	var of wire.AccountID
	var state string
	var key []byte
	err = tx.QueryRow(`SELECT account_id, state, leaf_key FROM device WHERE id = $1`, d.ID).Scan(&of, &state, &key)
	switch {
	case errors.Is(err, db.ErrNone):
	case err != nil:
		return false, fmt.Errorf("read device %s: %w", d.ID, err)
	case of != account || state != string(wire.DevicePending):
		return false, wire.Refuse(wire.BadRequest, "the statement adds a device that is another one here")
	case bytes.Equal(key, d.Key[:]): // its session has proven that it holds the key
		return false, move(tx, account, d.ID, wire.DeviceActive)
	default:
		if err := forget(tx, d.ID); err != nil {
			return false, err
		}
		anew = true
	}
	tx.Forget(listed(d.ID))
	const add = `INSERT INTO device (id, account_id, name, state, leaf_key, created_ms, seen_ms) VALUES ($1, $2, $3, $4, $5, $6, $6)`
	if _, err := tx.Exec(add, d.ID, account, shown(""), string(wire.DeviceActive), d.Key[:], int64(d.Added)); err != nil {
		return false, fmt.Errorf("let device %s in again: %w", d.ID, err)
	}
	return anew, nil
}

// OpenAgain opens a session of a device that a restored site has lost, for whoever
// has given the account's password and proves to hold the device's key: an active
// one if the account's statements were published again already, else one that
// waits. ok is false where the site has lost no such device: Open makes a new one.
func OpenAgain(tx *db.Tx, account wire.AccountID, name string, p wire.Again, now time.Time) (o Opened, ok bool, err error) {
	if len(p.Key) != ed25519.PublicKeySize || len(p.Proof) != ed25519.SignatureSize || !ed25519.Verify(p.Key, wire.AgainProof(account, p.Device), p.Proof) {
		return o, false, wire.Refuse(wire.BadRequest, "this does not prove that the device is the one it says")
	}
	if _, err := hpke.MLKEM768X25519().NewPublicKey(p.Unlock); err != nil || p.Device.IsZero() {
		return o, false, wire.Refuse(wire.BadRequest, "the device's id or unlock key is none")
	}
	var of wire.AccountID
	var state string
	var key, unlock []byte
	err = tx.QueryRow(`SELECT account_id, state, leaf_key, unlock_key FROM device WHERE id = $1`, p.Device).Scan(&of, &state, &key, &unlock)
	switch {
	case errors.Is(err, db.ErrNone):
		if o.Dropped, err = create(tx, account, p.Device, name, now); err != nil {
			return o, false, err
		}
		o.State = wire.DevicePending
	case err != nil:
		return o, false, fmt.Errorf("read device %s: %w", p.Device, err)
	case of != account || state != string(wire.DeviceActive) || unlock != nil || !bytes.Equal(key, p.Key):
		return o, false, nil
	default:
		v, err := Newest(tx, account)
		if err != nil {
			return o, false, err
		}
		if d, ok := v.Device(p.Device); !ok || d.Unlock != sha256.Sum256(p.Unlock) {
			return o, false, nil
		}
		o.State = wire.DeviceActive
	}
	const set = `UPDATE device SET name = $1, leaf_key = $2, unlock_key = $3, seen_ms = $4 WHERE id = $5`
	if _, err := tx.Exec(set, shown(name), p.Key, p.Unlock, now.UnixMilli(), p.Device); err != nil {
		return o, false, fmt.Errorf("take device %s again: %w", p.Device, err)
	}
	o.Device = p.Device
	o.Token, err = openSession(tx, p.Device, now)
	return o, err == nil, err
}
