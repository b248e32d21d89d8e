package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/socket"
)

const (
	// sortTimeout is for all that a stranger must say before it is known what it
	// wants, the TLS handshake included.
	sortTimeout = headerTimeout
	// maxUnsorted bounds connections of which that is not known yet, and those of
	// them that come from one network. The one that has kept us waiting for longest
	// makes room; one that waits for us does not, or in a storm all would lose what
	// was done for them. If all wait for us, the new one is turned away.
	// There is room for ten thousand who come back at once from one network: some
	// fifteen kilobytes for each.
	maxUnsorted     = 12_288
	maxUnsortedEach = 10_240
	// maxHandshakes bounds the TLS handshakes that wait for the processor. Those
	// at work never take more than half of it from people who are connected, and
	// networks come in turns. Fewer wait than are unsorted: so there are always some
	// who do not wait for us, and who comes from elsewhere finds a place.
	maxHandshakes = maxUnsortedEach
)

// turnProtocol is TURN's name in the TLS handshake (RFC 7443).
const turnProtocol = "stun.turn"

// sorter is the https port's listener. It looks at what a connection says first:
// TLS with HTTP inside is Accept's; media of calls goes to whoever takes it, and
// everything else is closed. Behind a reverse proxy all is HTTP.
//
//	0x16                 TLS; inside:
//	    0x00 to 0x03     a STUN message: TURN (RFC 8656)
//	    anything else    HTTP
//	0x00 to 0x03         the length of a STUN message: ICE-TCP (RFC 6544)
type sorter struct {
	raw  net.Listener
	tls  *tls.Config
	ice  func(net.Conn) // nil: there are no calls
	turn func(net.Conn)

	http  chan net.Conn
	ended chan struct{} // Accept is over
	once  sync.Once
	open  context.Context // until then
	shut  context.CancelFunc

	tasks sync.WaitGroup // one for each connection that is not HTTP

	unsorted *strangers
	keys     *limit.Queue  // for those that compute
	refused  atomic.Uint64 // handshakes for which there was no time

	mu     sync.Mutex // guards what follows
	closed bool
	media  map[net.Conn]struct{}
}

func newSorter(raw net.Listener, conf *tls.Config, ice, turn func(net.Conn)) *sorter {
	conf = conf.Clone()
	conf.NextProtos = []string{"h2", "http/1.1"}
	conf.DynamicRecordSizingDisabled = true // what waits for a device leaves in one record
	if turn != nil {
		conf.NextProtos = append(conf.NextProtos, turnProtocol)
	}
	s := &sorter{
		raw: raw, tls: conf, ice: ice, turn: turn,
		http: make(chan net.Conn), ended: make(chan struct{}),
		unsorted: newStrangers(maxUnsorted, maxUnsortedEach), media: map[net.Conn]struct{}{},
		keys: limit.NewQueue(max(1, runtime.GOMAXPROCS(0)/2), maxHandshakes),
	}
	s.open, s.shut = context.WithCancel(context.Background())
	conf.GetConfigForClient = s.greet
	return s
}

// placeOf is under which a handshake's context holds its place among the unsorted.
type placeOf struct{}

var errNoTime = errors.New("too many handshakes")

// greet is called when a client has said what it wants, before anything is
// computed for it. It waits until few others compute. What follows, up to the
// answer, waits for nobody but the processor.
func (s *sorter) greet(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	l, _ := hello.Conn.(*socket.Line)
	who, _ := hello.Context().Value(placeOf{}).(*stranger)
	if l == nil || who == nil {
		return nil, nil
	}
	return nil, s.compute(l, who)
}

// compute waits until few others compute, and has the place that it takes given
// back with the next write. Should that ask for another hello, all that costs is
// still to come: then it is waited for a place again when that has come.
func (s *sorter) compute(l *socket.Line, who *stranger) error {
	s.unsorted.working(who, true)
	ctx, cancel := context.WithTimeout(s.open, sortTimeout)
	defer cancel()
	if s.keys.Enter(ctx, who.from) != nil {
		s.refused.Add(1)
		return errNoTime
	}
	l.OnWrite(func(b []byte) {
		s.keys.Leave()
		s.unsorted.working(who, false)
		switch {
		case asksAgain(b):
			l.OnRead(func() error { return s.compute(l, who) })
		case b != nil:
			l.OnRead(nil)
		}
	})
	return nil
}

