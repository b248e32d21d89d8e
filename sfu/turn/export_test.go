package turn

import (
	"net"

	"github.com/pion/turn/v5"
)

// Permits is the answer to a device that asks for a permission.
func (s *Server) Permits(peer net.IP) bool { return s.permits(peer) }

// Used is how many allocations a user has.
func (s *Server) Used(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used[user]
}

// AllocateRelay gives what the library gets.
func (s *Server) AllocateRelay(user string) (net.PacketConn, error) {
	c, _, err := relays{s}.AllocatePacketConn(turn.AllocateListenerConfig{Network: "udp4", UserID: user})
	return c, err
}
