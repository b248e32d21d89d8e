//go:build unix

package socket

import (
	"io"
	"net"
	"os"
	"slices"
	"syscall"
)

// Line is a TCP connection whose reader can be told that there is nothing yet,
// as if a read deadline had passed, and then wait for more without anything
// above it on the stack. A goroutine that waits inside of crypto/tls keeps
// 8 KiB or more, one that waits in a Line 2 KiB or so.
//
// Until patience is turned off it is an ordinary connection.
type Line struct {
	net.Conn
	turns
	raw       syscall.RawConn // nil: of no kind that can be waited for
	first     []byte          // was read already
	impatient bool            // set once, by the goroutine that reads
	n         int             // of the read under way
	err       error
	into      []byte
	try, wait func(fd uintptr) bool // made once, so that reading allocates nothing
	waited    bool
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
	l.into = p
	err := l.raw.Read(l.try)
	l.into = nil
	if err != nil {
		return 0, err
	}
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
	l.impatient = true
	return true
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

// SetWriteBuffer is that of the connection, if it has one.
func (l *Line) SetWriteBuffer(n int) error {
	if t, ok := l.Conn.(interface{ SetWriteBuffer(int) error }); ok {
		return t.SetWriteBuffer(n)
	}
	return nil
}