// asksAgain reports whether a record of TLS is a HelloRetryRequest, by which a
// server asks for a hello with another key: a ServerHello with the hash of its
// name for random bytes, RFC 8446 §4.1.3.
func asksAgain(record []byte) bool {
	const handshake, serverHello = 22, 2
	const random = 5 + 4 + 2 // behind the headers of record and message, and the version
	sum := sha256.Sum256([]byte("HelloRetryRequest"))
	return len(record) >= random+len(sum) && record[0] == handshake && record[5] == serverHello && bytes.Equal(record[random:random+len(sum)], sum[:])
}

// Accept waits for a connection that speaks HTTP, its handshake done.
func (s *sorter) Accept() (net.Conn, error) {
	select {
	case c := <-s.http:
		return c, nil
	case <-s.ended:
		return nil, net.ErrClosed
	}
}

// Addr is the port's.
func (s *sorter) Addr() net.Addr { return s.raw.Addr() }

// Close takes no more connections and ends those that are not sorted yet.
func (s *sorter) Close() error {
	err := s.raw.Close()
	s.once.Do(func() { close(s.ended); s.shut() })
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.unsorted.closeIdle()
	return err
}

// end closes the connections that carry media and waits until they are over.
func (s *sorter) end() {
	_ = s.Close()
	s.mu.Lock()
	for c := range s.media {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.tasks.Wait()
}

// run accepts until Close.
func (s *sorter) run(ctx context.Context) error {
	const longest = time.Second
	pause := 5 * time.Millisecond
	for {
		c, err := s.raw.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			s.tasks.Go(func() { s.sort(context.WithoutCancel(ctx), c) })
		case errors.Is(err, net.ErrClosed):
			return nil
		default: // out of file descriptors, most likely: it passes
			select {
			case <-time.After(pause):
				pause = min(2*pause, longest)
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// sort finds out what c is and brings it where it belongs.
func (s *sorter) sort(ctx context.Context, c net.Conn) {
	place, ok := s.unsorted.enter(c)
	s.mu.Lock()
	ok = ok && !s.closed // since before it was known
	s.mu.Unlock()
	if !ok {
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Now().Add(sortTimeout)) // fails only for what is closed, which reading tells
	known, to := s.look(context.WithValue(ctx, placeOf{}, place), c)
	s.unsorted.leave(place)
	if to == nil || known.SetDeadline(time.Time{}) != nil {
		_ = c.Close()
		return
	}
	to(known)
}

// look reads what it must of c, and returns it as its reader is to have it, and the
// reader; nil is nobody.
func (s *sorter) look(ctx context.Context, c net.Conn) (known net.Conn, to func(net.Conn)) {
	first, err := firstByte(c)
	if err != nil {
		return c, nil
	}
	clear := socket.NewLine(c, first)
	switch {
	case first < 4 && s.ice != nil:
		return clear, s.carry(s.ice)
	case first == 0x16:
		return s.inside(ctx, clear)
	case first >= 'A' && first <= 'Z':
		_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks https.\n")
	}
	return c, nil
}

// inside does the TLS handshake and looks further.
func (s *sorter) inside(ctx context.Context, c *socket.Line) (known net.Conn, to func(net.Conn)) {
	t := tls.Server(c, s.tls)
	err := t.HandshakeContext(ctx) // under c's deadline
	c.Computed()
	if err != nil {
		return c, nil
	}
	switch t.ConnectionState().NegotiatedProtocol {
	case turnProtocol:
		return t, s.carry(s.turn)
	case "":
	default:
		return t, s.serve
	}
	// Who names no protocol is one of old HTTP, or of TURN.
	if s.turn == nil {
		return t, s.serve
	}
	first, err := firstByte(t)
	if err != nil {
		return c, nil
	}
	b := &begunTLS{Conn: t, first: []byte{first}}
	if first < 4 {
		return b, s.carry(s.turn)
	}
	return b, s.serve
}

func firstByte(c net.Conn) (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(c, b[:])
	return b[0], err
}

// serve gives c to Accept.
func (s *sorter) serve(c net.Conn) {
	select {
	case s.http <- c:
	case <-s.ended:
		_ = c.Close()
	}
}

// carry has c served by f, and remembers it while it is.
func (s *sorter) carry(f func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		s.mu.Lock()
		closed := s.closed
		s.media[c] = struct{}{}
		s.mu.Unlock()
		if !closed {
			f(c)
		}
		s.mu.Lock()
		delete(s.media, c)
		s.mu.Unlock()
	}
}

// begunTLS is a connection of which something was read already, inside TLS. The
// HTTP server takes it for TLS, because it
// tells its state.
type begunTLS struct {
	*tls.Conn
	first []byte
}

func (b *begunTLS) Read(p []byte) (int, error) {
	if n := copy(p, b.first); n > 0 {
		b.first = slices.Delete(b.first, 0, n)
		return n, nil
	}
	return b.Conn.Read(p)
}
