// Package stream carries packets of media over connections, for devices that UDP
// does not reach: ICE-TCP (package tcp) and TURN (package turn) both end here.
//
// A Stream is one way to one device, with a number that stands in ice.Path. To the
// forwarder all of them together look like one more socket: Read gives batches of
// what came in, Send queues what goes out. A device that takes its packets more
// slowly than they come loses packets, newest first, and nobody else does; whoever
// carries the stream closes it when nothing at all is taken any more.
//
// Strangers may open streams. A stream that belongs to no participant within a few
// seconds, or any more, is closed, and one network may have few such at once.
package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/udp"
)

const (
	// MaxPacket is the longest packet, in bytes.
	MaxPacket = udp.MaxPacket

	defaultStreams = 10_000
	strangers      = 64               // streams of one network that are nobody's
	maxQueue       = 96 << 10         // bytes that wait for one device: half a second of three pictures
	incoming       = 256              // packets that wait for the forwarder, of all streams
	grace          = 10 * time.Second // for a stranger to become a participant
	vouchedGrace   = time.Minute      // for somebody who proved to be one
	head           = 2                // bytes of a packet's length in a queue, RFC 4571
)

// What callers may test for.
var (
	ErrFull = errors.New("stream: too many connections")
	ErrLong = errors.New("stream: packet too long")
)

// Config says how Streams work. Owned is required.
type Config struct {
	// Owned reports whether a path belongs to a participant.
	Owned func(ice.Path) bool
	// Ended is called when a stream is closed; nil is nobody.
	Ended func(ice.Path)
	Max   int // streams at most; 0 means 10,000
}

// Streams are all streams of one forwarder. They are safe for concurrent use, but
// Read is one goroutine's.
type Streams struct {
	cfg  Config
	in   chan packet
	pool sync.Pool // of *[MaxPacket]byte

	ctx    context.Context // ends with Close; streams live until then, not as long as a call
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.RWMutex // guards what follows
	byID   map[uint32]*Stream
	nobody map[netip.Addr]int // streams of a network that are not yet owned
	last   uint32

	dropped atomic.Uint64
}

type packet struct {
	from *Stream
	data *[MaxPacket]byte
	n    int
}

// New makes Streams without any.
func New(cfg Config) *Streams {
	if cfg.Max <= 0 {
		cfg.Max = defaultStreams
	}
	if cfg.Ended == nil {
		cfg.Ended = func(ice.Path) {}
	}
	s := &Streams{cfg: cfg, in: make(chan packet, incoming), byID: map[uint32]*Stream{}, nobody: map[netip.Addr]int{}}
	s.pool.New = func() any { return new([MaxPacket]byte) }
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.tasks.Go(s.watch)
	return s
}

// Stream is one way to one device.
type Stream struct {
	Path ice.Path

	all   *Streams
	until time.Time // when it is closed unless it is a participant's
	owned bool      // guarded by Streams.mu; not counted among strangers

	mu     sync.Mutex // guards what follows
	queue  []byte     // packets with their lengths in front
	spare  []byte     // what Take gave last
	ready  chan struct{}
	ended  chan struct{}
	closed bool
}

// Open makes a stream to a device at remote. For who is vouched for, because it
// showed a participant's password, it has more time.
func (s *Streams) Open(remote netip.AddrPort, vouched bool) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil, net.ErrClosed
	}
	network := ice.Network(remote.Addr())
	if len(s.byID) >= s.cfg.Max || !vouched && s.nobody[network] >= strangers {
		return nil, ErrFull
	}
	for {
		s.last++
		if s.last != 0 && s.byID[s.last] == nil { // 0 is UDP
			break
		}
	}
	x := &Stream{
		Path: ice.Path{Remote: remote, Stream: s.last}, all: s, until: time.Now().Add(grace), owned: vouched,
		ready: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	s.byID[s.last] = x
	if vouched {
		x.until = time.Now().Add(vouchedGrace)
	} else {
		s.nobody[network]++
	}
	return x, nil
}

// Len is the number of streams.
func (s *Streams) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byID)
}

// Dropped counts packets that devices did not take in time.
func (s *Streams) Dropped() uint64 { return s.dropped.Load() }

