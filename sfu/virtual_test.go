package sfu

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/pion/logging"
	"github.com/pion/transport/v5/vnet"

	"github.com/veche-im/veche/sfu/udp"
)

// virtually runs a test whose network and time are virtual: a packet takes as long
// as a badLink makes it, and computing takes no time, so that whatever else keeps
// the machine busy never looks like a bad network.
func virtually(t *testing.T, test func(*testing.T, *virtual)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "10.0.0.0/24", LoggerFactory: logging.NewDefaultLoggerFactory()})
		if err != nil {
			t.Fatal(err)
		}
		if err := router.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = router.Stop() })
		v := &virtual{t: t, router: router}
		v.s = newServer(t, func(cfg *Config) {
			cfg.Workers = 1
			cfg.listen = func() (socket, error) { return &virtualSocket{conn: v.listen()}, nil }
		})
		test(t, v)
	})
}

// virtual is a network with a server, to which hosts can be added.
type virtual struct {
	t      *testing.T
	s      *Server
	router *vnet.Router
}

// host makes one more host, with an address of its own.
func (v *virtual) host() *vnet.Net {
	v.t.Helper()
	n, err := vnet.NewNet(&vnet.NetConfig{})
	if err == nil {
		err = v.router.AddNet(n)
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return n
}

// listen makes one more host, and a socket on it.
func (v *virtual) listen() net.PacketConn {
	v.t.Helper()
	host := v.host()
	eth0, err := host.InterfaceByName("eth0")
	if err != nil {
		v.t.Fatal(err)
	}
	addrs, err := eth0.Addrs()
	if err != nil {
		v.t.Fatal(err)
	}
	c, err := host.ListenPacket("udp4", net.JoinHostPort(addrs[0].(*net.IPNet).IP.String(), "5000"))
	if err != nil {
		v.t.Fatal(err)
	}
	return c
}

// peer is newVideoPeer on this network.
func (v *virtual) peer(id uint32, slots int) *videoPeer {
	v.t.Helper()
	return newVideoPeerBy(v.t, v.s, testCall, id, slots, videoAPI(v.t, v.host()))
}

// through makes a peer that reaches the server by a link that can be made bad.
func (v *virtual) through(id uint32, slots int) (*videoPeer, *badLink) {
	v.t.Helper()
	p := v.peer(id, slots)
	p.via = newBadLinkBetween(v.t, v.listen(), v.listen(), v.s.Addr())
	return p, p.via
}

// virtualSocket is the server's socket there.
type virtualSocket struct {
	conn  net.PacketConn
	ended atomic.Bool
}

func (s *virtualSocket) Read(b *udp.Batch) error {
	b.Packets = b.Packets[:0]
	room := make([]byte, udp.MaxPacket)
	n, from, err := s.conn.ReadFrom(room)
	if err != nil {
		return s.closed(err)
	}
	b.Append(addrPort(from), 0, room[:n])
	return nil
}

func (s *virtualSocket) Send(o *udp.Out) error {
	defer o.Reset()
	return o.Each(func(to netip.AddrPort, from netip.Addr, packet []byte) error { return s.WriteTo(packet, to, from) })
}

func (s *virtualSocket) WriteTo(data []byte, to netip.AddrPort, _ netip.Addr) error {
	_, err := s.conn.WriteTo(data, net.UDPAddrFromAddrPort(to))
	return s.closed(err)
}

// closed tells the end of the socket, for which this network has an error of its
// own.
func (s *virtualSocket) closed(err error) error {
	if err != nil && s.ended.Load() {
		return errors.Join(err, net.ErrClosed)
	}
	return err
}

func (s *virtualSocket) Addr() netip.AddrPort {
	return addrPort(s.conn.LocalAddr())
}

// addrPort is the address of a UDP socket, unmapped.
func addrPort(a net.Addr) netip.AddrPort {
	p := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

func (s *virtualSocket) Stats() udp.Stats { return udp.Stats{} }

func (s *virtualSocket) Close() error {
	s.ended.Store(true)
	return s.conn.Close()
}
