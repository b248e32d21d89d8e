package httpapi

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/server/session"
	"github.com/veche-im/veche/wire"
)

// socket upgrades and gives the connection to its own goroutine, so that the
// one of the HTTP server, with its buffers, ends here.
func (a *API) socket(c *call) error {
	if a.sockets.Add(1) > maxSockets {
		a.sockets.Add(-1)
		return &wire.Error{Code: wire.Busy, RetryAfter: 5000}
	}
	ws, err := websocket.Accept(c.ResponseWriter, c.r, &websocket.AcceptOptions{
		Subprotocols:       []string{wire.Subprotocol},
		InsecureSkipVerify: true, // sameSite has checked the origin
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		a.sockets.Add(-1)
		return nil // Accept has answered
	}
	if ws.Subprotocol() != wire.Subprotocol {
		a.sockets.Add(-1)
		ws.Close(websocket.StatusPolicyViolation, "the subprotocol is "+wire.Subprotocol)
		return nil
	}
	ws.SetReadLimit(wire.MaxRequest)
	who := session.Actor{Actor: c.actor(), Name: c.session.Name}
	// The connection outlives the request; Drain ends it.
	ctx := context.WithoutCancel(c.r.Context())
	a.serving.Go(func() {
		defer a.sockets.Add(-1)
		a.cfg.Sessions.Serve(ctx, conn{ws}, who)
	})
	return nil
}

// conn is session.Conn over a WebSocket.
type conn struct{ ws *websocket.Conn }

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
	_ = c.ws.Close(websocket.StatusCode(why), reasons[why]) // the peer may be gone
}

var reasons = map[session.Reason]string{
	session.GoingAway: "the server is going down",
	session.Violation: "against the rules of framing",
	session.Ended:     "the session is over",
	session.Silent:    "nothing came back",
}

var _ http.ResponseWriter = (*call)(nil)
