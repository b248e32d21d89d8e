package testenv

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/wire"
)

// patience is how long a test waits for what must come. It is no speed that is
// asserted: it only ends a test that would wait for ever.
const patience = time.Minute

// Socket is a bare connection of a device: frames and nothing more.
type Socket struct {
	TB    testing.TB
	Hello wire.Hello

	ws     *websocket.Conn
	mu     sync.Mutex // guards what follows
	last   uint64
	wait   map[uint64]chan wire.Frame
	events []wire.Frame
	more   chan struct{} // closed when events grew or the connection ended
	err    error
}

// Dial opens a socket with a bearer token and returns what came instead of one
// if the server refused.
func (s *Site) Dial(token string) (*Socket, *http.Response, error) {
	return s.DialWith(http.Header{"Authorization": {"Bearer " + token}})
}

// DialWith opens a socket with these headers.
func (s *Site) DialWith(h http.Header) (*Socket, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, "wss"+strings.TrimPrefix(s.Info.HTTPS, "https")+wire.PathSocket, &websocket.DialOptions{
		HTTPClient: s.HTTP, HTTPHeader: h, Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil {
		return nil, resp, err
	}
	ws.SetReadLimit(wire.MaxResponse)
	c := &Socket{TB: s.TB, ws: ws, wait: make(map[uint64]chan wire.Frame), more: make(chan struct{})}
	s.TB.Cleanup(func() { ws.CloseNow() })
	go c.read()
	return c, resp, nil
}

// Connect opens the session's socket and takes its hello.
func (ses *Session) Connect() *Socket {
	t := ses.Site.TB
	t.Helper()
	c, _, err := ses.Site.Dial(ses.Token)
	if err != nil {
		t.Fatalf("connect %s: %v", ses.Name, err)
	}
	c.Hello = Event(c, wire.OnHello)
	return c
}

func (c *Socket) read() {
	for {
		_, b, err := c.ws.Read(context.Background())
		var f wire.Frame
		if err == nil {
			err = wire.Decode(b, &f)
		}
		c.mu.Lock()
		switch {
		case err != nil:
			c.err = err
			for id, w := range c.wait {
				delete(c.wait, id)
				close(w)
			}
		case f.ID != 0:
			if w := c.wait[f.ID]; w != nil {
				w <- f
			} else {
				c.TB.Errorf("an answer to %d, which nobody asked or had been answered", f.ID)
			}
			delete(c.wait, f.ID)
		default:
			c.events = append(c.events, f)
		}
		if f.ID == 0 || err != nil {
			close(c.more)
			c.more = make(chan struct{})
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Write sends bytes as they are.
func (c *Socket) Write(kind websocket.MessageType, b []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.ws.Write(ctx, kind, b)
}

// Ask sends a request and returns where its answer comes; the channel is closed
// without one if the connection ends first.
func (c *Socket) Ask(method string, body []byte) <-chan wire.Frame {
	c.TB.Helper()
	c.mu.Lock()
	c.last++
	id := c.last
	w := make(chan wire.Frame, 1)
	if c.err != nil {
		close(w)
		c.mu.Unlock()
		return w
	}
	c.wait[id] = w
	b, err := wire.Encode(wire.Frame{ID: id, Method: method, Body: body})
	if err != nil {
		c.TB.Fatal(err)
	}
	err = c.Write(websocket.MessageBinary, b) // with the lock held, so that ids leave in order
	c.mu.Unlock()
	if err != nil && c.Err() == nil {
		c.TB.Logf("write: %v", err)
	}
	return w
}

// errGone is the end of the connection before an answer.
var errGone = errors.New("the connection ended before the answer")

// Try calls a method and returns its result or the refusal.
func Try[P, R any](c *Socket, m wire.Method[P, R], p P) (r R, err error) {
	c.TB.Helper()
	body, err := wire.Encode(p)
	if err != nil {
		c.TB.Fatal(err)
	}
	select {
	case f, ok := <-c.Ask(m.Name, body):
		switch {
		case !ok:
			return r, errGone
		case f.Error != nil:
			return r, f.Error
		}
		if err := wire.Decode(f.Body, &r); err != nil {
			c.TB.Fatalf("%s answered what is no result: %v", m.Name, err)
		}
		return r, nil
	case <-time.After(patience):
		c.TB.Fatalf("%s was not answered", m.Name)
		return r, nil
	}
}

// Call is Try that must succeed.
func Call[P, R any](c *Socket, m wire.Method[P, R], p P) R {
	c.TB.Helper()
	r, err := Try(c, m, p)
	if err != nil {
		c.TB.Fatalf("%s: %v", m.Name, err)
	}
	return r
}

// Event waits for the next event of a kind, drops those before it, and returns
// it.
func Event[T any](c *Socket, ev wire.Event[T]) T {
	c.TB.Helper()
	return EventThat(c, ev, func(T) bool { return true })
}

// EventThat waits for an event of a kind of which that is true.
func EventThat[T any](c *Socket, ev wire.Event[T], that func(T) bool) (v T) {
	c.TB.Helper()
	deadline := time.After(patience)
	for {
		f, more, err := c.next()
		switch {
		case err != nil:
			c.TB.Fatalf("waiting for %s: the connection ended: %v", ev.Name, err)
		case f == nil:
			select {
			case <-more:
			case <-deadline:
				c.TB.Fatalf("%s did not come", ev.Name)
			}
		case f.Method == ev.Name:
			var got T
			if err := wire.Decode(f.Body, &got); err != nil {
				c.TB.Fatalf("%s holds what does not belong there: %v", ev.Name, err)
			}
			if that(got) {
				return got
			}
		}
	}
}

func (c *Socket) next() (f *wire.Frame, more <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) > 0 {
		f, c.events = &c.events[0], c.events[1:]
		return f, nil, nil
	}
	return nil, c.more, c.err
}

// Events returns the names of the events that have come and were not taken.
func (c *Socket) Events() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.events {
		names = append(names, f.Method)
	}
	return names
}

// Frames returns the events that have come and were not taken.
func (c *Socket) Frames() []wire.Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]wire.Frame(nil), c.events...)
}

// Err returns what ended the connection, nil while it stands.
func (c *Socket) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Ended waits until the server has closed the connection and returns the
// status.
func (c *Socket) Ended() websocket.StatusCode {
	c.TB.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		err, more := c.err, c.more
		c.mu.Unlock()
		if err != nil {
			return websocket.CloseStatus(err)
		}
		select {
		case <-more:
		case <-deadline:
			c.TB.Fatal("the connection did not end")
		}
	}
}

// Close ends the connection.
func (c *Socket) Close() { c.ws.CloseNow() }
