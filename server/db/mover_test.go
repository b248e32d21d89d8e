package db_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// While many read without a pause and one writes, the write-ahead log is moved
// into the database and begins anew: it does not grow without end.
func TestTheLogBeginsAnewBesideConstantReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "veche.db")
	d := open(t, db.Config{Path: path})
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	var reads atomic.Int64
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				err := d.View(ctx, func(tx *db.Tx) error {
					var n int
					return tx.QueryRow(`SELECT count(*) FROM (SELECT 1 FROM thing LIMIT 500)`).Scan(&n)
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				reads.Add(1)
			}
		})
	}
	id := wire.NewRoomID()
	update := func(fn func(*db.Tx) error) {
		t.Helper()
		if err := d.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *db.Tx) error { return add(tx, id, 0) })
	note := make([]byte, 1<<20)
	var largest int64
	for range 60 { // 60 MB, some four times the length at which it is moved
		rand.Read(note)
		update(func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE thing SET note = $2 WHERE id = $1`, id, note)
			return err
		})
		if st, err := os.Stat(path + "-wal"); err != nil {
			t.Fatal(err)
		} else {
			largest = max(largest, st.Size())
		}
	}
	stop()
	readers.Wait()
	if reads.Load() == 0 {
		t.Error("nobody read")
	}
	if largest > 40<<20 {
		t.Errorf("the log grew to %d MB", largest>>20)
	}
	t.Logf("the log grew to %d MB beside %d reads", largest>>20, reads.Load())
}
