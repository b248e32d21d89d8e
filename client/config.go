package client

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/store"
)

// Config says what a Client works with. Link, Store and Emit are required.
type Config struct {
	Link  link.Link
	Store *store.DB // opened, of this profile; the caller closes it after Run has returned

	// Emit hears every event of package api, one at a time and in order, after
	// the store changed. value has the type of the event. It must not call back
	// into the Client and should return soon.
	Emit func(name string, value any)

	// OpenSource opens the bytes of a file to send (api.OutgoingFile.Source);
	// CreateSink makes the place for a file that was opened (api.FileRef.Sink).
	// Without them files are refused as unsupported.
	OpenSource func(ctx context.Context, source string) (Source, error)
	CreateSink func(ctx context.Context, sink string, f SinkInfo) (Sink, error)

	Version string           // of the program, for api.Status
	Log     *slog.Logger     // nil: nothing is logged
	Now     func() time.Time // nil: time.Now
}

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

func (c *Config) check() error {
	switch {
	case c.Link == nil:
		return errors.New("client: no Link")
	case c.Store == nil:
		return errors.New("client: no Store")
	case c.Emit == nil:
		return errors.New("client: no Emit")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}
