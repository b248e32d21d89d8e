package room

import (
	"testing"

	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/wire"
)

// A nudge for a room that there is not makes no worker: a server can make up
// any number of rooms.
func TestANudgeForARoomThatIsNotHereMakesNoWorker(t *testing.T) {
	db, err := native.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := New(Config{Store: db})
	for range 100 {
		if err := r.Nudge(wire.Nudge{Room: wire.NewRoomID(), Seq: 3}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.workers); n > 0 {
		t.Errorf("%d rooms are at work", n)
	}
}

// However many entries a server sends along, a room keeps some until their turn
// comes; the others are read from the log.
func TestEntriesThatComeWithNudgesAreBounded(t *testing.T) {
	w := newWorker(New(Config{}), wire.NewRoomID())
	for seq := range int64(10 * mostNudged) {
		w.nudge(wire.Nudge{Seq: seq + 1, Entry: &wire.Entry{Seq: seq + 1, Body: make([]byte, 1<<10)}})
	}
	if n := len(w.nudged); n != mostNudged || w.seq != 10*mostNudged {
		t.Errorf("%d entries are kept, the newest that is known is %d", n, w.seq)
	}
}
