package db_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

var things = db.Schema{Noun: "thing", Steps: []string{
	`CREATE TABLE thing (id BYTEA PRIMARY KEY, n BIGINT NOT NULL);
	 CREATE TABLE part (thing BYTEA NOT NULL REFERENCES thing (id), name TEXT NOT NULL, PRIMARY KEY (thing, name))`,
	`ALTER TABLE thing ADD COLUMN note TEXT`,
}}

func open(t *testing.T, cfg db.Config) *db.DB {
	t.Helper()
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "veche.db")
	}
	if cfg.Schemas == nil {
		cfg.Schemas = []db.Schema{things}
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	d, err := db.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func add(tx *db.Tx, id wire.RoomID, n int64) error {
	_, err := tx.Exec(`INSERT INTO thing (id, n) VALUES ($1, $2)`, id, n)
	return err
}

func count(t *testing.T, d *db.DB) (n int) {
	t.Helper()
	err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(`SELECT count(*) FROM thing`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestIDsGoInAndComeBack(t *testing.T) {
	d := open(t, db.Config{})
	want := wire.NewRoomID()
	if err := d.Update(t.Context(), func(tx *db.Tx) error { return add(tx, want, 7) }); err != nil {
		t.Fatal(err)
	}
	var got wire.RoomID
	var n int64
	err := d.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(`SELECT id, n FROM thing WHERE id = $1`, want).Scan(&got, &n)
	})
	if err != nil || got != want || n != 7 {
		t.Fatalf("got %v %d %v", got, n, err)
	}
	err = d.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(`SELECT n FROM thing WHERE id = $1`, wire.NewRoomID()).Scan(&n)
	})
	if !errors.Is(err, db.ErrNone) {
		t.Errorf("a missing row gives %v", err)
	}
}

func TestOneFailingCallerUndoesNothingOfOthers(t *testing.T) {
	d := open(t, db.Config{})
	boom := errors.New("boom")
	var wg sync.WaitGroup
	var mu sync.Mutex
	kept := 0
	for i := range 200 {
		wg.Go(func() {
			id := wire.NewRoomID()
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				if err := add(tx, id, int64(i)); err != nil {
					return err
				}
				if i%3 == 0 {
					return boom
				}
				if i%7 == 0 {
					return add(tx, id, 0) // the same id again: a constraint fails
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case i%3 == 0:
				if !errors.Is(err, boom) {
					t.Errorf("%d: %v", i, err)
				}
			case i%7 == 0:
				if err == nil {
					t.Errorf("%d: a doubled id passed", i)
				}
			default:
				if err != nil {
					t.Errorf("%d: %v", i, err)
				}
				kept++
			}
		})
	}
	wg.Wait()
	if n := count(t, d); n != kept {
		t.Errorf("%d rows, want %d", n, kept)
	}
}

func TestCallbacksRunInOrderOfCommitsAndBeforeTheAnswer(t *testing.T) {
	d := open(t, db.Config{})
	var mu sync.Mutex
	var heard []int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			ran := false
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				var n int64
				if err := tx.QueryRow(`SELECT count(*) FROM thing`).Scan(&n); err != nil {
					return err
				}
				tx.OnCommit(func() {
					mu.Lock()
					heard = append(heard, n)
					mu.Unlock()
					ran = true
				})
				return add(tx, wire.NewRoomID(), n)
			})
			if err != nil || !ran {
				t.Errorf("ran %v, %v", ran, err)
			}
		})
	}
	wg.Wait()
	for i, n := range heard {
		if n != int64(i) {
			t.Fatalf("callback %d is of commit %d", i, n)
		}
	}
	if len(heard) != 100 {
		t.Errorf("%d callbacks", len(heard))
	}
}

func TestNoCallbackAfterAFailure(t *testing.T) {
	d := open(t, db.Config{})
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		tx.OnCommit(func() { t.Error("called") })
		return errors.New("no")
	})
	if err == nil {
		t.Fatal("no error")
	}
}

