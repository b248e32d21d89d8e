package room_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/wire"
)

// told is a group in which ann has spoken, and everybody listens.
func told(t *testing.T, others int) (id wire.RoomID, ann *device, rest []*device) {
	s := newSite(t)
	ann = s.person()
	for range others {
		rest = append(rest, s.person())
	}
	id = ann.makeGroup(rest...)
	for _, d := range rest {
		d.sync(id)
	}
	for _, d := range append(rest, ann) {
		d.listen()
	}
	ann.speaks(id)
	return id, ann, rest
}

func (d *device) speaks(id wire.RoomID) {
	d.Helper()
	d.sync(id)
	_, err := d.send(id, "hello")
	d.must(err)
}

// reads tells that everything up to seq is here.
func (d *device) reads(id wire.RoomID, seq int64) {
	d.Helper()
	d.must(d.rooms.SetCursor(d.ctx, d.Actor, wire.SetCursor{Room: id, Delivered: seq}))
}

// later is when nothing waits for others any more.
func later() {
	time.Sleep(room.Gather)
	synctest.Wait()
}

func TestCursorsOfAGroupAreToldTogetherToWhomTheyConcern(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, ann, rest := told(t, 3)
		for _, d := range rest[:2] {
			d.reads(id, 2)
		}
		if heard := events(ann, wire.OnCursor); len(heard) != 0 {
			t.Errorf("before others could tell, ann heard %+v", heard)
		}
		later()
		if heard := events(ann, wire.OnCursor); len(heard) != 1 || len(heard[0].Cursors) != 2 || heard[0].Cursors[1].Delivered != 2 {
			t.Errorf("ann heard %+v", heard)
		}
		rest[0].speaks(id)
		for _, d := range []*device{ann, rest[1], rest[2]} {
			d.reads(id, 3)
		}
		// All but one have told: nobody is waited for. Ann sent 2, which rest[2] told
		// together with 3.
		for d, want := range map[*device]int{rest[0]: 1, ann: 1, rest[1]: 0, rest[2]: 0} {
			if heard := events(d, wire.OnCursor); len(heard) != want {
				t.Errorf("of what two have said, %d events are for one of them: %+v", len(heard), heard)
			}
		}
	})
}

func TestANudgeTakesCursorsAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, ann, rest := told(t, 3)
		rest[0].reads(id, 1)
		rest[1].reads(id, 2)
		rest[0].reads(id, 2)
		events(ann, wire.OnNudge)
		ann.speaks(id)
		later()
		nudges := events(ann, wire.OnNudge)
		if len(nudges) != 1 || len(nudges[0].Cursors) != 2 || nudges[0].Cursors[0].Delivered != 2 || nudges[0].Cursors[0].Account != rest[0].Account {
			t.Errorf("ann heard %+v", nudges)
		}
		if heard := events(ann, wire.OnCursor); len(heard) != 0 {
			t.Errorf("and once more: %+v", heard)
		}
	})
}

// What was answered is not dropped because too many others write just then.
func TestCursorsWaitForAWriterThatIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, ann, rest := told(t, 3)
		rest[0].reads(id, 2)
		d, held := ann.db, make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { _ = d.Update(t.Context(), func(*db.Tx) error { <-held; return nil }) })
		synctest.Wait()
		for range 2000 { // more than may wait
			wg.Go(func() { _ = d.Update(t.Context(), func(*db.Tx) error { return nil }) })
		}
		synctest.Wait()
		later()
		if heard := events(ann, wire.OnCursor); len(heard) != 0 {
			t.Errorf("ann heard %+v", heard)
		}
		close(held)
		wg.Wait()
		later()
		if heard := events(ann, wire.OnCursor); len(heard) != 1 || len(heard[0].Cursors) != 1 || heard[0].Cursors[0].Delivered != 2 {
			t.Errorf("ann heard %+v", heard)
		}
	})
}

// Who wrote and has left hears nothing more of the room.
func TestWhoHasLeftHearsOfNoCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, ann, rest := told(t, 3)
		bob := rest[0]
		bob.speaks(id)
		later()
		bob.must(bob.leave(id))
		events(bob, wire.OnCursor)
		rest[1].reads(id, 3)
		later()
		if heard := events(bob, wire.OnCursor); len(heard) != 0 {
			t.Errorf("bob heard %+v", heard)
		}
		if heard := events(ann, wire.OnCursor); len(heard) != 1 {
			t.Errorf("ann heard %+v", heard)
		}
	})
}

func TestACrowdHearsOfNoCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, ann, rest := told(t, 1)
		second := rest[0].another()
		second.listen()
		ann.must(ann.db.Update(ann.ctx, func(tx *db.Tx) error {
			for range wire.MaxCursors - 1 { // one more than may be
				someone := wire.NewAccountID()
				if _, err := tx.Exec(`INSERT INTO room_member (room_id, account_id, from_seq, until_seq) VALUES ($1, $2, 1, 0)`, id[:], someone[:]); err != nil {
					return err
				}
			}
			return nil
		}))
		rest[0].reads(id, 2)
		later()
		if heard := events(ann, wire.OnCursor); len(heard) != 0 {
			t.Errorf("ann heard %+v", heard)
		}
		if heard := events(second, wire.OnCursor); len(heard) != 1 {
			t.Errorf("the person's other device heard %+v", heard)
		}
	})
}

// at is where an account's cursor stands in the database.
func (d *device) at(id wire.RoomID) int64 {
	d.Helper()
	return d.count(`SELECT COUNT(*) * coalesce(max(delivered), 0) FROM room_cursor WHERE room_id = $1 AND account_id = $2`, id, d.Account)
}

// Cursors are stored with the next message, or a moment later, and moved only
// forward meanwhile.
func TestCursorsAreStoredWithWhatComesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, ann, rest := told(t, 3)
		bob := rest[0]
		bob.reads(id, 2)
		bob.reads(id, 1)
		if at := bob.at(id); at != 0 {
			t.Errorf("it was stored at once, as %d", at)
		}
		ann.speaks(id)
		if at := bob.at(id); at != 2 {
			t.Errorf("with a message %d was stored", at)
		}
		bob.reads(id, 3)
		later()
		if at := bob.at(id); at != 3 {
			t.Errorf("a moment later %d was stored", at)
		}
		events(ann, wire.OnCursor)
		for range 3 { // what was stored and told is gone
			later()
		}
		if heard := events(ann, wire.OnCursor); len(heard) != 0 || ann.rooms.Waiting() != 0 {
			t.Errorf("ann heard %+v, and %d rooms wait", heard, ann.rooms.Waiting())
		}
	})
}

// Of a room that is deleted before its cursors were stored nothing is left.
func TestCursorsOfADeletedRoomAreNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id, ann, rest := told(t, 3)
		rest[0].reads(id, 2)
		ann.must(ann.db.Update(ann.ctx, func(tx *db.Tx) error {
			if err := room.Own(tx, id); err != nil {
				return err
			}
			_, err := tx.Exec(`DELETE FROM room WHERE id = $1`, id[:])
			return err
		}))
		later()
		if at := rest[0].at(id); at != 0 || ann.rooms.Waiting() != 0 {
			t.Errorf("%d was stored, %d rooms wait", at, ann.rooms.Waiting())
		}
	})
}

// Many cursors and messages at once lose none and tell all.
func TestCursorsMoveWhileOthersSpeak(t *testing.T) {
	id, ann, rest := told(t, 6)
	var all sync.WaitGroup
	const messages = 40
	for _, d := range rest {
		all.Go(func() {
			for seq := range int64(messages) {
				if err := d.rooms.SetCursor(d.ctx, d.Actor, wire.SetCursor{Room: id, Delivered: seq + 2}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range messages {
		ann.speaks(id)
	}
	all.Wait()
	for _, d := range rest {
		d.reads(id, messages+2)
	}
	told := map[wire.AccountID]int64{}
	hear := func(list []wire.Cursor) {
		for _, c := range list {
			told[c.Account] = max(told[c.Account], c.Delivered)
		}
	}
	done := func() bool {
		for _, n := range events(ann, wire.OnNudge) {
			hear(n.Cursors)
		}
		for _, e := range events(ann, wire.OnCursor) {
			hear(e.Cursors)
		}
		return !slices.ContainsFunc(rest, func(d *device) bool { return told[d.Account] < messages+2 })
	}
	for late := time.Now().Add(time.Minute); !done() && time.Now().Before(late); {
		time.Sleep(5 * time.Millisecond)
	}
	for _, d := range rest {
		if at := d.at(id); at != messages+2 || told[d.Account] != messages+2 {
			t.Errorf("%d was stored and %d told", at, told[d.Account])
		}
	}
}
