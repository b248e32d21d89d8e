package blob

import (
	"fmt"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// paying is the key under which the writer remembers what an account's blobs come
// to: who has many would have them added up before each upload, while everybody
// else waits. It reflects account_id, size and holders of the table blob; all
// that writes to them calls note in the same job.
type paying wire.AccountID

type usage struct {
	used  int64 // bytes, with minCharge for each blob at least
	loose int64 // blobs that no message holds
}

// usageOf adds up the blobs of an account, or remembers.
func usageOf(tx *db.Tx, account wire.AccountID) (u usage, err error) {
	if u, ok := tx.Recall(paying(account)).(usage); ok {
		return u, nil
	}
	const sum = `SELECT COALESCE(SUM(CASE WHEN size < $2 THEN $2 ELSE size END), 0),
		COALESCE(SUM(CASE WHEN holders = 0 THEN 1 ELSE 0 END), 0)
		FROM blob WHERE account_id = $1`
	if err := tx.QueryRow(sum, account, int64(minCharge)).Scan(&u.used, &u.loose); err != nil {
		return usage{}, fmt.Errorf("add up the blobs of %s: %w", account, err)
	}
	tx.Remember(paying(account), u)
	return u, nil
}

// note changes what is remembered of an account's blobs, if anything is.
func note(tx *db.Tx, account wire.AccountID, used, loose int64) {
	if u, ok := tx.Recall(paying(account)).(usage); ok {
		tx.Remember(paying(account), usage{u.used + used, u.loose + loose})
	}
}

// charge is what a blob costs of the quota.
func charge(size int64) int64 { return max(size, minCharge) }
