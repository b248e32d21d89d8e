//go:build js

// Package browser opens the device's database in a browser worker, where a
// JavaScript object has SQLite on the origin's private file system:
//
//	globalThis.vecheSqlite = {
//	    exec(sql, params) → { rows: any[][], changes, lastId },  // one statement, throws Error
//	    close(),
//	}
//
// Both are synchronous. Parameters and values are null, number or BigInt,
// string, Uint8Array; an Error of SQLite has its result code in resultCode.
// One worker has the database at a time, which is the caller's to see to.
package browser

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"syscall/js"

	"github.com/veche-im/veche/client/store"
)

// ErrMissing: the worker has not put vecheSqlite in place.
var ErrMissing = errors.New("browser: no vecheSqlite here")

// Open opens the database behind globalThis.vecheSqlite under key.
func Open(ctx context.Context, key store.Key) (*store.DB, error) {
	api := js.Global().Get("vecheSqlite")
	if !api.Truthy() {
		return nil, ErrMissing
	}
	c := conn{api}
	for _, pragma := range []string{
		"PRAGMA locking_mode = EXCLUSIVE",
		"PRAGMA synchronous = FULL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA secure_delete = ON",
		"PRAGMA trusted_schema = OFF",
	} {
		if _, err := c.Exec(pragma); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", pragma, err), c.Close())
		}
	}
	return store.Open(ctx, c, key)
}

type conn struct{ api js.Value }

// Exec runs one statement. See store.Conn.
func (c conn) Exec(sql string, args ...any) (res store.Result, err error) {
	params := make([]any, len(args))
	for i, a := range args {
		params[i] = toJS(a)
	}
	got, err := call(c.api, "exec", sql, params)
	if err != nil {
		return res, err
	}
	if res.Changes, err = integer(got.Get("changes")); err != nil {
		return res, err
	}
	if res.LastID, err = integer(got.Get("lastId")); err != nil {
		return res, err
	}
	rows := got.Get("rows")
	for i := range rows.Length() {
		cells := rows.Index(i)
		row := make([]any, cells.Length())
		for k := range row {
			if row[k], err = fromJS(cells.Index(k)); err != nil {
				return res, err
			}
		}
		res.Rows = append(res.Rows, row)
	}
	return res, nil
}

// Close closes the database.
func (c conn) Close() error {
	_, err := call(c.api, "close")
	return err
}

// call turns what JavaScript throws into an error.
func call(v js.Value, method string, args ...any) (res js.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(js.Error)
			if !ok {
				panic(p)
			}
			err = named(e)
		}
	}()
	return v.Call(method, args...), nil
}

// Primary result codes of SQLite, https://sqlite.org/rescode.html.
const (
	codeBusy    = 5
	codeCorrupt = 11
	codeFull    = 13
	codeNotADB  = 26
)

func named(e js.Error) error {
	code := e.Value.Get("resultCode")
	if code.Type() != js.TypeNumber {
		return e
	}
	switch code.Int() & 0xff {
	case codeBusy:
		return fmt.Errorf("%w: %w", store.ErrBusy, e)
	case codeCorrupt, codeNotADB:
		return fmt.Errorf("%w: %w", store.ErrDamaged, e)
	case codeFull:
		return fmt.Errorf("%w: %w", store.ErrFull, e)
	}
	return e
}

func toJS(a any) any {
	switch v := a.(type) {
	case nil:
		return js.Null()
	case int64:
		return float64(v) // exact: the store refuses integers beyond 53 bits
	case []byte:
		b := js.Global().Get("Uint8Array").New(len(v))
		js.CopyBytesToJS(b, v)
		return b
	}
	return a // string, float64
}

func fromJS(v js.Value) (any, error) {
	t, known := typeOf(v)
	if !known {
		return integer(v)
	}
	switch t {
	case js.TypeNull, js.TypeUndefined:
		return nil, nil
	case js.TypeString:
		return v.String(), nil
	case js.TypeNumber:
		f := v.Float()
		if f != math.Trunc(f) {
			return f, nil
		}
		return int64(f), nil // exact: larger ones come as BigInt
	case js.TypeObject:
		b := make([]byte, v.Get("length").Int())
		js.CopyBytesToGo(b, v)
		return b, nil
	}
	return nil, fmt.Errorf("browser: a value of SQLite that is a %s", t)
}

// typeOf returns v's type. BigInt is not known to Go, which panics.
func typeOf(v js.Value) (t js.Type, known bool) {
	defer func() { _ = recover() }()
	return v.Type(), true
}

// integer reads a whole number or a BigInt.
func integer(v js.Value) (int64, error) {
	if t, known := typeOf(v); known && t == js.TypeNumber {
		return int64(v.Float()), nil
	}
	n, err := strconv.ParseInt(js.Global().Get("String").Invoke(v).String(), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("browser: not an integer: %w", err)
	}
	return n, nil
}
