package sfu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/sfu/dtls"
	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/sdp"
	"github.com/veche-im/veche/sfu/stream"
	"github.com/veche-im/veche/sfu/turn"
	"github.com/veche-im/veche/sfu/udp"
)

const (
	defaultSpeakers     = 8
	defaultParticipants = 1000
	socketBuffer        = 4 << 20 // bytes: 20 ms of 200,000 packets a second
)

// Server forwards media for all calls of a site.
type Server struct {
	cfg     Config
	log     *slog.Logger
	start   time.Time
	addr    netip.AddrPort
	ice     *ice.Table
	dtls    *dtls.Server
	streams *stream.Streams
	turn    *turn.Server
	tcp     atomic.Uint32 // port of ICE-TCP; 0: none
	keeper  *keeper
	total   counters
	keeping sync.WaitGroup // the keeper
	tasks   sync.WaitGroup // the workers

	mu      sync.Mutex // guards what follows; taken before call.mu
	calls   map[CallID]*call
	workers []*worker
	heavy   int // seconds for which the newest worker had too much to do
	closed  bool
}

// New checks cfg and opens the media port. Close ends everything.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log, start: cfg.Now(), calls: map[CallID]*call{}}
	s.tcp.Store(uint32(cfg.TCP))
	s.ice = ice.New(ice.Config{Now: cfg.Now})
	var err error
	if s.dtls, err = dtls.New(dtls.Config{Log: cfg.Log}); err != nil {
		return nil, err
	}
	if s.addr, err = listenAddr(cfg.UDP); err != nil {
		return nil, err
	}
	first, err := s.listen()
	if err != nil {
		return nil, err
	}
	s.addr = first.Addr()
	if err := s.openStreams(); err != nil {
		_ = first.Close()
		return nil, err
	}
	s.keeper = newKeeper(s, newOutlet(first, s.streams))
	s.hire(first)
	// Streams have a worker of their own: those who need them are few, and what
	// they cost must not slow the socket down.
	s.tasks.Go(newWorker(s, s.streams, first).run)
	s.keeping.Go(s.keeper.run)
	return s, nil
}

func (c *Config) check() error {
	if c.Log == nil {
		return errors.New("sfu: Config.Log is required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Speakers == 0 {
		c.Speakers = defaultSpeakers
	}
	if c.MaxParticipants == 0 {
		c.MaxParticipants = defaultParticipants
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if runtime.GOOS != "linux" {
		c.Workers = 1 // elsewhere the system does not spread packets over sockets
	}
	switch {
	case c.Speakers < 0 || c.Speakers > maxStreams:
		return fmt.Errorf("sfu: %d audio streams in a call: 1 to %d are possible", c.Speakers, maxStreams)
	case c.MaxParticipants < 0:
		return fmt.Errorf("sfu: calls of %d participants", c.MaxParticipants)
	case c.Workers < 0:
		return fmt.Errorf("sfu: %d workers", c.Workers)
	}
	return nil
}

// listenAddr reads "host:port", in which host is an address or empty for all.
func listenAddr(s string) (netip.AddrPort, error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("sfu: media address: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("sfu: media port %q", text)
	}
	if host == "" {
		return netip.AddrPortFrom(netip.Addr{}, uint16(port)), nil
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("sfu: media address: %w", err)
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}

// listen opens one more socket on the media port.
func (s *Server) listen() (socket, error) {
	if s.cfg.listen != nil {
		return s.cfg.listen()
	}
	sockets, err := udp.Listen(udp.Config{Addr: s.addr, Shared: s.cfg.Workers > 1, Buffer: socketBuffer})
	if err != nil {
		return nil, err
	}
	return sockets[0], nil
}

// hire starts a worker on sock.
func (s *Server) hire(sock socket) {
	w := newWorker(s, sock, sock)
	s.mu.Lock()
	s.workers = append(s.workers, w)
	s.mu.Unlock()
	s.tasks.Go(w.run)
}

// grow wakes one more worker if the newest has had too much to do for two seconds.
// An idle worker costs more than it brings, so it is not done earlier; and workers
// stay, because closing a socket loses what is queued in it.
func (s *Server) grow() {
	s.mu.Lock()
	newest := s.workers[len(s.workers)-1]
	if newest.busy.get() < growFrom || len(s.workers) >= s.cfg.Workers {
		s.heavy = 0
		s.mu.Unlock()
		return
	}
	s.heavy++
	ready := s.heavy >= 2
	s.mu.Unlock()
	if !ready {
		return
	}
	sock, err := s.listen()
	if err != nil {
		s.log.Error("open another media socket", "err", err)
		return
	}
	s.hire(sock)
	s.log.Info("media worker started", "workers", s.Stats().Workers)
}

// now is the time since New.
func (s *Server) now() time.Duration { return s.cfg.Now().Sub(s.start) }

// Addr is the media port's address.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Close ends all calls, saying Gone to each listener, and returns when every
// goroutine of the Server is gone.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	for _, c := range s.all() {
		for _, p := range c.all() {
			s.remove(p, Closed)
		}
	}
	s.dtls.Close() // says goodbye to the devices, so the sockets are open until then
	s.turn.Close()
	s.streams.Close()
	close(s.keeper.stop)
	s.keeping.Wait() // it hires workers: none come after this
	var errs []error
	for _, w := range s.workers {
		errs = append(errs, w.sock.Close())
	}
	s.tasks.Wait()
	return errors.Join(errs...)
}

// all lists the calls.
func (s *Server) all() []*call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.AppendSeq(make([]*call, 0, len(s.calls)), maps.Values(s.calls))
}

