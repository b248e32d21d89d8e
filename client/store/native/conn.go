//go:build !js

package native

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"modernc.org/sqlite"

	"github.com/veche-im/veche/client/store"
)

// conn is one connection to SQLite, with the statements that it has seen. They
// are all in our own code, so there is a fixed number of them.
type conn struct {
	pool *sql.DB
	c    *sql.Conn
	seen map[string]*sql.Stmt
	lock *os.File
}

// connect opens the database file. The connection owns lock from here on, if
// there is no error. The store is the file's only user, so SQLite keeps its own
// lock for as long as it is open and the write-ahead index in memory.
func connect(ctx context.Context, file string, lock *os.File) (*conn, error) {
	// Made here, so that it is the owner's alone from the start.
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(named(err), pool.Close())
	}
	db := &conn{pool: pool, c: c, seen: map[string]*sql.Stmt{}, lock: lock}
	for _, pragma := range []string{
		"PRAGMA locking_mode = EXCLUSIVE", // before WAL, so that no shared memory is used
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA secure_delete = ON", // what is deleted, above all keys, is overwritten
		"PRAGMA trusted_schema = OFF",
		"PRAGMA mmap_size = 0",
		"PRAGMA temp_store = MEMORY", // text must not lie in /var/tmp, not even for the length of a statement
	} {
		if _, err := db.Exec(pragma); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", pragma, err), c.Close(), pool.Close())
		}
	}
	return db, nil
}

// Exec runs one statement. See store.Conn.
func (db *conn) Exec(query string, args ...any) (store.Result, error) {
	res, err := db.exec(query, args)
	return res, named(err)
}

func (db *conn) exec(query string, args []any) (res store.Result, err error) {
	// Contexts would interrupt a transaction in the middle: the store looks at
	// them between transactions.
	ctx := context.Background()
	stmt, err := db.prepared(ctx, query)
	if err != nil {
		return res, err
	}
	if _, kept := db.seen[query]; !kept {
		defer stmt.Close()
	}
	if !givesRows(query) {
		r, err := stmt.ExecContext(ctx, args...)
		if err != nil {
			return res, err
		}
		if res.Changes, err = r.RowsAffected(); err != nil {
			return res, err
		}
		res.LastID, err = r.LastInsertId()
		return res, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return res, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return res, err
	}
	for rows.Next() {
		values := make([]any, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return res, err
		}
		res.Rows = append(res.Rows, values)
	}
	return res, rows.Err()
}

// prepared returns the statement, parsed once. Those that run once in a
// connection's life, pragmas and the schema's own, are not kept.
func (db *conn) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := db.seen[query]; ok {
		return stmt, nil
	}
	stmt, err := db.c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(query, "PRAGMA") && !strings.HasPrefix(query, "CREATE") {
		db.seen[query] = stmt
	}
	return stmt, nil
}

// givesRows reports whether a statement of ours returns rows.
func givesRows(query string) bool {
	return strings.HasPrefix(query, "SELECT") || strings.HasPrefix(query, "PRAGMA") || strings.Contains(query, "RETURNING")
}

// Close closes the database, then lets go of the profile.
func (db *conn) Close() error {
	var errs []error
	for _, stmt := range db.seen {
		errs = append(errs, stmt.Close())
	}
	errs = append(errs, db.c.Close(), db.pool.Close(), db.lock.Close())
	return errors.Join(errs...)
}

// Primary result codes of SQLite, https://sqlite.org/rescode.html.
const (
	codeBusy    = 5
	codeCorrupt = 11
	codeFull    = 13
	codeNotADB  = 26
)

// named gives err the store's name for it, where there is one.
func named(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case codeBusy:
		return fmt.Errorf("%w: %w", store.ErrBusy, err)
	case codeCorrupt, codeNotADB:
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	case codeFull:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}
