//go:build !unix

package socket

import (
	"errors"
	"net"
	"slices"
)

// Line is a TCP connection of which something may have been read already. On
// this system its reader waits inside of crypto/tls, on a larger stack.
type Line struct {
	net.Conn
	turns
	first []byte
}

// NewLine returns c as a Line, of which first was read already.
func NewLine(c net.Conn, first ...byte) *Line { return &Line{Conn: c, first: first} }

func (l *Line) Read(p []byte) (int, error) {
	if n := copy(p, l.first); n > 0 {
		l.first = slices.Delete(l.first, 0, n)
		return n, nil
	}
	return l.handshakeRead(p)
}

var nothingYet = errors.New("nothing to read yet")

func (l *Line) hurry() bool  { return false }
func (l *Line) more() error  { return nil }
func (l *Line) behind() bool { return false }
func (l *Line) flush() error { return nil }

func (l *Line) Write(b []byte) (int, error) {
	l.computed(b)
	return l.Conn.Write(b)
}

// SetWriteBuffer is that of the connection, if it has one.
func (l *Line) SetWriteBuffer(n int) error {
	if t, ok := l.Conn.(interface{ SetWriteBuffer(int) error }); ok {
		return t.SetWriteBuffer(n)
	}
	return nil
}
