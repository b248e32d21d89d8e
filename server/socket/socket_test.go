package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const most = 100_000 // bytes of a message in these tests

// masking is any mask: a client's frames have one.
var masking = [4]byte{0xde, 0xad, 0xbe, 0xef}

// frame makes a client's frame.
func frame(first byte, payload []byte) []byte {
	b := appendHeader(nil, 0, len(payload))
	b[0] = first
	b[1] |= masked
	b = append(b, masking[:]...)
	p := bytes.Clone(payload)
	unmask(p, masking, 0) // which is how one masks
	return append(b, p...)
}

func closeFrame(s Status, why string) []byte {
	return frame(final|closing, append(binary.BigEndian.AppendUint16(nil, uint16(s)), why...))
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// peer is the other end of a connection in memory.
type peer struct {
	net.Conn
	t *testing.T
}

// next reads a frame of the server.
func (p *peer) next() (opcode byte, payload []byte) {
	p.t.Helper()
	var h [2]byte
	if _, err := io.ReadFull(p, h[:]); err != nil {
		return 0, nil
	}
	if h[1]&masked != 0 || h[0]&rsv != 0 || h[0]&final == 0 {
		p.t.Errorf("a server's frame begins with %x", h)
	}
	n := int(h[1])
	if n == 126 {
		var b [2]byte
		_, _ = io.ReadFull(p, b[:])
		n = int(binary.BigEndian.Uint16(b[:]))
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(p, payload); err != nil {
		return 0, nil
	}
	return h[0] & 15, payload
}

// closedWith reads until the close frame.
func (p *peer) closedWith() Status {
	for {
		opcode, b := p.next()
		switch {
		case b == nil:
			return 0
		case opcode == closing && len(b) == 0:
			return noStatus
		case opcode == closing:
			return Status(binary.BigEndian.Uint16(b))
		}
	}
}

// open returns both ends, and has what is read put into got until the end.
func open(t *testing.T) (c *Conn, p *peer, got chan []byte, failed chan error) {
	a, b := net.Pipe()
	c, p = Over(a, most), &peer{b, t}
	got, failed = make(chan []byte, 1000), make(chan error, 1)
	go func() {
		for {
			m, err := c.Read()
			if errors.Is(err, ErrText) {
				c.Close(1008, "text")
			}
			if err != nil {
				failed <- err
				c.Release()
				return
			}
			got <- m
		}
	}()
	return c, p, got, failed
}

// The rules of RFC 6455, each with the status that who breaks it is told.
func TestWhoBreaksARuleIsTold(t *testing.T) {
	long := make([]byte, most)
	length := func(n byte, rest ...byte) []byte {
		return join([]byte{final | binaryData, masked | n}, rest, masking[:])
	}
	for _, tt := range []struct {
		name string
		send []byte
		want Status
	}{
		{"§5.1 no mask", Message([]byte("hello")), ProtocolError},
		{"§5.2 RSV1 without an extension", frame(final|0x40|binaryData, nil), ProtocolError},
		{"§5.2 RSV2", frame(final|0x20|binaryData, nil), ProtocolError},
		{"§5.2 RSV3", frame(final|0x10|binaryData, nil), ProtocolError},
		{"§5.2 an opcode for data that is none", frame(final|3, nil), ProtocolError},
		{"§5.2 another", frame(final|7, nil), ProtocolError},
		{"§5.2 an opcode for control that is none", frame(final|0xb, nil), ProtocolError},
		{"§5.2 another", frame(final|0xf, nil), ProtocolError},
		{"§5.2 two bytes for a length that fits one", length(126, 0, 125), ProtocolError},
		{"§5.2 eight bytes for a length that fits two", length(127, 0, 0, 0, 0, 0, 0, 0xff, 0xff), ProtocolError},
		{"§5.2 a length of 64 bits", length(127, 0x80, 0, 0, 0, 0, 1, 0, 0), ProtocolError},
		{"§5.4 a continuation of nothing", frame(final|continuation, nil), ProtocolError},
		{"§5.4 after the end of a message too", join(frame(binaryData, nil), frame(final|continuation, nil), frame(continuation, nil)), ProtocolError},
		{"§5.4 a message within a message", join(frame(binaryData, nil), frame(final|binaryData, nil)), ProtocolError},
		{"§5.5 a fragment of a ping", frame(ping, nil), ProtocolError},
		{"§5.5 a fragment of a close", frame(closing, nil), ProtocolError},
		{"§5.5 a long ping", frame(final|ping, make([]byte, 126)), ProtocolError},
		{"§5.5 a long pong", frame(final|pong, make([]byte, 126)), ProtocolError},
		{"§5.5.1 half a status", frame(final|closing, []byte{3}), ProtocolError},
		{"§5.5.1 a reason that is no UTF-8", closeFrame(1000, "\xff"), BadUTF8},
		{"§5.5.1 a close, answered with its status", closeFrame(1001, "going away"), 1001},
		{"§5.5.1 a close of one's own", closeFrame(4999, ""), 4999},
		{"§5.5.1 a close without a status", frame(final|closing, nil), noStatus},
		{"§7.4.1 status 999", closeFrame(999, ""), ProtocolError},
		{"§7.4.1 status 1004", closeFrame(1004, ""), ProtocolError},
		{"§7.4.1 status 1005", closeFrame(1005, ""), ProtocolError},
		{"§7.4.1 status 1006", closeFrame(1006, ""), ProtocolError},
		{"§7.4.1 status 1015", closeFrame(1015, ""), ProtocolError},
		{"§7.4.2 status 2999", closeFrame(2999, ""), ProtocolError},
		{"§7.4.2 status 5000", closeFrame(5000, ""), ProtocolError},
		{"one byte too many", frame(final|binaryData, append(long, 0)), TooBig},
		{"one byte too many in fragments", join(frame(binaryData, long), frame(final|continuation, []byte{0})), TooBig},
		{"a great length", length(127, 0, 0x80, 0, 0, 0, 0, 0, 0), TooBig},
		{"a great length in a fragment", join(frame(binaryData, []byte{1}), length(127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)[:1], nil), 0},
		{"too many fragments", join(frame(binaryData, nil), bytes.Repeat(frame(continuation, nil), maxFragments)), TooBig},
		{"text", frame(final|text, []byte("hello")), 1008},
		{"text that never ends", frame(text, []byte("hello"))[:3], 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p, _, failed := open(t)
				go func() {
					_, _ = p.Write(tt.send)
					if tt.want == 0 {
						p.Close() // breaks off
					}
				}()
				if s := p.closedWith(); s != tt.want {
					t.Errorf("closed with %d, want %d", s, tt.want)
				}
				_, _ = p.Write(closeFrame(1000, "")) // the answer, which ends it at once
				p.Close()
				<-failed
			})
		})
	}
}

