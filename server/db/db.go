package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/veche-im/veche/internal/kernel"
)

// Errors that callers may test for.
var (
	ErrNone    = sql.ErrNoRows                                     // QueryRow found nothing
	ErrBusy    = errors.New("too many writes are waiting")         // try again later
	ErrNoSpace = errors.New("the disk is full")                    // nothing was written
	ErrClosed  = errors.New("the database is closed")              // or closing
	ErrNewer   = errors.New("written by a newer version of Veche") // Open: nothing was changed
	ErrDamaged = errors.New("the database is damaged")             // Open, Check; Update and View where they met the damage
)

const (
	queueDefault   = 1024
	readersDefault = 8
	maxBatch       = 256

	// aloneAfter is how many jobs get a transaction of their own once one has met
	// damage: SQLite then gives up all that share it, and who writes to a damaged
	// room may well try again.
	aloneAfter = 4096
)

// Config says what a DB works with. Path and Log are required.
type Config struct {
	Path    string   // the file, made with mode 0600 if there is none
	Schemas []Schema // a noun stands after those that its tables refer to
	Log     *slog.Logger

	// Fatal is called once, from the writer, when the disk can no longer be
	// trusted. It is expected to end the process; nil panics. Whether or not it
	// returns, every later Update fails.
	Fatal func(error)

	// Damage is called each time Update or View meets damage, from any goroutine,
	// and by Open for what it finds and goes on with; nil is nobody.
	Damage func(error)

	Queue   int // writes that may wait before Update answers ErrBusy; 0 means 1024
	Readers int // transactions of View at a time; 0 means 8
}

// DB is an open database.
type DB struct {
	cfg     Config
	pool    *sql.DB // of the writer: one connection
	readers *sql.DB
	writer  *conn
	idle    chan *conn // readers that nobody uses

	jobs  chan *job
	after chan []*job // committed; callbacks to run, callers to answer
	done  chan struct{}

	mu     sync.RWMutex // guards closed, and is held (shared) while a job is queued
	closed bool

	damaged atomic.Bool // some of it is, as far as is known

	// What follows is the writer's goroutine's alone.

	broken    error // set after Fatal
	unsettled bool  // the log of the process before this one is not moved yet
	alone     int   // jobs that still get a transaction of their own
	memory    memory
	put       postponed
	mover     mover
}

type job struct {
	ctx      context.Context
	fn       func(*Tx) error
	err      error
	panicked any
	onCommit []func()
	done     chan struct{}
}

// Open opens or makes the database at cfg.Path and brings its schema up to
// date. Unlike other nouns it is running when Open returns, because nothing can
// be set up without it; Close ends it. The errors are ErrNewer, ErrDamaged,
// ErrNoSpace, and what the system says of the file.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Path == "" || cfg.Log == nil {
		return nil, errors.New("db: Path and Log are required")
	}
	if cfg.Queue == 0 {
		cfg.Queue = queueDefault
	}
	if cfg.Readers == 0 {
		cfg.Readers = readersDefault
	}
	if cfg.Fatal == nil {
		cfg.Fatal = func(err error) { panic(err) }
	}
	if cfg.Damage == nil {
		cfg.Damage = func(error) {}
	}
	d := &DB{
		memory: newMemory(),
		cfg:    cfg,
		idle:   make(chan *conn, cfg.Readers),
		jobs:   make(chan *job, cfg.Queue),
		after:  make(chan []*job, 16),
		done:   make(chan struct{}),
	}
	if err := d.open(ctx); err != nil {
		d.closeFiles()
		if kindOf(err) == damaged && !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if kindOf(err) == full {
			err = fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
		return nil, fmt.Errorf("open %s: %w", cfg.Path, err)
	}
	d.mover.begin()
	go d.write()
	go d.answer()
	return d, nil
}

func (d *DB) open(ctx context.Context) (err error) {
	fresh, err := makeFile(d.cfg.Path)
	if err != nil {
		return err
	}
	if !fresh {
		if err := believeTheDisk(d.cfg.Path); err != nil {
			return err
		}
		if err := checkHeader(d.cfg.Path); err != nil {
			return err
		}
	}
	if d.pool, d.writer, err = openWriter(ctx, d.cfg.Path, writerCache); err != nil {
		return err
	}
	if d.mover.pool, d.mover.conn, err = openWriter(ctx, d.cfg.Path, moverCache); err != nil {
		return err
	}
	if !fresh {
		if err := d.look(); err != nil {
			return err
		}
		if err := d.settle(); kindOf(err) == full {
			d.cfg.Log.Warn("the disk is full: nothing can be written", "path", d.cfg.Path)
		} else if err != nil {
			return err
		}
	}
	if err := d.migrate(); err != nil {
		return err
	}
	d.readers, err = openReaders(ctx, d.cfg.Path, d.cfg.Readers, d.idle)
	return err
}

