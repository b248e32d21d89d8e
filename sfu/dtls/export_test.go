package dtls

// Busy is the number of handshakes under way.
func (s *Server) Busy() int { return len(s.places) }