// Join takes a participant into a call and answers its offer. ErrBadOffer,
// ErrFull and ErrTaken say that the caller's input was refused.
func (s *Server) Join(ctx context.Context, j Join) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	if j.Listener == nil {
		return Answer{}, errors.New("sfu: Join.Listener is required")
	}
	offer, err := sdp.Parse(j.Offer)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrBadOffer, err)
	}
	p, err := s.admit(j, offer)
	if err != nil {
		return Answer{}, fmt.Errorf("participant %d joins call %s: %w", j.Participant, j.Call, err)
	}
	p.negotiating.Lock()
	defer p.negotiating.Unlock()
	text, err := s.answer(p)
	if err != nil {
		s.remove(p, Failed)
		return Answer{}, err
	}
	return Answer{SDP: text}, nil
}

// Offer answers a further offer of a participant: an ICE restart, more video
// slots, or both.
func (s *Server) Offer(ctx context.Context, call CallID, participant uint32, text string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	p, err := s.find(call, participant)
	if err != nil {
		return "", err
	}
	offer, err := sdp.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadOffer, err)
	}
	p.negotiating.Lock()
	defer p.negotiating.Unlock()
	restart, err := offer.Follows(p.offer)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadOffer, err)
	}
	if restart {
		if _, err := p.agent.Restart(offer.ICE); err != nil {
			return "", fmt.Errorf("participant %d of call %s restarts ICE: %w", participant, call, err)
		}
	}
	p.more(offer)
	return s.answer(p)
}

// admit makes a participant, and its call if there is none yet.
func (s *Server) admit(j Join, offer *sdp.Offer) (*participant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	c := s.calls[j.Call]
	if c == nil {
		c = newCall(s, j.Call, j.Echo)
	}
	p := newParticipant(c, j, offer)
	var err error
	if p.agent, err = s.ice.Add(offer.ICE, p); err != nil {
		return nil, err
	}
	p.session = s.dtls.Session(dtls.Peer{
		Fingerprint: offer.Fingerprint,
		Send:        func(packet []byte) { s.sendTo(p, packet) },
		Done: func(k dtls.Keys) {
			if err := p.keyed(k.In, k.Out, s.now()); err != nil {
				s.log.Error("keys of a participant", "participant", p.id, "err", err)
				s.remove(p, Failed)
			}
		},
		Gone: func(err error) {
			if err != nil {
				s.log.Info("participant failed", "participant", p.id, "err", err)
				s.remove(p, Failed)
				return
			}
			s.remove(p, Closed)
		},
	})
	if err := c.add(p, s.cfg.MaxParticipants); err != nil {
		p.agent.Close()
		return nil, err
	}
	s.calls[j.Call] = c
	return p, nil
}

// sendTo sends one packet to p's path at once.
func (s *Server) sendTo(p *participant, packet []byte) {
	path, ok := p.agent.Path()
	if !ok {
		last := p.farewell.Load()
		if last == nil {
			return
		}
		path = *last
	}
	if path.Stream != 0 {
		s.streams.Send(path.Stream, packet)
		return
	}
	s.mu.Lock()
	sock := s.workers[0].sock
	s.mu.Unlock()
	if err := sock.WriteTo(packet, path.Remote, path.Local); err != nil {
		s.log.Debug("send", "participant", p.id, "err", err)
	}
}

// find is a participant of a call.
func (s *Server) find(id CallID, participant uint32) (*participant, error) {
	s.mu.Lock()
	c := s.calls[id]
	s.mu.Unlock()
	if c == nil {
		return nil, ErrNoCall
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.participants[participant]; p != nil {
		return p, nil
	}
	return nil, ErrNoCall
}

// remove ends p: nothing is forwarded to or from it when remove returns, and its
// listener hears why soon.
func (s *Server) remove(p *participant, why Reason) {
	if p.gone.Swap(true) {
		return
	}
	s.mu.Lock()
	ended := p.call.remove(p)
	p.call.forget(p)
	if ended && s.calls[p.call.id] == p.call {
		delete(s.calls, p.call.id)
	}
	s.mu.Unlock()
	if path, ok := p.agent.Path(); ok {
		p.farewell.Store(&path)
	}
	p.agent.Close()
	p.session.Close()
	s.keeper.end(p, why)
}

// Leave ends a participant. Unknown ones are ignored.
func (s *Server) Leave(id CallID, participant uint32) {
	if p, err := s.find(id, participant); err == nil {
		s.remove(p, Left)
	}
}

// Stats is a snapshot of the counters.
func (s *Server) Stats() Stats {
	var st Stats
	for _, c := range s.all() {
		st.Calls++
		c.mu.Lock()
		st.Participants += len(c.participants)
		c.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Workers = len(s.workers)
	for _, w := range s.workers {
		u := w.sock.Stats()
		st.Sends += u.Calls
		st.Dropped.Full += u.Dropped
		st.Dropped.Malformed += u.Long
	}
	s.total.read(&st)
	return st
}
