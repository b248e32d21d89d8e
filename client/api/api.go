// Package api is the table of commands and events between the client core and
// every front end: the web app, the command line, tests. Values are JSON in the
// browser and plain Go values elsewhere. TypeScript types are generated from
// this table (go generate ./client/api), so that both sides have one word for
// one thing.
//
// A command is answered once, with a result or a Failure. Expected failures are
// values with a code that a front end turns into words. Events carry whole
// replaced values, not differences to apply: a front end that missed some asks
// again and is right. Events of one core arrive in the order in which the store
// changed, after it changed.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// A Command is something that a front end may ask of the core.
type Command[P, R any] struct {
	Name string
	Doc  string // one sentence, copied into the generated types
}

// An Event is something that the core tells its front ends.
type Event[T any] struct {
	Name string
	Doc  string
}

// None is the parameter or result of a command that has none.
type None struct{}

// FailureCode says why a command was refused, in a way that a front end can
// turn into words.
type FailureCode string

const (
	BadInput     FailureCode = "bad_input"     // a field is missing or against a rule; Field names it
	NotFound     FailureCode = "not_found"     // no such thing, wrong name or password, used-up link
	NotAllowed   FailureCode = "not_allowed"   // the room's policy says no
	Taken        FailureCode = "taken"         // the name is somebody's already
	Offline      FailureCode = "offline"       // needs the server, which cannot be reached now
	SignedOut    FailureCode = "signed_out"    // the session has ended or never was
	Occupied     FailureCode = "occupied"      // what is stored here is another account's: "signOut" with forget comes first
	NotEnrolled  FailureCode = "not_enrolled"  // this device waits to be let in
	WrongKey     FailureCode = "wrong_key"     // the recovery key does not open the account
	TooLarge     FailureCode = "too_large"     //
	NoSpace      FailureCode = "no_space"      // here or on the server
	Busy         FailureCode = "busy"          // try again later; Retry says when, if anybody knows
	Attempts     FailureCode = "attempts"      // too many wrong passwords: Retry says when one more is looked at
	Cancelled    FailureCode = "cancelled"     //
	Distrusted   FailureCode = "distrusted"    // the server or a member did what must not be; nothing was changed
	Unopenable   FailureCode = "unopenable"    // sealed bytes that do not open
	Unsupported  FailureCode = "unsupported"   // by this browser or this version
	InternalFail FailureCode = "internal"      // our own fault
	Guessable    FailureCode = "guessable"     // a new password that others would try first
	ProveFirst   FailureCode = "prove"         // ask for the person's password, call "prove", then this again
	LastAdmin    FailureCode = "last_admin"    // the site would be left without an administrator
	Damaged      FailureCode = "damaged_store" // the device's own database cannot be read
	Held         FailureCode = "held"          // the room seals nothing before its person has decided who may read: Room.Back
	ServerHurt   FailureCode = "damaged_site"  // a part of the server's database cannot be read
)

// Failure is a refused command. Text is English and for developers.
type Failure struct {
	Code  FailureCode `json:"code"`
	Field string      `json:"field,omitempty"`
	Text  string      `json:"text,omitempty"`
	Retry int64       `json:"retry,omitempty"` // milliseconds, until the server looks at it again
}

func (f *Failure) Error() string {
	if f.Text == "" {
		return string(f.Code)
	}
	return string(f.Code) + ": " + f.Text
}

// Is reports whether target is a *Failure of the same code.
func (f *Failure) Is(target error) bool {
	t, ok := target.(*Failure)
	return ok && t.Code == f.Code
}

// Fail makes a Failure from a code and a sentence.
func Fail(code FailureCode, format string, args ...any) *Failure {
	return &Failure{Code: code, Text: fmt.Sprintf(format, args...)}
}

// A Mux finds the function that answers a command. It is filled once, before
// the first call, and only read after that.
type Mux struct {
	handlers map[string]handler
}

type handler func(ctx context.Context, params any) (any, error)

// NewMux returns a Mux without handlers.
func NewMux() *Mux { return &Mux{handlers: map[string]handler{}} }

// Handle says that f answers c. It panics when c has a handler already.
func Handle[P, R any](m *Mux, c Command[P, R], f func(ctx context.Context, p P) (R, error)) {
	if _, ok := m.handlers[c.Name]; ok {
		panic("api: two handlers for " + c.Name)
	}
	m.handlers[c.Name] = func(ctx context.Context, params any) (any, error) {
		p, ok := params.(P)
		if raw, isJSON := params.(json.RawMessage); isJSON && !ok {
			if len(raw) > 0 {
				d := json.NewDecoder(bytes.NewReader(raw))
				d.DisallowUnknownFields()
				if err := d.Decode(&p); err != nil {
					return nil, Fail(BadInput, "parameters of %s: %v", c.Name, err)
				}
			}
		}
		return f(ctx, p)
	}
}

// Do asks for c in Go values.
func Do[P, R any](ctx context.Context, m *Mux, c Command[P, R], p P) (R, error) {
	var zero R
	h, ok := m.handlers[c.Name]
	if !ok {
		return zero, Fail(BadInput, "unknown command %s", c.Name)
	}
	r, err := h(ctx, p)
	if err != nil {
		return zero, err
	}
	return r.(R), nil
}

// Call asks for the command called name in JSON, as the browser does. The error
// is always a *Failure.
func (m *Mux) Call(ctx context.Context, name string, params json.RawMessage) (json.RawMessage, *Failure) {
	h, ok := m.handlers[name]
	if !ok {
		return nil, Fail(BadInput, "unknown command %s", name)
	}
	r, err := h(ctx, params)
	if err != nil {
		return nil, FailureOf(err)
	}
	b, err := Encode(r)
	if err != nil {
		return nil, Fail(InternalFail, "encode the result of %s: %v", name, err)
	}
	return b, nil
}

// FailureOf returns the Failure in err's chain; any other error is our own
// fault, except that a context that ended is Cancelled.
func FailureOf(err error) *Failure {
	var f *Failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Fail(Cancelled, "%v", err)
	default:
		return Fail(InternalFail, "%v", err)
	}
}

// Spec describes a command or an event for the generator and for tests.
type Spec struct {
	Name   string
	Doc    string
	Params reflect.Type // nil for events
	Result reflect.Type // of a command, or the value of an event
}

func command[P, R any](c Command[P, R]) Spec {
	return Spec{c.Name, c.Doc, reflect.TypeFor[P](), reflect.TypeFor[R]()}
}

func event[T any](e Event[T]) Spec { return Spec{e.Name, e.Doc, nil, reflect.TypeFor[T]()} }

// Missing returns the names of commands in the table that m has no handler for.
func (m *Mux) Missing() []string {
	var names []string
	for _, s := range Commands() {
		if _, ok := m.handlers[s.Name]; !ok {
			names = append(names, s.Name)
		}
	}
	return names
}
