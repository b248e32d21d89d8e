package dtls

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// pipe is the net.PacketConn that the library sees: packets come in through put and
// leave through send.
//
// It ends in two steps. After end nothing more comes in, so that a pending read
// returns; what is written still leaves, because a goodbye is written after that.
// After Close nothing does.
type pipe struct {
	send  func([]byte)
	in    chan []byte
	ended chan struct{}
	once  sync.Once // of ended

	mu       sync.Mutex // guards what follows
	closed   bool
	timer    *time.Timer
	deadline chan struct{} // closed when the read deadline has passed
}

func newPipe(send func([]byte)) *pipe {
	return &pipe{send: send, in: make(chan []byte, queue), ended: make(chan struct{}), deadline: make(chan struct{})}
}

// put queues a copy of a packet, or drops it.
func (p *pipe) put(packet []byte) {
	if len(p.in) == cap(p.in) {
		return
	}
	select {
	case p.in <- append([]byte(nil), packet...):
	default:
	}
}

func (p *pipe) end() { p.once.Do(func() { close(p.ended) }) }

// ReadFrom waits for a packet.
func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	p.mu.Lock()
	deadline := p.deadline
	p.mu.Unlock()
	select {
	case <-p.ended:
		return 0, nil, net.ErrClosed
	case <-deadline:
		return 0, nil, os.ErrDeadlineExceeded
	default:
	}
	select {
	case packet := <-p.in:
		return copy(b, packet), p.RemoteAddr(), nil
	case <-p.ended:
		return 0, nil, net.ErrClosed
	case <-deadline:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

// WriteTo sends a packet; what is lost is sent again by the library.
func (p *pipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	p.send(b)
	return len(b), nil
}

// Close ends both directions.
func (p *pipe) Close() error {
	p.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// SetReadDeadline ends pending and later reads at t; zero is never.
func (p *pipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if isClosed(p.deadline) {
		p.deadline = make(chan struct{})
	}
	if t.IsZero() {
		return nil
	}
	current := p.deadline
	if d := time.Until(t); d > 0 {
		p.timer = time.AfterFunc(d, func() { p.expire(current) })
		return nil
	}
	close(current)
	return nil
}

// expire ends the reads of one deadline.
func (p *pipe) expire(deadline chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !isClosed(deadline) {
		close(deadline)
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// SetDeadline is SetReadDeadline: writing never waits.
func (p *pipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writing never waits.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr and RemoteAddr name nobody: one session has one device, on whichever
// path it is.
func (p *pipe) LocalAddr() net.Addr { return nobody }

// RemoteAddr is a constant, so that the library sees one peer.
func (p *pipe) RemoteAddr() net.Addr { return nobody }

var nobody net.Addr = net.UDPAddrFromAddrPort(netip.AddrPort{})
