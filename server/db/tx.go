package db

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Tx is one caller's share of a transaction. It is used by that caller's
// function alone, while it runs.
//
// Its methods take no context: a statement that is stopped half way would make
// SQLite give up the transaction, and with it the work of other callers.
type Tx struct {
	conn     *conn
	db       *DB // nil in View
	onCommit []func()
	lost     error // the transaction as a whole is gone
	damaged  error // the first damage that it met
	corrupt  bool  // SQLite met it: the transaction as a whole cannot be committed
	saved    bool  // the savepoint of the job stands
	settled  bool  // ExecLast has run
	over     bool
}

var (
	errOver    = errors.New("the transaction is over")
	errSettled = errors.New("a write after the last one")
)

// OnCommit has f run after the transaction is on disk, in the order of commits,
// before Update returns; not at all if it is undone. f must not block and must
// not use the database.
func (tx *Tx) OnCommit(f func()) { tx.onCommit = append(tx.onCommit, f) }

// Exec runs a statement that writes, and returns how many rows it changed.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	if err := tx.save(); err != nil {
		return 0, err
	}
	return tx.exec(query, args)
}

// ExecLast is Exec for a job that writes with this one statement alone and that
// cannot fail once it has succeeded. So it needs no savepoint, which would cost
// as much as the statement: if it fails, SQLite undoes it by itself. A job that
// fails all the same after it undoes the transaction for everybody.
func (tx *Tx) ExecLast(query string, args ...any) (int64, error) {
	if tx.saved || tx.db == nil {
		return tx.Exec(query, args...)
	}
	n, err := tx.exec(query, args)
	tx.settled = tx.settled || n > 0
	return n, err
}

func (tx *Tx) exec(query string, args []any) (int64, error) {
	if tx.over {
		return 0, errOver
	}
	st, err := tx.conn.prepare(query)
	if err != nil {
		return 0, tx.note(err)
	}
	bound, err := tx.conn.bind(args)
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(tx.conn.ctx, bound)
	if err != nil {
		return 0, tx.note(err)
	}
	return res.RowsAffected()
}

// save begins the savepoint to which the job is undone if it fails.
func (tx *Tx) save() error {
	switch {
	case tx.over:
		return errOver
	case tx.settled:
		return errSettled
	case tx.saved || tx.db == nil: // View cannot write: SQLite says so
		return nil
	}
	if err := tx.conn.exec("SAVEPOINT job"); err != nil {
		return tx.note(err)
	}
	tx.saved = true
	return nil
}

// Query runs a query for many rows, which must be closed before the function
// returns.
func (tx *Tx) Query(query string, args ...any) (*Rows, error) {
	if !strings.HasPrefix(query, "SELECT ") { // it writes, and tells with RETURNING what
		if err := tx.save(); err != nil {
			return nil, err
		}
	}
	return tx.query(query, args)
}

func (tx *Tx) query(query string, args []any) (*Rows, error) {
	if tx.over {
		return nil, errOver
	}
	st, err := tx.conn.prepare(query)
	if err != nil {
		return nil, tx.note(err)
	}
	bound, err := tx.conn.bind(args)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(tx.conn.ctx, bound)
	if err != nil {
		return nil, tx.note(err)
	}
	return &Rows{rows: rows, tx: tx, row: make([]driver.Value, len(rows.Columns()))}, nil
}

// QueryRow runs a query for one row; Scan returns ErrNone where there is none.
func (tx *Tx) QueryRow(query string, args ...any) Row {
	rows, err := tx.Query(query, args...)
	return Row{rows, err}
}

// Each runs a query and calls scan for each of its rows.
func (tx *Tx) Each(scan func(*Rows) error, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (tx *Tx) note(err error) error {
	switch kindOf(err) {
	case ordinary:
	case damaged:
		if !errors.Is(err, ErrDamaged) { // or it is a row that does not fit
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
			tx.corrupt = true
		}
		if tx.damaged == nil {
			tx.damaged = err
		}
	default:
		if tx.lost == nil {
			tx.lost = err
		}
	}
	return err
}

// Rows is the answer to Query.
type Rows struct {
	rows   driver.Rows
	tx     *Tx
	row    []driver.Value // what Next moved to
	err    error          // that ended Next early
	closed bool
}

// Next moves to the next row and reports whether there is one.
func (r *Rows) Next() bool {
	if r.closed || r.err != nil {
		return false
	}
	switch err := r.rows.Next(r.row); {
	case err == nil:
		return true
	case !errors.Is(err, io.EOF):
		r.err = r.tx.note(err)
	}
	r.Close()
	return false
}

// Scan stores the columns of the row: whole numbers in numbers or truth, text in
// strings, bytes in slices, and in ids and hashes if they have the right length.
// NULL is stored in a slice of bytes alone. Of a row that does not fit nothing
// may be used: it is ErrDamaged, since no code of ours writes such a row.
func (r *Rows) Scan(dest ...any) error {
	if r.closed {
		return errors.New("scan: there is no row")
	}
	if len(dest) != len(r.row) {
		return fmt.Errorf("scan: %d columns into %d values", len(r.row), len(dest))
	}
	for i, d := range dest {
		if err := store(d, r.row[i]); err != nil {
			return r.tx.note(fmt.Errorf("scan column %d: %w: %w", i+1, ErrDamaged, err))
		}
	}
	return nil
}

// Err returns what ended Next early, if anything did.
func (r *Rows) Err() error { return r.err }

// Close ends the query.
func (r *Rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	if err := r.rows.Close(); err != nil {
		return r.tx.note(err)
	}
	return nil
}

// Row is the answer to QueryRow.
type Row struct {
	rows *Rows
	err  error
}

// Scan stores the columns of the row, or returns ErrNone.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNone
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	// Run to the end, so that a write with RETURNING is carried out in full.
	for r.rows.Next() {
	}
	return r.rows.Err()
}
