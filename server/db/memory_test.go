package db_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

type fact string

var errNo = errors.New("no")

// together runs jobs in one transaction, in this order, and returns what each
// came to.
func together(t *testing.T, d *db.DB, jobs ...func(*db.Tx) error) []error {
	t.Helper()
	var all sync.WaitGroup
	free := make(chan struct{})
	begun := make(chan struct{})
	all.Go(func() {
		_ = d.Update(t.Context(), func(*db.Tx) error { close(begun); <-free; return nil })
	})
	<-begun // it has a transaction of its own; the others wait
	errs := make([]error, len(jobs))
	for i, job := range jobs {
		all.Go(func() { errs[i] = d.Update(t.Context(), job) })
		for d.Waiting() <= i {
			runtime.Gosched()
		}
	}
	close(free)
	all.Wait()
	return errs
}

// recalled is what the writer remembers under key.
func recalled(t *testing.T, d *db.DB, key any) (v any) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *db.Tx) error { v = tx.Recall(key); return nil }); err != nil {
		t.Fatal(err)
	}
	return v
}

func rows(t *testing.T, d *db.DB) (n int) {
	t.Helper()
	err := d.View(t.Context(), func(tx *db.Tx) error { return tx.QueryRow(`SELECT count(*) FROM thing`).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAJobThatIsUndoneForgetsWhatItTouched(t *testing.T) {
	d := open(t, db.Config{})
	errs := together(t, d,
		func(tx *db.Tx) error { tx.Remember(fact("a"), 1); return add(tx, wire.NewRoomID(), 1) },
		func(tx *db.Tx) error {
			tx.Remember(fact("a"), 2)
			tx.Remember(fact("b"), 2)
			if err := add(tx, wire.NewRoomID(), 2); err != nil {
				return err
			}
			return errNo
		},
		func(tx *db.Tx) error {
			if tx.Recall(fact("a")) != nil || tx.Recall(fact("b")) != nil {
				t.Error("what was undone is remembered")
			}
			tx.Remember(fact("c"), 3)
			return nil
		},
	)
	if errs[0] != nil || !errors.Is(errs[1], errNo) || errs[2] != nil || rows(t, d) != 1 {
		t.Errorf("%v, %d rows", errs, rows(t, d))
	}
	if recalled(t, d, fact("c")) != 3 {
		t.Error("what was not undone is forgotten")
	}
	_ = d.View(t.Context(), func(tx *db.Tx) error {
		if tx.Recall(fact("c")) != nil {
			t.Error("a reader, who may see an older moment, was told")
		}
		return nil
	})
}

// A panic undoes a job like an error.
func TestAPanicForgets(t *testing.T) {
	d := open(t, db.Config{})
	func() {
		defer func() { _ = recover() }()
		_ = d.Update(t.Context(), func(tx *db.Tx) error { tx.Remember(fact("a"), 1); panic("no") })
	}()
	if recalled(t, d, fact("a")) != nil {
		t.Error("it is remembered")
	}
}

// Who fails after a write that was to be its last has no savepoint to go back to:
// nobody of the transaction is told that it is on disk, and it is not.
func TestFailingAfterTheLastWriteUndoesEverybody(t *testing.T) {
	d := open(t, db.Config{})
	last := func(tx *db.Tx) error {
		n, err := tx.ExecLast(`INSERT INTO thing (id, n) VALUES ($1, 1)`, wire.NewRoomID())
		if err == nil && n != 1 {
			t.Errorf("%d rows", n)
		}
		tx.Remember(fact("a"), 1)
		tx.Postpone(fact("a"), func(*db.Tx) error { t.Error("what was postponed ran"); return nil })
		return err
	}
	errs := together(t, d, last,
		func(tx *db.Tx) error { return add(tx, wire.NewRoomID(), 2) },
		func(tx *db.Tx) error {
			if err := last(tx); err != nil {
				return err
			}
			return errNo
		})
	for i, err := range errs {
		if err == nil {
			t.Errorf("job %d was told that it is on disk", i)
		}
	}
	if n := rows(t, d); n != 0 {
		t.Errorf("%d rows are there", n)
	}
	if recalled(t, d, fact("a")) != nil {
		t.Error("what is not on disk is remembered")
	}
	if err := d.Update(t.Context(), func(tx *db.Tx) error { return add(tx, wire.NewRoomID(), 3) }); err != nil || rows(t, d) != 1 {
		t.Errorf("afterwards: %v", err)
	}
}

func TestNoWriteAfterTheLast(t *testing.T) {
	d := open(t, db.Config{})
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.ExecLast(`INSERT INTO thing (id, n) VALUES ($1, 1)`, wire.NewRoomID()); err != nil {
			t.Error(err)
		}
		return add(tx, wire.NewRoomID(), 2)
	})
	if err == nil || rows(t, d) != 0 {
		t.Errorf("%v, %d rows", err, rows(t, d))
	}
}

// A last write that does nothing, or that fails, leaves the others alone.
func TestALastWriteThatFailsUndoesItselfAlone(t *testing.T) {
	d := open(t, db.Config{})
	id := wire.NewRoomID()
	insert := func(how string) func(tx *db.Tx) error {
		return func(tx *db.Tx) error {
			n, err := tx.ExecLast(`INSERT INTO thing (id, n) VALUES ($1, 1)`+how, id)
			if err == nil && n == 0 {
				return errNo
			}
			return err
		}
	}
	errs := together(t, d, insert(""), insert(""), insert(` ON CONFLICT (id) DO NOTHING`), func(tx *db.Tx) error { return add(tx, wire.NewRoomID(), 1) })
	if errs[0] != nil || errs[1] == nil || !errors.Is(errs[2], errNo) || errs[3] != nil || rows(t, d) != 2 {
		t.Errorf("%v, %d rows", errs, rows(t, d))
	}
}

// What is postponed is written once, at the end; or before, for a job that needs
// the row, and then it stays even if that job is undone.
func TestWhatIsPostponedIsWrittenOnceAndSettledForWhoNeedsIt(t *testing.T) {
	d := open(t, db.Config{})
	id := wire.NewRoomID()
	if err := d.Update(t.Context(), func(tx *db.Tx) error { return add(tx, id, 0) }); err != nil {
		t.Fatal(err)
	}
	count, written := 0, 0
	step := func(tx *db.Tx) error {
		if _, err := tx.ExecLast(`INSERT INTO thing (id, n) VALUES ($1, 1)`, wire.NewRoomID()); err != nil {
			return err
		}
		count++
		tx.Postpone(fact("n"), func(tx *db.Tx) error {
			written++
			_, err := tx.Exec(`UPDATE thing SET n = $2 WHERE id = $1`, id, count)
			return err
		})
		return nil
	}
	stored := func(tx *db.Tx) (n int) {
		if err := tx.QueryRow(`SELECT n FROM thing WHERE id = $1`, id).Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	errs := together(t, d, step, step,
		func(tx *db.Tx) error {
			if n := stored(tx); n != 0 {
				t.Errorf("it was written before its time: %d", n)
			}
			if err := tx.Settle(fact("n")); err != nil {
				return err
			}
			if n := stored(tx); n != 2 {
				t.Errorf("settled it is %d", n)
			}
			if _, err := tx.Exec(`UPDATE thing SET n = 99 WHERE id = $1`, id); err != nil {
				return err
			}
			return errNo
		},
		func(tx *db.Tx) error {
			if n := stored(tx); n != 2 {
				t.Errorf("after the one who settled was undone it is %d", n)
			}
			return nil
		},
		step)
	for i, err := range errs {
		if (i == 2) != errors.Is(err, errNo) || i != 2 && err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
	err := d.View(t.Context(), func(tx *db.Tx) error {
		if n := stored(tx); n != 3 || written != 2 {
			t.Errorf("in the end it is %d, written %d times", n, written)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatIsPostponedAndFailsUndoesTheTransaction(t *testing.T) {
	d := open(t, db.Config{})
	errs := together(t, d,
		func(tx *db.Tx) error { return add(tx, wire.NewRoomID(), 1) },
		func(tx *db.Tx) error {
			tx.Remember(fact("a"), 1)
			if _, err := tx.ExecLast(`INSERT INTO thing (id, n) VALUES ($1, 1)`, wire.NewRoomID()); err != nil {
				return err
			}
			tx.Postpone(fact("a"), func(*db.Tx) error { return errNo })
			return nil
		})
	if !errors.Is(errs[0], errNo) || !errors.Is(errs[1], errNo) || rows(t, d) != 0 || recalled(t, d, fact("a")) != nil {
		t.Errorf("%v, %d rows", errs, rows(t, d))
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	d := open(t, db.Config{})
	for part := range 3 {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			for i := range 60_000 {
				tx.Remember([2]int{part, i}, true)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		for range tx.Facts() {
			n++
		}
		return nil
	}); err != nil || n > 100_000 || n < 60_000 {
		t.Errorf("%d facts are remembered, %v", n, err)
	}
}
