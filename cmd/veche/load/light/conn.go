package light

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/wire"
)

// Device is who connects.
type Device struct {
	Number  int // tells devices apart: each has an address of its own
	Account wire.AccountID
	Token   string
	// Tickets keeps TLS sessions, so that coming back is cheap, as in a browser;
	// nil keeps none.
	Tickets tls.ClientSessionCache
}

// Conn is one connection of a device. It is load.Conn.
type Conn struct {
	site     *Site
	account  wire.AccountID
	net      net.Conn
	events   load.Events
	caughtUp chan struct{}
	ready    sync.Once
	over     chan struct{}

	beat    *time.Timer
	cursors cursors

	out     sync.Mutex // guards what follows, and is held while something is written
	last    uint64     // request that was made
	scratch []byte

	mu      sync.Mutex         // guards what follows; taken while out is held, never the other way round
	pending map[uint64]pending // nil when the connection is over
}

type asked uint8

const (
	askedNothing asked = iota
	askedSend
	askedLog
	askedList
	askedPage // by CatchUp
)

// pending is a request without an answer.
type pending struct {
	kind   asked
	n      uint64
	place  int
	page   func(body []byte, err error)
	method string // of what is asked once more if the server is busy
	params any
}

// Connect opens a connection, and returns when the device has read whatever it
// missed since it was connected last. A server that has no room for it now is a
// *load.Later.
func (s *Site) Connect(ctx context.Context, d Device, st *Standing, e load.Events) (*Conn, error) {
	raw, rest, err := s.dial(ctx, d)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		site: s, account: d.Account, net: raw, events: e, caughtUp: make(chan struct{}), over: make(chan struct{}),
		pending: map[uint64]pending{},
	}
	st.owner.Lock() // until the connection before this one has ended
	c.beat = time.AfterFunc(jittered(wire.Heartbeat), c.heartbeat)
	for i := range st.places {
		st.places[i].asking, st.places[i].queued = false, false
	}
	r := &reader{c: c, s: st, e: e}
	go c.run(r, rest)
	select {
	case <-c.caughtUp:
		return c, nil
	case <-c.over:
		return nil, errors.New("the connection ended before the device had read everything")
	case <-ctx.Done():
		c.Close()
		return nil, ctx.Err()
	}
}

func jittered(d time.Duration) time.Duration {
	return d*9/10 + time.Duration(rand.Int64N(int64(d/10)))
}

// dial connects and upgrades. It returns what the server said after that.
func (s *Site) dial(ctx context.Context, d Device) (c net.Conn, rest []byte, err error) {
	dial := dialer(d.Number)
	if c, err = dial.DialContext(ctx, "tcp", s.address); err != nil {
		return nil, nil, err
	}
	defer func(raw net.Conn) {
		if err != nil {
			_ = raw.Close()
		}
	}(c)
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // of what is open; reading tells
	scheme, host := "http", "localhost"
	if s.tls != nil {
		conf := s.tls.Clone()
		conf.ClientSessionCache = d.Tickets
		t := tls.Client(c, conf)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, nil, err
		}
		c, scheme = t, "https"
	}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\nOrigin: %s://%s:%s\r\nAuthorization: Bearer %s\r\n\r\n",
		wire.PathSocket, host, port, wire.Subprotocol, scheme, host, port, d.Token)
	if err != nil {
		return nil, nil, err
	}
	in := bufio.NewReaderSize(c, 2048)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return nil, nil, &load.Later{Wait: time.Duration(seconds) * time.Second, Err: errors.New(res.Status)}
	case res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
		!strings.EqualFold(res.Header.Get("Sec-WebSocket-Protocol"), wire.Subprotocol):
		return nil, nil, fmt.Errorf("the server answers %s and does not upgrade", res.Status)
	}
	rest = make([]byte, in.Buffered())
	_, _ = in.Read(rest) // which is there
	return c, rest, c.SetDeadline(time.Time{})
}

// small is how much a quiet connection keeps for what it reads.
const small = 2048

// run reads until the connection ends.
func (c *Conn) run(r *reader, rest []byte) {
	err := c.read(r, rest)
	c.Close()
	c.mu.Lock()
	left := c.pending
	c.pending = nil
	c.mu.Unlock()
	for _, p := range left {
		if p.kind == askedPage {
			p.page(nil, err)
		}
	}
	c.events.Ended(err)
	r.s.owner.Unlock()
	close(c.over)
}

func (c *Conn) read(r *reader, buf []byte) error {
	have := len(buf)
	if len(buf) < small {
		buf = append(buf, make([]byte, small-len(buf))...)
	}
	for {
		from := 0
		for {
			op, payload, size, need, err := nextFrame(buf[from:have])
			if err != nil {
				return err
			}
			if size == 0 {
				have = copy(buf, buf[from:have])
				if need > len(buf) {
					buf = append(buf[:have], make([]byte, need-have)...)
				} else if have == 0 && len(buf) > 16*small {
					buf = make([]byte, small) // a large page has passed
				}
				break
			}
			from += size
			if err := c.frame(r, op, payload); err != nil {
				return err
			}
		}
		n, err := c.net.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
	}
}

