package account

import (
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// errLast is the refusal to leave a site without an administrator.
var errLast = wire.Refuse(wire.LastAdmin, "this is the last administrator")

// Named returns the account of a name, or authz.ErrDenied.
func Named(tx *db.Tx, name string) (Account, error) {
	n, err := ParseName(name)
	if err != nil {
		return Account{}, authz.ErrDenied
	}
	a, _, err := byKey(tx, n.Key)
	if errors.Is(err, db.ErrNone) {
		return Account{}, authz.ErrDenied
	}
	return a, err
}

// Shut has nobody sign in to the account any more, and makes the open links void
// that are for it or by it. The last administrator is LastAdmin. It reports
// whether that changed anything.
func Shut(tx *db.Tx, id wire.AccountID, now time.Time) (changed bool, err error) {
	a, err := Get(tx, id)
	if err != nil || a.Shut {
		return false, err
	}
	if err := notLast(tx, a); err != nil {
		return false, err
	}
	if _, err := tx.Exec(`UPDATE account SET shut_ms = $1 WHERE id = $2`, now.UnixMilli(), id); err != nil {
		return false, fmt.Errorf("shut account %s: %w", id, err)
	}
	if err := endResets(tx, id); err != nil {
		return false, err
	}
	return true, voidLinks(tx, id)
}

// voidLinks makes the open links void that an administrator made who is to let
// nobody in any more.
func voidLinks(tx *db.Tx, maker wire.AccountID) error {
	if _, err := tx.Exec(`DELETE FROM link WHERE used_ms = 0 AND maker_id = $1`, maker); err != nil {
		return fmt.Errorf("void the links by %s: %w", maker, err)
	}
	return nil
}

// Open takes Shut back. It reports whether that changed anything.
func Open(tx *db.Tx, id wire.AccountID) (changed bool, err error) {
	a, err := Get(tx, id)
	if err != nil || !a.Shut {
		return false, err
	}
	if _, err := tx.Exec(`UPDATE account SET shut_ms = 0 WHERE id = $1`, id); err != nil {
		return false, fmt.Errorf("open account %s: %w", id, err)
	}
	return true, nil
}

// SetAdmin makes the account an administrator's, or no longer: then the open links
// that it made are void, of which one to an administrator's new password would give
// all of that back. The last one is LastAdmin. It reports whether that changed
// anything.
func SetAdmin(tx *db.Tx, id wire.AccountID, admin bool) (changed bool, err error) {
	a, err := Get(tx, id)
	if err != nil || a.Admin == admin {
		return false, err
	}
	if !admin {
		if err := notLast(tx, a); err != nil {
			return false, err
		}
	}
	if _, err := tx.Exec(`UPDATE account SET admin = $1 WHERE id = $2`, admin, id); err != nil {
		return false, fmt.Errorf("make %s an administrator (%t): %w", id, admin, err)
	}
	if admin {
		return true, nil
	}
	return true, voidLinks(tx, id)
}

// notLast is errLast if there is no other administrator who can sign in.
func notLast(tx *db.Tx, a Account) error {
	if !a.Admin || a.Shut {
		return nil
	}
	var others int
	if err := tx.QueryRow(`SELECT count(*) FROM account WHERE admin = 1 AND shut_ms = 0 AND id <> $1`, a.ID).Scan(&others); err != nil {
		return fmt.Errorf("count administrators: %w", err)
	}
	if others == 0 {
		return errLast
	}
	return nil
}
