package device

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// maxAhead is how far a signer's clock may run before ours: statements must not
// go back in time, so one from the far future would stop the chain.
const maxAhead = 24 * time.Hour

// Newest returns the newest statement of the account, nil if it has none. The
// chain was checked when it was appended.
func Newest(tx *db.Tx, account wire.AccountID) (*statement.Verified, error) {
	var s wire.SignedStatement
	const get = `SELECT body, signature FROM statement WHERE account_id = $1 ORDER BY seq DESC LIMIT 1`
	err := tx.QueryRow(get, account).Scan(&s.Body, &s.Signature)
	if errors.Is(err, db.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the newest statement of %s: %w", account, err)
	}
	v, err := statement.Resume(account, s)
	if err != nil {
		return nil, fmt.Errorf("the stored statement of %s: %w", account, err)
	}
	return v, nil
}

// Change is what a published statement did to a device.
type Change struct {
	Device wire.DeviceID
	State  wire.DeviceState
	Anew   bool // who was connected under its id is somebody else
}

// Publish appends a statement and replaces the vault, both or neither. Actor is
// the device that asks, in state. It returns what changed for which devices.
// Conflict means that another device was first.
func Publish(tx *db.Tx, account wire.AccountID, actor wire.DeviceID, state wire.DeviceState, p wire.Publish, now time.Time) (wire.Published, []Change, error) {
	prev, err := Newest(tx, account)
	if err != nil {
		return wire.Published{}, nil, err
	}
	next, err := appendTo(tx, account, prev, p.Statement, now)
	if err != nil {
		return wire.Published{}, nil, err
	}
	changes, err := apply(tx, account, prev, next, activate)
	if err != nil {
		return wire.Published{}, nil, err
	}
	return published(tx, account, actor, state, next, changes, p.Vault, p.Version)
}

// appendTo checks s against the chain and appends it.
func appendTo(tx *db.Tx, account wire.AccountID, prev *statement.Verified, s wire.SignedStatement, now time.Time) (*statement.Verified, error) {
	next, err := follow(prev, account, s)
	if err != nil {
		return nil, err
	}
	if next.Time.Time().After(now.Add(maxAhead)) {
		return nil, wire.Refuse(wire.BadRequest, "the statement is from the future: check this device's clock")
	}
	const add = `INSERT INTO statement (account_id, seq, body, signature) VALUES ($1, $2, $3, $4)`
	if _, err := tx.Exec(add, account, next.Seq, s.Body, s.Signature); err != nil {
		return nil, fmt.Errorf("append statement %d of %s: %w", next.Seq, account, err)
	}
	return next, nil
}

// published replaces the vault after the chain has come to newest, which changed
// devices, unless actor is none of those that it lists.
func published(tx *db.Tx, account wire.AccountID, actor wire.DeviceID, state wire.DeviceState, newest *statement.Verified, changes []Change, vault []byte, known int64) (wire.Published, []Change, error) {
	for _, c := range changes {
		if c.Device == actor {
			state = c.State
		}
	}
	if state == wire.DevicePending {
		return wire.Published{}, nil, wire.Refuse(wire.BadRequest, "a pending device publishes the statement that lists it, nothing else")
	}
	version, err := setVault(tx, account, vault, known)
	if err != nil {
		return wire.Published{}, nil, err
	}
	return wire.Published{Seq: newest.Seq, Version: version, State: state}, changes, nil
}

// follow checks s against the chain. One that would have been right a moment
// ago is Conflict.
func follow(prev *statement.Verified, account wire.AccountID, s wire.SignedStatement) (*statement.Verified, error) {
	next, err := statement.Next(prev, account, s)
	switch {
	case err == nil:
		return next, nil
	case errors.Is(err, statement.ErrSeq) && prev != nil:
		if b, err := statement.Parse(s.Body); err == nil && b.Seq <= prev.Seq {
			return nil, wire.Refuse(wire.Conflict, "the chain is at %d already", prev.Seq)
		}
	}
	return nil, wire.Refuse(wire.BadRequest, "%v", err)
}

