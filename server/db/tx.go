package db

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
)

// Tx is one caller's share of a transaction. It is used by that caller's
// function alone, while it runs.
//
// Its methods take no context: a statement that is stopped half way would make
// SQLite give up the transaction, and with it the work of other callers.
type Tx struct {
	conn     *conn
	onCommit []func()
	lost     error // the transaction as a whole is gone
	over     bool
}

var errOver = errors.New("the transaction is over")

// OnCommit has f run after the transaction is on disk, in the order of commits,
// before Update returns; not at all if it is undone. f must not block and must
// not use the database.
func (tx *Tx) OnCommit(f func()) { tx.onCommit = append(tx.onCommit, f) }

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	if tx.over {
		return 0, errOver
	}
	st, err := tx.conn.prepare(query)
	if err != nil {
		return 0, tx.note(err)
	}
	res, err := st.ExecContext(tx.conn.ctx, plain(args)...)
	if err != nil {
		return 0, tx.note(err)
	}
	return res.RowsAffected()
}

// Query runs a query for many rows, which must be closed before the function
// returns.
func (tx *Tx) Query(query string, args ...any) (*Rows, error) {
	if tx.over {
		return nil, errOver
	}
	st, err := tx.conn.prepare(query)
	if err != nil {
		return nil, tx.note(err)
	}
	rows, err := st.QueryContext(tx.conn.ctx, plain(args)...)
	if err != nil {
		return nil, tx.note(err)
	}
	return &Rows{rows: rows, tx: tx}, nil
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
	if tx.lost == nil && kindOf(err) != ordinary {
		tx.lost = err
	}
	return err
}

// Rows is the answer to Query.
type Rows struct {
	rows *sql.Rows
	tx   *Tx
}

// Next moves to the next row and reports whether there is one.
func (r *Rows) Next() bool { return r.rows.Next() }

// Scan stores the columns of the row. Besides what database/sql takes, it
// stores bytes of the right length in ids and hashes.
func (r *Rows) Scan(dest ...any) error {
	for i, d := range dest {
		if v := reflect.ValueOf(d); v.Kind() == reflect.Pointer && isBytes(v.Type().Elem()) {
			dest[i] = array{v.Elem()}
		}
	}
	return r.tx.note2(r.rows.Scan(dest...))
}

// Err returns what ended Next early, if anything did.
func (r *Rows) Err() error { return r.tx.note2(r.rows.Err()) }

// Close ends the query.
func (r *Rows) Close() error { return r.rows.Close() }

func (tx *Tx) note2(err error) error {
	if err == nil {
		return nil
	}
	return tx.note(err)
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

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8
}

// plain turns ids and hashes into byte slices, and truth into 0 and 1. A nil
// slice of bytes becomes an empty one: null is said with an untyped nil.
func plain(args []any) []any {
	for i, a := range args {
		switch a := a.(type) {
		case nil, int64, string:
			continue
		case bool:
			args[i] = int64(0)
			if a {
				args[i] = int64(1)
			}
			continue
		}
		v := reflect.ValueOf(a)
		switch {
		case isBytes(v.Type()):
			b := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(b), v)
			args[i] = b
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
			if v.IsNil() {
				args[i] = []byte{}
			} else {
				args[i] = v.Bytes()
			}
		}
	}
	return args
}

// array scans bytes into an array of the same length.
type array struct{ to reflect.Value }

// Scan is database/sql's Scanner.
func (a array) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != a.to.Len() {
		return fmt.Errorf("a column holds %T of %d bytes where %s belongs", src, len(b), a.to.Type())
	}
	reflect.Copy(a.to, reflect.ValueOf(b))
	return nil
}
