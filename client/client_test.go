package client_test

import (
	"slices"
	"testing"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link/pipe"
	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/internal/testenv"
)

func TestEveryCommandHasAHandler(t *testing.T) {
	t.Parallel()
	db, err := native.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := client.New(client.Config{Link: &pipe.Link{}, Store: db, Emit: func(string, any) {}})
	if err != nil {
		t.Fatal(err)
	}
	if missing := c.Mux().Missing(); len(missing) > 0 {
		t.Errorf("no handlers for %v", missing)
	}
}

func TestTwoPeopleChatBothWays(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	if ann.RecoveryKey == "" {
		t.Error("signing up gave no recovery key")
	}
	q := ann.SendTo("bob", "hello **bob**")
	ann.Sent(q)
	got := bob.Sees(q.Room, "ann", "hello **bob**")
	if len(got.Rich) != 1 || got.Mine || got.State != api.ItemReceived {
		t.Errorf("bob sees %+v", got)
	}
	if m := bob.Room("ann"); m.Unread != 1 || m.Peer == nil || m.Last == nil || m.Last.Text != "hello bob" {
		t.Errorf("bob's list shows %+v, last %+v", m, m.Last)
	}
	back := bob.Send(q.Room, "hello ann")
	bob.Sent(back)
	ann.Sees(q.Room, "bob", "hello ann")
	ann.Row(q.Room, q.ID, func(i api.Item) bool { return i.State == api.ItemDelivered })
	bob.Row(q.Room, back.ID, func(i api.Item) bool { return i.State == api.ItemDelivered })

	testenv.Do(bob, api.MarkRead, api.ReadTo{Room: q.Room, Seq: got.Seq})
	bob.Until("nothing unread", func() bool { return bob.Room("ann").Unread == 0 })
	if x, y := ann.Texts(q.Room), bob.Texts(q.Room); !slices.Equal(x, y) || len(x) != 2 {
		t.Errorf("ann has %q, bob has %q", x, y)
	}
	if len(ann.Notices())+len(bob.Notices()) > 0 {
		t.Errorf("notices: %v %v", ann.Notices(), bob.Notices())
	}
}
