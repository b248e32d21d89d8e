package client

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/veche-im/veche/client/files"
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

	// Cache is how many sealed bytes of files are kept for opening again; 0
	// means 256 MiB.
	Cache int64

	// Keys is how many one-time key packages are kept on the server for others to
	// add this device with; 0 means 50.
	Keys int

	Version string           // of the program, for api.Status
	Log     *slog.Logger     // nil: nothing is logged
	Now     func() time.Time // nil: time.Now
}

// What a file comes from and goes to, see package files.
type (
	Source   = files.Source
	Sink     = files.Sink
	SinkInfo = files.SinkInfo
)

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
	if c.Cache == 0 {
		c.Cache = 256 << 20
	}
	if c.Keys == 0 {
		c.Keys = 50
	}
	return nil
}
