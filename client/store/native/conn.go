//go:build !js

package native

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/kernel"
)

// conn is one connection to SQLite, with the statements that it has seen. They
// are all in our own code, so there is a fixed number of them.
type conn struct {
	file   string
	pool   *sql.DB
	c      *sql.Conn
	seen   map[string]*sql.Stmt
	lock   *os.File
	failed bool // the disk did not take, or give, what it should have
}

// logPages is how long the write-ahead log grows before it is moved into the
// database.
const logPages = 1000

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
	if err := believeTheDisk(file); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(named(err, file), pool.Close())
	}
	db := &conn{file: file, pool: pool, c: c, seen: map[string]*sql.Stmt{}, lock: lock}
	for _, pragma := range []string{
		"PRAGMA locking_mode = EXCLUSIVE", // before WAL, so that no shared memory is used
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
		"PRAGMA wal_autocheckpoint = 0", // see moveLog
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
	if err == nil && query == "COMMIT" {
		err = db.moveLog()
	}
	db.failed = db.failed || isFailure(err)
	return res, named(err, db.file)
}

// moveLog moves the write-ahead log into the database once it is long. SQLite would
// do it by itself, but keeps a failure to itself too, and tries again: after a
// failed sync that succeeds without anything having reached the disk, and the log
// is written over. Here such a failure is the commit's, and nothing is done on this
// connection any more. What was committed stands in the log.
func (db *conn) moveLog() error {
	if st, err := os.Stat(db.file + "-wal"); err != nil || st.Size() < logPages*4096 {
		return nil
	}
	res, err := db.exec("PRAGMA wal_checkpoint(NOOP)", nil) // looks, and does nothing: the file does not shrink
	if err == nil && len(res.Rows) == 1 && res.Rows[0][1].(int64) >= logPages {
		_, err = db.exec("PRAGMA wal_checkpoint(PASSIVE)", nil)
	}
	if !isFailure(err) {
		return nil // a full disk: the log grows until there is room
	}
	return fmt.Errorf("move the log into the database: %w", err)
}

// believeTheDisk has the kernel forget what it remembers of files that nobody has
// closed: where a write failed, that is not what the disk holds, and nobody is
// told. server/db has the whole story. Here the last one to close the database
// takes the log away, so where there is one something went wrong.
func believeTheDisk(file string) error {
	if st, err := os.Stat(file + "-wal"); err != nil || st.Size() == 0 {
		return nil
	}
	for _, name := range []string{file + "-wal", file} {
		if err := kernel.Forget(name); err != nil {
			return fmt.Errorf("read anew what the disk holds: %w", err)
		}
	}
	return nil
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
	if db.failed { // closing moves the log: not by what the kernel remembers
		errs = append(errs, believeTheDisk(db.file))
	}
	errs = append(errs, db.c.Close(), db.pool.Close(), db.lock.Close())
	return errors.Join(errs...)
}

// Primary result codes of SQLite, https://sqlite.org/rescode.html.
const (
	codeBusy    = 5
	codeFailed  = 10
	codeCorrupt = 11
	codeFull    = 13
	codeNotADB  = 26
)

// isFailure says that the disk failed to read, write or sync.
func isFailure(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == codeFailed
}

// named gives err the store's name for it, where there is one. The file is the
// database's.
func named(err error, file string) error {
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
		return fmt.Errorf("%w that holds %s: %w", store.ErrFull, filepath.Dir(file), err)
	}
	return err
}
