package httpapi

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/server/session"
	"github.com/veche-im/veche/wire"
)

// socket upgrades and gives the connection to its own goroutine, so that the
// one of the HTTP server, with its buffers, ends here.
func (a *API) socket(c *call) error {
	gone, ok := a.admit(c.session.Device)
	if !ok {
		return &wire.Error{Code: wire.Busy, Text: "too many connections", RetryAfter: 5000}
	}
	kept := &keeper{ResponseWriter: c.ResponseWriter}
	ws, err := websocket.Accept(kept, c.r, &websocket.AcceptOptions{
		Subprotocols:       []string{wire.Subprotocol},
		InsecureSkipVerify: true, // sameSite has checked the origin
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		gone()
		return nil // Accept has answered
	}
	if ws.Subprotocol() != wire.Subprotocol {
		a.serving.Go(func() { // the peer may take its time, and the request has a place that others want
			defer gone()
			conn{ws, kept.net}.Close(session.Violation)
		})
		return nil
	}
	ws.SetReadLimit(wire.MaxRequest)
	who := session.Actor{Actor: c.actor(), Name: c.session.Name, Local: localAddr(kept.net)}
	// The connection outlives the request; Drain ends it.
	ctx := context.WithoutCancel(c.r.Context())
	a.serving.Go(func() {
		defer gone()
		a.cfg.Sessions.Serve(ctx, conn{ws, kept.net}, who)
	})
	return nil
}

// localAddr is the address at which a connection reached this machine.
func localAddr(c net.Conn) netip.Addr {
	if c == nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// admit counts a device's connection, unless there are too many: then ok is
// false. Gone takes it back.
func (a *API) admit(d wire.DeviceID) (gone func(), ok bool) {
	if !a.ofSockets.enter(d, deviceSockets) {
		return nil, false
	}
	gone = func() { a.sockets.Add(-1); a.ofSockets.leave(d) }
	if a.sockets.Add(1) > maxSockets {
		gone()
		return nil, false
	}
	return gone, true
}

// keeper remembers the connection that an upgrade takes over.
type keeper struct {
	http.ResponseWriter
	net net.Conn
}

// Hijack is http.Hijacker's.
func (k *keeper) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(k.ResponseWriter).Hijack()
	k.net = c
	return c, rw, err
}

// Unwrap is http.ResponseController's.
func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

const (
	// closeTimeout is how long a peer has to answer the end of a connection. The
	// WebSocket package discards what the peer is still sending without a limit
	// of time, so the connection itself needs one.
	closeTimeout = 5 * time.Second
	// closeWrite is how long a peer may still take what was being written, which
	// with session's lastWords makes less than the second of a revocation.
	closeWrite = 300 * time.Millisecond
)

// conn is session.Conn over a WebSocket.
type conn struct {
	ws  *websocket.Conn
	net net.Conn // below ws
}

func (c conn) Read(ctx context.Context) ([]byte, error) {
	kind, b, err := c.ws.Read(ctx)
	if err == nil && kind != websocket.MessageBinary {
		err = session.ErrText
	}
	return b, err
}

func (c conn) Write(ctx context.Context, message []byte) error {
	return c.ws.Write(ctx, websocket.MessageBinary, message)
}

func (c conn) Ping(ctx context.Context) error { return c.ws.Ping(ctx) }

func (c conn) Close(why session.Reason) {
	now := time.Now()
	_ = c.net.SetReadDeadline(now.Add(closeTimeout)) // one that is closed already needs none
	_ = c.net.SetWriteDeadline(now.Add(closeWrite))
	_ = c.ws.Close(websocket.StatusCode(why), reasons[why]) // the peer may be gone
}

var reasons = map[session.Reason]string{
	session.GoingAway: "the server is going down",
	session.Violation: "against the rules of framing",
	session.Ended:     "the session is over",
	session.Silent:    "nothing came back",
}

var _ http.ResponseWriter = (*call)(nil)
