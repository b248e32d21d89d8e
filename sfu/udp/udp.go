// Package udp is one UDP port read and written in batches: hundreds of small
// packets a millisecond for as few system calls as the system allows.
//
// On Linux a batch is one recvmmsg or sendmmsg, and equal packets to one receiver
// leave as one segmented packet (UDP GSO) where the kernel and the network card can;
// elsewhere the same types stand on net.UDPConn. Nothing is allocated for a packet.
//
// A port may be several sockets (SO_REUSEPORT), one for each worker. What a socket
// receives is told with the address it was sent to, and leaves from the same
// address: on a machine with many, an answer from another one would be thrown away
// by the device's firewall and by ICE.
//
// As with any UDP, what cannot be sent is lost. Send waits for a full socket for a
// few milliseconds and drops the rest; Stats counts.
package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// MaxPacket is the longest packet that is received whole, in bytes; the room
	// beyond an Ethernet frame is for jumbo tunnels, not for jumbo frames. Longer
	// ones are dropped.
	MaxPacket = 2048

	// BatchSize is how many packets one Read takes at most.
	BatchSize = 64

	// maxSegments bounds one segmented send: longer bursts overrun the buffers of
	// small routers.
	maxSegments = 16

	// maxSegmented is the longest segmented send, in bytes, that IPv4 can carry.
	maxSegmented = 65_507

	// patience is how long Send waits for room in the socket.
	patience = 5 * time.Millisecond

	defaultBuffer = 4 << 20
	maxSockets    = 64
)

// Config says which port a Listen takes.
type Config struct {
	Addr    netip.AddrPort // the zero address means all addresses, IPv4 and IPv6; port 0 any port
	Shared  bool           // a later Listen may add sockets to this port (Linux); implied by Sockets
	Sockets int            // sockets on the port; 0 means 1; more only where the system spreads packets over them (Linux)
	Buffer  int            // of the kernel, for receiving and for sending, in bytes; 0 means 4 MiB; the kernel may give less
}

// Packet is one that was received. Data may be changed in place; it and the room
// behind it, up to its capacity, belong to the reader until the next Read into the
// same Batch.
type Packet struct {
	Data  []byte
	From  netip.AddrPort // unmapped
	Local netip.Addr     // the address it was sent to; zero where the system does not tell

	// Stream is the number of the connection that it came by, in batches that
	// package stream fills; 0 is UDP.
	Stream uint32
}

// Batch is room for what one Read receives. It must not be shared.
type Batch struct {
	Packets []Packet // of the last Read
	arena   []byte
	sys     *readSys
}

// NewBatch makes a Batch of BatchSize packets.
func NewBatch() *Batch {
	b := &Batch{
		Packets: make([]Packet, 0, BatchSize),
		arena:   make([]byte, BatchSize*MaxPacket),
	}
	b.sys = newReadSys(b)
	return b
}

// Append adds a copy of a packet that came by a connection. The batch must not be
// full, nor the packet longer than MaxPacket.
func (b *Batch) Append(from netip.AddrPort, stream uint32, data []byte) {
	to := b.slot(len(b.Packets))
	b.Packets = append(b.Packets, Packet{Data: to[:copy(to, data)], From: from, Stream: stream})
}

func (b *Batch) slot(i int) []byte {
	return b.arena[i*MaxPacket : (i+1)*MaxPacket : (i+1)*MaxPacket]
}

// A message is a run of packets to one receiver: all of size bytes but the last,
// which may be shorter.
type message struct {
	to         netip.AddrPort
	from       netip.Addr
	start, end int // in the arena
	size       int // of the first packet
	packets    int
	closed     bool // a shorter packet ended it
	apart      bool // its packets go one by one
}

// Out collects packets to be sent. Packets to one receiver that follow one another
// and have one size cost little more than one packet, so it pays to add receiver by
// receiver. An Out must not be shared; any Socket can send it.
type Out struct {
	arena    []byte
	messages []message
	packets  int
	sys      *writeSys
}

