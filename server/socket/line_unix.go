//go:build unix

package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
)

// maxLate is how many bytes may wait in a Line: a chunk with what TLS adds, and
// what TLS has to say by itself while that waits.
const maxLate = chunk + 16<<10

var errLate = errors.New("too much waits to be written")

// Line is a TCP connection whose reader can be told that there is nothing yet,
// as if a read deadline had passed, and then wait for more without anything
// above it on the stack. A goroutine that waits inside of crypto/tls keeps
// 8 KiB or more, one that waits in a Line 2 KiB or so.
//
// Nor does writing to it wait: what the peer does not take at once is kept, and
// flush, which is called below TLS with none of its locks held, waits for that.
//
// Until patience is turned off it is an ordinary connection.
type Line struct {
	net.Conn
	turns
	raw       syscall.RawConn // nil: of no kind that can be waited for
	first     []byte          // was read already
	impatient bool            // set once, by the goroutine that reads
	dry       bool            // the last read has taken all there was
	n         int             // of the read under way
	err       error
	into      []byte
	try, wait func(fd uintptr) bool // made once, so that reading allocates nothing
	waited    bool

	writing  sync.Mutex // guards what follows; held while nobody waits
	late     []byte     // was written and waits
	flushing bool       // what was taken from late is being written
	from     []byte     // of the write under way
	wrote    int
	wroteErr error
	put      func(fd uintptr) bool
}

// NewLine returns c as a Line, of which first was read already.
func NewLine(c net.Conn, first ...byte) *Line {
	l := &Line{Conn: c, first: first}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			l.raw = raw
		}
	}
	return l
}

// nothingYet is what a read returns that would have to wait. crypto/tls takes
// it as it takes a read deadline that passed: it keeps what it has and can be
// asked again.
var nothingYet net.Error = pause{}

type pause struct{}

func (pause) Error() string   { return "nothing to read yet" }
func (pause) Timeout() bool   { return true }
func (pause) Temporary() bool { return true }

func (l *Line) Read(p []byte) (int, error) {
	if n := copy(p, l.first); n > 0 {
		if l.first = slices.Delete(l.first, 0, n); len(l.first) == 0 {
			l.first = nil
		}
		return n, nil
	}
	if !l.impatient || len(p) == 0 {
		return l.handshakeRead(p)
	}
	if l.dry { // what came since, more sees
		l.dry = false
		return 0, nothingYet
	}
	l.into = p
	err := l.raw.Read(l.try)
	l.into = nil
	if err != nil {
		return 0, err
	}
	l.dry = l.err == nil && l.n < len(p)
	return l.n, l.err
}

// hurry has reads return nothingYet from now on instead of waiting, if that can
// be done.
func (l *Line) hurry() bool {
	if l.raw == nil {
		return false
	}
	l.try = func(fd uintptr) bool {
		l.n, l.err = readNow(int(fd), l.into)
		return true
	}
	l.wait = func(fd uintptr) bool {
		if l.waited {
			return true
		}
		// What came since the last read has woken nobody: look once more.
		var b [1]byte
		l.waited = true
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return err != syscall.EAGAIN
	}
	l.put = func(fd uintptr) bool {
		l.wrote, l.wroteErr = writeNow(int(fd), l.from)
		return true
	}
	l.impatient = true
	return true
}

func (l *Line) Write(b []byte) (int, error) {
	l.computed(b)
	if !l.impatient {
		return l.Conn.Write(b)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	n := 0
	if len(l.late) == 0 && !l.flushing {
		var err error
		if n, err = l.writeNow(b); n == len(b) || err != nil {
			return n, err
		}
	}
	if len(l.late)+len(b)-n > maxLate {
		return n, errLate
	}
	l.late = append(l.late, b[n:]...)
	return len(b), nil
}

// writeNow writes what the peer takes at once. The lock is held.
func (l *Line) writeNow(b []byte) (int, error) {
	l.from, l.wrote, l.wroteErr = b, 0, nil
	err := l.raw.Write(l.put)
	l.from = nil
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // flush says so
		return 0, nil
	case err != nil:
		return 0, err
	}
	return l.wrote, l.wroteErr
}

// behind reports whether something waits to be written.
func (l *Line) behind() bool {
	l.writing.Lock()
	defer l.writing.Unlock()
	return len(l.late) > 0 || l.flushing
}

// flush waits until the peer has taken all that waits, or until the write
// deadline. It is called by one at a time.
func (l *Line) flush() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	for len(l.late) > 0 {
		b := l.late
		l.late, l.flushing = nil, true
		l.writing.Unlock()
		n, err := l.Conn.Write(b)
		l.writing.Lock()
		l.flushing = false
		if err != nil {
			l.late = append(b[n:], l.late...)
			return err
		}
	}
	return nil
}

// more waits until a read has something to say.
func (l *Line) more() error {
	l.waited = false
	return l.raw.Read(l.wait)
}

func readNow(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, p)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, nothingYet
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func writeNow(fd int, b []byte) (n int, err error) {
	for n < len(b) {
		m, err := syscall.Write(fd, b[n:])
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return n, nil
		case err != nil:
			return n, os.NewSyscallError("write", err)
		default:
			n += m
		}
	}
	return n, nil
}

// SetWriteBuffer is that of the connection, if it has one.
func (l *Line) SetWriteBuffer(n int) error {
	if t, ok := l.Conn.(interface{ SetWriteBuffer(int) error }); ok {
		return t.SetWriteBuffer(n)
	}
	return nil
}
