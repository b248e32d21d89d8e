package xmpp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// An Account is who signs in where.
type Account struct {
	Address        string // host:port
	Domain         string
	User, Password string
}

// A Conn is a stream that is signed in and has a resource. Next is for one
// goroutine, Write for any.
type Conn struct {
	nc   net.Conn
	scan *Scanner

	mu sync.Mutex // held while writing
}

// readBuffer is what a connection begins with: some three messages of a
// kilobyte, so that ten thousand idle ones cost the driver little.
const readBuffer = 4 << 10

// Dial opens a stream and signs in with PLAIN (RFC 4616), which costs the server
// the least. The address may be reached from another loopback address by d.
func Dial(ctx context.Context, d *net.Dialer, a Account) (_ *Conn, err error) {
	nc, err := d.DialContext(ctx, "tcp", a.Address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	c := &Conn{nc: nc, scan: NewScanner(nc, readBuffer)}
	err = c.open(a)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("sign %s in at %s: %w", a.User, a.Address, err)
	}
	return c, nil
}

func (c *Conn) open(a Account) error {
	if err := c.restart(a.Domain); err != nil {
		return err
	}
	secret := base64.StdEncoding.EncodeToString([]byte("\x00" + a.User + "\x00" + a.Password))
	if err := c.ask("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"+secret+"</auth>", "success", ""); err != nil {
		return err
	}
	if err := c.restart(a.Domain); err != nil {
		return err
	}
	const bind = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>" // the server names the resource
	if err := c.ask(bind, "iq", "result"); err != nil {
		return err
	}
	return c.Write([]byte("<presence/>"))
}

// restart opens the stream, again after signing in.
func (c *Conn) restart(domain string) error {
	header := "<?xml version='1.0'?><stream:stream to='" + domain +
		"' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	if err := c.Write([]byte(header)); err != nil {
		return err
	}
	if _, err := c.scan.Header(); err != nil {
		return err
	}
	return c.expect("stream:features", "")
}

func (c *Conn) ask(what, name, kind string) error {
	if err := c.Write([]byte(what)); err != nil {
		return err
	}
	return c.expect(name, kind)
}

func (c *Conn) expect(name, kind string) error {
	got, err := c.scan.Next()
	if err != nil {
		return err
	}
	if string(Name(got)) != name || string(Attr(got, "type")) != kind {
		return errors.New("the server says " + string(got))
	}
	return nil
}

// Next waits for the next stanza, which is valid until Next is called again.
func (c *Conn) Next() ([]byte, error) { return c.scan.Next() }

// Write sends whole stanzas.
func (c *Conn) Write(stanzas []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.nc.Write(stanzas)
	return err
}

// Close cuts the connection without a farewell.
func (c *Conn) Close() { _ = c.nc.Close() }
