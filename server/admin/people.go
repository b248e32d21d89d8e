package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/steward"
	"github.com/veche-im/veche/wire"
)

// Act is something that is done to a person's account.
type Act string

const (
	Shut      Act = "shut"
	Open      Act = "open"
	SignOut   Act = "sign-out"
	MakeAdmin Act = "make-admin"
	TakeAdmin Act = "take-admin"
)

// person names somebody.
type person struct {
	Name string `json:"name"`
}

// done is the answer of what has no other.
type done struct{}

// acts are what the socket does to accounts.
func (s *Server) acts() map[Act]func(context.Context, wire.AccountID) error {
	whoever := steward.By{} // owns the data directory
	st := s.cfg.Steward
	return map[Act]func(context.Context, wire.AccountID) error{
		Shut:      func(ctx context.Context, id wire.AccountID) error { return st.Shut(ctx, whoever, id) },
		Open:      func(ctx context.Context, id wire.AccountID) error { return st.Open(ctx, whoever, id) },
		SignOut:   func(ctx context.Context, id wire.AccountID) error { return st.SignOut(ctx, whoever, id) },
		MakeAdmin: func(ctx context.Context, id wire.AccountID) error { return st.SetAdmin(ctx, whoever, id, true) },
		TakeAdmin: func(ctx context.Context, id wire.AccountID) error { return st.SetAdmin(ctx, whoever, id, false) },
	}
}

// people registers what is done to accounts.
func (s *Server) people(mux *http.ServeMux) {
	for act, do := range s.acts() {
		mux.HandleFunc("POST /"+string(act), s.to(string(act), func(ctx context.Context, id wire.AccountID) (any, error) {
			return done{}, do(ctx, id)
		}))
	}
	mux.HandleFunc("POST /reset", s.to("reset", func(ctx context.Context, id wire.AccountID) (any, error) {
		l, err := s.cfg.Steward.Reset(ctx, steward.By{}, id)
		return Link{s.cfg.Base() + wire.PathResetUI + "#" + l.Token, l.Expires}, err
	}))
}

// to answers a command that names a person.
func (s *Server) to(what string, do func(context.Context, wire.AccountID) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var p person
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, wire.MaxJSON)).Decode(&p); err != nil {
			s.answer(w, r, what, nil, wire.Refuse(wire.BadRequest, "nobody is named"))
			return
		}
		id, err := s.cfg.Steward.Named(r.Context(), p.Name)
		if errors.Is(err, authz.ErrDenied) {
			s.answer(w, r, what, nil, wire.Refuse(wire.NotFound, "there is nobody called %q here", p.Name))
			return
		}
		var v any
		if err == nil {
			v, err = do(r.Context(), id)
		}
		if errors.Is(err, authz.ErrDenied) { // nobody is removed meanwhile
			err = wire.Refuse(wire.NotFound, "the account of %s is shut: open it first", p.Name)
		}
		s.answer(w, r, what, v, err)
	}
}

// MakeReset asks the server that runs on dir for a link by which a person gives
// themselves another password. Errors are as MakeInvite's.
func MakeReset(ctx context.Context, dir, name string) (Link, error) {
	var l Link
	err := ask(ctx, dir, "/reset", person{name}, &l)
	return l, err
}

// Do asks the server that runs on dir to do something to a person's account.
// Errors are as MakeInvite's.
func Do(ctx context.Context, dir string, act Act, name string) error {
	return ask(ctx, dir, "/"+string(act), person{name}, &done{})
}