// Close ends all streams; Read returns net.ErrClosed.
func (s *Streams) Close() {
	s.cancel()
	s.tasks.Wait()
	for _, x := range s.list() {
		x.Close()
	}
}

func (s *Streams) list() []*Stream {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.AppendSeq(make([]*Stream, 0, len(s.byID)), maps.Values(s.byID))
}

// watch closes the streams that are nobody's.
func (s *Streams) watch() {
	t := time.NewTicker(grace / 5)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
		}
		for _, x := range s.list() {
			switch {
			case s.cfg.Owned(x.Path):
				s.claim(x)
			case time.Now().After(x.until):
				x.Close()
			}
		}
	}
}

// claim notes that a stream is a participant's, so that it counts no more among the
// strangers of its network.
func (s *Streams) claim(x *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !x.owned && s.byID[x.Path.Stream] == x {
		x.owned = true
		s.forget(x)
	}
}

// forget takes x from the strangers of its network. mu is held.
func (s *Streams) forget(x *Stream) {
	network := ice.Network(x.Path.Remote.Addr())
	if s.nobody[network]--; s.nobody[network] <= 0 {
		delete(s.nobody, network)
	}
}

// Read waits for packets and takes what has come into b. Its only error is
// net.ErrClosed.
func (s *Streams) Read(b *udp.Batch) error {
	b.Packets = b.Packets[:0]
	select {
	case p := <-s.in:
		s.put(b, p)
	case <-s.ctx.Done():
		return net.ErrClosed
	}
	for len(b.Packets) < udp.BatchSize {
		select {
		case p := <-s.in:
			s.put(b, p)
		default:
			return nil
		}
	}
	return nil
}

func (s *Streams) put(b *udp.Batch, p packet) {
	b.Append(p.from.Path.Remote, p.from.Path.Stream, p.data[:p.n])
	s.pool.Put(p.data)
}

// Send queues a copy of a packet for a stream; what does not fit, or has nobody to
// go to, is lost.
func (s *Streams) Send(id uint32, data []byte) {
	s.mu.RLock()
	x := s.byID[id]
	s.mu.RUnlock()
	if x == nil || !x.send(data) {
		s.dropped.Add(1)
	}
}

func (x *Stream) send(data []byte) bool {
	if len(data) == 0 || len(data) > MaxPacket {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed || len(x.queue)+head+len(data) > maxQueue {
		return false
	}
	x.queue = binary.BigEndian.AppendUint16(x.queue, uint16(len(data)))
	x.queue = append(x.queue, data...)
	select {
	case x.ready <- struct{}{}:
	default: // it was told already
	}
	return true
}

// Take waits for packets to the device and returns all that there are, each behind
// its length in two bytes (RFC 4571). They are valid until the next Take. Its only
// error is net.ErrClosed.
func (x *Stream) Take() ([]byte, error) {
	for {
		x.mu.Lock()
		if q := x.queue; len(q) > 0 {
			x.queue, x.spare = x.spare[:0], q
			x.mu.Unlock()
			return q, nil
		}
		closed := x.closed
		x.mu.Unlock()
		if closed {
			return nil, net.ErrClosed
		}
		select {
		case <-x.ready:
		case <-x.ended:
		}
	}
}

// Receive hands a copy of a packet from the device to the forwarder, and waits while
// that has too much to do: the connection behind the stream is to slow down.
func (x *Stream) Receive(data []byte) error {
	if len(data) > MaxPacket {
		return ErrLong
	}
	p := packet{from: x, data: x.all.pool.Get().(*[MaxPacket]byte)}
	p.n = copy(p.data[:], data)
	select {
	case x.all.in <- p:
		return nil
	case <-x.ended:
		return net.ErrClosed
	}
}

// Ended is closed when the stream is.
func (x *Stream) Ended() <-chan struct{} { return x.ended }

// Close ends the stream. It may be called again.
func (x *Stream) Close() {
	x.mu.Lock()
	again := x.closed
	x.closed = true
	x.queue, x.spare = nil, nil
	x.mu.Unlock()
	if again {
		return
	}
	close(x.ended)
	x.all.mu.Lock()
	delete(x.all.byID, x.Path.Stream)
	if !x.owned {
		x.all.forget(x)
	}
	x.all.mu.Unlock()
	x.all.cfg.Ended(x.Path)
}