// makeFile makes an empty file at path unless there is one, and reports whether
// it is empty. The directory is synced, so that a database that was written to
// cannot lose its name.
func makeFile(path string) (fresh bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false, err
	}
	if st.Size() > 0 {
		return false, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	defer dir.Close()
	return true, dir.Sync()
}

// Close refuses new writes, finishes those that wait, and closes the files.
func (d *DB) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		<-d.done
		return nil
	}
	d.closed = true
	close(d.jobs)
	d.mu.Unlock()
	<-d.done
	return d.closeFiles()
}

func (d *DB) closeFiles() error {
	var errs []error
	if d.readers != nil {
		for range d.cfg.Readers {
			c := <-d.idle
			errs = append(errs, c.close())
		}
		errs = append(errs, d.readers.Close())
	}
	if d.writer != nil {
		errs = append(errs, d.writer.close())
	}
	if d.pool != nil {
		errs = append(errs, d.pool.Close())
	}
	errs = append(errs, d.mover.close())
	return errors.Join(errs...)
}

// Update runs fn in a transaction and returns once it is on disk, and once what
// fn gave to Tx.OnCommit has run. An error of fn undoes what fn did and is
// returned as it is. fn runs on the writer's goroutine: it may be run late, not
// at all (ErrBusy, ErrNoSpace, ErrClosed, an ended ctx), but never twice. It
// must not wait for anything, nor call Update or View.
//
// Once fn has begun, ctx does not stop it any more: the answer says what is on
// disk.
func (d *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := d.queue(j); err != nil {
		return err
	}
	<-j.done
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.err
}

// Waiting is how many writes wait for their turn.
func (d *DB) Waiting() int { return len(d.jobs) }

func (d *DB) queue(j *job) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return ErrClosed
	}
	select {
	case d.jobs <- j:
		return nil
	default:
		return ErrBusy
	}
}

// write is the writer's goroutine.
func (d *DB) write() {
	defer close(d.after)
	defer d.mover.end()
	for {
		first, ok := d.next()
		if !ok {
			return
		}
		batch := []*job{first}
		d.alone = max(0, d.alone-1)
		for yielded := false; len(batch) < maxBatch && d.alone == 0; {
			select {
			case j, ok := <-d.jobs:
				if ok {
					batch = append(batch, j)
					continue
				}
			default:
				if !yielded { // to those who are about to write: they share this sync
					yielded = true
					runtime.Gosched()
					continue
				}
			}
			break
		}
		for len(batch) > 0 {
			part := batch
			if d.alone > 0 {
				part = batch[:1]
			}
			n := d.commit(part)
			d.after <- batch[:n]
			batch = batch[n:]
		}
		d.checkpoint()
	}
}

// believeTheDisk comes before SQLite looks at a file that somebody did not close.
// Where a write failed, the process before this one ended, and the machine went
// on, the kernel remembers what the disk does not hold: after a failure it takes a
// page for clean, and tells nobody who opens the file later. To write the page
// again is of no use: where a file has grown, ext4 then syncs it and keeps it out
// of the file all the same, for it believes the first write to have made its place
// part of it. With the next power cut all that would be gone, with what was added
// behind it; and of a log that had been moved into the database meanwhile the
// disk has only a part, which puts old pages beside new ones.
func believeTheDisk(path string) error {
	if st, err := os.Stat(path + "-wal"); err != nil || st.Size() == 0 {
		return nil // it was closed
	}
	for _, name := range []string{path + "-wal", path} {
		if err := kernel.Forget(name); err != nil {
			return fmt.Errorf("read anew what the disk holds: %w", err)
		}
	}
	return nil
}

// settle moves what a start finds in the write-ahead log into the database, and
// begins the log anew: a page that could not be written before gets another place,
// should the kernel not have forgotten it. A disk without room for that can be
// read: nothing that changed something is committed until it worked.
func (d *DB) settle() error {
	logged, _, err := d.writer.wal("TRUNCATE")
	if err == nil && logged > 0 {
		err = fmt.Errorf("%w: somebody reads", ErrBusy)
	}
	d.unsettled = err != nil
	if err != nil {
		return fmt.Errorf("move the log of the process before: %w", err)
	}
	return nil
}

// answer runs callbacks in the order of commits and then wakes the callers,
// while the writer goes on.
func (d *DB) answer() {
	defer close(d.done)
	for batch := range d.after {
		for _, j := range batch {
			if j.err == nil {
				for _, f := range j.onCommit {
					f()
				}
			}
		}
		for _, j := range batch {
			close(j.done)
		}
	}
}

