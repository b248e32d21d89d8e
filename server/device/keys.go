package device

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const (
	// maxPackage is the largest key package, in bytes: with the hybrid suite one
	// has some 3 KB.
	maxPackage = 16 << 10
	// maxClaimed bounds the key packages of one claim, in bytes, so that the
	// answer fits into a frame.
	maxClaimed = wire.MaxResponse - 1<<20
)

// AddKeys stores key packages of an active device. Each must be valid now and
// carry the device's own credential and key; if one is not, none is stored. One
// that is there already is not counted twice, and one that was given meanwhile
// is not stored again, so that a retry is harmless.
func AddKeys(tx *db.Tx, account wire.AccountID, id wire.DeviceID, p wire.UploadKeys, now time.Time) error {
	var key []byte
	const get = `SELECT leaf_key FROM device WHERE id = $1 AND account_id = $2 AND state = $3`
	err := tx.QueryRow(get, id, account, string(wire.DeviceActive)).Scan(&key)
	if errors.Is(err, db.ErrNone) {
		return wire.Refuse(wire.Unauthenticated, "the device is no longer active")
	}
	if err != nil {
		return fmt.Errorf("read the key of %s: %w", id, err)
	}
	if len(p.Packages) > wire.MaxKeyPackages {
		return wire.Refuse(wire.TooLarge, "at most %d key packages are kept", wire.MaxKeyPackages)
	}
	// What has expired does not count, so it does not wait for the sweep either.
	if _, err := tx.Exec(`DELETE FROM key_package WHERE device_id = $1 AND expires_ms <= $2`, id, now.UnixMilli()); err != nil {
		return fmt.Errorf("drop expired key packages of %s: %w", id, err)
	}
	owner := leafOwner{policy.Identity(account, id), key}
	for _, b := range p.Packages {
		if err := owner.add(tx, id, b, false, now); err != nil {
			return err
		}
	}
	if len(p.LastResort) > 0 {
		if _, err := tx.Exec(`DELETE FROM key_package WHERE device_id = $1 AND last_resort = 1`, id); err != nil {
			return fmt.Errorf("replace the last-resort key package: %w", err)
		}
		if err := owner.add(tx, id, p.LastResort, true, now); err != nil {
			return err
		}
	}
	c, err := CountKeys(tx, id, now)
	if err != nil {
		return err
	}
	if c.Count > wire.MaxKeyPackages {
		return wire.Refuse(wire.TooLarge, "at most %d key packages are kept", wire.MaxKeyPackages)
	}
	return nil
}

// leafOwner is whose leaves a device's key packages must hold.
type leafOwner struct {
	identity []byte
	key      []byte
}

func (o leafOwner) add(tx *db.Tx, id wire.DeviceID, b []byte, last bool, now time.Time) error {
	k, ref, err := o.check(b, last, now)
	if err != nil {
		return err
	}
	const given = `SELECT 1 FROM key_claimed WHERE device_id = $1 AND ref = $2`
	var one int64
	if err := tx.QueryRow(given, id, ref).Scan(&one); !errors.Is(err, db.ErrNone) {
		return err
	}
	const add = `INSERT INTO key_package (device_id, ref, last_resort, expires_ms, body) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (device_id, ref) DO NOTHING`
	if _, err := tx.Exec(add, id, ref, last, expiry(k), b); err != nil {
		return fmt.Errorf("add key package of %s: %w", id, err)
	}
	return nil
}

// check judges one key package by itself.
func (o leafOwner) check(b []byte, last bool, now time.Time) (k mls.KeyPackage, ref []byte, err error) {
	refuse := func(why string) error { return wire.Refuse(wire.BadRequest, "key package: %s", why) }
	if len(b) > maxPackage {
		return k, nil, wire.Refuse(wire.TooLarge, "a key package has at most %d bytes", maxPackage)
	}
	if err := mls.Unmarshal(b, &k); err != nil {
		return k, nil, refuse(err.Error())
	}
	if err := k.Verify(now); err != nil {
		return k, nil, refuse(err.Error())
	}
	c := k.Leaf.Credential
	switch {
	case c.Type != mls.CredentialBasic || !bytes.Equal(c.Identity, o.identity):
		return k, nil, refuse("its credential is not this device's")
	case !bytes.Equal(k.Leaf.SignatureKey, o.key):
		return k, nil, refuse("its key is not this device's")
	case k.LastResort() != last:
		return k, nil, refuse("it is marked as last resort where it is none, or the other way round")
	}
	if ref, err = k.Ref(); err != nil {
		return k, nil, refuse(err.Error())
	}
	return k, ref, nil
}

