// Package link is the connection between a device and its server: one socket
// for frames, and plain HTTP for sign-in and file bytes. It carries bytes and
// says in few words why it could not; what the bytes mean is the caller's.
//
// A Link keeps no state of its own between calls but where the server is and
// how it is trusted. Reconnecting, resuming and remembering are the caller's,
// so that each link is small: ws (native), wsjs (browser), pipe (tests).
// docs/spec/framing.md, docs/spec/client.md.
package link

import (
	"context"
	"errors"
	"time"
)

// ErrUnreachable is in the chain of every error that says that the server could
// not be reached or went away: retrying may help. What the server itself says
// is a *wire.Error instead.
var ErrUnreachable = errors.New("the server cannot be reached")

// ErrNoDoor is in the chain, beside ErrUnreachable, where a server answered that
// does not know the request, because it is older. Nothing was done.
var ErrNoDoor = errors.New("the server does not know the request")

// ErrUntrusted is in the chain of an error that says that somebody answered who
// could not prove to be the server. Retrying does not help.
var ErrUntrusted = errors.New("the server could not prove who it is")

// A Link reaches one server. All methods may be called at the same time from
// several goroutines.
type Link interface {
	// Dial opens the socket of a session. token is the bearer token, empty
	// where the session is a cookie. The error is a *wire.Error of
	// wire.Unauthenticated if the session has ended, of wire.Busy (with
	// RetryAfter) if the server is overloaded or draining, else
	// ErrUnreachable or ErrUntrusted is in its chain.
	Dial(ctx context.Context, token string) (Conn, error)

	// Do makes one plain HTTP request and reads the whole answer. Whatever the
	// status, an answer is not an error; without one ErrUnreachable or
	// ErrUntrusted is in the error's chain.
	Do(ctx context.Context, r Request) (Response, error)

	// Origin is the server's address, e.g. "https://veche.example:8443", from
	// which links for other people are made; empty if it is not known.
	Origin() string

	// Cookie reports whether the session is a cookie that the link keeps by
	// itself (in a browser), so that no token is asked for or sent.
	Cookie() bool

	// Woken gets a value when the network seems to have come back, which ends a
	// wait before reconnecting. It may be nil.
	Woken() <-chan struct{}
}

// A Conn is an open socket. Read is called by one goroutine; Write by one at a
// time; Close by any, once or more often, and ends both.
type Conn interface {
	// Read returns the next binary message, at most wire.MaxResponse bytes. Any
	// error means that the connection is over; a text or larger message too.
	Read(ctx context.Context) ([]byte, error)

	// Write sends one binary message and returns when it was taken on, which
	// does not say that it arrived.
	Write(ctx context.Context, message []byte) error

	// Close ends the connection and lets Read and Write return.
	Close() error
}

// A Request is one HTTP request.
type Request struct {
	Method string // GET, POST, PUT or DELETE
	Path   string // one of wire.Path…, with a query if there is one
	Token  string // bearer token, empty without one or with a cookie
	Type   string // of Body; empty means application/json where there is a body
	Body   []byte
	From   int64 // with To: asks for bytes From ≤ n < To (Range); both 0: everything
	To     int64
	Max    int // most bytes of the answer that are read; more is ErrUnreachable; 0 means wire.MaxJSON
}

// A Response is the answer to a Request.
type Response struct {
	Status     int
	Body       []byte
	RetryAfter time.Duration // from the header Retry-After, 0 without one
}

// OK reports whether the status says success (2xx).
func (r *Response) OK() bool {
	return r.Status >= 200 && r.Status < 300
}
