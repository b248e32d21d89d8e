package client

import (
	"context"
	"net/netip"
	"net/url"

	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/wire"
)

// whole is a link that leads other people to path on the site; empty if nothing
// is known of where it is. It starts with the address at which this device reaches
// the server, which it trusts, unless that is this machine's own: there the server
// is asked how everybody else reaches it.
func (c commands) whole(ctx context.Context, path string) string {
	origin := c.cfg.Link.Origin()
	if origin == "" || ownMachine(origin) {
		// An older server does not know, and then this address is all there is.
		if a, err := session.Call(ctx, c.session, wire.SiteAddress, wire.None{}); err == nil && a.URL != "" {
			origin = a.URL
		}
	}
	if origin == "" {
		return ""
	}
	return origin + path
}

// ownMachine says whether an origin leads to the machine that it is used on.
func ownMachine(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	at, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && at.IsLoopback()
}
