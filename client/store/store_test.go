package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/veche-im/veche/client/store"
)

func update(t *testing.T, db *store.DB, f func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, db *store.DB, f func(tx *store.Tx) error) {
	t.Helper()
	if err := db.View(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// setting returns what is stored under a name, "" for nothing.
func setting(t *testing.T, db *store.DB, name string) (value string) {
	t.Helper()
	view(t, db, func(tx *store.Tx) error {
		b, err := store.GetSetting(tx, name)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		value = string(b)
		return err
	})
	return value
}

func TestAllOrNothing(t *testing.T) {
	db := open(t)
	broken := errors.New("changed my mind")
	var late *store.Tx
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		late = tx
		if err := store.PutSetting(tx, "a", []byte("1")); err != nil {
			return err
		}
		tx.OnCommit(func() { t.Error("heard of what did not happen") })
		return broken
	})
	if !errors.Is(err, broken) || setting(t, db, "a") != "" {
		t.Fatalf("%v, a is %q", err, setting(t, db, "a"))
	}
	if err := store.PutSetting(late, "a", []byte("1")); err == nil {
		t.Error("a transaction was used after its end")
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Update(t.Context(), func(tx *store.Tx) error {
			if err := store.PutSetting(tx, "a", []byte("1")); err != nil {
				t.Error(err)
			}
			panic("a bug")
		})
	}()
	if setting(t, db, "a") != "" {
		t.Error("a panic left something behind")
	}
	heard := ""
	update(t, db, func(tx *store.Tx) error {
		tx.OnCommit(func() { heard += setting(t, db, "a") })
		tx.OnCommit(func() { heard += "2" })
		return store.PutSetting(tx, "a", []byte("1"))
	})
	if heard != "12" {
		t.Errorf("heard %q", heard)
	}
}

func TestAViewChangesNothing(t *testing.T) {
	db := open(t)
	if err := db.View(t.Context(), func(tx *store.Tx) error { return store.PutSetting(tx, "a", nil) }); err == nil {
		t.Error("a view wrote")
	}
}

func TestAStatementThatFailedEndsItsTransaction(t *testing.T) {
	db := open(t)
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := store.PutSetting(tx, "a", []byte("1")); err != nil {
			return err
		}
		if _, err := store.Exec(tx, "INSERT INTO nowhere VALUES (1)"); err == nil {
			t.Error("there is a table nowhere")
		}
		if err := store.PutSetting(tx, "b", []byte("1")); err == nil {
			t.Error("went on after a failure")
		}
		return nil // swallowed
	})
	if err == nil || setting(t, db, "a") != "" || setting(t, db, "b") != "" {
		t.Errorf("%v: half of it is there", err)
	}
}

func TestWaitingForOnesTurn(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	update(t, db, func(tx *store.Tx) error {
		cancel()
		if err := db.View(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if err := db.Update(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 5 {
				if err := db.Update(t.Context(), func(tx *store.Tx) error {
					b, err := store.GetSetting(tx, "n")
					if err != nil && !errors.Is(err, store.ErrNone) {
						return err
					}
					return store.PutSetting(tx, "n", append(b, '.'))
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := setting(t, db, "n"); got != strings.Repeat(".", 100) {
		t.Errorf("%d of 100 steps are there", len(got))
	}
}

// faulty fails at the statements that are listed, instead of or after running
// them.
type faulty struct {
	store.Conn
	fail func(sql string) error
}

func (f *faulty) Exec(sql string, args ...any) (store.Result, error) {
	if err := f.fail(sql); err != nil {
		return store.Result{}, err
	}
	return f.Conn.Exec(sql, args...)
}

func TestADiskThatFails(t *testing.T) {
	wild := errors.New("input/output error")
	for _, tt := range []struct {
		name   string
		commit error // of COMMIT
		roll   bool  // ROLLBACK fails as if SQLite had rolled back by itself
		stuck  bool  // ROLLBACK fails and so does everything after
		ended  bool
	}{
		{"a full disk", store.ErrFull, false, false, false},
		{"a full disk, rolled back by itself", store.ErrFull, true, false, false},
		{"a full disk, and no way back", store.ErrFull, false, true, true},
		{"a flush that fails", wild, false, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := open(t)
			armed := true
			store.Wrap(db, func(c store.Conn) store.Conn {
				return &faulty{c, func(sql string) error {
					switch {
					case !armed:
						return nil
					case sql == "COMMIT":
						return tt.commit
					case sql == "ROLLBACK" && tt.roll:
						armed = false
						if _, err := c.Exec("ROLLBACK"); err != nil {
							t.Error(err)
						}
						return errors.New("no transaction is active")
					case sql == "ROLLBACK" && tt.stuck:
						return wild
					}
					return nil
				}}
			})
			err := db.Update(t.Context(), func(tx *store.Tx) error { return store.PutSetting(tx, "a", []byte("1")) })
			if !errors.Is(err, tt.commit) {
				t.Fatalf("got %v", err)
			}
			armed = false
			err = db.Update(t.Context(), func(tx *store.Tx) error { return store.PutSetting(tx, "b", []byte("1")) })
			if tt.ended {
				if !errors.Is(err, store.ErrClosed) {
					t.Fatalf("went on: %v", err)
				}
				return
			}
			if err != nil || setting(t, db, "a") != "" || setting(t, db, "b") != "1" {
				t.Fatalf("%v: a is %q, b is %q", err, setting(t, db, "a"), setting(t, db, "b"))
			}
		})
	}
}

func TestClosed(t *testing.T) {
	db := open(t)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestANewerSchema(t *testing.T) {
	db := open(t)
	update(t, db, func(tx *store.Tx) error {
		_, err := store.Exec(tx, fmt.Sprintf("PRAGMA user_version = %d", store.Schema+1))
		return err
	})
	store.Wrap(db, func(c store.Conn) store.Conn {
		_, err := store.Open(t.Context(), unclosed{c}, store.Key{})
		if !errors.Is(err, store.ErrKey) {
			t.Errorf("no key: %v", err)
		}
		if _, err := store.Open(t.Context(), unclosed{c}, newKey()); !errors.Is(err, store.ErrNewer) {
			t.Errorf("a newer schema: %v", err)
		}
		return c
	})
}

func TestAnotherKey(t *testing.T) {
	db := open(t)
	store.Wrap(db, func(c store.Conn) store.Conn {
		if _, err := store.Open(t.Context(), unclosed{c}, newKey()); !errors.Is(err, store.ErrKey) {
			t.Errorf("got %v", err)
		}
		return c
	})
}

// unclosed stays open for the next.
type unclosed struct{ store.Conn }

func (unclosed) Close() error { return nil }

// The browser's SQLite carries out the first statement of a text and no other.
func TestMigrationsAreCutIntoSingleStatements(t *testing.T) {
	for _, s := range store.Statements() {
		var bare strings.Builder
		for line := range strings.Lines(s) {
			line, _, _ = strings.Cut(line, "--")
			bare.WriteString(line)
		}
		if strings.Contains(strings.TrimSuffix(strings.TrimSpace(bare.String()), ";"), ";") {
			t.Errorf("this is more than one statement:\n%s", s)
		}
	}
}
