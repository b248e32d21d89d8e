package blob

import (
	"fmt"
	"os"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// FailSync has every sync end with err.
func (s *Store) FailSync(err error) { s.dir.sync = func(*os.File) error { return err } }

// Usage says what is remembered of an account's blobs and what they come to.
func Usage(tx *db.Tx, account wire.AccountID) (remembered, stored string, err error) {
	u, err := usageOf(tx, account)
	if err != nil {
		return "", "", err
	}
	tx.Forget(paying(account))
	again, err := usageOf(tx, account)
	return fmt.Sprintf("%+v", u), fmt.Sprintf("%+v", again), err
}