// expiry returns when the key package ends, in milliseconds.
func expiry(k mls.KeyPackage) int64 {
	const far = 1 << 40 // seconds: keeps the product within 64 bits
	return int64(min(k.Leaf.Lifetime.NotAfter, far)) * 1000
}

// CountKeys says how many key packages a device has left.
func CountKeys(tx *db.Tx, id wire.DeviceID, now time.Time) (c wire.KeyCount, err error) {
	const get = `SELECT count(*) - coalesce(sum(last_resort), 0), coalesce(sum(last_resort), 0) FROM key_package WHERE device_id = $1 AND expires_ms > $2`
	var last int
	err = tx.QueryRow(get, id, now.UnixMilli()).Scan(&c.Count, &last)
	c.LastResort = last > 0
	return c, err
}

// ClaimKeys takes one key package of each active device of the accounts, or of
// the devices named alone. A one-time package is given once; the last-resort
// one stays.
func ClaimKeys(tx *db.Tx, p wire.ClaimKeys, now time.Time) (wire.ClaimedKeys, error) {
	if len(p.Accounts) > 1000 || len(p.Devices) > wire.MaxLeaves {
		return wire.ClaimedKeys{}, wire.Refuse(wire.TooLarge, "at most 1000 accounts at a time")
	}
	wanted := make(map[wire.DeviceID]bool, len(p.Devices))
	for _, d := range p.Devices {
		wanted[d] = true
	}
	asked := make(map[wire.AccountID]bool, len(p.Accounts))
	claimed := wire.ClaimedKeys{Packages: []wire.ClaimedKey{}}
	size := 0
	for _, account := range p.Accounts {
		if asked[account] {
			continue
		}
		asked[account] = true
		devices, err := active(tx, account)
		if err != nil {
			return wire.ClaimedKeys{}, err
		}
		for _, d := range devices {
			if len(wanted) > 0 && !wanted[d] {
				continue
			}
			b, err := claim(tx, d, now)
			if errors.Is(err, db.ErrNone) {
				continue
			}
			if err != nil {
				return wire.ClaimedKeys{}, fmt.Errorf("claim a key package of %s: %w", d, err)
			}
			if size += len(b) + 64; size > maxClaimed {
				return wire.ClaimedKeys{}, wire.Refuse(wire.TooLarge, "too many devices at a time: ask for fewer accounts")
			}
			claimed.Packages = append(claimed.Packages, wire.ClaimedKey{Account: account, Device: d, Package: b})
		}
	}
	return claimed, nil
}

// active lists the active devices of an account that can be added to rooms now:
// not those of a shut one, nor those whose session is locked.
func active(tx *db.Tx, account wire.AccountID) (ids []wire.DeviceID, err error) {
	err = tx.Each(func(r *db.Rows) error {
		var d wire.DeviceID
		if err := r.Scan(&d); err != nil {
			return err
		}
		ids = append(ids, d)
		return nil
	}, `SELECT d.id FROM device d JOIN account a ON a.id = d.account_id
		WHERE d.account_id = $1 AND d.state = $2 AND a.shut_ms = 0
		AND NOT EXISTS (SELECT 1 FROM session s WHERE s.device_id = d.id AND s.locked = 1)
		ORDER BY d.created_ms, d.id`, account, string(wire.DeviceActive))
	if err != nil {
		return nil, fmt.Errorf("list active devices of %s: %w", account, err)
	}
	return ids, nil
}

// claim takes a one-time package, the one that expires first, or else the
// last-resort one. Without either it is db.ErrNone.
func claim(tx *db.Tx, id wire.DeviceID, now time.Time) (b []byte, err error) {
	const take = `DELETE FROM key_package WHERE device_id = $1 AND ref = (
			SELECT ref FROM key_package WHERE device_id = $1 AND last_resort = 0 AND expires_ms > $2 ORDER BY expires_ms, ref LIMIT 1
		) RETURNING ref, expires_ms, body`
	var ref []byte
	var expires int64
	err = tx.QueryRow(take, id, now.UnixMilli()).Scan(&ref, &expires, &b)
	if errors.Is(err, db.ErrNone) {
		const last = `SELECT body FROM key_package WHERE device_id = $1 AND last_resort = 1 AND expires_ms > $2`
		err = tx.QueryRow(last, id, now.UnixMilli()).Scan(&b)
		return b, err
	}
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(`INSERT INTO key_claimed (device_id, ref, expires_ms) VALUES ($1, $2, $3)`, id, ref, expires)
	return b, err
}
