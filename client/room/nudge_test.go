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
