package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/veche-im/veche/server/httpapi"
)

// door is one HTTP server on one port.
type door struct {
	http.Server

	strangers *strangers

	mu    sync.Mutex             // guards what follows
	fresh map[net.Conn]*stranger // over which nothing was asked yet
	known map[net.Conn]*stranger // the others
}

const (
	// maxStrangers bounds the connections over which HTTP is spoken: devices that
	// are connected do not count. Browsers keep theirs for two minutes.
	maxStrangers     = 8192
	maxStrangersEach = 4096 // of one network, behind which a whole company may sit
)

// newDoor bounds what strangers may hold open.
func newDoor(h http.Handler, log *slog.Logger) *door {
	d := &door{
		strangers: newStrangers(maxStrangers, maxStrangersEach),
		fresh:     make(map[net.Conn]*stranger), known: make(map[net.Conn]*stranger),
	}
	d.Server = http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelDebug), // handshakes that strangers break off
		ConnState: d.track,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return httpapi.OnWork(ctx, func(yes bool) { d.work(c, yes) })
		},
	}
	return d
}

// track counts connections, and remembers those over which nothing was asked yet:
// browsers open some in advance, and Shutdown would wait five seconds for them.
func (d *door) track(c net.Conn, state http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if state == http.StateNew {
		who, ok := d.strangers.enter(c)
		if !ok {
			hangUp(c)
			return
		}
		d.fresh[c] = who
		return
	}
	if who := d.fresh[c]; who != nil {
		delete(d.fresh, c)
		d.known[c] = who
	}
	who := d.known[c]
	if who == nil {
		return // was turned away
	}
	switch state {
	case http.StateActive, http.StateIdle: // whether it is at work, its requests tell: see work
		d.strangers.stir(who)
	default: // closed, or a device's
		delete(d.known, c)
		d.strangers.leave(who)
	}
}

// work notes that a request of a connection is worked for, or no longer. One that
// has come but for its body is not: else whoever announces bodies and does not
// send them would take all places, and none of them could make room.
func (d *door) work(c net.Conn, yes bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	who := d.known[c]
	if who == nil {
		return // a device's by now, or closed
	}
	if yes {
		who.requests++
	} else {
		who.requests--
	}
	d.strangers.working(who, who.requests > 0)
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
