package store

import "github.com/veche-im/veche/wire"

// Self is who this device is.
type Self struct {
	Account      wire.AccountID
	Device       wire.DeviceID
	State        wire.DeviceState
	Name         string // of the person
	DeviceName   string
	Org          string
	Server       string // its origin, empty where the page's own counts
	Admin        bool
	VaultVersion int64 // of the vault that this device last saw
}

// GetSelf returns who this device is, ErrNone before it is signed in.
func GetSelf(tx *Tx) (Self, error) {
	const q = `SELECT account, device, state, name, device_name, org, server, admin, vault_version FROM self`
	return one(tx, func(r row) (s Self, err error) {
		err = r.scan(&s.Account, &s.Device, &s.State, &s.Name, &s.DeviceName, &s.Org, &s.Server, &s.Admin, &s.VaultVersion)
		return s, err
	}, q)
}

// PutSelf says who this device is.
func PutSelf(tx *Tx, s Self) error {
	const q = `INSERT OR REPLACE INTO self (one, account, device, state, name, device_name, org, server, admin, vault_version)
		VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`
	_, err := tx.exec(q, s.Account, s.Device, s.State, s.Name, s.DeviceName, s.Org, s.Server, s.Admin, s.VaultVersion)
	return err
}

// Names of secrets that the client keeps.
const (
	SecretToken = "token" // bearer token of the session
	SecretKeys  = "keys"  // the device's own private keys, identity.DeviceKeys
)

// GetSecret returns a secret by name, ErrNone if there is none.
func GetSecret(tx *Tx, name string) ([]byte, error) {
	const q = `SELECT box FROM secret WHERE name = ?1`
	box, err := value[[]byte](tx, q, name)
	if err != nil {
		return nil, err
	}
	return tx.open(box, "secret", "box", []byte(name))
}

// PutSecret stores a secret in a box.
func PutSecret(tx *Tx, name string, secret []byte) error {
	const q = `INSERT INTO secret (name, box) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET box = excluded.box`
	_, err := tx.exec(q, name, tx.seal(secret, "secret", "box", []byte(name)))
	return err
}

// DeleteSecret forgets a secret; there may be none.
func DeleteSecret(tx *Tx, name string) error {
	_, err := tx.exec(`DELETE FROM secret WHERE name = ?1`, name)
	return err
}

// GetSetting returns a setting by name, ErrNone if there is none.
func GetSetting(tx *Tx, name string) ([]byte, error) {
	return value[[]byte](tx, `SELECT value FROM setting WHERE name = ?1`, name)
}

// PutSetting stores a setting.
func PutSetting(tx *Tx, name string, v []byte) error {
	const q = `INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	_, err := tx.exec(q, name, bytesOf(v))
	return err
}

// DeleteSetting forgets a setting; there may be none.
func DeleteSetting(tx *Tx, name string) error {
	_, err := tx.exec(`DELETE FROM setting WHERE name = ?1`, name)
	return err
}

// Wipe forgets everything but the schema and the store key's check: what is
// left of a person who signs out and wants nothing to stay.
func Wipe(tx *Tx) error {
	for _, q := range []string{
		`DELETE FROM secret WHERE name <> 'check'`, `DELETE FROM setting`, `DELETE FROM self`, `DELETE FROM person`,
		`DELETE FROM notice`, `DELETE FROM key_package`, `DELETE FROM outbox`, `DELETE FROM file`, `DELETE FROM blob_piece`,
		`DELETE FROM blob`, `DELETE FROM item`, `DELETE FROM cursor`, `DELETE FROM mls_state`, `DELETE FROM room_head`,
		`DELETE FROM room_member`, `DELETE FROM lost`, `DELETE FROM said`, `DELETE FROM room_gone`, `DELETE FROM leaf_since`, `DELETE FROM missing`, `DELETE FROM said_again`, `DELETE FROM call_join`, `DELETE FROM room`,
	} {
		if _, err := tx.exec(q); err != nil {
			return err
		}
	}
	tx.wiped = true
	return nil
}
