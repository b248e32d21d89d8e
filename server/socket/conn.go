package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// stall is how long a peer may take no byte of what is written to it, and
	// stallMore what it may have on top, so that not every write sets a deadline.
	stall     = 15 * time.Second
	stallMore = 5 * time.Second
	// closeTimeout is how long a peer has to answer the end of a connection.
	closeTimeout = 5 * time.Second
	// closeWrite is how long a peer may still take what was being written when
	// the connection is ended, which with the last words of a session makes less
	// than the second of a revocation.
	closeWrite = 300 * time.Millisecond

	// patience is how long a peer may let us wait for the rest of a message, and
	// slowest how many bytes a second it must send to have longer: a fourth of what
	// a line of 64 kbit/s does. docs/spec/framing.md#heartbeat
	patience = time.Minute
	slowest  = 2 << 10

	chunk        = 16 << 10 // bytes of one write: one TLS record
	readBuffer   = 4 << 10
	firstStep    = 64 << 10 // bytes of a message for which there is room before they come
	maxFragments = 4096     // of a message
)

// Errors of Read and Write.
var (
	ErrText    = errors.New("a text message")
	ErrClosed  = errors.New("the WebSocket is closed") // by either end
	ErrWriting = errors.New("a write is under way")
	ErrSlow    = errors.New("a message comes too slowly")
	errBroken  = errors.New("against RFC 6455")
)

// Conn is one WebSocket. Read is called by one goroutine, which also calls
// Release when it is done; everything else may be called by anybody.
type Conn struct {
	net  net.Conn
	line *Line // nil: reads and writes wait where they are
	max  int   // bytes of a message

	heard atomic.Int64 // when bytes came last, in nanoseconds since 1970

	// The reading goroutine's:
	early  []byte  // came with the handshake
	buf    *[]byte // nil while the connection is quiet
	in     []byte  // part of buf that was read and not used
	skip   uint64  // bytes of a frame that nobody wants
	answer bool    // the peer has sent its close frame
	rest   rest    // of the message that is being read

	writing chan struct{} // holds one while a frame is written: a lock on which virtual time waits too

	mu     sync.Mutex // guards what follows, and the write deadline
	closed bool       // our close frame is sent, or being sent
	until  time.Time  // the write deadline
}

func newConn(c net.Conn, early []byte, max int) *Conn {
	if plain, ok := c.(*net.TCPConn); ok {
		c = NewLine(plain)
	}
	s := &Conn{net: c, max: max, early: early, line: lineOf(c), writing: make(chan struct{}, 1)}
	if s.line != nil && !s.line.hurry() {
		s.line = nil
	}
	s.heard.Store(time.Now().UnixNano())
	return s
}

var buffers = sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }}

// NetConn is the connection below.
func (c *Conn) NetConn() net.Conn { return c.net }

// Heard returns when bytes came last, be they whole frames or not.
func (c *Conn) Heard() time.Time { return time.Unix(0, c.heard.Load()) }

// rest is what is known of how the rest of a message comes, or of a frame between
// messages. It is empty as long as nothing had to be waited for.
type rest struct {
	within bool      // a frame or a message, not between two of them
	got    int       // bytes of it that came since began
	began  time.Time // when it was waited for first
	until  time.Time // the read deadline, zero for none
}

// Read returns the next binary message. ErrText is a text message, and ErrSlow one
// of which the rest does not come in time; every other error ends the connection,
// and the peer was told why.
func (c *Conn) Read() ([]byte, error) {
	message, err := c.message()
	if err == nil {
		c.restEnds()
	}
	return message, err
}

