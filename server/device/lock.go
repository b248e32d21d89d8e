package device

import (
	"fmt"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Lock has every session of the account wait for the password, and forgets the
// devices that wait to be let in. It returns the devices whose connections must
// end. The devices keep their place in the account: a session that was deleted
// would cost each of them that.
func Lock(tx *db.Tx, account wire.AccountID) ([]wire.DeviceID, error) {
	all, err := sessionsOf(tx, account)
	if err != nil {
		return nil, err
	}
	var ids []wire.DeviceID
	for _, d := range all {
		ids = append(ids, d.id)
		if d.state == wire.DevicePending {
			err = forget(tx, d.id)
		} else {
			_, err = tx.Exec(`UPDATE session SET locked = 1 WHERE device_id = $1`, d.id)
		}
		if err != nil {
			return nil, fmt.Errorf("lock the session of %s: %w", d.id, err)
		}
	}
	return ids, nil
}

// TurnAway forgets the devices of the account that wait to be let in, but for one,
// and returns them: whoever signed in with a password that is no longer good.
func TurnAway(tx *db.Tx, account wire.AccountID, but wire.DeviceID) ([]wire.DeviceID, error) {
	all, err := sessionsOf(tx, account)
	if err != nil {
		return nil, err
	}
	var ids []wire.DeviceID
	for _, d := range all {
		if d.state != wire.DevicePending || d.id == but {
			continue
		}
		if err := forget(tx, d.id); err != nil {
			return nil, err
		}
		ids = append(ids, d.id)
	}
	return ids, nil
}

// Moved forgets what the writer remembers of an account's devices, after it was
// shut or opened, and returns those that have a session.
func Moved(tx *db.Tx, account wire.AccountID) ([]wire.DeviceID, error) {
	all, err := list(tx, account, wire.DeviceID{})
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		tx.Forget(listed(d.Device))
	}
	with, err := sessionsOf(tx, account)
	if err != nil {
		return nil, err
	}
	var ids []wire.DeviceID
	for _, d := range with {
		ids = append(ids, d.id)
	}
	return ids, nil
}

type withSession struct {
	id    wire.DeviceID
	state wire.DeviceState
}

func sessionsOf(tx *db.Tx, account wire.AccountID) (all []withSession, err error) {
	const get = `SELECT d.id, d.state FROM session s JOIN device d ON d.id = s.device_id WHERE d.account_id = $1 ORDER BY d.id`
	err = tx.Each(func(r *db.Rows) error {
		var d withSession
		if err := r.Scan(&d.id, (*string)(&d.state)); err != nil {
			return err
		}
		all = append(all, d)
		return nil
	}, get, account)
	if err != nil {
		return nil, fmt.Errorf("list sessions of %s: %w", account, err)
	}
	return all, nil
}

// Prove notes that the device's session has seen the account's password, which
// unlocks it.
func Prove(tx *db.Tx, id wire.DeviceID, now time.Time) error {
	if _, err := tx.Exec(`UPDATE session SET proved_ms = $1, locked = 0 WHERE device_id = $2`, now.UnixMilli(), id); err != nil {
		return fmt.Errorf("note the proof of %s: %w", id, err)
	}
	return Touch(tx, id, now)
}

// Proved reports whether the device's session has seen the password within
// wire.ProofTTL.
func Proved(tx *db.Tx, id wire.DeviceID, now time.Time) (bool, error) {
	var ms int64
	if err := tx.QueryRow(`SELECT coalesce(max(proved_ms), 0) FROM session WHERE device_id = $1`, id).Scan(&ms); err != nil {
		return false, fmt.Errorf("read the proof of %s: %w", id, err)
	}
	since := now.Sub(time.UnixMilli(ms))
	return since >= 0 && since < wire.ProofTTL, nil
}

// SweepOld returns the devices whose sessions saw the password before then, and
// which hold no connection from now on: they are locked until it is shown again.
func SweepOld(tx *db.Tx, then time.Time) (ended []Ended, err error) {
	const get = `SELECT d.account_id, d.id FROM session s JOIN device d ON d.id = s.device_id WHERE s.locked = 0 AND s.created_ms <= $1 AND s.proved_ms <= $1`
	err = tx.Each(func(r *db.Rows) error {
		e := Ended{Why: "too_old"}
		if err := r.Scan(&e.Account, &e.Device); err != nil {
			return err
		}
		ended = append(ended, e)
		return nil
	}, get, then.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("find old sessions: %w", err)
	}
	for _, e := range ended {
		if _, err := tx.Exec(`UPDATE session SET locked = 1 WHERE device_id = $1`, e.Device); err != nil {
			return nil, fmt.Errorf("lock the session of %s: %w", e.Device, err)
		}
	}
	return ended, nil
}
