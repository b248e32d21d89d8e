package db_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Readers that read much take SQLite over what all connections may have in
// memory together. The writer must not lose its cache by that.
func TestTheWriterKeepsItsCacheBesideReaders(t *testing.T) {
	const readers, hot = 3, 200
	path := filepath.Join(t.TempDir(), "veche.db")
	d := open(t, db.Config{Path: path, Readers: readers})
	ids := make([]wire.RoomID, 20_000) // some 60 MB
	for i := range ids {
		ids[i] = wire.NewRoomID()
	}
	note := strings.Repeat("n", 3000)
	for k := range 20 {
		update(t, d, func(tx *db.Tx) error {
			for _, id := range ids[k*1000 : (k+1)*1000] {
				if _, err := tx.Exec(`INSERT INTO thing (id, n, note) VALUES ($1, 0, $2)`, id, note); err != nil {
					return err
				}
			}
			return nil
		})
	}

	var all, read sync.WaitGroup
	all.Add(readers)
	for range readers {
		read.Go(func() {
			err := d.View(t.Context(), func(tx *db.Tx) error {
				all.Done()
				all.Wait() // each has a connection of its own
				var sum int64
				return tx.QueryRow(`SELECT sum(length(note)) FROM thing`).Scan(&sum)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	read.Wait()
	update(t, d, func(tx *db.Tx) error { // and the writer fills what it may have
		var sum int64
		return tx.QueryRow(`SELECT sum(length(note)) FROM thing`).Scan(&sum)
	})

	// The same rows again and again. Who moves the log reads as well: not for long.
	for late := time.Now().Add(time.Minute); ; {
		before := preads(t)
		for range 10 {
			update(t, d, func(tx *db.Tx) error {
				for _, id := range ids[:hot] {
					if _, err := tx.Exec(`UPDATE thing SET n = n + 1 WHERE id = $1`, id); err != nil {
						return err
					}
				}
				return nil
			})
		}
		n := preads(t) - before
		if n < hot {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("%d reads from files for %d updates of the same %d rows", n, 10*hot, hot)
		}
	}
}

func update(t *testing.T, d *db.DB, fn func(*db.Tx) error) {
	t.Helper()
	if err := d.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// preads is how often this process has asked the kernel to read.
func preads(t *testing.T) (n int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/io")
	if errors.Is(err, os.ErrPermission) {
		t.Skip("this system does not tell how much a process reads")
	}
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "syscr: ")
	if _, err := fmt.Sscan(after, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
