package db_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const pageSize = 4096

var discard = slog.New(slog.DiscardHandler)

// fill makes a database with a row of 2 KB for each n below count, so that each
// page holds one or two, and returns its path.
func fill(t *testing.T, count int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "veche.db")
	d := open(t, db.Config{Path: path})
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		for n := range count {
			if _, err := tx.Exec(`INSERT INTO thing (id, n, note) VALUES ($1, $2, $3)`, wire.NewRoomID(), n, mark(n)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	d.Close()
	return path
}

// mark is the note of row n: 2 KB that are found again in the file.
func mark(n int) string {
	return strings.Repeat(string(rune('A'+n%26)), 2000) + "#" + strings.Repeat("0", n)
}

// overwrite fills the page in which the note of row n stands with rubbish.
func overwrite(t *testing.T, path string, n int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(mark(n)[1990:]+"\x00"))
	if at < 0 {
		at = bytes.Index(b, []byte(mark(n)[:2001]))
	}
	if at < 0 {
		t.Fatal("the row is not found")
	}
	page := at / pageSize * pageSize
	for i := range pageSize {
		b[page+i] = 0xee
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func note(d *db.DB, t *testing.T, n int) error {
	return d.View(t.Context(), func(tx *db.Tx) error {
		var s string
		return tx.QueryRow(`SELECT note FROM thing WHERE rowid = $1`, n+1).Scan(&s)
	})
}

func change(d *db.DB, t *testing.T, n int) error {
	return d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE thing SET note = 'changed' WHERE rowid = $1`, n+1)
		return err
	})
}

func TestADamagedPageIsRefusedAloneAndAllElseGoesOn(t *testing.T) {
	path := fill(t, 20)
	overwrite(t, path, 7)
	var told atomic.Int64
	d := open(t, db.Config{
		Path:   path,
		Fatal:  func(err error) { t.Errorf("fatal: %v", err) },
		Damage: func(error) { told.Add(1) },
	})
	if told.Load() != 1 || !d.Damaged() {
		t.Errorf("Open told %d damages", told.Load())
	}
	refused := 0
	for n := range 20 {
		read, wrote := note(d, t, n), error(nil)
		if wrote = change(d, t, n); (wrote == nil) != (read == nil) {
			t.Errorf("row %d: reading gives %v, writing %v", n, read, wrote)
		}
		if read == nil {
			continue
		}
		refused++
		for _, err := range []error{read, wrote} {
			if !errors.Is(err, db.ErrDamaged) {
				t.Errorf("row %d: %v", n, err)
			}
		}
	}
	if refused == 0 || refused > 3 {
		t.Errorf("%d of 20 rows are refused where a page is damaged", refused)
	}
	if told.Load() != int64(1+2*refused) {
		t.Errorf("%d refusals, %d told", 2*refused, told.Load())
	}
	if faults, err := d.Check(t.Context()); err != nil || len(faults) == 0 {
		t.Errorf("Check says %q, %v", faults, err)
	}
}

// SQLite gives up a transaction that met damage: those that shared it are asked
// to come again, once, and are not in the way of one another then.
func TestDamageLosesNothingOfOthersInTheSameTransaction(t *testing.T) {
	path := fill(t, 20)
	overwrite(t, path, 7)
	d := open(t, db.Config{Path: path, Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
	var kept, hurt atomic.Int64
	busy := make([]atomic.Bool, 20)
	round := func() {
		hold, held := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = d.Update(t.Context(), func(*db.Tx) error { close(held); <-hold; return nil })
		})
		<-held // what comes now waits, and would share one transaction
		for n := range 20 {
			wg.Go(func() {
				err := d.Update(t.Context(), func(tx *db.Tx) error {
					if err := add(tx, wire.NewRoomID(), 1000); err != nil {
						return err
					}
					_, err := tx.Exec(`UPDATE thing SET note = 'changed' WHERE rowid = $1`, n+1)
					if n%2 == 0 {
						return nil // one that does not look
					}
					return err
				})
				switch {
				case err == nil:
					kept.Add(1)
				case errors.Is(err, db.ErrDamaged):
					hurt.Add(1)
				case errors.Is(err, db.ErrBusy):
					if busy[n].Swap(true) {
						t.Errorf("row %d is busy again", n)
					}
				default:
					t.Errorf("row %d: %v", n, err)
				}
			})
		}
		close(hold)
		wg.Wait()
	}
	round()
	round()
	var added int64
	// The table cannot be counted across the damage: by the index of ids.
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(`SELECT count(*) - 20 FROM thing INDEXED BY sqlite_autoindex_thing_1 WHERE id >= x'00'`).Scan(&added)
	}); err != nil || added != kept.Load() {
		t.Errorf("%d rows were added and %d acknowledged, %v", added, kept.Load(), err)
	}
	if hurt.Load() == 0 || kept.Load() < 20-hurt.Load() {
		t.Errorf("%d kept, %d refused", kept.Load(), hurt.Load())
	}
}

// A page that is counted as two must not be written to: what is whole would go.
func TestOpenRefusesWhatWritingWouldSpread(t *testing.T) {
	path := fill(t, 20)
	d := open(t, db.Config{Path: path})
	if err := d.Update(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(`DELETE FROM thing WHERE n > 3`); return err }); err != nil {
		t.Fatal(err)
	}
	d.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The head of the list of free pages (file format, §1.3) is made the root of a
	// table that is in use.
	copy(b[32:36], []byte{0, 0, 0, 2})
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = db.Open(t.Context(), db.Config{Path: path, Schemas: []db.Schema{things}, Log: discard})
	if !errors.Is(err, db.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestASnapshotStandsStillWhileOthersWrite(t *testing.T) {
	path := fill(t, 20)
	d := open(t, db.Config{Path: path})
	s, err := db.OpenSnapshot(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for n := range 20 {
		if err := change(d, t, n); err != nil {
			t.Fatal(err)
		}
	}
	size, err := s.Size()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if n, err := s.WriteTo(&b); err != nil || n != size || int64(b.Len()) != size {
		t.Fatalf("%d of %d bytes, %v", n, size, err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copied, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c := open(t, db.Config{Path: copied})
	if faults, err := c.Check(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("the copy: %q %v", faults, err)
	}
	for n := range 20 {
		var s string
		if err := c.View(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(`SELECT note FROM thing WHERE rowid = $1`, n+1).Scan(&s)
		}); err != nil || s != mark(n) {
			t.Errorf("row %d of the copy has %.10q, %v", n, s, err)
		}
	}
}

// A program that knows less runs on steps that are additive and leaves their
// number alone; others it refuses.
func TestAnOlderProgramRunsOnAdditiveStepsAlone(t *testing.T) {
	const later = `ALTER TABLE thing ADD COLUMN later BIGINT`
	for _, tt := range []struct {
		name     string
		additive int
		runs     bool
	}{{"additive", 1, true}, {"not", 0, false}} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "veche.db")
			newer := db.Config{Path: path, Schemas: []db.Schema{{Noun: "thing", Steps: append(things.Steps[:2:2], later), Additive: tt.additive}}}
			open(t, newer).Close()
			old, err := db.Open(t.Context(), db.Config{Path: path, Schemas: []db.Schema{things}, Log: discard})
			if !tt.runs {
				if !errors.Is(err, db.ErrNewer) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := old.Update(t.Context(), func(tx *db.Tx) error { return add(tx, wire.NewRoomID(), 1) }); err != nil {
				t.Error(err)
			}
			old.Close()
			again := open(t, newer) // runs no step twice
			if n := count(t, again); n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}