// apply moves the states of devices to what next says, and lets in by enter those
// that it adds.
func apply(tx *db.Tx, account wire.AccountID, prev, next *statement.Verified, enter func(*db.Tx, wire.AccountID, statement.Device) (anew bool, err error)) (changes []Change, err error) {
	for _, d := range next.Devices {
		var was statement.Device
		var listed bool
		if prev != nil {
			was, listed = prev.Device(d.ID)
		}
		switch {
		case !listed:
			anew, err := enter(tx, account, d)
			if err != nil {
				return nil, err
			}
			changes = append(changes, Change{d.ID, wire.DeviceActive, anew})
		case was.Active() && !d.Active():
			if err := revoke(tx, account, d.ID); err != nil {
				return nil, err
			}
			changes = append(changes, Change{d.ID, wire.DeviceRevoked, false})
		}
	}
	return changes, nil
}

// activate makes a pending device active that asked for it with these keys.
func activate(tx *db.Tx, account wire.AccountID, d statement.Device) (anew bool, err error) {
	var state string
	var key, unlock []byte
	const get = `SELECT state, leaf_key, unlock_key FROM device WHERE id = $1 AND account_id = $2`
	err = tx.QueryRow(get, d.ID, account).Scan(&state, &key, &unlock)
	if err != nil && !errors.Is(err, db.ErrNone) {
		return false, fmt.Errorf("read device %s: %w", d.ID, err)
	}
	if err != nil || state != string(wire.DevicePending) || string(key) != string(d.Key[:]) || sha256.Sum256(unlock) != d.Unlock {
		return false, wire.Refuse(wire.BadRequest, "the statement adds a device that did not ask for it with these keys")
	}
	return false, move(tx, account, d.ID, wire.DeviceActive)
}

// move changes the state of a device, for those who remember it too.
func move(tx *db.Tx, account wire.AccountID, id wire.DeviceID, to wire.DeviceState) error {
	tx.Forget(listed(id))
	if _, err := tx.Exec(`UPDATE device SET state = $1 WHERE id = $2 AND account_id = $3`, string(to), id, account); err != nil {
		return fmt.Errorf("make %s %s: %w", id, to, err)
	}
	return nil
}

func revoke(tx *db.Tx, account wire.AccountID, id wire.DeviceID) error {
	if err := move(tx, account, id, wire.DeviceRevoked); err != nil {
		return err
	}
	return endSession(tx, id)
}

// setVault replaces the vault of which the version is known.
func setVault(tx *db.Tx, account wire.AccountID, vault []byte, version int64) (int64, error) {
	if len(vault) == 0 || len(vault) > wire.MaxVault {
		return 0, wire.Refuse(wire.BadRequest, "a vault has 1 to %d bytes", wire.MaxVault)
	}
	set, args := `UPDATE vault SET vault = $2, version = version + 1 WHERE account_id = $1 AND version = $3`, []any{account, vault, version}
	if version == 0 {
		set, args = `INSERT INTO vault (account_id, vault, version) VALUES ($1, $2, 1) ON CONFLICT (account_id) DO NOTHING`, args[:2]
	}
	n, err := tx.Exec(set, args...)
	if err != nil {
		return 0, fmt.Errorf("replace the vault of %s: %w", account, err)
	}
	if n == 0 {
		return 0, wire.Refuse(wire.Conflict, "the vault is no longer at version %d", version)
	}
	return version + 1, nil
}

// VaultOf returns the sealed root key of the account, or authz.ErrDenied.
func VaultOf(tx *db.Tx, account wire.AccountID) (v wire.Vault, err error) {
	err = tx.QueryRow(`SELECT vault, version FROM vault WHERE account_id = $1`, account).Scan(&v.Vault, &v.Version)
	if errors.Is(err, db.ErrNone) {
		return wire.Vault{}, authz.ErrDenied
	}
	return v, err
}
