package socket

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// dribble writes byte by byte, so that records of TLS come in pieces.
type dribble struct{ *net.TCPConn }

func (d dribble) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := d.TCPConn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// The reader waits below TLS, outside of it: nothing may be lost between the two,
// whatever comes in pieces, several messages in one record, a message in many.
func TestReaderThatWaitsBelowTLSMissesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan *Conn, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			return
		}
		c := tls.Server(NewLine(raw), &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
		if c.Handshake() != nil {
			raw.Close()
			return
		}
		served <- Over(c, most)
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := tls.Client(dribble{raw.(*net.TCPConn)}, &tls.Config{InsecureSkipVerify: true})
	defer client.Close()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	c := <-served
	if c.line == nil {
		t.Log("this system waits inside of TLS")
	}
	var want [][]byte
	go func() {
		one := frame(final|binaryData, []byte("one"))
		_, _ = client.Write(one)
		_, _ = client.Write(join(one, one, one)) // three in a record
		for _, b := range one {
			_, _ = client.Write([]byte{b}) // one in nine records
		}
		_, _ = client.Write(frame(final|binaryData, bytes.Repeat([]byte{7}, 50_000)))
		_, _ = client.Write(closeFrame(1000, ""))
	}()
	for range 5 {
		want = append(want, []byte("one"))
	}
	want = append(want, bytes.Repeat([]byte{7}, 50_000))
	for i, w := range want {
		if m, err := c.Read(); err != nil || !bytes.Equal(m, w) {
			t.Fatalf("message %d: %d bytes, %v", i, len(m), err)
		}
	}
	if c.buf != nil && len(c.in) == 0 {
		if _, err := c.Read(); err == nil {
			t.Error("read on after the close")
		}
	}
	c.Release()
}

// over gives both ends of a connection on loopback: the server's as a Conn, inside
// of TLS or not, and the client's.
func over(t *testing.T, inTLS bool) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	if !inTLS {
		return Over(server, most), client
	}
	s := tls.Server(NewLine(server), &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	c := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	if err := errors.Join(c.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	return Over(s, most), c
}

// Try returns although the peer takes nothing, and what it left behind is neither
// lost nor doubled nor out of order, whatever else is written meanwhile.
func TestTryDoesNotWaitAndLosesNothing(t *testing.T) {
	for name, inTLS := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			c, peer := over(t, inTLS)
			if c.line == nil {
				t.Skip("this system waits")
			}
			var want [][]byte
			var frames [][]byte
			for i := 0; ; i++ {
				frames = frames[:0]
				for j := range 7 { // some fit one write, some do not
					frames = append(frames, Message(bytes.Repeat([]byte{byte(i), byte(j)}, 1+(i*j*211)%7000)))
				}
				for _, f := range frames {
					want = append(want, Payload(f))
				}
				n, taken, err := c.Try(frames)
				if err != nil {
					t.Fatal(err)
				}
				if frames = frames[n:]; !taken {
					break
				}
			}
			if len(c.line.late) == 0 || len(c.line.late) > maxLate {
				t.Errorf("%d bytes wait", len(c.line.late))
			}
			if n, taken, err := c.Try([][]byte{Message(nil)}); n != 0 || taken || err != nil {
				t.Errorf("behind what waits it wrote %d, %v, %v", n, taken, err)
			}
			if err := c.Ping(); !errors.Is(err, ErrWriting) {
				t.Errorf("a ping while something waits: %v", err)
			}
			wrote := make(chan error, 1)
			go func() { wrote <- c.Write(frames) }()
			got := bufio.NewReader(peer)
			for i, w := range want {
				if m, err := payload(got); err != nil || !bytes.Equal(m, w) {
					t.Fatalf("message %d of %d is %d bytes, %v, not %d", i, len(want), len(m), err, len(w))
				}
			}
			if err := <-wrote; err != nil {
				t.Fatal(err)
			}
			if n, taken, err := c.Try([][]byte{Message([]byte("last"))}); n != 1 || !taken || err != nil {
				t.Errorf("%d, %v, %v after all was taken", n, taken, err)
			}
			if m, err := payload(got); string(m) != "last" {
				t.Errorf("%q, %v", m, err)
			}
		})
	}
}

// payload reads a server's frame.
func payload(r io.Reader) ([]byte, error) {
	var h [4]byte
	if _, err := io.ReadFull(r, h[:2]); err != nil {
		return nil, err
	}
	n := int(h[1])
	if n == 126 {
		if _, err := io.ReadFull(r, h[2:]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint16(h[2:]))
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// Who takes nothing and yet has TLS say something again and again (by updates of
// keys, which it may ask for) does not fill the memory.
func TestWhatWaitsInALineIsBounded(t *testing.T) {
	c, _ := over(t, false)
	if c.line == nil {
		t.Skip("this system waits")
	}
	for range 10_000 {
		_, err := c.line.Write(make([]byte, 8<<10))
		if len(c.line.late) > maxLate {
			t.Fatalf("%d bytes wait", len(c.line.late))
		}
		if errors.Is(err, errLate) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("80 MB were taken for a peer that reads nothing")
}

// The deadline of a message wakes a reader that waits below TLS too.
func TestReaderThatWaitsBelowTLSHearsOfTheDeadline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	b := &deadlines{Conn: NewLine(raw), set: make(chan time.Time, 1)}
	c := &Conn{net: b, line: b.Conn.(*Line), max: most, writing: make(chan struct{}, 1)}
	if !c.line.hurry() {
		t.Skip("SKIPPED: on this system a reader waits inside of crypto/tls")
	}
	failed := make(chan error, 1)
	go func() { _, err := c.Read(); failed <- err }()
	if _, err := peer.Write([]byte{final | binaryData}); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(<-b.set); left > patience || left < patience/2 {
		t.Errorf("the peer has %v", left)
	}
	_ = raw.SetReadDeadline(time.Now()) // as if the minute were over
	if err := <-failed; !errors.Is(err, ErrSlow) {
		t.Errorf("it ended with %v", err)
	}
}

// deadlines tells of the read deadlines that are set.
type deadlines struct {
	net.Conn
	set chan time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	err := d.Conn.SetReadDeadline(at)
	d.set <- at
	return err
}