func (c *Conn) message() ([]byte, error) {
	var message []byte
	open, fragments := false, 0
	for {
		h, err := c.header()
		if err != nil {
			return nil, err
		}
		c.rest.within = true
		switch {
		case h.opcode&control != 0:
			if err := c.control(h); err != nil {
				return nil, err
			}
			if !open {
				c.restEnds()
			}
			continue
		case h.opcode == continuation && !open:
			return nil, c.fail(ProtocolError, "nothing is continued")
		case h.opcode != continuation && open:
			return nil, c.fail(ProtocolError, "a message within a message")
		case h.opcode == text:
			c.skip = h.length
			return nil, ErrText
		case h.length > uint64(c.max-len(message)):
			return nil, c.fail(TooBig, fmt.Sprintf("a message has at most %d bytes", c.max))
		}
		if fragments++; fragments > maxFragments {
			return nil, c.fail(TooBig, fmt.Sprintf("a message has at most %d fragments", maxFragments))
		}
		open = true
		if message, err = c.payload(message, h); err != nil {
			return nil, err
		}
		if h.final {
			if message == nil {
				message = []byte{}
			}
			return message, nil
		}
	}
}

// header reads the next frame's.
func (c *Conn) header() (header, error) {
	if err := c.discard(); err != nil {
		return header{}, err
	}
	for {
		h, size, why := parseHeader(c.in)
		if why != "" {
			return header{}, c.fail(ProtocolError, why)
		}
		if size > 0 {
			c.in = c.in[size:]
			return h, nil
		}
		if err := c.fill(); err != nil {
			return header{}, err
		}
	}
}

// discard reads what is left of a frame that nobody wants.
func (c *Conn) discard() error {
	for c.skip > 0 {
		if len(c.in) == 0 {
			if err := c.fill(); err != nil {
				return err
			}
		}
		n := min(uint64(len(c.in)), c.skip)
		c.in, c.skip = c.in[n:], c.skip-n
	}
	return nil
}

// payload appends a frame's to message. There is room for what has come, not for
// what was announced.
func (c *Conn) payload(message []byte, h header) ([]byte, error) {
	for at := 0; uint64(at) < h.length; {
		step := min(int(h.length)-at, max(firstStep, len(message)))
		message = slices.Grow(message, step)
		part := message[len(message) : len(message)+step]
		if err := c.full(part); err != nil {
			return nil, err
		}
		unmask(part, h.mask, at)
		message = message[:len(message)+step]
		at += step
	}
	return message, nil
}

// full fills p.
func (c *Conn) full(p []byte) error {
	for len(p) > 0 {
		if len(c.in) == 0 && len(p) >= readBuffer && len(c.early) == 0 {
			n, err := c.read(p)
			if err != nil {
				return err
			}
			p = p[n:]
			continue
		}
		if len(c.in) == 0 {
			if err := c.fill(); err != nil {
				return err
			}
		}
		n := copy(p, c.in)
		p, c.in = p[n:], c.in[n:]
	}
	return nil
}

// fill reads more behind what is in c.in, which is less than the longest header
// or control frame. A connection on which nothing comes has no buffer.
func (c *Conn) fill() error {
	for {
		if c.buf == nil {
			c.buf = buffers.Get().(*[]byte)
		}
		have := copy(*c.buf, c.in)
		var n int
		var err error
		if len(c.early) > 0 {
			n = copy((*c.buf)[have:], c.early)
			c.early = c.early[n:]
		} else {
			if c.line == nil {
				c.await(have > 0)
			}
			n, err = c.net.Read((*c.buf)[have:])
		}
		c.in = (*c.buf)[:have+n]
		switch {
		case n > 0:
			c.came(n)
			return nil
		case c.line == nil || err != nothingYet:
			return c.ended(err)
		}
		c.await(have > 0)
		if have == 0 {
			c.giveBack()
		}
		if err := c.more(); err != nil {
			return c.ended(err)
		}
	}
}

// more waits until there is more to read. What TLS had to say meanwhile, and the
// peer did not take, leaves first.
func (c *Conn) more() error {
	if c.line.behind() && c.Write(nil) != nil {
		return ErrClosed
	}
	return c.line.more()
}

// read reads into p, without the buffer.
func (c *Conn) read(p []byte) (int, error) {
	for {
		if c.line == nil {
			c.await(true)
		}
		n, err := c.net.Read(p)
		switch {
		case n > 0:
			c.came(n)
			return n, nil
		case c.line == nil || err != nothingYet:
			return 0, c.ended(err)
		}
		c.await(true)
		if err := c.more(); err != nil {
			return 0, c.ended(err)
		}
	}
}

