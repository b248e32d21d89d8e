// Package tcp carries a device's packets over one TCP connection, as ICE-TCP does
// (RFC 6544): each behind its length in two bytes (RFC 4571), the first of them a
// STUN message.
//
// Whoever accepts connections tells them from others by their first byte (Looks) and
// hands them over. The end of a connection is the end of its stream, and the other
// way round.
package tcp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/stream"
)

const (
	firstWithin = 5 * time.Second  // the first packet, whole
	quiet       = 60 * time.Second // between packets: devices check every few seconds
	stuck       = 10 * time.Second // for which one write may last
	chunk       = 16 << 10         // bytes of one write at most
	buffer      = 128 << 10        // of the kernel, for sending: more would be delay
)

// ErrStranger is in the chain of the error for what is no ICE-TCP.
var ErrStranger = errors.New("not ICE-TCP")

// Looks reports whether b may be the first byte of a connection of this kind: the
// length of a STUN message is below 1,024.
func Looks(b byte) bool { return b < 4 }

// Serve carries the packets of conn until it ends, and closes it. It returns why.
func Serve(conn net.Conn, all *stream.Streams) error {
	defer conn.Close()
	remote, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return fmt.Errorf("address of a connection: %w", err)
	}
	if t, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		_ = t.SetWriteBuffer(buffer) // as much as the system allows
	}
	r := &reader{conn: conn}
	_ = conn.SetReadDeadline(time.Now().Add(firstWithin)) // fails only for what is closed, which reading tells
	first, err := r.next()
	if err != nil {
		return err
	}
	if !ice.IsSTUN(first) {
		return ErrStranger
	}
	x, err := all.Open(netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port()), false)
	if err != nil {
		return err
	}
	defer x.Close()
	wrote := make(chan struct{})
	go func() {
		write(conn, x)
		close(wrote)
	}()
	err = read(r, x, first)
	x.Close()
	_ = conn.Close() // wakes the writer
	<-wrote
	return err
}

func read(r *reader, x *stream.Stream, first []byte) error {
	for b := first; ; {
		if err := x.Receive(b); err != nil {
			return err
		}
		_ = r.conn.SetReadDeadline(time.Now().Add(quiet))
		var err error
		if b, err = r.next(); err != nil {
			return err
		}
	}
}

// write sends what the stream has, and ends the connection when the device takes
// nothing for too long, or the stream is closed.
func write(conn net.Conn, x *stream.Stream) {
	defer conn.Close() // wakes the reader
	for {
		b, err := x.Take()
		if err != nil {
			return
		}
		for len(b) > 0 {
			n := min(len(b), chunk)
			_ = conn.SetWriteDeadline(time.Now().Add(stuck))
			if _, err := conn.Write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
	}
}

// reader cuts a connection into packets.
type reader struct {
	conn       net.Conn
	buf        [2 * (stream.MaxPacket + 2)]byte
	start, end int // of what was read and not yet given out
}

// next returns the next packet that is not empty; it is valid until the next call.
func (r *reader) next() ([]byte, error) {
	for {
		have := r.end - r.start
		if have >= 2 {
			n := int(binary.BigEndian.Uint16(r.buf[r.start:]))
			if n > stream.MaxPacket {
				return nil, fmt.Errorf("%w: a packet of %d bytes", ErrStranger, n)
			}
			if have >= 2+n {
				b := r.buf[r.start+2 : r.start+2+n]
				r.start += 2 + n
				if n == 0 {
					continue
				}
				return b, nil
			}
		}
		if r.start > 0 {
			copy(r.buf[:], r.buf[r.start:r.end])
			r.start, r.end = 0, have
		}
		n, err := r.conn.Read(r.buf[r.end:])
		r.end += n
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) && r.end > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}
