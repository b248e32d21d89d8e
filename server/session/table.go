package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sort"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// Actor is who makes a request, as it stood when the request arrived.
type Actor struct {
	authz.Actor
	Name  string
	Local netip.Addr // at which the connection reached the server; may be zero
	From  netip.Addr // from where it came; likewise
}

// A Table holds the methods that a device may call.
type Table struct {
	methods map[string]method
}

type method struct {
	name   string
	max    int // bytes of parameters
	action authz.Action
	class  *limit.Class
	writes bool
	types  string // of parameters and result, for the test that walks the table
	call   func(ctx context.Context, a *Actor, params []byte) (result []byte, err error)
}

// NewTable returns a table without methods.
func NewTable() *Table { return &Table{methods: make(map[string]method)} }

// Reads registers a method that changes nothing: it may overtake others.
//
// The table checks action against the actor, and against the resource too where
// that is the site or the actor's own account; a method on anything else has fn
// ask authz.Can about what it found.
//
// Class says how often it may be asked.
func Reads[P, R any](t *Table, m wire.Method[P, R], action authz.Action, class *limit.Class, fn func(context.Context, *Actor, P) (R, error)) {
	register(t, m, action, class, false, fn)
}

// Writes registers a method that changes something: those of one connection run
// one after the other.
func Writes[P, R any](t *Table, m wire.Method[P, R], action authz.Action, class *limit.Class, fn func(context.Context, *Actor, P) (R, error)) {
	register(t, m, action, class, true, fn)
}

func register[P, R any](t *Table, m wire.Method[P, R], action authz.Action, class *limit.Class, writes bool, fn func(context.Context, *Actor, P) (R, error)) {
	switch {
	case m.Name == "" || m.Max <= 0 || m.Max > wire.MaxRequest:
		panic(fmt.Sprintf("method %q has no name or no cap", m.Name))
	case authz.On(action) == 0:
		panic(fmt.Sprintf("method %s: action %q is not in the table of authz", m.Name, action))
	case class == nil || class.Account.Burst == 0:
		panic(fmt.Sprintf("method %s has no limit for an account", m.Name))
	case authz.Anonymous(action):
		panic(fmt.Sprintf("method %s: action %s is for who has no session", m.Name, action))
	}
	if _, double := t.methods[m.Name]; double {
		panic(fmt.Sprintf("method %s is registered twice", m.Name))
	}
	t.methods[m.Name] = method{
		name: m.Name, max: m.Max, action: action, class: class, writes: writes,
		types: fmt.Sprintf("%T → %T", *new(P), *new(R)),
		call: func(ctx context.Context, a *Actor, params []byte) ([]byte, error) {
			var p P
			if _, none := any(p).(wire.None); !none || len(params) > 0 {
				if err := wire.DecodeIn(params, &p); err != nil {
					return nil, wire.Refuse(wire.BadRequest, "parameters of %s: %v", m.Name, err)
				}
			}
			r, err := fn(ctx, a, p)
			if err != nil {
				return nil, err
			}
			return wire.Encode(r)
		},
	}
}

// Names lists the methods, sorted.
func (t *Table) Names() []string {
	names := make([]string, 0, len(t.methods))
	for name := range t.methods {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// do judges and carries out one request.
func (t *Table) do(ctx context.Context, m method, a *Actor, params []byte) ([]byte, error) {
	if len(params) > m.max {
		return nil, wire.Refuse(wire.TooLarge, "%s takes %d bytes", m.name, m.max)
	}
	if !authz.Arrive(a.Actor, m.action) {
		return nil, authz.ErrDenied
	}
	return m.call(ctx, a, params)
}

// ErrorOf says how much of err the device may learn. What is not listed is the
// server's own fault: the caller logs it, and the device hears only "internal".
func ErrorOf(err error) *wire.Error {
	var e *wire.Error
	switch {
	case errors.Is(err, db.ErrDamaged): // whatever was made of it on the way
		return wire.Refuse(wire.Damaged, "the server's database is damaged here; its log says where")
	case errors.As(err, &e):
		return e
	case errors.Is(err, db.ErrBusy):
		return &wire.Error{Code: wire.Busy, RetryAfter: retryAfter()}
	case errors.Is(err, db.ErrNoSpace):
		return wire.Refuse(wire.NoSpace, "the server's disk is full")
	case errors.Is(err, db.ErrClosed), errors.Is(err, context.Canceled):
		return &wire.Error{Code: wire.Cancelled}
	case errors.Is(err, context.DeadlineExceeded):
		return &wire.Error{Code: wire.Busy, RetryAfter: retryAfter()}
	default:
		return &wire.Error{Code: wire.Internal}
	}
}