// came notes that bytes did.
func (c *Conn) came(n int) {
	c.heard.Store(time.Now().UnixNano())
	if !c.rest.began.IsZero() {
		c.rest.got += n
	}
}

// await gives the peer time for the rest of what is being read: whoever sends no
// more than a byte now and then would keep a connection, and what it has read so
// far, for ever. A message that has come whole when it is looked for sets no
// deadline; begun says that some of a frame has come.
func (c *Conn) await(begun bool) {
	r := &c.rest
	if !begun && !r.within {
		return
	}
	now := time.Now()
	if r.began.IsZero() {
		r.began = now
	}
	until := r.began.Add(patience + time.Duration(r.got)*(time.Second/slowest))
	if until.Sub(r.until) > patience/10 { // not for every few bytes
		c.deadline(until)
	}
}

// restEnds is called when a message is whole.
func (c *Conn) restEnds() {
	if !c.rest.until.IsZero() {
		c.deadline(time.Time{})
	}
	c.rest = rest{}
}

// deadline sets that of reads, unless the connection is being closed, which has
// its own.
func (c *Conn) deadline(until time.Time) {
	c.rest.until = until
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		_ = c.net.SetReadDeadline(until) // fails only for what is closed, as reading tells
	}
}

// ended says why nothing more is read.
func (c *Conn) ended(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.rest.until.IsZero() {
		c.skip = ^uint64(0) // what may follow cannot be understood
		return ErrSlow
	}
	return ended(err)
}

func ended(err error) error {
	if err == nil {
		return io.ErrNoProgress
	}
	return fmt.Errorf("%w: %w", ErrClosed, err)
}

func (c *Conn) giveBack() {
	if c.buf != nil {
		buffers.Put(c.buf)
		c.buf, c.in = nil, nil
	}
}

// control answers a control frame. A peer that has closed is ErrClosed.
func (c *Conn) control(h header) error {
	var b [maxControl]byte
	p := b[:h.length]
	if err := c.full(p); err != nil {
		return err
	}
	unmask(p, h.mask, 0)
	switch h.opcode {
	case ping:
		return c.frame(pong, p)
	case closing:
		c.answer = true
		said, bad := parseClose(p)
		switch {
		case bad != 0:
			return c.fail(bad, "a close frame that says nothing")
		case said == noStatus:
			c.end(nil)
		default:
			c.end(p[:2])
		}
		return fmt.Errorf("%w: the peer said %d", ErrClosed, said)
	}
	return nil // a pong: that it was heard is noted
}

// fail tells the peer which rule it broke.
func (c *Conn) fail(s Status, why string) error {
	c.skip = ^uint64(0) // what follows cannot be understood
	c.Close(s, why)
	return fmt.Errorf("%w: %s", errBroken, why)
}

// Write writes frames, which Message made, in one write for each 16 KiB. A peer
// that takes nothing for 15 to 20 seconds ends the connection.
func (c *Conn) Write(frames [][]byte) error {
	c.writing <- struct{}{}
	defer c.written()
	if err := c.catchUp(); err != nil {
		return err
	}
	_, err := c.chunks(frames, func(b []byte) (bool, error) { err := c.put(b); return err == nil, err })
	return err
}

// Try is Write for who cannot wait. It returns how many of the frames are not to
// be written any more, and whether the peer has taken those: if not, or if it is
// fewer than all of them, Write waits for it and writes the rest.
func (c *Conn) Try(frames [][]byte) (n int, taken bool, err error) {
	if c.line == nil {
		return 0, false, nil
	}
	select {
	case c.writing <- struct{}{}:
		defer c.written()
	default:
		return 0, false, nil
	}
	if c.line.behind() {
		return 0, false, nil
	}
	taken = true
	n, err = c.chunks(frames, func(b []byte) (bool, error) {
		switch {
		case !taken || len(b) > chunk:
			return false, nil
		case !c.allow():
			return false, ErrClosed
		}
		if _, err := c.net.Write(b); err != nil {
			return false, ended(err)
		}
		taken = !c.line.behind()
		return true, nil
	})
	return n, taken, err
}

