package sfu

import (
	"net"
	"net/netip"
	"time"

	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/stream"
	"github.com/veche-im/veche/sfu/tcp"
	"github.com/veche-im/veche/sfu/turn"
)

// Relay is what a device shows to be relayed by TURN inside TLS.
type Relay struct {
	Username, Password string
	Until              time.Time
}

// openStreams makes the ways to devices that are not UDP.
func (s *Server) openStreams() (err error) {
	s.streams = stream.New(stream.Config{
		Owned: func(p ice.Path) bool { return s.ice.Agent(p) != nil },
		Ended: func(p ice.Path) {
			if a := s.ice.Agent(p); a != nil {
				a.CloseStream(p)
			}
		},
	})
	s.turn, err = turn.New(turn.Config{Streams: s.streams, Media: s.media, Now: s.cfg.Now, Log: s.log})
	if err != nil {
		s.streams.Close()
	}
	return err
}

// media is where devices reach this server by UDP.
func (s *Server) media() (list []netip.AddrPort) {
	list, _ = s.Where()
	return list
}

// Where is where devices are told to come, by UDP and by TCP, best first. A device
// whose own connection reached another address of this machine is told that one.
func (s *Server) Where() (udp, tcp []netip.AddrPort) {
	for _, c := range s.candidates(netip.Addr{}) {
		if c.TCP {
			tcp = append(tcp, c.Addr)
		} else {
			udp = append(udp, c.Addr)
		}
	}
	return udp, tcp
}

// TCPAt says at which port connections come that ServeTCP gets, where that was not
// known in time for Config.TCP.
func (s *Server) TCPAt(port uint16) { s.tcp.Store(uint32(port)) }

// ServeTCP carries the media of a device over conn, which begins with an ICE-TCP
// packet, until it ends.
func (s *Server) ServeTCP(conn net.Conn) {
	if err := tcp.Serve(conn, s.streams); err != nil {
		s.log.Debug("media over tcp ended", "from", conn.RemoteAddr().String(), "err", err)
	}
}

// ServeTURN relays for a device over conn, which has TLS behind it and begins with
// a STUN message, until it ends.
func (s *Server) ServeTURN(conn net.Conn) { s.turn.Serve(conn) }

// Relay makes the credentials of one participant, whose name is of letters, digits,
// - and _.
func (s *Server) Relay(participant string) Relay {
	c := s.turn.Credentials(participant)
	return Relay{Username: c.Username, Password: c.Password, Until: c.Until}
}
