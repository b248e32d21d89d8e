package room

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// Waits of a worker: after the first failure, doubled up to the most; and how
// long it keeps its group in memory with nothing to do.
const (
	firstRetry = time.Second
	mostRetry  = time.Minute
	leastBusy  = 100 * time.Millisecond // whatever the server asks for
	mostBusy   = 5 * time.Minute
	idleAfter  = 2 * time.Minute
)

// mostNudged is how many entries that came with nudges are kept until their
// turn; what is dropped is read from the log.
const mostNudged = 64

// job is something that a command wants done on the worker.
type job struct {
	run  func(context.Context, *worker) error
	done chan error // has room for one
}

// worker does what is to be done in one room. The fields below mu are written
// from outside; all others belong to its goroutine.
type worker struct {
	*Rooms
	id wire.RoomID

	// What it does, each in a file of its own.
	book     logbook   // reads the log and does what it says
	judge    judge     // whether what is in it may be
	commits  committer // makes commits of our own
	join     joiner    // comes into a room that is there
	founding founder   // makes a room
	keep     keeper    // leaves the group in order
	hold     hold      // seals nothing to whom nobody was seen to bring in
	outlet   outlet    // sends

	row     store.Room   // as last stored
	g       *group.Group // nil: not loaded, or ahead of what is stored
	dueAt   time.Time    // when to look again without being woken
	since   map[string]time.Time
	named   time.Time // when to answer somebody who asked for the room's name
	retries int
	clean   clean
	out     bool // the account was not in the room before it came in

	uploads sync.WaitGroup
	woken   chan struct{}

	mu        sync.Mutex     // guards what follows
	uploading map[int64]bool // outbox entries whose files go up
	jobs      []job
	seq       int64 // newest entry that the server spoke of
	nudged    map[int64]wire.Entry
	server    *wire.Room // as last told, nil if it was not
	anew      bool       // what was worked out belongs to a former life of the site
}

func newWorker(r *Rooms, id wire.RoomID) *worker {
	w := &worker{Rooms: r, id: id, woken: make(chan struct{}, 1), nudged: map[int64]wire.Entry{}, uploading: map[int64]bool{}, since: map[string]time.Time{}}
	w.book, w.judge, w.commits, w.join = logbook{w}, judge{w}, committer{w}, joiner{w}
	w.founding, w.keep, w.hold, w.outlet = founder{w}, keeper{w}, hold{w}, outlet{w}
	w.wake()
	return w
}

func (w *worker) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

func (w *worker) add(j job) {
	w.mu.Lock()
	w.jobs = append(w.jobs, j)
	w.mu.Unlock()
	w.wake()
}

func (w *worker) told(s *wire.Room) {
	w.mu.Lock()
	w.server = s
	w.seq = max(w.seq, s.Seq)
	w.mu.Unlock()
	w.wake()
}

func (w *worker) nudge(n wire.Nudge) {
	w.mu.Lock()
	w.seq = max(w.seq, n.Seq)
	if n.Entry != nil && n.Entry.Seq == n.Seq && len(w.nudged) < mostNudged {
		w.nudged[n.Seq] = *n.Entry
	}
	w.mu.Unlock()
	w.wake()
}

// run works until ctx ends or nothing was to be done for a while.
func (w *worker) run(ctx context.Context) {
	defer w.uploads.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	quiet := w.cfg.Now()
	for {
		select {
		case <-w.woken:
			quiet = w.cfg.Now()
		case <-timer.C:
		case <-ctx.Done():
			w.fail(errClosed)
			return
		}
		if w.dueAt.IsZero() && w.cfg.Now().Sub(quiet) >= idleAfter && w.end() {
			return
		}
		w.dueAt = time.Time{}
		err := w.cycle(ctx)
		w.rest(ctx, err)
		next := idleAfter
		if !w.dueAt.IsZero() {
			next = max(0, w.dueAt.Sub(w.cfg.Now()))
		}
		timer.Reset(next)
	}
}

// end takes the worker out of the set, unless something came in meanwhile.
func (w *worker) end() bool {
	w.Rooms.mu.Lock()
	defer w.Rooms.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.jobs) > 0 || len(w.woken) > 0 || len(w.uploading) > 0 {
		return false
	}
	delete(w.workers, w.id)
	return true
}

func (w *worker) takeJobs() []job {
	w.mu.Lock()
	defer w.mu.Unlock()
	jobs := w.jobs
	w.jobs = nil
	return jobs
}

// asked reports whether a command waits.
func (w *worker) asked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.jobs) > 0
}

func (w *worker) fail(err error) {
	for _, j := range w.takeJobs() {
		j.done <- err
	}
}

// cycle does everything that is due, in the order of docs/spec/client.md.
func (w *worker) cycle(ctx context.Context) error {
	w.life.RLock()
	defer w.life.RUnlock()
	jobs := w.takeJobs()
	var err error
	if w.paused {
		err = ErrPaused
	} else {
		w.beginLife()
	}
	if err == nil {
		err = w.outlet.upload(ctx)
	}
	if err == nil {
		err = w.prepare(ctx)
	}
	for _, j := range jobs {
		if err != nil {
			j.done <- err
			continue
		}
		j.done <- j.run(ctx, w)
	}
	if err != nil {
		return err
	}
	return w.outlet.send(ctx)
}

