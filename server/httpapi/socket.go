package httpapi

import (
	"context"
	"net"
	"net/http"
	"net/netip"

	"github.com/veche-im/veche/server/session"
	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// socket upgrades and gives the connection to its own goroutine, so that the
// one of the HTTP server, with its buffers, ends here.
func (a *API) socket(c *call) error {
	gone, ok := a.admit(c.session.Device)
	if !ok {
		return &wire.Error{Code: wire.Busy, Text: "too many connections", RetryAfter: 5000}
	}
	ws, agreed, err := socket.Accept(c.ResponseWriter, c.r, wire.Subprotocol, wire.MaxRequest)
	if err != nil {
		gone()
		return nil // Accept has answered
	}
	if rec, ok := c.ResponseWriter.(*recorder); ok {
		rec.status = http.StatusSwitchingProtocols
	}
	if !agreed {
		a.outlive(func() { // the peer may take its time, and the request has a place that others want
			defer gone()
			session.Refuse(ws, session.Violation)
		})
		return nil
	}
	who := session.Actor{Actor: c.actor(), Name: c.session.Name, Local: localAddr(ws.NetConn()), From: c.from}
	// The connection outlives the request; Drain ends it.
	ctx := context.WithoutCancel(c.r.Context())
	a.outlive(func() {
		defer gone()
		a.cfg.Sessions.Serve(ctx, ws, who)
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

var _ http.ResponseWriter = (*call)(nil)
