package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// minSQLite is the first version without the WAL-reset bug, by which a
// checkpoint could lose what had been committed.
var minSQLite = [3]int{3, 51, 3}

// maxStatements bounds what one connection keeps prepared. The texts are
// constants of the code, some two hundred.
const maxStatements = 512

// conn is one connection with what it has prepared. It is used by one goroutine
// at a time.
//
// What the nouns prepare runs on the driver's own connection: the pool's locks,
// conversions and copies cost more than a small statement does.
type conn struct {
	ctx  context.Context // never ends: see Tx
	c    *sql.Conn       // holds raw for as long as it is open
	raw  driver.ConnPrepareContext
	stmt map[string]stmt
	args []driver.NamedValue // of the statement that is run, reused
}

// stmt is what the driver prepares.
type stmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

func newConn(ctx context.Context, pool *sql.DB) (*conn, error) {
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	made := &conn{ctx: context.WithoutCancel(ctx), c: c, stmt: make(map[string]stmt)}
	err = c.Raw(func(raw any) error {
		made.raw = raw.(driver.ConnPrepareContext)
		return nil
	})
	if err != nil {
		c.Close()
		return nil, err
	}
	return made, nil
}

func (c *conn) close() error {
	for _, s := range c.stmt {
		s.Close()
	}
	return c.c.Close()
}

func (c *conn) prepare(query string) (stmt, error) {
	if s := c.stmt[query]; s != nil {
		return s, nil
	}
	made, err := c.raw.PrepareContext(c.ctx, query)
	if err != nil {
		return nil, err
	}
	if len(c.stmt) >= maxStatements {
		for q, old := range c.stmt {
			old.Close()
			delete(c.stmt, q)
		}
	}
	s := made.(stmt)
	c.stmt[query] = s
	return s, nil
}

// bind gives the arguments of a statement to the driver, which copies them.
func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args, nil
}

// exec runs a statement of the package's own.
func (c *conn) exec(query string) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(c.ctx, nil)
	return err
}

// wal asks about the write-ahead log or has it moved into the database, by the
// mode of SQLite's wal_checkpoint. It returns how many pages it has and how many
// of them are not yet moved.
func (c *conn) wal(mode string) (logged, left int, err error) {
	var busy, moved int
	tx := &Tx{conn: c}
	err = tx.QueryRow("PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &logged, &moved)
	return logged, logged - moved, err
}

// changes counts the rows that this connection ever changed, those of what was
// undone too.
func (c *conn) changes() (n int64) {
	tx := &Tx{conn: c}
	if err := tx.QueryRow("SELECT total_changes()").Scan(&n); err != nil {
		return -1
	}
	return n
}

// dsn names the file at path with what every connection sets.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append(pragmas,
		"busy_timeout(5000)", // only a tool that looks at the file from outside can hold it
		"foreign_keys(1)",
		"synchronous(FULL)",
		"mmap_size(0)", // a failed read of mapped memory would end the process without a word
		"trusted_schema(0)",
		"temp_store(MEMORY)", // there may be no other directory to write to, and nothing belongs there
	)}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// openWriter opens a connection that may write. Its cache, in KiB, holds what
// messages touch of some thousand rooms.
func openWriter(ctx context.Context, path string, cache int) (*sql.DB, *conn, error) {
	pool, err := sql.Open("sqlite", dsn(path, "journal_mode(WAL)", "wal_autocheckpoint(0)",
		fmt.Sprintf("journal_size_limit(%d)", 2*logPages*4096), fmt.Sprintf("cache_size(-%d)", cache))) // see mover
	if err != nil {
		return nil, nil, err
	}
	pool.SetMaxOpenConns(1)
	c, err := newConn(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	if err := c.checkEngine(); err != nil {
		c.close()
		pool.Close()
		return nil, nil, err
	}
	return pool, c, nil
}

func openReaders(ctx context.Context, path string, n int, idle chan<- *conn) (*sql.DB, error) {
	pool, err := sql.Open("sqlite", dsn(path, "query_only(1)"))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	made := make([]*conn, 0, n)
	for range n {
		c, err := newConn(ctx, pool)
		if err != nil {
			for _, c := range made {
				c.close()
			}
			pool.Close()
			return nil, err
		}
		made = append(made, c)
	}
	for _, c := range made {
		idle <- c
	}
	return pool, nil
}

// checkEngine refuses an SQLite that could lose commits, and a file system on
// which the write-ahead log cannot be had.
func (c *conn) checkEngine() error {
	var version, mode string
	if err := c.c.QueryRowContext(c.ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	if !atLeast(version, minSQLite) {
		return fmt.Errorf("SQLite %s is older than %d.%d.%d, which may lose data", version, minSQLite[0], minSQLite[1], minSQLite[2])
	}
	if err := c.c.QueryRowContext(c.ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file system gives no write-ahead log (journal mode is %q); a network share is no place for the database", mode)
	}
	return nil
}

func atLeast(version string, least [3]int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) != 3 {
		return false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < least[i] {
			return false
		}
		if n > least[i] {
			return true
		}
	}
	return true
}

// kind says what an error of SQLite means for the transaction and the process.
type kind int

const (
	ordinary kind = iota // the statement's own: the savepoint can be undone
	undone               // SQLite gave up the whole transaction
	full                 // … because the disk is full
	failed               // reading, writing or syncing failed
	damaged              // the file is not what it should be
)

func kindOf(err error) kind {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if errors.Is(err, ErrDamaged) {
			return damaged
		}
		return ordinary
	}
	if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
		return full // of the index of the log, which is made anew at any time
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return full
	case sqlite3.SQLITE_IOERR:
		return failed
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged
	case sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL:
		return undone
	default:
		return ordinary
	}
}
