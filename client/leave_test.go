package client_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/testenv"
)

// A proposal to leave falls with its epoch where the only other member has lost
// its state and joins by itself. Who wanted to leave still does.
func TestALeavingThatFellWithItsEpochIsAskedForAgain(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	w := testenv.New(t, testenv.WithUsers("ann", "bob"), testenv.WithClock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	ann, bob := w.Client("ann"), w.Client("bob")
	id := ann.Group("council", "bob")
	bob.Open("council")
	ann.Send(id, "before")
	bob.Sees(id, "ann", "before")

	ann.Link.Cut()
	err := ann.Store.Update(context.Background(), func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, id)
		if err != nil {
			return err
		}
		m.State = store.RoomJoining
		if err := store.PutRoom(tx, m); err != nil {
			return err
		}
		return store.DropMLS(tx, id)
	})
	if err != nil {
		t.Fatal(err)
	}
	ann.Stop()
	testenv.Do(bob, api.LeaveRoom, api.RoomRef{Room: id})
	bob.Until("left", func() bool { return bob.Room("council").State == api.RoomLeft })
	ahead.Store(int64(2 * time.Minute))
	ann.Link.Mend()
	ann.Start()
	ann.Open("council")
	ann.Until("bob has left", func() bool { return ann.Room("council").Members == 1 })
	bob.Until("left", func() bool { return bob.Room("council").State == api.RoomLeft })
	noNotices(t, ann, bob)
}