func (c *Conn) frame(r *reader, op byte, payload []byte) error {
	switch op {
	case opBinary:
	case opPing:
		return c.write(opPong, payload)
	case opPong:
		return nil
	case opClose:
		return fmt.Errorf("closed by the server: %q", payload)
	default:
		return fmt.Errorf("a frame with opcode %d", op)
	}
	h, err := parse(payload)
	if err != nil {
		return err
	}
	if h.id == 0 {
		return c.event(r, h)
	}
	c.mu.Lock()
	p, ok := c.pending[h.id]
	delete(c.pending, h.id)
	c.mu.Unlock()
	if !ok {
		return fmt.Errorf("an answer to request %d, which was not asked", h.id)
	}
	return c.answer(r, p, h)
}

func (c *Conn) event(r *reader, h heard) error {
	switch string(h.method) {
	case wire.OnNudge.Name:
		return r.nudge(h.body)
	case wire.OnHello.Name, wire.OnCatchUp.Name:
		return c.ask(wire.RoomList.Name, pending{kind: askedList}, wire.None{})
	}
	return nil
}

func (c *Conn) answer(r *reader, p pending, h heard) error {
	var refused *wire.Error
	if h.err != nil {
		refused = new(wire.Error)
		if err := wire.Decode(h.err, refused); err != nil {
			return err
		}
	}
	switch {
	case p.kind == askedNothing: // a heartbeat, whatever was said to it
	case p.kind == askedSend && refused == nil:
		c.events.Acknowledged(p.n)
	case p.kind == askedSend:
		c.events.Refused(p.n, waitOf(refused), refused)
	case p.kind == askedPage && refused == nil:
		p.page(h.body, nil)
	case p.kind == askedPage:
		p.page(nil, refused)
	case refused != nil:
		wait := waitOf(refused)
		if wait == 0 {
			return refused
		}
		time.AfterFunc(wait, func() { _ = c.ask(p.method, p, p.params) }) // fails with the connection
	case p.kind == askedLog:
		return r.page(p.place, h.body)
	case p.kind == askedList:
		return r.list(h.body)
	}
	return nil
}

// waitOf is how long a device waits before it asks again for what was refused; 0
// if it is of no use.
func waitOf(e *wire.Error) time.Duration {
	if e.Code != wire.Busy {
		return 0
	}
	return max(time.Duration(float64(e.RetryAfter)*(0.5+rand.Float64()))*time.Millisecond, 50*time.Millisecond)
}

var errClosed = errors.New("the connection is closed")

// ask makes a request.
func (c *Conn) ask(method string, p pending, params any) error {
	b, err := wire.Encode(params)
	if err != nil {
		return err
	}
	p.method, p.params = method, params
	return c.request(method, p, b)
}

// beforeParams begins a wire.Frame of a request.
var beforeParams = []byte{table<<5 | 3, text<<5 | 1, 'b'}

// request asks for a method with parameters that come in pieces.
func (c *Conn) request(method string, p pending, params ...[]byte) error {
	c.out.Lock()
	defer c.out.Unlock()
	if !c.expect(c.last+1, p) {
		return errClosed
	}
	c.last++
	var room [64]byte
	end := appendHead(append(room[:0], text<<5|1, 'i'), unsigned, c.last)
	end = append(appendHead(append(end, text<<5|1, 'm'), text, uint64(len(method))), method...)
	c.scratch = appendFrame(c.scratch[:0], opBinary, beforeParams, params, end)
	_, err := c.net.Write(c.scratch)
	return err
}

// expect notes a request before it leaves, unless the connection is over.
func (c *Conn) expect(id uint64, p pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		return false
	}
	c.pending[id] = p
	return true
}

func (c *Conn) write(op byte, payload []byte) error {
	c.out.Lock()
	defer c.out.Unlock()
	c.scratch = appendFrame(c.scratch[:0], op, nil, [][]byte{payload}, nil)
	_, err := c.net.Write(c.scratch)
	return err
}

// heartbeat says that the device is there. What it has asked meanwhile says so
// too, but to look would cost more than to ask.
func (c *Conn) heartbeat() {
	if c.ask(wire.SessionPing.Name, pending{}, wire.None{}) == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.pending != nil {
			c.beat.Reset(jittered(wire.Heartbeat))
		}
	}
}

// Send is load.Conn's.
func (c *Conn) Send(room int, n uint64) error {
	t := &c.site.sends[room]
	client := c.site.client(n)
	a, b := t.at[0], t.at[1]
	return c.request(wire.RoomSend.Name, pending{kind: askedSend, n: n},
		t.params[:a], client[:], t.params[a+len(client):b], client[:], t.params[b+len(client):])
}

// Close is load.Conn's.
func (c *Conn) Close() {
	c.beat.Stop()
	if t, ok := c.net.(*tls.Conn); ok {
		_ = t.NetConn().Close() // without a word, as a cable does
		return
	}
	_ = c.net.Close()
}