// What keeps the rules is read, however it is cut into fragments and writes.
func TestMessagesArriveWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, got, failed := open(t)
		random := rand.New(rand.NewPCG(1, 2))
		pongs := 0
		var want [][]byte
		var stream []byte
		for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 125, 126, 127, 4095, 4096, 4097, 65535, 65536, 65537, most} {
			m := make([]byte, n)
			for i := range m {
				m[i] = byte(random.Uint32())
			}
			want = append(want, m)
			opcode := byte(binaryData)
			for rest := m; ; {
				k := min(len(rest), 1+random.IntN(most/3))
				last := k == len(rest)
				if last {
					opcode |= final
				}
				stream = append(stream, frame(opcode, rest[:k])...)
				if last {
					break
				}
				rest, opcode = rest[k:], continuation
				stream = append(stream, frame(final|ping, []byte("are you there"))...) // between fragments, §5.4
				stream = append(stream, frame(final|pong, nil)...)
				pongs++
			}
		}
		go func() {
			for len(stream) > 0 {
				n := min(len(stream), 1+random.IntN(9000))
				_, _ = p.Write(stream[:n])
				stream = stream[n:]
			}
		}()
		for range pongs {
			if opcode, b := p.next(); opcode != pong || string(b) != "are you there" {
				t.Fatalf("a ping got %x %q", opcode, b)
			}
		}
		for i, m := range want {
			if g := <-got; !bytes.Equal(g, m) || g == nil {
				t.Fatalf("message %d of %d bytes came with %d", i, len(m), len(g))
			}
		}
		p.Close()
		<-failed
	})
}

func TestFramesLeaveTogether(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sizes  []int
		writes int
	}{
		{"one", []int{1000}, 1},
		{"many small ones in one write", []int{10, 20, 30, 1000, 2000}, 1},
		{"as many as fit", []int{8000, 8000, 8000}, 2},
		{"a large one is cut", []int{100, 40000, 100}, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &countingConn{}
			c := Over(a, most)
			var frames [][]byte
			var all []byte
			for i, n := range tt.sizes {
				f := Message(bytes.Repeat([]byte{byte(i)}, n))
				if !bytes.Equal(Payload(f), f[len(f)-n:]) {
					t.Error("a frame's payload is not where it belongs")
				}
				frames = append(frames, f)
				all = append(all, f...)
			}
			if err := c.Write(frames); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Bytes(), all) || a.writes != tt.writes {
				t.Errorf("%d bytes in %d writes, want %d in %d", a.Len(), a.writes, len(all), tt.writes)
			}
		})
	}
}

