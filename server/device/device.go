package device

import (
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const (
	// pendingTTL is how long a device that never enrolled is kept.
	pendingTTL = 24 * time.Hour
	// maxPending bounds the devices of an account that wait: whoever knows a
	// password can make them.
	maxPending = 16
	// maxName is the longest name of a device, in characters.
	maxName = 64
)

// Get returns a device of the account, or authz.ErrDenied.
func Get(tx *db.Tx, account wire.AccountID, id wire.DeviceID) (wire.Device, error) {
	if id.IsZero() { // which list takes for all of them
		return wire.Device{}, authz.ErrDenied
	}
	list, err := list(tx, account, id)
	if err != nil {
		return wire.Device{}, err
	}
	if len(list) == 0 {
		return wire.Device{}, authz.ErrDenied
	}
	return list[0], nil
}

// List returns all devices of the account, the revoked ones too, in the order
// in which they came. Whether one is online is for the caller to fill in.
func List(tx *db.Tx, account wire.AccountID) ([]wire.Device, error) {
	return list(tx, account, wire.DeviceID{})
}

func list(tx *db.Tx, account wire.AccountID, one wire.DeviceID) (devices []wire.Device, err error) {
	const get = `SELECT id, name, state, leaf_key, unlock_key, created_ms, seen_ms FROM device WHERE account_id = $1 AND ($2 = 1 OR id = $3) ORDER BY created_ms, id`
	err = tx.Each(func(r *db.Rows) error {
		var d wire.Device
		if err := r.Scan(&d.Device, &d.Name, (*string)(&d.State), &d.Key, &d.Unlock, &d.Created, &d.Seen); err != nil {
			return err
		}
		if d.State != wire.DevicePending {
			d.Key, d.Unlock = nil, nil // the chain says them
		}
		devices = append(devices, d)
		return nil
	}, get, account, one.IsZero(), one)
	if err != nil {
		return nil, fmt.Errorf("list devices of %s: %w", account, err)
	}
	return devices, nil
}

// Active reports whether the device belongs to the account and is active now, in
// an account that is open.
// What changes something on behalf of a device asks in its own transaction, so
// that a revocation that was committed before is never overtaken.
func Active(tx *db.Tx, account wire.AccountID, id wire.DeviceID) (bool, error) {
	var state string
	const get = `SELECT d.state FROM device d JOIN account a ON a.id = d.account_id WHERE d.id = $1 AND d.account_id = $2 AND a.shut_ms = 0`
	err := tx.QueryRow(get, id, account).Scan(&state)
	if errors.Is(err, db.ErrNone) {
		return false, nil
	}
	return state == string(wire.DeviceActive), err
}

// create makes a pending device. The oldest that wait make room for it; they are
// returned.
func create(tx *db.Tx, account wire.AccountID, id wire.DeviceID, name string, now time.Time) (dropped []wire.DeviceID, err error) {
	var waiting []wire.DeviceID
	err = tx.Each(func(r *db.Rows) error {
		var d wire.DeviceID
		if err := r.Scan(&d); err != nil {
			return err
		}
		waiting = append(waiting, d)
		return nil
	}, `SELECT id FROM device WHERE account_id = $1 AND state = $2 ORDER BY created_ms, id`, account, string(wire.DevicePending))
	if err != nil {
		return nil, fmt.Errorf("list waiting devices: %w", err)
	}
	for len(waiting) >= maxPending {
		if err := forget(tx, waiting[0]); err != nil {
			return nil, err
		}
		dropped = append(dropped, waiting[0])
		waiting = waiting[1:]
	}
	const add = `INSERT INTO device (id, account_id, name, state, created_ms, seen_ms) VALUES ($1, $2, $3, $4, $5, $5)`
	if _, err := tx.Exec(add, id, account, shown(name), string(wire.DevicePending), now.UnixMilli()); err != nil {
		return nil, fmt.Errorf("add device: %w", err)
	}
	return dropped, nil
}

// shown cuts a device's name, which its client made up, to what can be shown.
func shown(name string) string {
	name = strings.ToValidUTF8(name, "")
	runes := make([]rune, 0, maxName)
	for _, r := range name {
		if len(runes) == maxName {
			break
		}
		if !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r) {
			runes = append(runes, r)
		}
	}
	if s := strings.TrimSpace(string(runes)); s != "" {
		return s
	}
	return "device"
}

