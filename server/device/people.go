package device

import (
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// People answers what rooms ask about accounts and their devices.
type People struct{}

// Known reports whether there is such an account.
func (People) Known(tx *db.Tx, account wire.AccountID) (bool, error) {
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM account WHERE id = $1`, account).Scan(&n); err != nil {
		return false, fmt.Errorf("look up account %s: %w", account, err)
	}
	return n > 0, nil
}

// listed is the key under which the writer remembers what a statement says of a
// device: leaf_key, state and account_id of its row, once that is no longer
// pending. Whatever changes them forgets it: see move and Moved.
type listed wire.DeviceID

type listing struct {
	account wire.AccountID
	key     []byte
	state   wire.DeviceState
}

// Listed returns the signature key of a device's leaves and its state, as the
// account's newest statement has them; the state is empty for a device that it
// does not list, and for those of a shut account: they act no more, and nobody
// brings them into a room, but the leaves that they have stay until an owner
// removes them.
func (People) Listed(tx *db.Tx, account wire.AccountID, id wire.DeviceID) (key []byte, state wire.DeviceState, err error) {
	if l, ok := tx.Recall(listed(id)).(listing); ok && l.account == account {
		return l.key, l.state, nil
	}
	err = tx.QueryRow(`SELECT d.leaf_key, CASE WHEN a.shut_ms > 0 AND d.state = 'active' THEN '' ELSE d.state END
		FROM device d JOIN account a ON a.id = d.account_id WHERE d.id = $1 AND d.account_id = $2 AND d.state <> $3`,
		id, account, string(wire.DevicePending)).Scan(&key, (*string)(&state))
	if errors.Is(err, db.ErrNone) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("look up device %s: %w", id, err)
	}
	tx.Remember(listed(id), listing{account, key, state})
	return key, state, nil
}
