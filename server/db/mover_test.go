package db_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
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
	defer func() { stop(); readers.Wait() }()
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
	// generation is how often the log has begun anew: its header counts.
	// https://sqlite.org/fileformat2.html#walformat
	generation := func() uint32 {
		t.Helper()
		f, err := os.Open(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		head := make([]byte, 32)
		if _, err := io.ReadFull(f, head); err != nil {
			t.Fatal(err)
		}
		return binary.BigEndian.Uint32(head[12:])
	}
	note := make([]byte, 1<<20)
	var largest int64
	// It is moved from 16 MB on, and begins anew when chance has it that nobody reads;
	// from 256 MB on readers wait for it.
	for first := generation(); generation() < first+2; {
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
		if largest > 400<<20 {
			t.Fatalf("the log has grown to %d MB and does not begin anew", largest>>20)
		}
	}
	stop()
	readers.Wait()
	if reads.Load() == 0 {
		t.Error("nobody read")
	}
	t.Logf("the log grew to %d MB beside %d reads", largest>>20, reads.Load())
}
