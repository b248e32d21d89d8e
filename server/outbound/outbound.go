// Package outbound is the one way by which the server calls anybody.
//
// Nothing in the product does so yet. What comes (push, webhooks, S3, sign-on by
// another service) calls what an administrator or even a person named, and must
// not become a way into the network that the server stands in: so an address is
// looked up once, each of its addresses is judged, and one that was judged is
// dialled. Private and special addresses are refused unless the administrator has
// allowed them. A test in internal/deptest keeps everything else under server and
// sfu from dialling.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// ErrRefused is returned, wrapped, for a place that must not be called.
var ErrRefused = errors.New("outbound: refused")

const (
	dialTimeout  = 10 * time.Second
	maxAddresses = 8 // of one name that are tried
	maxRedirects = 5
)

// Config says what may be called beside the public internet.
type Config struct {
	Allow []netip.Prefix // as the administrator configured
	// Resolve looks a name up; nil asks the system.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Dialer calls what may be called. Its methods may be used by many at once.
type Dialer struct {
	allow   []netip.Prefix
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// New makes a Dialer.
func New(cfg Config) *Dialer {
	if cfg.Resolve == nil {
		cfg.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	d := &Dialer{resolve: cfg.Resolve}
	for _, p := range cfg.Allow {
		d.allow = append(d.allow, p.Masked())
	}
	return d
}

// DialContext connects to host:port over "tcp", "tcp4" or "tcp6". A host that has
// any address that must not be called is ErrRefused as a whole: such a name is
// not to be trusted with the others.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, fmt.Errorf("%w: network %q", ErrRefused, network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	addrs, err := d.judged(ctx, host)
	if err != nil {
		return nil, err
	}
	// What was judged is dialled; that it is, the system is asked once more when
	// the socket is there.
	dialer := net.Dialer{Timeout: dialTimeout, Control: d.control}
	var failed []error
	for _, a := range addrs[:min(len(addrs), maxAddresses)] {
		c, err := dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return c, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// judged returns the addresses of a host, all of which may be called.
func (d *Dialer) judged(ctx context.Context, host string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a}
	} else {
		if numeric(host) { // 127.1, 0x7f000001, 0177.0.0.1: some systems take them for addresses
			return nil, fmt.Errorf("%w: %q is neither a name nor an address in its one spelling", ErrRefused, host)
		}
		if addrs, err = d.resolve(ctx, host); err != nil {
			return nil, fmt.Errorf("look up %s: %w", host, err)
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("look up %s: no address", host)
	}
	for i, a := range addrs {
		if err := d.judge(a); err != nil {
			return nil, fmt.Errorf("%s: %w", host, err)
		}
		addrs[i] = a.Unmap()
	}
	return addrs, nil
}

// judge refuses an address that must not be called.
func (d *Dialer) judge(a netip.Addr) error {
	if a.Zone() != "" {
		return fmt.Errorf("%w: %s has a zone", ErrRefused, a)
	}
	a = a.Unmap()
	for _, p := range d.allow {
		if p.Contains(a) {
			return nil
		}
	}
	if why := special(a); why != "" {
		return fmt.Errorf("%w: %s is %s", ErrRefused, a, why)
	}
	return nil
}

// control is net.Dialer's: the last look before a connection is made.
func (d *Dialer) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q", ErrRefused, address)
	}
	return d.judge(ap.Addr())
}

// numeric reports whether the last label of a host is a number, as in no name
// that can be registered (WHATWG URL, "ends in a number").
func numeric(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if strings.Trim(last, "0123456789") == "" {
		return true // an empty one too
	}
	hex, ok := strings.CutPrefix(last, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

// Client returns a client whose every connection is made by d, after redirects
// too. It asks no proxy, and goes from https to https alone.
func (d *Dialer) Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: d.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout,
			MaxIdleConns: 16, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return fmt.Errorf("%w: more than %d redirects", ErrRefused, maxRedirects)
			case r.URL.Scheme != "https" && via[0].URL.Scheme == "https":
				return fmt.Errorf("%w: a redirect from https to %s", ErrRefused, r.URL.Scheme)
			}
			return nil
		},
	}
}
