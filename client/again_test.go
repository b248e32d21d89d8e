package client_test

import (
	"context"
	"slices"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// Nothing is said again to a device that came into the room after it was said:
// it was not meant for it.
func TestNothingIsSaidAgainToWhoCameLater(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob", "mal"))
	ann, bob, mal := w.Client("ann"), w.Client("bob"), w.Client("mal")
	room := ann.Group("council", "bob")
	bob.Open("council")
	before := ann.Sent(ann.Send(room, "before mal came"))
	testenv.Do(ann, api.AddMembers, api.RoomPeople{Room: room, Members: ann.People("mal")})
	mal.Open("council")
	after := ann.Sent(ann.Send(room, "with mal"))
	mal.Sees(room, "ann", "with mal")

	ask := func(seqs ...int64) {
		t.Helper()
		var list []content.Sent
		device := *testenv.Do(ann, api.GetStatus, api.None{}).Device
		for _, seq := range seqs {
			var client wire.ClientID
			if err := ann.Store.View(context.Background(), func(tx *store.Tx) (err error) {
				client, err = store.ClientAt(tx, room, seq)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			list = append(list, content.Sent{Device: device, Client: client})
		}
		made, err := content.NewMissing(list)
		if err != nil {
			t.Fatal(err)
		}
		if err := mal.Store.Update(context.Background(), func(tx *store.Tx) error {
			for i, s := range list {
				if err := store.PutMissing(tx, room, store.Missing{Device: s.Device, Client: s.Client, Seq: seqs[i], Gap: "gap"}); err != nil {
					return err
				}
			}
			_, err := store.Enqueue(tx, store.Outgoing{Room: room, Client: wire.NewClientID(), Content: made.Content})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	sent := ann.Room("council").Seq
	ask(before.Seq, after.Seq)
	mal.Sent(mal.Send(room, "and?"))
	ann.Sees(room, "mal", "and?")
	mal.Until("ann has said one again", func() bool { return mal.Room("council").Seq >= sent+3 }) // the question, "and?", one answer
	ann.Sent(ann.Send(room, "no"))
	mal.Sees(room, "ann", "no")
	if got := mal.Texts(room); slices.Contains(got, "before mal came") {
		t.Errorf("mal reads %q", got)
	}
	ask(after.Seq) // and nothing twice
	mal.Sent(mal.Send(room, "once more"))
	ann.Sees(room, "mal", "once more")
	ann.Sent(ann.Send(room, "enough"))
	mal.Sees(room, "ann", "enough")
	if got := mal.Room("council").Seq; got != sent+3+1+3 {
		t.Errorf("the log is at %d, was at %d", got, sent)
	}
}
