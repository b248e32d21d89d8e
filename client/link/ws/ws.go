// Package ws is the native link: a WebSocket and plain HTTP over TLS. It is the
// only part of the client that knows net/http.
//
// Which server it talks to is decided once, by Config: the address, and who may
// prove to be it. Plain http is taken for this machine alone. Redirects are not
// followed and proxies not asked, so that a session's token goes to the server
// or nowhere. docs/spec/client.md#links.
package ws

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/wire"
)

// ErrAddress is returned by New for an address that is no server's.
var ErrAddress = errors.New("not the address of a server")

// Config says which server a Link talks to.
type Config struct {
	// URL is the server's address, e.g. "https://veche.example:8443". What
	// follows host and port is ignored, so a set-up link or an invite serves.
	// http is taken for a loopback address alone.
	URL string
	// CA is the one certificate authority (DER) that may vouch for the server;
	// nil means those of the system.
	CA []byte
	// Agent is the User-Agent; empty means "veche".
	Agent string
}

// Link implements link.Link.
type Link struct {
	origin string
	agent  string
	tls    *tls.Config
	http   *http.Client
}

// waits for a server that takes connections and then says nothing. A piece of a
// file over a slow line may take long, so the whole request has no such limit.
const (
	dialTimeout   = 15 * time.Second
	headerTimeout = 60 * time.Second
)

// New checks cfg. Nothing is sent until a method is called.
func New(cfg Config) (*Link, error) {
	origin, err := Origin(cfg.URL)
	if err != nil {
		return nil, err
	}
	t := &tls.Config{MinVersion: tls.VersionTLS13}
	if cfg.CA != nil {
		ca, err := x509.ParseCertificate(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("certificate authority of %s: %w", origin, err)
		}
		t.RootCAs = x509.NewCertPool()
		t.RootCAs.AddCert(ca)
	}
	if cfg.Agent == "" {
		cfg.Agent = "veche"
	}
	return &Link{origin: origin, agent: cfg.Agent, tls: t, http: client(t)}, nil
}

func client(t *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 nil,
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:       t,
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: headerTimeout,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   4,
			DisableCompression:    true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Origin returns scheme, host and port of a server's address or link.
func Origin(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return "", fmt.Errorf("%w: %q", ErrAddress, clip(address))
	}
	switch u.Scheme {
	case "https":
	case "http":
		if !loopback(u.Hostname()) {
			return "", fmt.Errorf("%w: http is for this machine alone, use https for %s", ErrAddress, u.Host)
		}
	default:
		return "", fmt.Errorf("%w: %q begins with neither https:// nor http://", ErrAddress, clip(address))
	}
	return u.Scheme + "://" + u.Host, nil
}

// clip leaves out what follows '#': the token of a link is a secret.
func clip(address string) string {
	for i, c := range address {
		if c == '#' || i >= 100 {
			return address[:i] + "…"
		}
	}
	return address
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Origin implements link.Link.
func (l *Link) Origin() string { return l.origin }

// Cookie implements link.Link: natively a session is a bearer token.
func (l *Link) Cookie() bool { return false }

// Woken implements link.Link: natively nobody tells that the network is back.
func (l *Link) Woken() <-chan struct{} { return nil }

// Dial implements link.Link.
func (l *Link) Dial(ctx context.Context, token string) (link.Conn, error) {
	dialing, cancel := context.WithTimeout(ctx, headerTimeout)
	defer cancel()
	h := http.Header{"User-Agent": {l.agent}}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	c, res, err := websocket.Dial(dialing, l.origin+wire.PathSocket, &websocket.DialOptions{
		HTTPClient:      l.http,
		HTTPHeader:      h,
		Subprotocols:    []string{wire.Subprotocol},
		CompressionMode: websocket.CompressionDisabled, // ciphertext does not shrink
	})
	if err != nil {
		return nil, dialError(ctx, res, err)
	}
	if c.Subprotocol() != wire.Subprotocol {
		c.CloseNow()
		return nil, fmt.Errorf("%w: it does not speak %s", link.ErrUnreachable, wire.Subprotocol)
	}
	c.SetReadLimit(wire.MaxResponse)
	return &conn{c}, nil
}

// dialError turns a failed upgrade into what link.Link promises.
func dialError(ctx context.Context, res *http.Response, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if res != nil {
		switch res.StatusCode {
		case http.StatusUnauthorized:
			return wire.Refuse(wire.Unauthenticated, "the session has ended")
		case http.StatusServiceUnavailable, http.StatusTooManyRequests:
			e := wire.Refuse(wire.Busy, "the server is busy")
			e.RetryAfter = retryAfter(res.Header).Milliseconds()
			return e
		}
	}
	return unreachable(err)
}

// unreachable sorts an error of the network: a server that cannot prove who it
// is, or none at all.
func unreachable(err error) error {
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return fmt.Errorf("%w: %w", link.ErrUntrusted, err)
	}
	return fmt.Errorf("%w: %w", link.ErrUnreachable, err)
}

func retryAfter(h http.Header) time.Duration {
	s, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || s < 0 || s > 3600 {
		return 0
	}
	return time.Duration(s) * time.Second
}

// Do implements link.Link.
func (l *Link) Do(ctx context.Context, r link.Request) (link.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, l.origin+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return link.Response{}, fmt.Errorf("request %s %s: %w", r.Method, r.Path, err)
	}
	req.Header.Set("User-Agent", l.agent)
	if r.Token != "" {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if r.Body != nil || r.Method == http.MethodPost {
		if r.Type == "" {
			r.Type = "application/json"
		}
		req.Header.Set("Content-Type", r.Type)
	}
	if r.To > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", r.From, r.To-1))
	}
	res, err := l.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return link.Response{}, ctx.Err()
		}
		return link.Response{}, unreachable(err)
	}
	defer res.Body.Close()
	if r.Max == 0 {
		r.Max = wire.MaxJSON
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(r.Max)+1))
	if err != nil {
		if ctx.Err() != nil {
			return link.Response{}, ctx.Err()
		}
		return link.Response{}, unreachable(err)
	}
	if len(body) > r.Max {
		return link.Response{}, fmt.Errorf("%w: answer to %s %s is over %d bytes", link.ErrUnreachable, r.Method, r.Path, r.Max)
	}
	return link.Response{Status: res.StatusCode, Body: body, RetryAfter: retryAfter(res.Header)}, nil
}

// conn implements link.Conn.
type conn struct{ c *websocket.Conn }

func (c *conn) Read(ctx context.Context) ([]byte, error) {
	kind, b, err := c.c.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", link.ErrUnreachable, err)
	}
	if kind != websocket.MessageBinary {
		c.c.Close(websocket.StatusPolicyViolation, "text message")
		return nil, fmt.Errorf("%w: it sent a text message", link.ErrUnreachable)
	}
	return b, nil
}

func (c *conn) Write(ctx context.Context, message []byte) error {
	if err := c.c.Write(ctx, websocket.MessageBinary, message); err != nil {
		return fmt.Errorf("%w: %w", link.ErrUnreachable, err)
	}
	return nil
}

// Close drops the connection at once: nobody waits for a goodbye.
func (c *conn) Close() error { return c.c.CloseNow() }