type countingConn struct {
	net.Conn
	bytes.Buffer
	writes int
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes++
	return c.Buffer.Write(b)
}
func (c *countingConn) Read(b []byte) (int, error)       { return c.Buffer.Read(b) }
func (c *countingConn) SetWriteDeadline(time.Time) error { return nil }
func (c *countingConn) SetReadDeadline(time.Time) error  { return nil }
func (c *countingConn) Close() error                     { return nil }

func TestWriteToManyAllocatesNothing(t *testing.T) {
	a := &countingConn{}
	a.Grow(1 << 20)
	c := Over(a, most)
	frames := [][]byte{Message(make([]byte, 1000)), Message(make([]byte, 1000))}
	if n := testing.AllocsPerRun(100, func() { a.Reset(); _ = c.Write(frames) }); n > 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}

func TestPeerThatTakesNothingEndsTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _, failed := open(t)
		began := time.Now()
		err := c.Write([][]byte{Message(make([]byte, 10))})
		if took := time.Since(began); err == nil || took < stall || took > stall+stallMore {
			t.Errorf("%v after %v", err, took)
		}
		p.Close()
		<-failed
	})
}

func TestPeerThatTakesSlowlyIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _, failed := open(t)
		done := make(chan error)
		go func() { done <- c.Write([][]byte{Message(make([]byte, 20*chunk))}) }()
		b := make([]byte, chunk)
		for range 20 {
			time.Sleep(stall - time.Second)
			if _, err := io.ReadFull(p, b); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = io.ReadFull(p, b[:10]) // header of the frame
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.Close()
		<-failed
	})
}

// Every byte counts as life, not whole frames alone.
func TestSlowFrameIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, got, failed := open(t)
		for _, b := range frame(final|binaryData, make([]byte, 20)) {
			time.Sleep(2 * time.Second)
			if _, err := p.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !c.Heard().Equal(time.Now()) {
				t.Errorf("heard %v ago", time.Since(c.Heard()))
			}
		}
		<-got
		p.Close()
		<-failed
	})
}

// Who sends a byte now and then is not waited for, whatever it is of: a header, a
// frame, a message in fragments, or control frames within one.
func TestWhoDribblesIsNotWaitedFor(t *testing.T) {
	head := frame(final|binaryData, make([]byte, 90_000))
	for _, tt := range []struct {
		name  string
		begin []byte
		drop  []byte // again and again
		every time.Duration
	}{
		{"nothing after half a header", head[:1], nil, time.Second},
		{"nothing after a header", head[:14], nil, time.Second},
		{"a byte a second", head[:14], []byte{1}, time.Second},
		{"half a kilobyte a second", head[:14], make([]byte, 512), time.Second},
		{"fragments of a byte", frame(binaryData, []byte{1}), frame(continuation, []byte{1}), time.Second},
		{"pongs within a message", frame(binaryData, []byte{1}), frame(final|pong, nil), time.Second},
		{"half a ping", frame(final|ping, make([]byte, 100))[:20], nil, time.Second},
		{"a ping in drops", frame(final|ping, make([]byte, 100))[:20], []byte{1}, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, p, _, failed := open(t)
				began := time.Now()
				_, _ = p.Write(tt.begin)
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for len(tt.drop) > 0 {
						time.Sleep(tt.every)
						if _, err := p.Write(tt.drop); err != nil {
							return
						}
					}
				}()
				err := <-failed
				took := time.Since(began)
				if most := 2*patience + time.Second; !errors.Is(err, ErrSlow) || took < patience || took > most {
					t.Errorf("%v after %v", err, took)
				}
				p.Close()
				<-ended
			})
		})
	}
}

// A message of 256 KB over a line of 64 kbit/s takes half a minute, and one of two
// megabytes over four minutes: both come.
func TestMessagesOverASlowLineCome(t *testing.T) {
	for _, size := range []int{256_000, 2 << 20} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			c := Over(a, 4<<20)
			done := make(chan error)
			go func() {
				m, err := c.Read()
				if err == nil && len(m) != size {
					err = io.ErrUnexpectedEOF
				}
				done <- err
				_, err = c.Read() // and then nothing, for long
				done <- err
			}()
			all := frame(final|binaryData, make([]byte, size))
			for part := range slices.Chunk(all, 1400) {
				time.Sleep(time.Duration(len(part)) * time.Second / 8000)
				if _, err := b.Write(part); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-done; err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			select {
			case err := <-done:
				t.Errorf("a connection on which nothing comes ended: %v", err)
			case <-time.After(time.Hour):
			}
			b.Close()
			<-done
		})
	}
}

