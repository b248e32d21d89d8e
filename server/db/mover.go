package db

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	writerCache = 16 << 10 // KiB

	// moverCache is what the mover never uses, for it reads the log past its
	// cache: it is there for the others. SQLite, as it is built here
	// (SQLITE_ENABLE_MEMORY_MANAGEMENT), takes pages for one connection from
	// another that has not used them for longest, and as soon as all have more
	// together than all may have, it keeps no page any more that nobody holds: the
	// writer would read the roots of its tables from the file for each message.
	// Readers do get there, with one long log.
	moverCache = 1 << 20 // KiB

	// logPages is how far the write-ahead log grows before it is moved into the
	// database, in pages of 4 KiB: what is written again and again meanwhile is
	// moved once.
	logPages = 4000
	// restPages is how many of its pages the writer itself moves, so that nothing
	// is left and the log can begin anew: some milliseconds' worth.
	restPages = 500
	// longPages is how long the log may become because somebody reads all the
	// time; then readers are made to wait for at most gateWait.
	longPages = 16 * logPages
	gateWait  = 50 * time.Millisecond
)

// mover moves the write-ahead log into the database beside the writer, which
// would keep everybody waiting meanwhile. SQLite would do it by itself, but keeps
// a failure to itself too and tries again: after a failed sync that succeeds
// without anything having reached the disk, and the log is written over. Here
// the writer hears of it and ends the process.
//
// The log begins anew when all of it has been moved and nobody reads it. While
// many write, the mover never catches up with the end, so the writer does the
// last of it.
type mover struct {
	pool  *sql.DB
	conn  *conn
	start chan struct{}
	moved chan error // one for each start

	moving bool // the writer's: moved is owed
	due    int  // the writer's: pages of the log at which it tries to begin it anew
}

func (m *mover) begin() {
	m.start, m.moved, m.due = make(chan struct{}, 1), make(chan error, 1), logPages
	go func() {
		defer close(m.moved)
		for range m.start {
			_, _, err := m.conn.wal("PASSIVE") // as far as readers allow
			m.moved <- err
		}
	}()
}

// end waits for what is under way. Its failure matters no more: nothing that it
// moved has been dropped from the log.
func (m *mover) end() {
	close(m.start)
	for range m.moved {
	}
}

func (m *mover) close() error {
	var errs []error
	if m.conn != nil {
		errs = append(errs, m.conn.close())
	}
	if m.pool != nil {
		errs = append(errs, m.pool.Close())
	}
	return errors.Join(errs...)
}

// next waits for a job. What the mover says is heard meanwhile.
func (d *DB) next() (j *job, ok bool) {
	for {
		select {
		case j, ok = <-d.jobs:
			return j, ok
		case err := <-d.mover.moved:
			d.mover.moving = false
			if err != nil {
				d.checkpointFailed(err)
			} else {
				d.checkpoint()
			}
		}
	}
}

// checkpoint looks how long the write-ahead log is, and does something about it.
func (d *DB) checkpoint() {
	m := &d.mover
	if d.broken != nil || m.moving {
		return
	}
	logged, left, err := d.writer.wal("NOOP") // looks, and does nothing
	switch {
	case err != nil:
	case logged < logPages: // it began anew
		m.due = logPages
	case left > restPages:
		m.moving = true
		m.start <- struct{}{}
	case logged >= m.due: // not each time, should it be of no use because of readers
		if m.due = logged + logPages/4; logged >= longPages {
			m.due = logged + logPages
			err = d.quietly(d.finish)
		} else {
			err = d.finish()
		}
	}
	if err != nil {
		d.checkpointFailed(err)
	}
}

// finish moves the rest of the log. If nobody reads it then, the next write begins
// it anew.
func (d *DB) finish() error {
	_, _, err := d.writer.wal("PASSIVE")
	return err
}

func (d *DB) checkpointFailed(err error) {
	_ = d.judge(fmt.Errorf("checkpoint: %w", err)) // a full disk: the log grows until there is room
}

// quietly runs f while no View runs, if they come to an end within gateWait.
func (d *DB) quietly(f func() error) error {
	var held []*conn
	defer func() {
		for _, c := range held {
			d.idle <- c
		}
	}()
	late := time.After(gateWait)
	for len(held) < d.cfg.Readers {
		select {
		case c := <-d.idle:
			held = append(held, c)
		case <-late:
			return nil
		}
	}
	return f()
}