// chunks gives frames to put, as many at a time as one write takes, and returns
// how many it has put.
func (c *Conn) chunks(frames [][]byte, put func([]byte) (bool, error)) (n int, err error) {
	var kept *[]byte
	for err == nil && n < len(frames) {
		more, size := 1, len(frames[n])
		for n+more < len(frames) && size+len(frames[n+more]) <= chunk {
			size += len(frames[n+more])
			more++
		}
		b := frames[n]
		if more > 1 {
			if kept == nil {
				kept = chunks.Get().(*[]byte)
			}
			b = (*kept)[:0]
			for _, f := range frames[n : n+more] {
				b = append(b, f...)
			}
		}
		did := false
		if did, err = put(b); !did {
			break
		}
		n += more
	}
	if kept != nil {
		chunks.Put(kept)
	}
	return n, err
}

func (c *Conn) written() { <-c.writing }

var chunks = sync.Pool{New: func() any { b := make([]byte, 0, chunk); return &b }}

// put writes bytes. The lock is held, as in the functions after it.
func (c *Conn) put(b []byte) error {
	for len(b) > 0 {
		if !c.allow() {
			return ErrClosed
		}
		n := min(len(b), chunk)
		if _, err := c.net.Write(b[:n]); err != nil {
			return ended(err)
		}
		if c.line != nil {
			if err := c.line.flush(); err != nil {
				return ended(err)
			}
		}
		b = b[n:]
	}
	return nil
}

// catchUp waits until the peer has taken what Try left behind.
func (c *Conn) catchUp() error {
	if c.line == nil || !c.line.behind() {
		return nil
	}
	if !c.allow() {
		return ErrClosed
	}
	if err := c.line.flush(); err != nil {
		return ended(err)
	}
	return nil
}

// allow gives the peer time for the next write, unless the connection is closed.
func (c *Conn) allow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if now := time.Now(); c.until.Sub(now) < stall {
		c.until = now.Add(stall + stallMore)
		return c.net.SetWriteDeadline(c.until) == nil
	}
	return true
}

func (c *Conn) frame(opcode byte, p []byte) error {
	c.writing <- struct{}{}
	defer c.written()
	return c.put(append(appendHeader(make([]byte, 0, 2+len(p)), opcode, len(p)), p...))
}

// Ping asks the peer to say something; Heard tells whether it did. While
// something is being written it is ErrWriting: the peer has that to take first,
// and is cut if it does not.
func (c *Conn) Ping() error {
	select {
	case c.writing <- struct{}{}:
	default:
		return ErrWriting
	}
	defer c.written()
	if c.line != nil && c.line.behind() {
		return ErrWriting
	}
	return c.put([]byte{final | ping, 0})
}

// Close tells the peer that the connection is over, and why. What was being
// written may still leave, for a moment; nothing else does. The first call counts.
func (c *Conn) Close(s Status, why string) {
	c.end(append(binary.BigEndian.AppendUint16(nil, uint16(s)), why[:min(len(why), maxControl-2)]...))
}

func (c *Conn) end(payload []byte) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	now := time.Now()
	_ = c.net.SetWriteDeadline(now.Add(closeWrite)) // one that is closed already needs none
	_ = c.net.SetReadDeadline(now.Add(closeTimeout))
	c.mu.Unlock()
	c.writing <- struct{}{}
	defer c.written()
	f := append(appendHeader(make([]byte, 0, 2+len(payload)), closing, len(payload)), payload...)
	if _, err := c.net.Write(f); err == nil && c.line != nil { // the peer may be gone
		_ = c.line.flush()
	}
}

// Release waits, if this end has closed, for the peer to answer, so that what it
// was told reaches it, and gives everything back.
func (c *Conn) Release() {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	for closed && !c.answer {
		if h, err := c.header(); err != nil {
			break
		} else if h.opcode == closing {
			c.answer = true
		} else {
			c.skip = h.length
		}
	}
	_ = c.net.Close()
	c.giveBack()
}