// What the server itself takes its time for is not the peer's time.
func TestPausesOfOursDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		c := Over(a, most)
		both := join(frame(final|binaryData, []byte("one")), frame(final|binaryData, make([]byte, 3000)))
		go func() { _, _ = b.Write(both[:2000]); _, _ = b.Write(both[2000:]) }()
		if m, err := c.Read(); err != nil || string(m) != "one" {
			t.Fatal(m, err)
		}
		time.Sleep(10 * patience)
		if m, err := c.Read(); err != nil || len(m) != 3000 {
			t.Errorf("%d bytes, %v", len(m), err)
		}
		b.Close()
	})
}

// What was announced takes no memory before it comes.
func TestAnnouncedBytesTakeNoMemory(t *testing.T) {
	a, b := net.Pipe()
	c := Over(a, 64<<20)
	failed := make(chan error, 1)
	go func() { _, err := c.Read(); failed <- err }()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	head := append(binary.BigEndian.AppendUint64([]byte{final | binaryData, masked | 127}, 60<<20), masking[:]...)
	if _, err := b.Write(append(head, 1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	b.Close()
	<-failed
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("%d bytes were allocated for 3", n)
	}
}

func TestCloseEndsAWriteUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _, failed := open(t)
		wrote := make(chan error)
		go func() { wrote <- c.Write([][]byte{Message(make([]byte, 100*chunk))}) }()
		synctest.Wait()
		began := time.Now()
		c.Close(1001, strings.Repeat("x", 500)) // more than fits a control frame
		if err := <-wrote; err == nil {
			t.Error("the write went on")
		}
		if took := time.Since(began); took > closeWrite {
			t.Errorf("closing took %v", took)
		}
		if err := c.Write([][]byte{Message(nil)}); !errors.Is(err, ErrClosed) {
			t.Errorf("a write after the end: %v", err)
		}
		<-failed // the peer does not answer: closeTimeout ends it
		if took := time.Since(began); took != closeTimeout {
			t.Errorf("released after %v", took)
		}
		p.Close()
	})
}

// After our close frame the peer may still be sending; its own close ends it.
func TestCloseWaitsForTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _, failed := open(t)
		go c.Close(4001, "over")
		if opcode, b := p.next(); opcode != closing || string(b[2:]) != "over" {
			t.Fatalf("got %x %q", opcode, b)
		}
		began := time.Now()
		_, _ = p.Write(frame(final|binaryData, make([]byte, 10_000)))
		_, _ = p.Write(closeFrame(4001, ""))
		<-failed
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestPingWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, _, failed := open(t)
		go func() { _ = c.Write([][]byte{Message(make([]byte, 10))}) }()
		synctest.Wait()
		if err := c.Ping(); !errors.Is(err, ErrWriting) {
			t.Errorf("got %v", err)
		}
		p.next()
		synctest.Wait()
		go func() { _ = c.Ping() }()
		if opcode, _ := p.next(); opcode != ping {
			t.Errorf("got %x", opcode)
		}
		p.Close()
		<-failed
	})
}

// Whatever comes, reading ends, and gives no more than was sent.
func FuzzRead(f *testing.F) {
	f.Add([]byte{}, 1)
	f.Add(join(frame(binaryData, []byte("hel")), frame(final|ping, []byte("x")), frame(final|continuation, []byte("lo")), closeFrame(1000, "bye")), 3)
	f.Add(frame(final|binaryData, make([]byte, 70_000)), 1000)
	f.Add(closeFrame(1005, "\xff"), 2)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		a := &script{rest: stream, step: max(1, step&0xffff)}
		c := Over(a, most)
		total := 0
		for {
			m, err := c.Read()
			if err != nil {
				break
			}
			if total += len(m); len(m) > most || total > len(stream) {
				t.Fatalf("a message of %d bytes, %d of %d", len(m), total, len(stream))
			}
		}
		c.Release()
	})
}

// script is a connection on which a stream comes in steps.
type script struct {
	net.Conn
	rest []byte
	step int
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.rest[:min(s.step, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}
func (s *script) Write(b []byte) (int, error)      { return len(b), nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) Close() error                     { return nil }
