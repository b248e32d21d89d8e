package sealed

import (
	"testing"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/cmd/veche/load/veche"
)

// Real clients do the same work: what one seals, the others open, once and in
// order.
func TestRealClientsTalk(t *testing.T) {
	target, err := New(veche.Config{Start: veche.Here, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	}()
	l := load.Groups(1, 3)
	if err := target.Prepare(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	f, err := load.Board(t.Context(), target, l)
	if err != nil {
		t.Fatal(err)
	}
	_, err = load.Conversations(t.Context(), f, load.ConversationsConfig{InFlight: 4, Warm: 50 * time.Millisecond, For: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if f.Ledger.Acknowledged() == 0 {
		t.Error("nothing was acknowledged")
	}
}

// A real client that was away opens everything that was sent meanwhile.
func TestARealClientComesBack(t *testing.T) {
	target, err := New(veche.Config{Start: veche.Here, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := target.Prepare(t.Context(), load.Shared(2, 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Return(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
}
