package room

import (
	"testing"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// Fifty devices that come back at once ask for the same; it is said again once, and
// once more to who came after that.
func TestManyWhoAskAreAnsweredOnce(t *testing.T) {
	db, err := native.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	me := Me{Account: wire.NewAccountID(), Device: wire.NewDeviceID()}
	id := wire.NewRoomID()
	w := newWorker(New(Config{Store: db, Me: func() (Me, bool) { return me, true }}), id)
	sent := content.Sent{Device: me.Device, Client: wire.NewClientID()}
	note := func(seq int64, client wire.ClientID) error {
		return w.cfg.Store.Update(t.Context(), func(tx *store.Tx) error {
			return store.PutEntry(tx, id, &wire.Entry{Seq: seq, Kind: wire.MessageEntry, Account: me.Account, Device: me.Device, Client: client, Head: wire.Hash{byte(seq)}, Body: []byte{byte(seq)}})
		})
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := store.PutRoom(tx, store.Room{ID: id, Kind: wire.Group, State: store.RoomOpen}); err != nil {
			return err
		}
		return store.PutSaid(tx, id, sent.Client, "", []byte("what was said"))
	}); err != nil {
		t.Fatal(err)
	}
	if err := note(2, sent.Client); err != nil {
		t.Fatal(err)
	}
	asks := func(came int64) (waits []store.Outgoing) {
		t.Helper()
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			by := wire.NewDeviceID()
			if err := store.PutLeaf(tx, id, by, 1); err != nil {
				return err
			}
			if err := putSetting(tx, cameName(id, by), came); err != nil {
				return err
			}
			if err := w.book.asked(tx, by, []content.Sent{sent}); err != nil {
				return err
			}
			waits, err = store.Outbox(tx, id)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return waits
	}
	var waits []store.Outgoing
	for n := range 50 {
		waits = asks(int64(3 + n))
	}
	if len(waits) != 1 {
		t.Fatalf("it is said again %d times", len(waits))
	}
	// It is said.
	if err := note(60, waits[0].Client); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return store.Dequeue(tx, waits[0].N) }); err != nil {
		t.Fatal(err)
	}
	if waits = asks(59); len(waits) != 0 {
		t.Errorf("it is said again to who has heard it")
	}
	if waits = asks(61); len(waits) != 1 {
		t.Fatalf("who came later is not answered: %d wait", len(waits))
	}
	// What is sealed already is for those who were in then.
	if err := db.Update(t.Context(), func(tx *store.Tx) error {
		waits[0].Body, waits[0].Epoch = []byte("sealed"), 7
		return store.PutOutgoing(tx, waits[0])
	}); err != nil {
		t.Fatal(err)
	}
	if waits = asks(62); len(waits) != 2 {
		t.Errorf("what is sealed counts for who came later: %d wait", len(waits))
	}
}
