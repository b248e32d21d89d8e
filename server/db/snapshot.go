package db

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"time"
)

// A copy takes a rest so often, in bytes, so that those who write get the processor:
// without it each waits for the ten milliseconds after which the scheduler takes
// that away by itself, and a message takes ten times as long. It costs two thirds
// of the copy's speed, and leaves some 100 MB a second.
const (
	restEvery = 256 << 10
	rest      = time.Millisecond
)

// Snapshot is one moment of a database, which stands still while it is open. As
// long as it is, what is written meanwhile waits in the write-ahead log, which
// grows; nobody who writes or reads waits for it.
type Snapshot struct {
	pool *sql.DB
	conn *conn
	tx   *Tx
}

// OpenSnapshot takes a snapshot of the file at path, by a connection of its own,
// beside whoever else has it open in this process. It runs no steps of a schema.
func OpenSnapshot(ctx context.Context, path string) (s *Snapshot, err error) {
	if err := checkHeader(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s = &Snapshot{}
	defer func(opened *Snapshot) { // s is nil where an error is returned
		if err != nil {
			opened.Close()
			if kindOf(err) == damaged {
				err = fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			err = fmt.Errorf("open %s: %w", path, err)
		}
	}(s)
	// Who may write would move the log into the database as the last one to close it.
	if s.pool, err = sql.Open("sqlite", dsn(path, "query_only(1)")+"&mode=ro"); err != nil {
		return nil, err
	}
	s.pool.SetMaxOpenConns(1)
	if s.conn, err = newConn(ctx, s.pool); err != nil {
		return nil, err
	}
	if err = s.conn.exec("BEGIN"); err != nil {
		return nil, err
	}
	s.tx = &Tx{conn: s.conn}
	// A transaction begins with its first look.
	var n int
	return s, s.tx.QueryRow(`SELECT count(*) FROM sqlite_schema`).Scan(&n)
}

// View runs fn on the moment. It has the form of DB.View.
func (s *Snapshot) View(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return fn(s.tx)
}

// Size is how many bytes WriteTo writes.
func (s *Snapshot) Size() (size int64, err error) {
	var page, pages int64
	if err := s.tx.QueryRow(`PRAGMA page_size`).Scan(&page); err != nil {
		return 0, err
	}
	err = s.tx.QueryRow(`PRAGMA page_count`).Scan(&pages)
	return page * pages, err
}

// WriteTo writes the moment as a database file, page by page and as they are: a
// damaged one too.
func (s *Snapshot) WriteTo(w io.Writer) (n int64, err error) {
	err = s.tx.Each(func(r *Rows) error {
		var page []byte
		if err := r.Scan(&page); err != nil {
			return err
		}
		if n%restEvery == 0 && n > 0 {
			time.Sleep(rest)
		}
		wrote, err := w.Write(page)
		n += int64(wrote)
		return err
	}, `SELECT data FROM sqlite_dbpage ORDER BY pgno`)
	return n, err
}

// Check reads all of it and returns what does not fit, as DB.Check does.
func (s *Snapshot) Check() (faults []string, err error) {
	return s.conn.faults("PRAGMA integrity_check(100)")
}

// Versions returns what the file has seen of the nouns' schemas, none if it was
// not made by Veche.
func (s *Snapshot) Versions() (map[string]Version, error) { return s.conn.versions() }

// Known refuses, with ErrNewer, a file that asks for steps that schemas lack.
func Known(have map[string]Version, schemas []Schema) error { return fits(have, schemas) }

// Close ends the moment. It may be called again.
func (s *Snapshot) Close() {
	if s.conn != nil {
		_ = s.conn.exec("ROLLBACK") // nothing was written
		_ = s.conn.close()
		s.conn = nil
	}
	if s.pool != nil {
		_ = s.pool.Close()
		s.pool = nil
	}
}
