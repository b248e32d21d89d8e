package sfu

import (
	"context"
	"errors"
	"net/netip"
)

// Server forwards media for all calls of a site.
type Server struct {
	cfg Config
}

// New checks cfg and opens the media port. Close ends everything.
func New(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		return nil, errors.New("sfu: Config.Log is required")
	}
	return &Server{cfg: cfg}, nil
}

// Addr is the media port's address.
func (s *Server) Addr() netip.AddrPort { return netip.AddrPort{} }

// Close ends all calls, saying Gone to each listener, and returns when every
// goroutine of the Server is gone.
func (s *Server) Close() error { return nil }

// Join takes a participant into a call and answers its offer. ErrBadOffer,
// ErrFull and ErrTaken say that the caller's input was refused.
func (s *Server) Join(ctx context.Context, j Join) (Answer, error) {
	return Answer{}, ErrClosed
}

// Offer answers a further offer of a participant: an ICE restart, more video
// slots, or both.
func (s *Server) Offer(ctx context.Context, call CallID, participant uint32, sdp string) (string, error) {
	return "", ErrClosed
}

// View says what a participant shows in its video slots. Slots that are not
// named keep what they have.
func (s *Server) View(call CallID, participant uint32, views []View) {}

// Leave ends a participant. Unknown ones are ignored.
func (s *Server) Leave(call CallID, participant uint32) {}

// Stats is a snapshot of the counters.
func (s *Server) Stats() Stats { return Stats{} }
