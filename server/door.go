package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
)

// door is one HTTP server on one port.
type door struct {
	http.Server

	mu    sync.Mutex // guards what follows
	fresh map[net.Conn]struct{}
}

// newDoor bounds what strangers may hold open.
func newDoor(h http.Handler, log *slog.Logger) *door {
	d := &door{fresh: make(map[net.Conn]struct{})}
	d.Server = http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelDebug), // handshakes that strangers break off
		ConnState: d.track,
	}
	return d
}

// track remembers the connections over which nothing was asked yet. Browsers
// open some in advance, and Shutdown would wait five seconds for them.
func (d *door) track(c net.Conn, state http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if state == http.StateNew {
		d.fresh[c] = struct{}{}
	} else {
		delete(d.fresh, c)
	}
}

// drain takes no more requests and waits, as long as ctx allows, for those under
// way.
func (d *door) drain(ctx context.Context) {
	done := make(chan error, 1)
	go func() { done <- d.Shutdown(ctx) }() // closes the listener first
	d.mu.Lock()
	for c := range d.fresh {
		_ = c.Close()
	}
	d.mu.Unlock()
	if err := <-done; err != nil {
		_ = d.Close()
	}
}

// serving runs f, which serves until the door is shut.
func serving(f func() error) func(context.Context) error {
	return func(context.Context) error {
		if err := f(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}