// ErrShut is returned for what needs an open room: this one was left, is
// blocked, or waits for something that is not there yet.
var ErrShut = errors.New("room: not open")

// prepare brings the room to where it can be used: joined, read, settled.
func (w *worker) prepare(ctx context.Context) error {
	if _, ok := w.cfg.Me(); !ok {
		return session.ErrOffline
	}
	if err := w.load(ctx); err != nil {
		return err
	}
	if err := w.compareLater(ctx); err != nil {
		return err
	}
	for range 3 { // reading may show that the room must be joined anew
		if err := w.join.enter(ctx); err != nil {
			return err
		}
		if err := w.book.read(ctx); err != nil {
			return err
		}
		if err := w.join.comeBack(ctx); err != nil {
			return err
		}
		if w.row.State != store.RoomJoining {
			break
		}
	}
	switch w.row.State {
	case store.RoomOpen:
	case store.RoomJoining:
		return wire.Refuse(wire.Busy, "the room has to be joined again and again")
	default:
		return fmt.Errorf("%w: %s", ErrShut, w.row.State)
	}
	if err := w.join.dropWelcome(ctx); err != nil {
		return err
	}
	return w.keep.settle(ctx)
}

func (w *worker) load(ctx context.Context) error {
	return w.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		w.row, err = store.GetRoom(tx, w.id)
		return err
	})
}

// rest decides when to look again after err.
func (w *worker) rest(ctx context.Context, err error) {
	if err == nil {
		w.retries = 0
		return
	}
	var busy *wire.Error
	switch {
	case ctx.Err() != nil, errors.Is(err, session.ErrOffline), errors.Is(err, ErrPaused), errors.Is(err, ErrShut), errors.Is(err, store.ErrNone):
		return // woken when that changes
	case errors.As(err, &busy) && busy.Code == wire.Busy && busy.RetryAfter > 0:
		most := mostBusy / time.Millisecond
		w.due(max(time.Duration(min(int64(busy.RetryAfter), int64(most)))*time.Millisecond, leastBusy))
		return
	}
	wait := min(firstRetry<<min(w.retries, 10), mostRetry)
	w.retries++
	w.cfg.Log.Warn("room waits", "room", w.id, "seq", w.row.Seq, "err", err, "wait", wait)
	w.due(wait)
}

// due asks to be woken in d at the latest.
func (w *worker) due(d time.Duration) {
	at := w.cfg.Now().Add(d)
	if w.dueAt.IsZero() || at.Before(w.dueAt) {
		w.dueAt = at
	}
}

// write runs f in a transaction with the room's row, which it may change. When
// it fails the group in memory may be ahead of the disk and is forgotten.
func (w *worker) write(ctx context.Context, f func(tx *store.Tx, row *store.Room) error) error {
	var row store.Room
	err := w.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		if row, err = store.GetRoom(tx, w.id); err != nil {
			return err
		}
		if err := f(tx, &row); err != nil {
			return err
		}
		tx.OnCommit(func() { w.cfg.Feed.Rooms(w.id) })
		return store.PutRoom(tx, row)
	})
	if err != nil {
		w.g = nil
		return err
	}
	if row.Seq > w.row.Seq {
		w.cfg.Read(w.id)
	}
	w.row = row
	return nil
}

// group returns the room's group as it was last stored.
func (w *worker) group(ctx context.Context) (*group.Group, error) {
	if w.g != nil {
		return w.g, nil
	}
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		w.g, err = group.Load(store.MLS(tx, w.id))
		return err
	})
	if err != nil {
		w.g = nil
		err = fmt.Errorf("load the group of %s: %w", w.id, err)
		if errors.Is(err, mls.ErrStorage) && w.row.State == store.RoomOpen {
			// What is stored of it is no group any more: come in again.
			err = errors.Join(w.join.forget(ctx, err), wire.Refuse(wire.Busy, "the room has to be joined again"))
		}
		return nil, err
	}
	return w.g, nil
}

// fault is something that an honest server or member does not do.
type fault struct {
	code    api.NoticeCode
	account wire.AccountID // whom it concerns, if anybody
	text    string
}

func (f *fault) Error() string { return string(f.code) + ": " + f.text }

func faultf(code api.NoticeCode, format string, args ...any) *fault {
	return &fault{code: code, text: fmt.Sprintf(format, args...)}
}

// block stops the room for good: nothing more is taken from the server, what is
// here stays.
func (w *worker) block(ctx context.Context, f *fault) error {
	err := w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		row.State = store.RoomBlocked
		return w.notice(tx, w.id, f.code, f.account, f.text)
	})
	if err != nil {
		return err
	}
	w.g = nil
	w.cfg.Shut(w.id)
	return nil
}

// blockIf blocks the room if err is a fault, and returns any other error.
func (w *worker) blockIf(ctx context.Context, err error) error {
	var f *fault
	if errors.As(err, &f) {
		return w.block(ctx, f)
	}
	return err
}

// me is this device. prepare has seen that it may take part.
func (w *worker) me() Me {
	me, _ := w.cfg.Me()
	return me
}
