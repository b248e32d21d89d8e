// Package lossy is a network for tests in which packets are lost, late and out
// of order, or in which nothing gets through for a while. It stands between a
// native participant of a call (pion) and the system's UDP.
package lossy

import (
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
)

// Net is the system's network with faults in both directions of UDP. Its
// methods may be used by several goroutines.
type Net struct {
	*stdnet.Net

	mu     sync.Mutex // guards what follows
	loss   float64
	jitter time.Duration
	cut    bool
	rand   *rand.Rand
}

// New returns a network without faults, whose faults follow from seed.
func New(seed uint64) (*Net, error) {
	n, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return &Net{Net: n, rand: rand.New(rand.NewPCG(seed, 0))}, nil
}

// Fault has a part loss (0 to 1) of the packets lost in each direction, and
// those that leave be late by up to jitter, each by another time.
func (n *Net) Fault(loss float64, jitter time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss, n.jitter = loss, jitter
}

// Cut has nothing get through until Mend.
func (n *Net) Cut() { n.setCut(true) }

// Mend ends Cut.
func (n *Net) Mend() { n.setCut(false) }

func (n *Net) setCut(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
}

// fate says what becomes of a packet.
func (n *Net) fate() (lost bool, late time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut || n.rand.Float64() < n.loss {
		return true, 0
	}
	if n.jitter > 0 {
		late = time.Duration(n.rand.Int64N(int64(n.jitter)))
	}
	return false, late
}

// ListenUDP opens a port of this network.
func (n *Net) ListenUDP(network string, at *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, at)
	if err != nil {
		return nil, err
	}
	return &conn{c, n}, nil
}

// ListenPacket opens a port of this network.
func (n *Net) ListenPacket(network, address string) (net.PacketConn, error) {
	at, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, err
	}
	return n.ListenUDP(network, at)
}

type conn struct {
	transport.UDPConn
	n *Net
}

func (c *conn) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		size, from, err := c.UDPConn.ReadFrom(p)
		if err != nil {
			return size, from, err
		}
		if lost, _ := c.n.fate(); !lost {
			return size, from, nil
		}
	}
}

func (c *conn) WriteTo(p []byte, to net.Addr) (int, error) {
	lost, late := c.n.fate()
	switch {
	case lost:
		return len(p), nil
	case late == 0:
		return c.UDPConn.WriteTo(p, to)
	}
	held := append([]byte(nil), p...)
	time.AfterFunc(late, func() { _, _ = c.UDPConn.WriteTo(held, to) }) // a port that closed meanwhile loses it
	return len(p), nil
}
