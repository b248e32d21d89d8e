package media

import (
	"context"
	"errors"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

// taken is a core in which somebody else has joined between two answers: calls
// are listed as before, keys are the other's already.
type taken struct{ call wire.CallID }

func (k taken) Call(_ context.Context, _ string, _, result any) error {
	switch r := result.(type) {
	case *api.Calls:
		r.Calls = []api.Call{{ID: k.call, Me: 3}}
	case *api.CallKeys:
		*r = keysOf(0)
		r.Join++
	}
	return nil
}

func (taken) Changed() <-chan struct{} { return nil }

// Whoever joined after us seals from counter 0 under a join number of their own:
// we never seal under it.
func TestKeysOfAnotherJoiningAreNotSealedWith(t *testing.T) {
	p, err := New(Config{Core: taken{wire.NewCallID()}, Room: wire.NewRoomID()})
	if err != nil {
		t.Fatal(err)
	}
	p.call.ID = p.cfg.Core.(taken).call
	ours := keysOf(0)
	if err := p.keys.take(ours); err != nil {
		t.Fatal(err)
	}
	err = p.look(t.Context(), &api.JoinedCall{Number: 3, Keys: ours})
	var over errOver
	if !errors.As(err, &over) || over != "replaced" {
		t.Errorf("it goes on: %v", err)
	}
	if int(p.keys.join) != ours.Join {
		t.Error("the other's join number is sealed under")
	}
}
