package tcp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/stream"
	"github.com/veche-im/veche/sfu/tcp"
	"github.com/veche-im/veche/sfu/udp"
)

// stun is the head of a STUN message.
var stun = []byte("\x00\x01\x00\x00\x21\x12\xa4\x42ABCDEFGHIJKL")

func frame(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }

type rig struct {
	streams *stream.Streams
	listen  net.Listener
	ended   chan error // of each connection
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{streams: stream.New(stream.Config{Owned: func(ice.Path) bool { return true }}), ended: make(chan error, 100)}
	t.Cleanup(r.streams.Close)
	var err error
	if r.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.listen.Close() })
	go func() {
		for {
			c, err := r.listen.Accept()
			if err != nil {
				return
			}
			go func() { r.ended <- tcp.Serve(c, r.streams) }()
		}
	}()
	return r
}

func (r *rig) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// read takes the next n packets.
func (r *rig) read(t testing.TB, n int) (list []udp.Packet) {
	t.Helper()
	b := udp.NewBatch()
	for len(list) < n {
		if err := r.streams.Read(b); err != nil {
			t.Fatal(err)
		}
		for _, p := range b.Packets {
			p.Data = bytes.Clone(p.Data)
			list = append(list, p)
		}
	}
	return list
}

func TestPacketsAreCutOutOfTheConnection(t *testing.T) {
	r := newRig(t)
	c := r.dial(t)
	long := bytes.Repeat([]byte{9}, stream.MaxPacket)
	var all []byte
	sent := [][]byte{stun, []byte("media"), long, []byte("x"), long, long}
	for _, p := range sent {
		all = append(all, frame(p)...)
		all = append(all, 0, 0) // an empty one says nothing
	}
	for len(all) > 0 { // in odd pieces
		n := min(len(all), 701)
		if _, err := c.Write(all[:n]); err != nil {
			t.Fatal(err)
		}
		all = all[n:]
	}
	got := r.read(t, len(sent))
	for i, p := range got {
		if !bytes.Equal(p.Data, sent[i]) {
			t.Errorf("packet %d: %d bytes", i, len(p.Data))
		}
		if p.From.String() != c.LocalAddr().String() || p.Stream == 0 {
			t.Errorf("from %v (%d)", p.From, p.Stream)
		}
	}
	r.streams.Send(got[0].Stream, []byte("back"))
	buf := make([]byte, 6)
	if _, err := io.ReadFull(c, buf); err != nil || !bytes.Equal(buf, frame([]byte("back"))) {
		t.Errorf("%q, %v", buf, err)
	}
	_ = c.Close()
	if err := <-r.ended; err == nil {
		t.Error("ended without a reason")
	}
	if r.streams.Len() != 0 {
		t.Error("the stream outlives its connection")
	}
}

func TestStrangersAreSentAway(t *testing.T) {
	r := newRig(t)
	for name, say := range map[string][]byte{
		"no STUN message": frame([]byte("GET / HTTP/1.1 and more of it")),
		"a short one":     frame([]byte{0, 1}),
		"a length of 64K": {0xff, 0xff, 1, 2, 3},
		"half a frame":    frame(stun)[:10],
	} {
		c := r.dial(t)
		if _, err := c.Write(say); err != nil {
			t.Fatal(err)
		}
		if name == "half a frame" {
			_ = c.(*net.TCPConn).CloseWrite()
		}
		err := <-r.ended
		if !errors.Is(err, tcp.ErrStranger) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
		if r.streams.Len() != 0 {
			t.Errorf("%s: has a stream", name)
		}
	}
}

func TestALongPacketLaterEndsTheConnection(t *testing.T) {
	r := newRig(t)
	c := r.dial(t)
	_, _ = c.Write(frame(stun))
	r.read(t, 1)
	_, _ = c.Write([]byte{0x7f, 0xff})
	if err := <-r.ended; !errors.Is(err, tcp.ErrStranger) {
		t.Error(err)
	}
}

// A device that takes nothing loses packets; the forwarder never waits for it.
func TestADeviceThatTakesNothingHoldsNobodyUp(t *testing.T) {
	r := newRig(t)
	slow, other := r.dial(t), r.dial(t)
	_, _ = slow.Write(frame(stun))
	id := r.read(t, 1)[0].Stream
	_, _ = other.Write(frame(stun))
	otherID := r.read(t, 1)[0].Stream
	packet := bytes.Repeat([]byte{7}, 1200)
	for range 20_000 { // 24 MB, more than the system keeps
		r.streams.Send(id, packet)
	}
	r.streams.Send(otherID, []byte("hello"))
	buf := make([]byte, 7)
	if _, err := io.ReadFull(other, buf); err != nil {
		t.Fatal(err)
	}
	if r.streams.Dropped() == 0 {
		t.Error("nothing was dropped")
	}
	// What it does get is whole.
	_ = slow.SetReadDeadline(time.Now().Add(5 * time.Second))
	head := make([]byte, 2)
	for range 20 {
		if _, err := io.ReadFull(slow, head); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, binary.BigEndian.Uint16(head))
		if _, err := io.ReadFull(slow, b); err != nil || !bytes.Equal(b, packet) {
			t.Fatalf("a packet of %d bytes, %v", len(b), err)
		}
	}
}

func TestTheEndOfAStreamEndsItsConnection(t *testing.T) {
	r := newRig(t)
	c := r.dial(t)
	_, _ = c.Write(frame(stun))
	r.read(t, 1)
	r.streams.Close()
	<-r.ended
	if _, err := io.ReadAll(c); err != nil && !errors.Is(err, net.ErrClosed) {
		var n net.Error
		if errors.As(err, &n) && n.Timeout() {
			t.Error("the connection is still open")
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add(append(frame(stun), frame([]byte("media"))...))
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		all := stream.New(stream.Config{Owned: func(ice.Path) bool { return false }})
		defer all.Close()
		go func() {
			for batch := udp.NewBatch(); all.Read(batch) == nil; {
				for _, p := range batch.Packets {
					if len(p.Data) == 0 || len(p.Data) > stream.MaxPacket {
						t.Errorf("a packet of %d bytes", len(p.Data))
					}
				}
			}
		}()
		client, server := net.Pipe()
		go func() {
			_, _ = client.Write(b)
			_ = client.Close()
		}()
		if err := tcp.Serve(addressed{server}, all); err == nil {
			t.Error("ended without a reason")
		}
	})
}

// addressed is a pipe that has an address.
type addressed struct{ net.Conn }

func (addressed) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }
