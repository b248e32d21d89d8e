package wsjs

import (
	"context"
	"fmt"
	"sync"
	"syscall/js"
	"time"

	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/internal/promise"
	"github.com/veche-im/veche/wire"
)

const (
	maxWaiting  = 64 << 20 // bytes that came and were not read yet; then the connection ends
	maxBuffered = 4 << 20  // bytes that the browser has not sent yet; then Write waits …
	drainPoll   = 20 * time.Millisecond
	drainMax    = 15 * time.Second // … so long, and then the connection ends

	closeNormal = 1000
	closeSlow   = 4000 // private: the server sends faster than this device reads
	closeText   = 4001 // private: text or too large a message
)

// conn implements link.Conn over a browser's WebSocket.
type conn struct {
	ws     js.Value
	funcs  []js.Func
	opened chan struct{} // closed when the socket opens
	over   chan struct{} // closed when it has ended; err is set before
	err    error
	once   sync.Once

	mu      sync.Mutex // guards what follows
	queue   [][]byte
	waiting int           // bytes in queue
	more    chan struct{} // has room for one: queue is not empty
}

func newConn(address string) (*conn, error) {
	ws, err := promise.Try(func() js.Value {
		return js.Global().Get("WebSocket").New(address, wire.Subprotocol)
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", address, err)
	}
	ws.Set("binaryType", "arraybuffer")
	c := &conn{ws: ws, opened: make(chan struct{}), over: make(chan struct{}), more: make(chan struct{}, 1)}
	c.hear("open", func(js.Value) { close(c.opened) })
	c.hear("message", func(e js.Value) { c.take(e.Get("data")) })
	c.hear("error", func(js.Value) {
		// It says nothing. A close with a code follows, except that some runtimes
		// leave it out when the socket never opened.
		select {
		case <-c.opened:
		default:
			c.finish(fmt.Errorf("%w: the socket did not open", link.ErrUnreachable))
		}
	})
	c.hear("close", func(e js.Value) {
		c.finish(fmt.Errorf("%w: the socket closed with %d %q", link.ErrUnreachable,
			e.Get("code").Int(), e.Get("reason").String()))
		c.release()
	})
	return c, nil
}

func (c *conn) hear(event string, f func(js.Value)) {
	g := js.FuncOf(func(_ js.Value, args []js.Value) any { f(args[0]); return nil })
	c.funcs = append(c.funcs, g)
	c.ws.Set("on"+event, g)
}

// release lets go of the callbacks after the last event.
func (c *conn) release() {
	for _, name := range []string{"onopen", "onmessage", "onerror", "onclose"} {
		c.ws.Set(name, js.Null())
	}
	for _, f := range c.funcs {
		f.Release()
	}
}

// finish says why the connection is over, the first time.
func (c *conn) finish(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.over)
	})
}

// end closes the connection from this side.
func (c *conn) end(err error) { c.endWith(closeNormal, err) }

func (c *conn) endWith(code int, err error) {
	c.finish(err)
	// Closing a closed socket does nothing; the event close comes in any case.
	_, _ = promise.Try(func() js.Value { return c.ws.Call("close", code) })
}

// take puts a message into the queue. It runs in the event loop.
func (c *conn) take(data js.Value) {
	if data.Type() != js.TypeObject {
		c.endWith(closeText, fmt.Errorf("%w: it sent a text message", link.ErrUnreachable))
		return
	}
	size := data.Get("byteLength").Int()
	if size > wire.MaxResponse {
		c.endWith(closeText, fmt.Errorf("%w: it sent a message of %d bytes", link.ErrUnreachable, size))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting+size > maxWaiting {
		c.endWith(closeSlow, fmt.Errorf("%w: more than %d bytes wait to be read", link.ErrUnreachable, maxWaiting))
		return
	}
	c.queue = append(c.queue, promise.Bytes(data))
	c.waiting += size
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// next takes the oldest message out of the queue.
func (c *conn) next() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return nil, false
	}
	m := c.queue[0]
	c.queue[0] = nil
	c.queue = c.queue[1:]
	c.waiting -= len(m)
	return m, true
}

// Read implements link.Conn. What came before the end is still read.
func (c *conn) Read(ctx context.Context) ([]byte, error) {
	for {
		if m, ok := c.next(); ok {
			return m, nil
		}
		select {
		case <-c.more:
		case <-c.over:
			if m, ok := c.next(); ok {
				return m, nil
			}
			return nil, c.err
		case <-ctx.Done():
			c.end(ctx.Err())
			return nil, ctx.Err()
		}
	}
}

// Write implements link.Conn.
func (c *conn) Write(ctx context.Context, message []byte) error {
	if err := c.drain(ctx); err != nil {
		return err
	}
	_, err := promise.Try(func() js.Value { return c.ws.Call("send", promise.Array(message)) })
	if err != nil {
		c.end(fmt.Errorf("%w: %w", link.ErrUnreachable, err))
		return c.err
	}
	return nil
}

// drain waits until the browser has sent most of what it was given. A browser
// has no event for that, hence the polling.
func (c *conn) drain(ctx context.Context) error {
	for waited := time.Duration(0); ; waited += drainPoll {
		select {
		case <-c.over:
			return c.err
		default:
		}
		if c.ws.Get("bufferedAmount").Int() < maxBuffered {
			return nil
		}
		if waited >= drainMax {
			c.end(fmt.Errorf("%w: it took nothing for %v", link.ErrUnreachable, drainMax))
			return c.err
		}
		select {
		case <-time.After(drainPoll):
		case <-c.over:
		case <-ctx.Done():
			c.end(ctx.Err())
			return ctx.Err()
		}
	}
}

// Close implements link.Conn.
func (c *conn) Close() error {
	c.end(fmt.Errorf("%w: closed here", link.ErrUnreachable))
	return nil
}
