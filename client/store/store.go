package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/e2ee/seal"
)

var (
	// ErrNone is returned for a row that is not there.
	ErrNone = errors.New("store: no such row")
	// ErrKey: the store key does not open what is in the database.
	ErrKey = errors.New("store: the store key is not the one of this database")
	// ErrNewer: a newer version of the program has written the database.
	ErrNewer = errors.New("store: made by a newer version of Veche")
	// ErrDamaged: the database cannot be read, or a box in it does not open.
	ErrDamaged = errors.New("store: damaged")
	// ErrFull: no space is left; the transaction left no trace.
	ErrFull = errors.New("store: no space left on the disk")
	// ErrBusy: another process has the profile open.
	ErrBusy = errors.New("store: in use by another process")
	// ErrClosed: the store was closed, or failed in a way that makes the disk's
	// state unknown. It has to be opened again.
	ErrClosed = errors.New("store: closed")
	// ErrBackward: a row that only moves forward was to be moved back.
	ErrBackward = errors.New("store: refuses to go back")
)

// Key is the store key.
type Key = seal.Key

// Conn is one connection to SQLite. Exec runs one statement and returns all its
// rows; values and arguments are nil, int64, float64, string or []byte. It is
// called from one goroutine at a time. What goes wrong is one of ErrDamaged,
// ErrFull, ErrBusy, or unnamed.
type Conn interface {
	Exec(sql string, args ...any) (Result, error)
	Close() error
}

// Result is what a statement gave.
type Result struct {
	Rows    [][]any
	Changes int64 // rows that were inserted, updated or deleted
	LastID  int64 // rowid of the last insert
}

// DB is the open database of one profile. It is safe for use by several
// goroutines.
type DB struct {
	conn  Conn
	boxer *seal.Boxer
	turn  chan struct{} // holds one token: whoever has it has conn
	ended error         // once set, no transaction starts; owned by the holder of the token
}

// Open brings the database up to this version's schema and checks that key is
// its key. A fresh database takes key as its own. The DB owns conn from here
// on, also when Open fails.
func Open(ctx context.Context, conn Conn, key Key) (*DB, error) {
	if key.IsZero() {
		return nil, errors.Join(ErrKey, conn.Close())
	}
	db := &DB{conn: conn, boxer: seal.NewBoxer(key), turn: make(chan struct{}, 1)}
	db.turn <- struct{}{}
	if err := db.prepare(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return db, nil
}

func (db *DB) prepare(ctx context.Context) error {
	if err := db.migrate(ctx); err != nil {
		return err
	}
	return db.Update(ctx, func(tx *Tx) error {
		const name = "check"
		_, err := GetSecret(tx, name)
		switch {
		case errors.Is(err, ErrNone):
			return PutSecret(tx, name, []byte(name))
		case errors.Is(err, ErrDamaged):
			return ErrKey
		}
		return err
	})
}

// Close waits for the transaction that runs and closes the database.
func (db *DB) Close() error {
	<-db.turn
	defer func() { db.turn <- struct{}{} }()
	if db.ended != nil {
		return nil
	}
	db.ended = ErrClosed
	return db.conn.Close()
}

// Update runs f in a transaction. If f returns nil, all that it did is on disk
// when Update returns nil; otherwise none of it is. f must not call Update or
// View, and must not wait for anything outside the store. ctx ends the wait for
// one's turn, not f.
func (db *DB) Update(ctx context.Context, f func(*Tx) error) error {
	tx, err := db.run(ctx, "BEGIN IMMEDIATE", f)
	if err != nil {
		return err
	}
	for _, after := range tx.after {
		after()
	}
	return nil
}

// View runs f in a transaction that changes nothing.
func (db *DB) View(ctx context.Context, f func(*Tx) error) error {
	_, err := db.run(ctx, "BEGIN", func(tx *Tx) error {
		tx.readOnly = true
		return f(tx)
	})
	return err
}

func (db *DB) run(ctx context.Context, begin string, f func(*Tx) error) (*Tx, error) {
	select {
	case <-db.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { db.turn <- struct{}{} }()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if db.ended != nil {
		return nil, db.ended
	}
	if _, err := db.conn.Exec(begin); err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	tx := &Tx{conn: db.conn, boxer: db.boxer}
	done := false
	defer func() {
		tx.conn = nil // a Tx that outlives its transaction does nothing
		if !done {    // f failed or panicked
			db.rollback()
		}
	}()
	if err := f(tx); err != nil {
		return nil, err
	}
	if tx.failed != nil {
		return nil, tx.failed
	}
	if _, err := db.conn.Exec("COMMIT"); err != nil {
		if errors.Is(err, ErrFull) || errors.Is(err, ErrBusy) {
			return nil, fmt.Errorf("commit: %w", err)
		}
		// A write or a flush failed, and the system may say next time that all
		// is well although it is not: what is on disk is known after opening
		// again, not before.
		done = true
		db.end(fmt.Errorf("commit: %w", err))
		return nil, db.ended
	}
	done = true
	if tx.wiped {
		// What was deleted is overwritten in the database, but stands in its
		// write-ahead log until that is begun anew. A failure here undoes nothing.
		_, _ = db.conn.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	}
	return tx, nil
}

// rollback undoes the transaction. If even that fails, what is on disk and what
// SQLite believes may differ, so nothing more is done on this connection.
func (db *DB) rollback() {
	_, err := db.conn.Exec("ROLLBACK")
	if err == nil {
		return
	}
	// After some failures SQLite has rolled back by itself, and says that there
	// is nothing to roll back. Then there is room for a new transaction.
	if _, begin := db.conn.Exec("BEGIN"); begin == nil {
		if _, err = db.conn.Exec("ROLLBACK"); err == nil {
			return
		}
	}
	db.end(fmt.Errorf("roll back: %w", err))
}

// end closes the connection for good.
func (db *DB) end(why error) {
	db.ended = fmt.Errorf("%w: %w", ErrClosed, why)
	_ = db.conn.Close() // the first error says more
}
