package crowd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/wire"
)

// patience is how long a connection or an answer may take: far more than any
// needs, as a loaded machine and a disk that is made slow are no fault.
const patience = 2 * time.Minute

// A door is one device's way to the site.
type door struct {
	http  *http.Client
	token string
}

// newDoor trusts the site's authority. Each device comes from a loopback address
// of its own, as devices in the world do.
func newDoor(ca *x509.CertPool, token string, number int) *door {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+number/200), byte(1+number%200))}}
	return &door{token: token, http: &http.Client{Transport: &http.Transport{
		DialContext:     d.DialContext,
		TLSClientConfig: &tls.Config{RootCAs: ca, MinVersion: tls.VersionTLS13, ServerName: "localhost"},
	}}}
}

// conn is a connection after its hello. It is used by one goroutine.
type conn struct {
	ws   *websocket.Conn
	last uint64
}

// dial connects, once. url is the site's https address.
func (d *door) dial(ctx context.Context, url string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "wss"+strings.TrimPrefix(url, "https")+wire.PathSocket, &websocket.DialOptions{
		HTTPClient:   d.http,
		HTTPHeader:   http.Header{"Authorization": {"Bearer " + d.token}},
		Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(wire.MaxResponse)
	c := &conn{ws: ws}
	if f, err := c.read(ctx); err != nil || f.Method != wire.OnHello.Name {
		ws.CloseNow()
		return nil, fmt.Errorf("the first frame is %q: %w", f.Method, err)
	}
	return c, nil
}

// ask sends a request and returns its number.
func ask[P, R any](ctx context.Context, c *conn, m wire.Method[P, R], p P) (uint64, error) {
	body, err := wire.Encode(p)
	if err != nil {
		return 0, err
	}
	c.last++
	b, err := wire.Encode(wire.Frame{ID: c.last, Method: m.Name, Body: body})
	if err != nil {
		return 0, err
	}
	return c.last, c.ws.Write(ctx, websocket.MessageBinary, b)
}

// call asks and waits for the answer; events that come before it go to on.
func call[P, R any](ctx context.Context, c *conn, m wire.Method[P, R], p P, on func(wire.Frame) error) (r R, err error) {
	id, err := ask(ctx, c, m, p)
	for err == nil {
		var f wire.Frame
		f, err = c.read(ctx)
		switch {
		case err != nil:
		case f.ID == 0:
			err = on(f)
		case f.ID != id:
			err = fmt.Errorf("an answer to %d, which nobody asked", f.ID)
		case f.Error != nil:
			return r, f.Error
		default:
			return r, wire.Decode(f.Body, &r)
		}
	}
	return r, err
}

func (c *conn) read(ctx context.Context) (f wire.Frame, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		return f, err
	}
	return f, wire.Decode(b, &f)
}

func (c *conn) close() { c.ws.CloseNow() }
