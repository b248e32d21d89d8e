package account

import (
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// LifeOf returns the site's life; the zero Life before anybody is set up.
// docs/spec/restore.md.
func LifeOf(tx *db.Tx) (l wire.Life, err error) {
	err = tx.QueryRow(`SELECT life, life_ms FROM site WHERE id = 1`).Scan(&l.ID, (*int64)(&l.Began))
	if errors.Is(err, db.ErrNone) {
		return wire.Life{}, nil
	}
	if err != nil {
		return wire.Life{}, fmt.Errorf("read the site's life: %w", err)
	}
	return l, nil
}

// HasLife reports whether a database that has seen so many steps of Schema knows
// of lives.
func HasLife(steps int) bool { return steps >= 2 }

// EnsureLife gives a life to a site that was set up before there were any.
func EnsureLife(tx *db.Tx) error {
	if _, err := tx.Exec(`UPDATE site SET life = $1 WHERE life IS NULL`, wire.NewLifeID()); err != nil {
		return fmt.Errorf("give the site a life: %w", err)
	}
	return nil
}

// NewLife begins another life: the site was taken back to an earlier moment, and
// devices are to expect that. Links to new passwords end with the old one. A site that nobody set up is authz.ErrDenied.
func NewLife(tx *db.Tx, now time.Time) (wire.Life, error) {
	l := wire.Life{ID: wire.NewLifeID(), Began: wire.Now(now)}
	n, err := tx.Exec(`UPDATE site SET life = $1, life_ms = $2 WHERE id = 1`, l.ID, int64(l.Began))
	if err != nil {
		return wire.Life{}, fmt.Errorf("begin a new life: %w", err)
	}
	if n == 0 {
		return wire.Life{}, authz.ErrDenied
	}
	// One that was used since would be good again.
	if _, err := tx.Exec(`DELETE FROM link WHERE kind = $1`, string(ResetLink)); err != nil {
		return wire.Life{}, fmt.Errorf("void the links to new passwords: %w", err)
	}
	return l, nil
}