func TestEndedContextRunsNothing(t *testing.T) {
	d := open(t, db.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := d.Update(ctx, func(*db.Tx) error { t.Error("ran"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPanicReachesTheCallerAloneAndUndoesItsWork(t *testing.T) {
	d := open(t, db.Config{})
	func() {
		defer func() {
			if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "ouch") {
				t.Errorf("recovered %v", p)
			}
		}()
		d.Update(t.Context(), func(tx *db.Tx) error {
			add(tx, wire.NewRoomID(), 1)
			panic("ouch")
		})
	}()
	if err := d.Update(t.Context(), func(tx *db.Tx) error { return add(tx, wire.NewRoomID(), 2) }); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d); n != 1 {
		t.Errorf("%d rows, want the second alone", n)
	}
}

func TestFullQueueIsBusy(t *testing.T) {
	d := open(t, db.Config{Queue: 1})
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		d.Update(t.Context(), func(*db.Tx) error { close(held); <-hold; return nil })
	})
	<-held
	// The writer is busy; one may wait, the next is turned away.
	results := make(chan error, 2)
	for range 2 {
		go func() { results <- d.Update(t.Context(), func(*db.Tx) error { return nil }) }()
	}
	if err := <-results; !errors.Is(err, db.ErrBusy) {
		t.Errorf("got %v", err)
	}
	close(hold)
	if err := <-results; err != nil {
		t.Errorf("the one that waited got %v", err)
	}
	wg.Wait()
}

func TestFullDiskIsACleanRefusal(t *testing.T) {
	d := open(t, db.Config{Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
	if err := d.Update(t.Context(), func(tx *db.Tx) error { return add(tx, wire.NewRoomID(), 1) }); err != nil {
		t.Fatal(err)
	}
	// A cap on the file's pages gives the very error of a full disk.
	pages := func(n int) {
		if err := d.Update(t.Context(), func(tx *db.Tx) error {
			var got int
			return tx.QueryRow(fmt.Sprintf(`PRAGMA max_page_count = %d`, n)).Scan(&got)
		}); err != nil {
			t.Fatal(err)
		}
	}
	pages(12)
	fill := func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO thing (id, n, note) VALUES ($1, 0, $2)`, wire.NewRoomID(), strings.Repeat("x", 100_000))
		return err
	}
	if err := d.Update(t.Context(), fill); !errors.Is(err, db.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	if n := count(t, d); n != 1 {
		t.Errorf("%d rows after the refusal", n)
	}
	pages(1 << 20)
	if err := d.Update(t.Context(), fill); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

func TestCloseFinishesWhatWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "veche.db")
	d := open(t, db.Config{Path: path})
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		d.Update(t.Context(), func(tx *db.Tx) error { close(held); <-hold; return add(tx, wire.NewRoomID(), 1) })
	})
	<-held
	closed := make(chan error)
	go func() { closed <- d.Close() }()
	close(hold)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := d.Update(t.Context(), func(*db.Tx) error { return nil }); !errors.Is(err, db.ErrClosed) {
		t.Errorf("Update after Close: %v", err)
	}
	if err := d.View(t.Context(), func(*db.Tx) error { return nil }); !errors.Is(err, db.ErrClosed) {
		t.Errorf("View after Close: %v", err)
	}
	again := open(t, db.Config{Path: path})
	if n := count(t, again); n != 1 {
		t.Errorf("%d rows after opening again", n)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	d := open(t, db.Config{})
	if err := d.View(t.Context(), func(tx *db.Tx) error { return add(tx, wire.NewRoomID(), 1) }); err == nil {
		t.Error("a reader wrote")
	}
}

func TestForeignKeysHold(t *testing.T) {
	d := open(t, db.Config{})
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO part (thing, name) VALUES ($1, 'a')`, wire.NewRoomID())
		return err
	})
	if err == nil {
		t.Error("a part of nothing was taken")
	}
}

func TestNewerSchemaIsRefusedAndLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "veche.db")
	newer := db.Schema{Noun: "thing", Steps: append(things.Steps[:2:2], `CREATE TABLE later (a BIGINT)`)}
	d := open(t, db.Config{Path: path, Schemas: []db.Schema{newer}})
	d.Close()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Open(t.Context(), db.Config{Path: path, Schemas: []db.Schema{things}, Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, db.ErrNewer) || !strings.Contains(err.Error(), "its schema of thing is 3, this program knows 2") {
		t.Errorf("got %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the file was changed")
	}
}

func TestOlderSchemaIsBroughtUpToDateWithItsRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "veche.db")
	d := open(t, db.Config{Path: path, Schemas: []db.Schema{{Noun: "thing", Steps: things.Steps[:1]}}})
	if err := d.Update(t.Context(), func(tx *db.Tx) error { return add(tx, wire.NewRoomID(), 5) }); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = open(t, db.Config{Path: path})
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		n, err := tx.Exec(`UPDATE thing SET note = 'x' WHERE n = 5`)
		if n != 1 {
			t.Errorf("%d rows", n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "veche.db")
	open(t, db.Config{Path: path}).Close()
	bad := db.Schema{Noun: "thing", Steps: append(things.Steps[:2:2], `CREATE TABLE more (a BIGINT); CREATE TABLE thing (b BIGINT)`)}
	if _, err := db.Open(t.Context(), db.Config{Path: path, Schemas: []db.Schema{bad}, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Fatal("no error")
	}
	good := db.Schema{Noun: "thing", Steps: append(things.Steps[:2:2], `CREATE TABLE more (a BIGINT)`)}
	open(t, db.Config{Path: path, Schemas: []db.Schema{good}})
}

func TestDamageIsSeenAtOpen(t *testing.T) {
	for _, tt := range []struct {
		name string
		hurt func(b []byte) []byte
	}{
		{"a page in the middle", func(b []byte) []byte {
			for i := range 4096 {
				b[2*4096+i] = 0xff
			}
			return b
		}},
		{"no header", func(b []byte) []byte { copy(b, "this is a letter"); return b }},
		{"cut short", func(b []byte) []byte { return b[:len(b)/2] }},
		{"ten bytes", func([]byte) []byte { return []byte("0123456789") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "veche.db")
			d := open(t, db.Config{Path: path})
			if err := d.Update(t.Context(), func(tx *db.Tx) error {
				for range 500 {
					if err := add(tx, wire.NewRoomID(), 1); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			d.Close()
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, tt.hurt(b), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = db.Open(t.Context(), db.Config{Path: path, Schemas: []db.Schema{things}, Log: slog.New(slog.DiscardHandler)})
			if !errors.Is(err, db.ErrDamaged) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCheckPassesOnAHealthyFile(t *testing.T) {
	d := open(t, db.Config{})
	if faults, err := d.Check(t.Context()); err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
}