// commit runs jobs in one transaction and returns how many of them it settled.
// It stops early, with everything so far undone, where SQLite gave up the
// transaction as a whole (a full disk, say).
func (d *DB) commit(batch []*job) (settled int) {
	fail := func(n int, err error) int {
		for _, j := range batch[:n] {
			if j.err == nil {
				j.err = err
			}
		}
		return n
	}
	if d.broken != nil {
		return fail(len(batch), d.broken)
	}
	var noRoom error // to move the log of the process before
	var changes int64
	if d.unsettled {
		if noRoom = d.settle(); noRoom != nil && kindOf(noRoom) != full {
			return fail(len(batch), d.judge(noRoom))
		}
		changes = d.writer.changes()
	}
	if err := d.writer.exec("BEGIN IMMEDIATE"); err != nil {
		return fail(len(batch), d.judge(fmt.Errorf("begin: %w", err)))
	}
	undo := func(n int, err error) int {
		_ = d.writer.exec("ROLLBACK") // SQLite may have done it already
		d.memory.clear()
		d.put.clear()
		if !errors.Is(err, ErrDamaged) {
			return fail(n, d.judge(err))
		}
		if n == 1 {
			return fail(n, err)
		}
		d.alone = aloneAfter
		return fail(n, fmt.Errorf("%w: one beside it met damage", ErrBusy)) // but who met it has an error already
	}
	for i, j := range batch {
		if err := d.step(j); err != nil {
			return undo(i+1, err)
		}
	}
	end := &Tx{conn: d.writer, db: d}
	if err := d.hurt(end, d.put.all(end)); err != nil {
		return undo(len(batch), err)
	}
	if noRoom != nil && d.writer.changes() != changes {
		return undo(len(batch), noRoom)
	}
	if err := d.writer.exec("COMMIT"); err != nil {
		return undo(len(batch), fmt.Errorf("commit: %w", err))
	}
	d.memory.bound()
	return len(batch)
}

// step runs one job. It gets a savepoint with its first write, so that what it
// wrote can be undone by itself; one that only looks and refuses needs none. The
// error is for the whole transaction; the job's own is in j.err.
func (d *DB) step(j *job) error {
	if j.err = j.ctx.Err(); j.err != nil {
		return nil
	}
	d.memory.begin()
	tx := &Tx{conn: d.writer, db: d}
	j.err = call(tx, j)
	if tx.lost != nil {
		j.err = nil // it hears what everybody hears
		return tx.lost
	}
	if j.err = d.hurt(tx, j.err); j.err == nil && tx.damaged != nil {
		j.err = tx.damaged // a writer cannot go on as if nothing were
	}
	if tx.corrupt {
		return j.err
	}
	failed := j.err != nil || j.panicked != nil
	if failed && tx.settled {
		err := fmt.Errorf("it failed after its last write: %w", j.err)
		j.err = nil
		return err
	}
	if failed {
		d.memory.forgetTouched()
	} else {
		j.onCommit = tx.onCommit
	}
	if !tx.saved {
		return nil
	}
	if failed {
		if err := d.writer.exec("ROLLBACK TO job"); err != nil {
			return err
		}
	}
	return d.writer.exec("RELEASE job")
}

func call(tx *Tx, j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			// The caller's goroutine panics in the writer's stead, with the
			// stack of where it happened.
			j.panicked = fmt.Sprintf("%v\n\n%s", p, debug.Stack())
			err = errors.New("panicked")
		}
		tx.over = true
	}()
	return j.fn(tx)
}

// judge turns an error of the transaction as a whole into what callers hear,
// and ends the process where the disk cannot be trusted.
func (d *DB) judge(err error) error {
	switch kindOf(err) {
	case full:
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case failed, damaged:
		d.broken = fmt.Errorf("the disk failed: %w", err)
		d.cfg.Log.Error("the disk failed: ending, because what reached it is unknown", "err", err)
		d.cfg.Fatal(d.broken)
		return d.broken
	default:
		return err
	}
}

// View runs fn in a transaction that reads one moment of the database. Writing
// in it fails. fn must not call View or Update.
func (d *DB) View(ctx context.Context, fn func(*Tx) error) error {
	d.mu.RLock()
	closed := d.closed
	d.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	var c *conn
	select {
	case c = <-d.idle:
	case <-d.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { d.idle <- c }()
	if err := c.exec("BEGIN"); err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	tx := &Tx{conn: c}
	defer func() {
		tx.over = true
		_ = c.exec("ROLLBACK") // nothing was written
	}()
	return d.hurt(tx, fn(tx))
}
