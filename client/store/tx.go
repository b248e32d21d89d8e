package store

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/veche-im/veche/e2ee/seal"
)

var errReadOnly = errors.New("store: a change inside View")
var errOver = errors.New("store: the transaction is over")

// Tx is a transaction of Update or View. It is used by the function that was
// given it, in that function's goroutine, and not after it has returned.
type Tx struct {
	conn     Conn
	boxer    *seal.Boxer
	readOnly bool
	failed   error // of the first statement that failed
	wiped    bool  // everything was deleted
	after    []func()
}

// OnCommit runs f after the transaction is on disk, before Update returns, in
// the order of the calls. Of two transactions the functions of the earlier may
// run after those of the later: f says that something changed, and whoever
// hears it reads again.
func (tx *Tx) OnCommit(f func()) { tx.after = append(tx.after, f) }

// exec runs a statement that changes rows.
func (tx *Tx) exec(sql string, args ...any) (Result, error) {
	if tx.readOnly {
		return Result{}, errReadOnly
	}
	return tx.query(sql, args...)
}

func (tx *Tx) query(sql string, args ...any) (Result, error) {
	if tx.conn == nil {
		return Result{}, errOver
	}
	if tx.failed != nil {
		return Result{}, tx.failed
	}
	bound := make([]any, len(args))
	for i, a := range args {
		b, err := bind(a)
		if err != nil {
			return Result{}, fmt.Errorf("store: argument %d: %w", i+1, err)
		}
		bound[i] = b
	}
	res, err := tx.conn.Exec(sql, bound...)
	if err != nil {
		// SQLite may have rolled back by itself, and what followed would be on
		// disk one by one.
		tx.failed = err
	}
	return res, err
}

// seal puts plain into a box for table.column of the row with this key.
func (tx *Tx) seal(plain []byte, table, column string, key ...[]byte) []byte {
	return tx.boxer.Seal(plain, place(table, column, key))
}

// open takes plain bytes out of a box.
func (tx *Tx) open(box []byte, table, column string, key ...[]byte) ([]byte, error) {
	plain, err := tx.boxer.Open(box, place(table, column, key))
	if err != nil {
		return nil, fmt.Errorf("%w: a box in %s.%s does not open", ErrDamaged, table, column)
	}
	return plain, nil
}

func place(table, column string, key [][]byte) seal.Place {
	var row []byte
	for _, part := range key {
		row = append(row, byte(len(part)>>8), byte(len(part)))
		row = append(row, part...)
	}
	return seal.Place{Table: table, Column: column, Row: row}
}

// all reads the rows of a statement with one function for a row.
func all[T any](tx *Tx, read func(row) (T, error), sql string, args ...any) ([]T, error) {
	res, err := tx.query(sql, args...)
	if err != nil {
		return nil, err
	}
	list := make([]T, 0, len(res.Rows))
	for _, r := range res.Rows {
		v, err := read(r)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// one reads the first row; without any it is ErrNone.
func one[T any](tx *Tx, read func(row) (T, error), sql string, args ...any) (T, error) {
	var zero T
	res, err := tx.query(sql, args...)
	if err != nil {
		return zero, err
	}
	if len(res.Rows) == 0 {
		return zero, ErrNone
	}
	return read(res.Rows[0])
}

// value reads the single value of the single row of a statement.
func value[T any](tx *Tx, sql string, args ...any) (T, error) {
	return one(tx, func(r row) (T, error) {
		var v T
		err := r.scan(&v)
		return v, err
	}, sql, args...)
}

// row is one row of a result.
type row []any

// scan copies the columns into dst: pointers to integers, booleans, strings,
// byte slices and byte arrays, of named types too. NULL is the zero value.
func (r row) scan(dst ...any) error {
	if len(r) != len(dst) {
		return fmt.Errorf("store: %d columns for %d variables", len(r), len(dst))
	}
	for i, v := range r {
		if err := assign(reflect.ValueOf(dst[i]).Elem(), v); err != nil {
			return fmt.Errorf("%w: column %d: %w", ErrDamaged, i+1, err)
		}
	}
	return nil
}

func assign(to reflect.Value, v any) error {
	if v == nil {
		to.SetZero()
		return nil
	}
	ok := false
	switch to.Kind() {
	case reflect.Int, reflect.Int64:
		var n int64
		if n, ok = v.(int64); ok {
			to.SetInt(n)
		}
	case reflect.Uint8, reflect.Uint64:
		var n int64
		if n, ok = v.(int64); ok && n >= 0 {
			to.SetUint(uint64(n))
		}
	case reflect.Bool:
		var n int64
		if n, ok = v.(int64); ok {
			to.SetBool(n != 0)
		}
	case reflect.String:
		var s string
		if s, ok = v.(string); ok {
			to.SetString(s)
		}
	case reflect.Slice:
		var b []byte
		if b, ok = v.([]byte); ok {
			to.SetBytes(b)
		}
	case reflect.Array:
		var b []byte
		if b, ok = v.([]byte); ok && len(b) == to.Len() {
			reflect.Copy(to, reflect.ValueOf(b))
		} else {
			ok = false
		}
	}
	if !ok {
		return fmt.Errorf("%T for %s", v, to.Type())
	}
	return nil
}

// maxInteger is the largest integer that is stored: one that a number of
// JavaScript holds exactly, so that both backends agree.
const maxInteger = 1<<53 - 1

// bind turns an argument into what a Conn takes. Zero identifiers stay bytes:
// where NULL is meant, the caller says nil.
func bind(a any) (any, error) {
	if a == nil {
		return nil, nil
	}
	v := reflect.ValueOf(a)
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		if n := v.Int(); n < -maxInteger || n > maxInteger {
			return nil, fmt.Errorf("%d does not fit", n)
		}
		return v.Int(), nil
	case reflect.Uint8, reflect.Uint64:
		if v.Uint() > maxInteger {
			return nil, fmt.Errorf("%d does not fit", v.Uint())
		}
		return int64(v.Uint()), nil
	case reflect.Bool:
		if v.Bool() {
			return int64(1), nil
		}
		return int64(0), nil
	case reflect.String:
		return v.String(), nil
	case reflect.Slice:
		if v.IsNil() {
			return nil, nil
		}
		return v.Bytes(), nil
	case reflect.Array:
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return b, nil
	}
	return nil, fmt.Errorf("%T is not stored", a)
}

// orNull returns id, or nil if it is zero, for columns that may be NULL.
func orNull(id interface{ IsZero() bool }) any {
	if id.IsZero() {
		return nil
	}
	return id
}

// bytesOf returns b, or an empty slice for nil, for columns that may not be
// NULL.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
