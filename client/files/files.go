// Package files moves the files of messages between this device and the server,
// sealed.
//
// A file to send is cut into sealed pieces that are stored first, so that an
// upload goes on after a lost connection or a restart from where the server
// says it stands, with the same bytes. A file to open is fetched piece by
// piece; pieces stay in the store as a cache, and nothing of it is shown before
// all of it was checked against the message. docs/spec/sealing.md#files.
package files

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/wire"
)

// Source is the plain bytes of a file to send. They must not change until it is
// closed.
type Source interface {
	io.ReaderAt
	Size() int64
	Close() error
}

// SinkInfo says what a Sink is for. Name has been made safe to save.
type SinkInfo struct {
	Name string
	Type string
	Size int64
}

// Sink takes the plain bytes of a file in order. Nothing may be shown to anybody
// before Commit: only then has all of the file been checked.
type Sink interface {
	io.Writer
	// Commit says that everything was written and is genuine; it returns what
	// api.Opened.Source shall be.
	Commit() (source string, err error)
	// Abort throws away what was written.
	Abort()
}

// Config says what Files work with. OpenSource and CreateSink may be nil, then
// files are refused as unsupported; all else is required.
type Config struct {
	Link       link.Link
	Store      *store.DB
	Feed       *feed.Feed
	Token      func() string // of the session, empty with a cookie
	Account    func() wire.AccountID
	OpenSource func(ctx context.Context, source string) (Source, error)
	CreateSink func(ctx context.Context, sink string, f SinkInfo) (Sink, error)
	Log        *slog.Logger
	Now        func() time.Time
	Cache      int64 // sealed bytes of files that are kept for opening again
}

// atOnce is how many pieces travel in one request: under the 4 MiB that the
// server takes. atATime is how many files move at a time.
const (
	atOnce  = 3
	atATime = 3
)

const sealedPiece = seal.PieceSize + seal.PieceOverhead

// Files moves files. Methods may be called from any goroutine.
type Files struct {
	cfg   Config
	slots chan struct{}

	mu     sync.Mutex // guards what follows
	moving map[place]*moving
}

// place is a file of a message.
type place struct {
	room wire.RoomID
	item string
	n    int
}

// moving is a file that goes up or down.
type moving struct {
	done, total int64
	cancel      func()
}

// New returns Files.
func New(cfg Config) *Files {
	return &Files{cfg: cfg, slots: make(chan struct{}, atATime), moving: map[place]*moving{}}
}

// Transfer tells how far a file has come that moves just now, nil if it does
// not.
func (f *Files) Transfer(room wire.RoomID, item string, n int) *api.Transfer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.moving[place{room, item, n}]; m != nil {
		return &api.Transfer{Done: m.done, Total: m.total}
	}
	return nil
}

// begin says that a file moves; the function ends that.
func (f *Files) begin(ctx context.Context, at place, total int64) (context.Context, func(), error) {
	ctx, stop := context.WithCancelCause(ctx)
	cancel := func() { stop(errStopped) }
	f.mu.Lock()
	if f.moving[at] != nil {
		f.mu.Unlock()
		cancel()
		return nil, nil, api.Fail(api.Busy, "the file is on its way already")
	}
	f.moving[at] = &moving{total: total, cancel: cancel}
	f.mu.Unlock()
	f.cfg.Feed.Items(at.room, at.item)
	end := func() {
		cancel()
		f.mu.Lock()
		delete(f.moving, at)
		f.mu.Unlock()
		f.cfg.Feed.Items(at.room, at.item)
	}
	select { // a free slot
	case f.slots <- struct{}{}:
		return ctx, func() { <-f.slots; end() }, nil
	case <-ctx.Done():
		end()
		return nil, nil, ctx.Err()
	}
}

func (f *Files) progress(at place, done int64) {
	f.mu.Lock()
	if m := f.moving[at]; m != nil {
		m.done = done
	}
	f.mu.Unlock()
	f.cfg.Feed.Items(at.room, at.item)
}

// Cancel stops a file that goes up or down.
func (f *Files) Cancel(room wire.RoomID, item string, n int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.moving[place{room, item, n}]
	if m == nil {
		return api.Fail(api.NotFound, "the file does not move")
	}
	m.cancel()
	return nil
}

// CancelItem stops all files of a message.
func (f *Files) CancelItem(room wire.RoomID, item string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for at, m := range f.moving {
		if at.room == room && at.item == item {
			m.cancel()
		}
	}
}

// update runs fn in a transaction and says that the row of at changed.
func (f *Files) update(ctx context.Context, at place, fn func(tx *store.Tx) error) error {
	return f.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		tx.OnCommit(func() { f.cfg.Feed.Items(at.room, at.item) })
		return fn(tx)
	})
}

// get returns the row of a file.
func (f *Files) get(ctx context.Context, at place) (file store.File, err error) {
	err = f.cfg.Store.View(ctx, func(tx *store.Tx) error {
		file, err = store.GetFile(tx, at.room, at.item, at.n)
		return err
	})
	if errors.Is(err, store.ErrNone) {
		err = api.Fail(api.NotFound, "no such file")
	}
	return file, err
}