// Enrol stores the public keys with which a pending device wants to be listed.
func Enrol(tx *db.Tx, account wire.AccountID, id wire.DeviceID, p wire.Enrol) error {
	if len(p.Key) != ed25519.PublicKeySize {
		return wire.Refuse(wire.BadRequest, "the key of a device has %d bytes", ed25519.PublicKeySize)
	}
	if _, err := hpke.MLKEM768X25519().NewPublicKey(p.Unlock); err != nil {
		return wire.Refuse(wire.BadRequest, "the unlock key is no MLKEM768X25519 public key")
	}
	const set = `UPDATE device SET leaf_key = $1, unlock_key = $2 WHERE id = $3 AND account_id = $4 AND state = $5`
	n, err := tx.Exec(set, p.Key, p.Unlock, id, account, string(wire.DevicePending))
	if err != nil {
		return fmt.Errorf("enrol %s: %w", id, err)
	}
	if n == 0 {
		return wire.Refuse(wire.BadRequest, "only a pending device enrols")
	}
	return nil
}

// Drop forgets a pending device with its session.
func Drop(tx *db.Tx, account wire.AccountID, id wire.DeviceID) error {
	d, err := Get(tx, account, id)
	if err != nil {
		return err
	}
	if d.State != wire.DevicePending {
		return authz.ErrDenied
	}
	return forget(tx, id)
}

// forget deletes a device that is in no statement.
func forget(tx *db.Tx, id wire.DeviceID) error {
	if err := endSession(tx, id); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM device WHERE id = $1 AND state = $2`, id, string(wire.DevicePending)); err != nil {
		return fmt.Errorf("forget device %s: %w", id, err)
	}
	return nil
}

// Sweep forgets pending devices that never enrolled, sessions that nobody used
// and key packages that have expired. It returns the devices whose connections
// must end.
func Sweep(tx *db.Tx, now time.Time) (ended []Ended, err error) {
	collect := func(why, query string, args ...any) error {
		return tx.Each(func(r *db.Rows) error {
			e := Ended{Why: why}
			if err := r.Scan(&e.Account, &e.Device); err != nil {
				return err
			}
			ended = append(ended, e)
			return nil
		}, query, args...)
	}
	old := now.Add(-pendingTTL).UnixMilli()
	if err := collect("never_enrolled", `SELECT account_id, id FROM device WHERE state = $1 AND created_ms < $2`, string(wire.DevicePending), old); err != nil {
		return nil, fmt.Errorf("find stale devices: %w", err)
	}
	for _, e := range ended {
		if err := forget(tx, e.Device); err != nil {
			return nil, err
		}
	}
	fresh := len(ended)
	unused := now.Add(-sessionTTL).UnixMilli()
	if err := collect("unused", `SELECT d.account_id, d.id FROM session s JOIN device d ON d.id = s.device_id WHERE s.seen_ms < $1`, unused); err != nil {
		return nil, fmt.Errorf("find unused sessions: %w", err)
	}
	for _, e := range ended[fresh:] {
		if err := endSession(tx, e.Device); err != nil {
			return nil, err
		}
	}
	if _, err := tx.Exec(`DELETE FROM key_package WHERE expires_ms < $1`, now.UnixMilli()); err != nil {
		return nil, fmt.Errorf("drop expired key packages: %w", err)
	}
	if _, err := tx.Exec(`DELETE FROM key_claimed WHERE expires_ms < $1`, now.UnixMilli()); err != nil {
		return nil, fmt.Errorf("forget key packages that were given and have expired: %w", err)
	}
	return ended, nil
}

// Ended names a device whose session is over.
type Ended struct {
	Account wire.AccountID
	Device  wire.DeviceID
	Why     string // never_enrolled, unused or too_old
}
