// Package session keeps one connection to the server alive: it dials, says
// hello, numbers requests and finds their answers, hears events, notices that a
// line is dead, and comes back with growing, jittered waits.
//
// A request that was under way when the connection ended fails with
// ErrOffline, and nobody knows whether the server carried it out; whoever asks
// repeats it with the same client id. Events arrive in the order in which the
// server sent them, one at a time. Nothing is kept across a restart.
// docs/spec/framing.md.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/wire"
)

// ErrOffline is in the chain of an error for a request that could not be made
// or whose answer was lost. So is link.ErrUnreachable.
var ErrOffline = fmt.Errorf("not connected: %w", link.ErrUnreachable)

// ErrEnded is returned by Run when the server knows the session no longer.
var ErrEnded = errors.New("the session has ended")

// State is how it stands with the server.
type State string

const (
	Offline    State = "offline"    // waits before dialling again
	Connecting State = "connecting" // dials, or waits for hello
	Online     State = "online"     // hello was heard
)

// Config says what a Session works with. Link and Handle are required.
type Config struct {
	Link link.Link

	// Handle hears every event but hello, in order, on the goroutine that
	// reads: it must not wait for an answer to a request.
	Handle func(event string, body []byte)
	// Hello hears the first event of each connection, before any other.
	Hello func(h wire.Hello)
	// Changed hears the state whenever it changes; err says why it is Offline.
	Changed func(s State, err error)

	Log    *slog.Logger
	Jitter func() float64 // factor of each wait, from 0.5 to 1.5; nil: random
}

// Waits between attempts: the first, and the most.
const (
	firstWait = 500 * time.Millisecond
	mostWait  = 30 * time.Second
)

// writeWait is how long the server may take no bytes before the line counts as
// dead. helloWait is the same for the first event.
const (
	writeWait = 15 * time.Second
	helloWait = 30 * time.Second
)

// outstanding is how many requests may wait for an answer, below the number at
// which the server stops reading.
const outstanding = wire.MaxOutstanding * 3 / 4

// Session is one device's connection. Call may be used from any goroutine.
type Session struct {
	cfg   Config
	slots chan struct{}

	mu   sync.Mutex // guards what follows
	live *live      // nil while not Online
	wait chan struct{}
}

// New checks cfg. Nothing is dialled until Run is called.
func New(cfg Config) (*Session, error) {
	if cfg.Link == nil || cfg.Handle == nil {
		return nil, errors.New("session: Link and Handle are required")
	}
	if cfg.Hello == nil {
		cfg.Hello = func(wire.Hello) {}
	}
	if cfg.Changed == nil {
		cfg.Changed = func(State, error) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Jitter == nil {
		cfg.Jitter = func() float64 { return 0.5 + rand.Float64() }
	}
	return &Session{cfg: cfg, slots: make(chan struct{}, outstanding), wait: make(chan struct{})}, nil
}

// Run keeps the session of token (empty with a cookie) connected until ctx ends,
// and returns its error, or until the server says that the session is over, and
// returns ErrEnded. It may be called again after that, not at the same time.
func (s *Session) Run(ctx context.Context, token string) error {
	pause := firstWait
	for ctx.Err() == nil {
		s.cfg.Changed(Connecting, nil)
		heard, err := s.connect(ctx, token)
		if ctx.Err() != nil {
			break
		}
		if wire.CodeOf(err) == wire.Unauthenticated {
			s.cfg.Changed(Offline, err)
			return fmt.Errorf("%w: %w", ErrEnded, err)
		}
		s.cfg.Log.Debug("connection ended", "err", err)
		s.cfg.Changed(Offline, err)
		if heard {
			pause = firstWait
		}
		s.rest(ctx, max(s.jitter(pause), retryAfter(err)))
		pause = min(2*pause, mostWait)
	}
	return ctx.Err()
}

func (s *Session) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.cfg.Jitter())
}

func retryAfter(err error) time.Duration {
	var e *wire.Error
	if errors.As(err, &e) {
		return min(time.Duration(e.RetryAfter)*time.Millisecond, 10*mostWait)
	}
	return 0
}

// rest waits for d, or until the network came back.
func (s *Session) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.cfg.Link.Woken():
	case <-ctx.Done():
	}
}

// connect dials and serves one connection until it ends. heard says whether it
// came as far as hello.
func (s *Session) connect(ctx context.Context, token string) (heard bool, err error) {
	conn, err := s.cfg.Link.Dial(ctx, token)
	if err != nil {
		return false, err
	}
	l := newLive(conn)
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		l.watch(ctx, cancel)
	}()
	defer func() {
		cancel(nil)
		conn.Close()
		<-stopped
		s.setLive(nil)
		l.end()
	}()
	for {
		b, err := conn.Read(ctx)
		if err != nil {
			return heard, errors.Join(err, causeOf(ctx))
		}
		l.hear()
		var f wire.Frame
		if err := wire.Decode(b, &f); err != nil {
			return heard, fmt.Errorf("%w: %w", link.ErrUnreachable, err)
		}
		switch {
		case f.ID != 0:
			l.answer(f)
		case !heard:
			if err := s.hello(l, f); err != nil {
				return false, err
			}
			heard = true
		default:
			s.cfg.Handle(f.Method, f.Body)
		}
	}
}

func causeOf(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (s *Session) hello(l *live, f wire.Frame) error {
	if f.Method != wire.OnHello.Name {
		return fmt.Errorf("%w: first event is %q", link.ErrUnreachable, f.Method)
	}
	var h wire.Hello
	if err := wire.Decode(f.Body, &h); err != nil {
		return fmt.Errorf("%w: hello: %w", link.ErrUnreachable, err)
	}
	l.greeted()
	s.cfg.Hello(h)
	s.setLive(l)
	s.cfg.Changed(Online, nil)
	return nil
}

func (s *Session) setLive(l *live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l == nil && s.live != nil {
		s.wait = make(chan struct{})
	}
	if l != nil && s.live == nil {
		close(s.wait)
	}
	s.live = l
}

// Online returns a channel that is closed while the session is connected.
func (s *Session) Online() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wait
}

// Call makes a request and waits for its answer. The error is a *wire.Error
// when the server refused, ErrOffline when there is no answer, or ctx's.
func Call[P, R any](ctx context.Context, s *Session, m wire.Method[P, R], p P) (R, error) {
	var r R
	b, err := wire.Encode(p)
	if err != nil {
		return r, fmt.Errorf("parameters of %s: %w", m.Name, err)
	}
	if len(b) > m.Max {
		return r, wire.Refuse(wire.TooLarge, "parameters of %s: %d bytes of at most %d", m.Name, len(b), m.Max)
	}
	res, err := s.call(ctx, m.Name, b)
	if err != nil {
		return r, err
	}
	if err := wire.Decode(res, &r); err != nil {
		return r, fmt.Errorf("result of %s: %w", m.Name, err)
	}
	return r, nil
}

func (s *Session) call(ctx context.Context, method string, body []byte) ([]byte, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	l := s.live
	s.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("%s: %w", method, ErrOffline)
	}
	f, err := l.ask(ctx, method, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	if f.Error != nil {
		return nil, fmt.Errorf("%s: %w", method, f.Error)
	}
	return f.Body, nil
}