// NewOut makes an Out for about the given number of packets, at least 1, of up to
// 1,500 bytes.
func NewOut(packets int) *Out {
	packets = max(packets, 1)
	o := &Out{arena: make([]byte, 0, packets*1500), messages: make([]message, 0, packets)}
	o.sys = newWriteSys()
	return o
}

// Add makes room for one more packet of n bytes from the local address (zero: as
// the system chooses) to the receiver, and returns it to be filled. It returns nil
// when o is full, or the packet is longer than MaxPacket or empty: Send it, then
// try again. What was returned stays valid until then.
func (o *Out) Add(to netip.AddrPort, from netip.Addr, n int) []byte {
	start := len(o.arena)
	if n <= 0 || n > MaxPacket || start+n > cap(o.arena) {
		return nil
	}
	if m := o.last(); m != nil && m.to == to && m.from == from && m.takes(n) {
		m.end += n
		m.packets++
		m.closed = n < m.size
	} else {
		if len(o.messages) == cap(o.messages) {
			return nil
		}
		o.messages = append(o.messages, message{to: to, from: from, start: start, end: start + n, size: n, packets: 1})
	}
	o.packets++
	o.arena = o.arena[:start+n]
	return o.arena[start : start+n : start+n]
}

func (o *Out) last() *message {
	if len(o.messages) == 0 {
		return nil
	}
	return &o.messages[len(o.messages)-1]
}

func (m *message) takes(n int) bool {
	return !m.closed && n <= m.size && m.packets < maxSegments && m.end-m.start+n <= maxSegmented
}

// Len is the number of packets in o.
func (o *Out) Len() int { return o.packets }

// Each calls f with each packet, in order, until f fails.
func (o *Out) Each(f func(to netip.AddrPort, from netip.Addr, packet []byte) error) error {
	for i := range o.messages {
		m := &o.messages[i]
		for start := m.start; start < m.end; start += m.size {
			if err := f(m.to, m.from, o.arena[start:min(start+m.size, m.end)]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Reset empties o without sending.
func (o *Out) Reset() {
	o.arena, o.messages, o.packets = o.arena[:0], o.messages[:0], 0
}

// Stats count since the socket was opened.
type Stats struct {
	Received, Sent uint64 // packets
	Dropped        uint64 // packets that could not be sent
	Long           uint64 // packets that were received and longer than MaxPacket
	Calls          uint64 // system calls that sent
}

type counters struct {
	received, sent, dropped, long, calls atomic.Uint64
}

// Socket is one socket of a port. One goroutine may Read while any number Send and
// WriteTo. Close wakes them.
type Socket struct {
	conn  *net.UDPConn
	local netip.AddrPort
	count counters
	sys   sockSys
}

// Listen opens the sockets of a port, all or none.
func Listen(cfg Config) ([]*Socket, error) {
	n := max(cfg.Sockets, 1)
	if n > maxSockets {
		return nil, fmt.Errorf("%d sockets on one port: at most %d", n, maxSockets)
	}
	if cfg.Buffer <= 0 {
		cfg.Buffer = defaultBuffer
	}
	var sockets []*Socket
	for range n {
		s, err := open(cfg, n > 1 || cfg.Shared)
		if err != nil {
			for _, s := range sockets {
				_ = s.Close()
			}
			return nil, fmt.Errorf("listen on udp %s: %w", cfg.Addr, err)
		}
		sockets = append(sockets, s)
		cfg.Addr = netip.AddrPortFrom(cfg.Addr.Addr(), s.local.Port()) // the others of port 0 follow the first
	}
	return sockets, nil
}

// Addr is where the socket listens. Its address is unspecified where it listens on
// all.
func (s *Socket) Addr() netip.AddrPort { return s.local }

// Stats counts.
func (s *Socket) Stats() Stats {
	return Stats{
		Received: s.count.received.Load(), Sent: s.count.sent.Load(), Dropped: s.count.dropped.Load(),
		Long: s.count.long.Load(), Calls: s.count.calls.Load(),
	}
}

// Close ends the socket; Read returns net.ErrClosed.
func (s *Socket) Close() error { return s.conn.Close() }

// closed tells the end of the socket from other errors.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return err
}
