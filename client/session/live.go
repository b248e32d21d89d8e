package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/wire"
)

// live is one open connection: what was asked and not answered yet, and when
// the server was last heard.
type live struct {
	conn link.Conn
	over chan struct{} // closed when the connection has ended

	write sync.Mutex // one frame at a time, in the order of their numbers

	mu      sync.Mutex // guards what follows
	next    uint64
	waiting map[uint64]chan wire.Frame
	heard   time.Time
	hello   bool
}

func newLive(c link.Conn) *live {
	return &live{conn: c, over: make(chan struct{}), waiting: map[uint64]chan wire.Frame{}, heard: time.Now()}
}

func (l *live) hear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = time.Now()
}

func (l *live) greeted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hello = true
}

// end lets every request that waits fail.
func (l *live) end() { close(l.over) }

// answer hands a response to whoever asked. One that nobody waits for any more
// is dropped.
func (l *live) answer(f wire.Frame) {
	l.mu.Lock()
	ch := l.waiting[f.ID]
	delete(l.waiting, f.ID)
	l.mu.Unlock()
	if ch != nil {
		ch <- f // has room for one
	}
}

// ask sends a request and waits for the response to it.
func (l *live) ask(ctx context.Context, method string, body []byte) (wire.Frame, error) {
	ch, id, err := l.send(ctx, method, body)
	if err != nil {
		return wire.Frame{}, err
	}
	select {
	case f := <-ch:
		return f, nil
	case <-l.over:
		select { // it may have come just before the end
		case f := <-ch:
			return f, nil
		default:
			return wire.Frame{}, ErrOffline
		}
	case <-ctx.Done():
		l.mu.Lock()
		delete(l.waiting, id)
		l.mu.Unlock()
		return wire.Frame{}, ctx.Err()
	}
}

func (l *live) send(ctx context.Context, method string, body []byte) (chan wire.Frame, uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	l.write.Lock()
	defer l.write.Unlock()
	ch := make(chan wire.Frame, 1)
	l.mu.Lock()
	l.next++
	id := l.next
	l.waiting[id] = ch
	l.mu.Unlock()
	b, err := wire.Encode(wire.Frame{ID: id, Method: method, Body: body})
	if err != nil {
		return nil, 0, fmt.Errorf("encode: %w", err)
	}
	// Not the caller's context: a frame that was begun must be finished, or the
	// connection is lost to everybody.
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeWait)
	defer cancel()
	if err := l.conn.Write(writing, b); err != nil {
		l.conn.Close()
		return nil, 0, fmt.Errorf("%w: %w", ErrOffline, err)
	}
	return ch, id, nil
}

// watch pings a quiet server and gives up on a silent one, by ending ctx with
// the reason.
func (l *live) watch(ctx context.Context, give context.CancelCauseFunc) {
	t := time.NewTicker(wire.Heartbeat / 5)
	defer t.Stop()
	pinged := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		l.mu.Lock()
		quiet, greeted := time.Since(l.heard), l.hello
		l.mu.Unlock()
		switch {
		case !greeted && quiet >= helloWait, quiet >= 2*wire.Heartbeat:
			give(fmt.Errorf("%w: nothing was heard for %s", link.ErrUnreachable, quiet.Round(time.Second)))
			l.conn.Close()
			return
		case greeted && quiet >= wire.Heartbeat && !pinged:
			pinged = true
			b, err := wire.Encode(wire.None{})
			if err == nil {
				l.send(ctx, wire.SessionPing.Name, b) // its answer is heard by hear, nobody waits for it
			}
		case quiet < wire.Heartbeat:
			pinged = false
		}
	}
}
