package session

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// Conn is a connection that carries whole binary messages: *socket.Conn, seen
// from here. Read is called by one goroutine, which calls Release in the end;
// the others may be called by anybody.
type Conn interface {
	Read() ([]byte, error)       // socket.ErrText for a message that is not binary
	Write(frames [][]byte) error // made by socket.Message; ends when the peer takes nothing for long
	// Try is Write without waiting: n frames are not to be written any more, and
	// taken says that the peer has them. What is missing of either is Write's.
	Try(frames [][]byte) (n int, taken bool, err error)
	Ping() error      // asks the peer to say something; socket.ErrWriting while it has something to take
	Heard() time.Time // when bytes came last
	Close(s socket.Status, why string)
	Release()
}

// Reason is why a connection is closed: a WebSocket status code.
type Reason socket.Status

const (
	GoingAway Reason = 1001 // the server ends; come back
	Violation Reason = 1008 // the peer broke the rules of framing
	Ended     Reason = 4001 // the session is over: sign in again
	Silent    Reason = 4002 // nothing came back
)

var reasons = map[Reason]string{
	GoingAway: "the server is going down",
	Violation: "against the rules of framing",
	Ended:     "the session is over",
	Silent:    "nothing came back",
}

// Refuse closes a connection that no session is made of.
func Refuse(c Conn, why Reason) {
	c.Close(socket.Status(why), reasons[why])
	c.Release()
}

const (
	requestTimeout = 30 * time.Second       // for one handler
	lastWords      = 500 * time.Millisecond // for answers under way when a session ends
	bulkUnit       = 64 << 10               // bytes: smaller parameters are bounded by MaxOutstanding
	maxBulk        = 2 * wire.MaxRequest    // bytes of parameters, in units, that wait on one connection
	maxWait        = 5 * time.Second        // for the writes before it on its connection; then it is refused unrun
	maxReads       = 4                      // reading requests at a time on one connection, until their answers are written
)

// Config says what Sessions work with. Everything is required but Observe and Audit.
type Config struct {
	Table *Table
	Hub   *hub.Hub
	Limit *limit.Limiter
	Log   *slog.Logger
	Now   func() time.Time

	// RoomsOf returns the rooms of which the account is a member.
	RoomsOf func(context.Context, wire.AccountID) ([]wire.RoomID, error)
	// Hello returns what the device hears first, and so how it stands: the name, the
	// rights and the state that it says hold for the connection. It is called when the
	// hub knows of that. An error of Unauthenticated or NotFound ends the session.
	Hello func(context.Context, *Actor) (wire.Hello, error)

	// Observe is told of each request when it is answered; code is empty for
	// success. For metrics: it must not block.
	Observe func(method string, code wire.Code, took time.Duration)

	// Audit hears of what was refused; it may be nil.
	Audit *audit.Log
}

// Sessions serves connections.
type Sessions struct {
	cfg      Config
	shares   share
	line     line
	carriers carriers
	helpers  *helpers
	late     atomic.Uint64
	catchUps atomic.Uint64

	mu      sync.Mutex // guards what follows
	ending  bool
	running sync.WaitGroup
}

// New checks cfg.
func New(cfg Config) (*Sessions, error) {
	if cfg.Table == nil || cfg.Hub == nil || cfg.Limit == nil || cfg.Log == nil || cfg.Now == nil || cfg.RoomsOf == nil || cfg.Hello == nil {
		return nil, errors.New("session: Table, Hub, Limit, Log, Now, RoomsOf and Hello are required")
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, wire.Code, time.Duration) {}
	}
	return &Sessions{cfg: cfg, carriers: carriers{most: runtime.GOMAXPROCS(0)}, helpers: newHelpers()}, nil
}

// Serve serves conn for a until either end closes it; it returns when all that
// it started is over. After End it refuses at once.
func (s *Sessions) Serve(ctx context.Context, conn Conn, a Actor) {
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		Refuse(conn, GoingAway)
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	s.helpers.enter()
	defer s.helpers.leave()
	serve(ctx, s, conn, a)
}

func (s *Sessions) isEnding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending
}

// Writing returns how many requests are with the database's writer, or wait for it.
func (s *Sessions) Writing() int { return s.shares.Len() }

// Late returns how many requests waited so long for their turn that they were
// refused.
func (s *Sessions) Late() uint64 { return s.late.Load() }

// InLine returns how many bytes of requests wait for others of their connection.
func (s *Sessions) InLine() int64 { return s.line.bytes.Load() }

// Turned returns how many requests were refused because too much waited already.
func (s *Sessions) Turned() uint64 { return s.line.turned.Load() }

// CatchUps returns how often a device was told to read the logs, because it did
// not take its events.
func (s *Sessions) CatchUps() uint64 { return s.catchUps.Load() }

// End closes all connections with GoingAway, lets requests that have begun
// finish, and returns when nothing runs any more.
func (s *Sessions) End() {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.cfg.Hub.EndAll(wire.Cancelled)
	s.running.Wait()
}

// retryAfter is how long who was told "busy" should wait, in milliseconds. It
// differs, so that they do not all come back at once.
func retryAfter() int64 { return 500 + rand.Int64N(1500) }

// Spread makes the time after which people come back differ, for an error that
// is told to many at once. A long time is somebody's own and stays as it is.
func Spread(e *wire.Error) *wire.Error {
	if e.Code != wire.Busy || e.RetryAfter > 10_000 {
		return e
	}
	if e.RetryAfter <= 0 {
		return &wire.Error{Code: wire.Busy, Text: e.Text, RetryAfter: retryAfter()}
	}
	later := *e
	later.RetryAfter += rand.Int64N(e.RetryAfter/2 + 200)
	return &later
}
