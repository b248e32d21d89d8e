package room_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server/db"
	devices "github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/wire"
)

// together has calls meet in one transaction, in this order.
func (s *site) together(calls ...func()) {
	s.Helper()
	var all sync.WaitGroup
	free, begun := make(chan struct{}), make(chan struct{})
	all.Go(func() {
		_ = s.db.Update(s.ctx, func(*db.Tx) error { close(begun); <-free; return nil })
	})
	<-begun
	for i, call := range calls {
		all.Go(call)
		for s.db.Waiting() <= i {
			runtime.Gosched()
		}
	}
	close(free)
	all.Wait()
	s.memoryFits()
}

// onStatement has the account of d say in real statements which devices it has,
// as server/device keeps them; it returns how the account revokes d.
func (d *device) onStatement() (revoke func() error) {
	d.Helper()
	root := testenv.NewRoot(d.TB, d.Account)
	keys := testenv.NewKeys(d.TB)
	signer, err := group.ParseSigner(d.suite, keys.Leaf.Seed())
	d.must(err)
	d.signer = signer
	other, spare := wire.NewDeviceID(), testenv.NewKeys(d.TB)
	publish := func(by wire.DeviceID, p wire.Publish) error {
		return d.db.Update(d.ctx, func(tx *db.Tx) error {
			_, _, err := devices.Publish(tx, d.Account, by, wire.DeviceActive, p, d.clock.now())
			return err
		})
	}
	d.must(d.db.Update(d.ctx, func(tx *db.Tx) error {
		const person = `INSERT INTO account (id, name, name_key, password, admin, created_ms) VALUES ($1, $2, $2, '', 0, 0)`
		if _, err := tx.Exec(person, d.Account, d.Account.String()); err != nil {
			return err
		}
		for id, k := range map[wire.DeviceID]testenv.Keys{d.Device: keys, other: spare} {
			const dev = `INSERT INTO device (id, account_id, name, state, leaf_key, unlock_key, created_ms, seen_ms) VALUES ($1, $2, '', $3, $4, $5, 0, 0)`
			e := k.Enrol()
			if _, err := tx.Exec(dev, id, d.Account, string(wire.DevicePending), e.Key, e.Unlock); err != nil {
				return err
			}
		}
		return nil
	}))
	for id, k := range map[wire.DeviceID]testenv.Keys{d.Device: keys, other: spare} {
		p := root.Sign(testenv.Add(id, k))
		d.must(publish(id, p))
		root.Took(p)
	}
	p := root.Sign(testenv.Revoke(d.Device))
	return func() error { return publish(other, p) }
}

// A revocation counts from the moment at which it has its turn, also within one
// transaction and for a device about which everything is remembered.
func TestARevokedDeviceIsRefusedInTheSameTransaction(t *testing.T) {
	s := newSite(t)
	s.onStatements()
	ann := s.person()
	revoke := ann.onStatement()
	id := ann.makeGroup()
	_, err := ann.send(id, "so that it is remembered")
	s.must(err)
	before, after, again := ann.sealing(id, "before"), ann.sealing(id, "after"), ann.sealing(id, "again")
	var errs [3]error
	s.together(
		func() { _, errs[0] = s.rooms.Send(s.ctx, ann.Actor, before) },
		func() { errs[1] = revoke() },
		func() { _, errs[2] = s.rooms.Send(s.ctx, ann.Actor, after) },
	)
	s.must(errs[0])
	s.must(errs[1])
	s.want(errs[2], wire.NotFound)
	_, err = s.rooms.Send(s.ctx, ann.Actor, again)
	s.want(err, wire.NotFound)
	if n := s.count(`SELECT seq FROM room WHERE id = $1`, id); n != 3 {
		t.Errorf("the room stands at %d", n)
	}
}

// Messages, a retry, a commit and what it makes stale in one transaction: all get
// what they would get one after the other, and the log is dense.
func TestOneTransactionIsAsIfOneAfterTheOther(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob)
	first, second, third := ann.sealing(id, "first"), bob.sealing(id, "second"), ann.sealing(id, "third")
	late, erased := bob.sealing(id, "late"), int64(2)
	commit := ann.committing(id, group.CommitOptions{Add: keyPackages(cid)})
	held := ann.blob(10)
	file := ann.sealing(id, "a file", held)
	var got [5]wire.Receipt
	var errs [8]error
	var cursor error
	s.together(
		func() { got[0], errs[0] = s.rooms.Send(s.ctx, ann.Actor, first) },
		func() { got[1], errs[1] = s.rooms.Send(s.ctx, bob.Actor, second) },
		func() { got[2], errs[2] = s.rooms.Send(s.ctx, ann.Actor, first) }, // once more
		func() { errs[3] = s.rooms.Erase(s.ctx, ann.Actor, wire.Erase{Room: id, Seq: erased}) },
		func() { cursor = s.rooms.SetCursor(s.ctx, bob.Actor, wire.SetCursor{Room: id, Read: 100}) },
		func() { got[3], errs[4] = s.rooms.Send(s.ctx, ann.Actor, file) },
		func() { got[4], errs[5] = s.rooms.Send(s.ctx, ann.Actor, third) },
	)
	for _, err := range append(errs[:], cursor) {
		s.must(err)
	}
	for i, seq := range []int64{2, 3, 2, 4, 5} {
		if got[i].Seq != seq {
			t.Errorf("entry %d has seq %d, not %d", i, got[i].Seq, seq)
		}
	}
	if got[2] != got[0] {
		t.Errorf("a retry got %+v, not %+v", got[2], got[0])
	}
	// The cursor went to what was newest when it had its turn.
	if n := s.count(`SELECT seen FROM room_cursor WHERE room_id = $1`, id); n != 3 {
		t.Errorf("the cursor is at %d", n)
	}
	if st, err := s.rooms.Get(s.ctx, ann.Actor, id); err != nil || st.Seq != 5 || st.Head != got[4].Head {
		t.Errorf("the room stands at %+v, %v", st, err)
	}

	// The commit was made on the first entry of its epoch, which is allowed.
	fourth := bob.sealing(id, "fourth")
	s.together(
		func() { got[0], errs[0] = s.rooms.Send(s.ctx, bob.Actor, fourth) },
		func() { got[1], errs[1] = s.rooms.Commit(s.ctx, ann.Actor, commit) }, // it is judged before it has its turn
		func() { got[2], errs[2] = s.rooms.Send(s.ctx, bob.Actor, late) },
		func() { got[3], errs[3] = s.rooms.Send(s.ctx, bob.Actor, fourth) },
	)
	s.must(errs[0])
	s.must(errs[1])
	s.want(errs[2], wire.Stale)
	s.must(errs[3])
	if got[0].Seq != 6 || got[1].Seq != 7 || got[3] != got[0] {
		t.Errorf("%+v", got)
	}
	ann.sync(id)
	bob.sync(id)
	if st, err := s.rooms.Get(s.ctx, bob.Actor, id); err != nil || st.Epoch != bob.in[id].group.Epoch() || st.Head != bob.in[id].head {
		t.Errorf("the room stands at %+v, %v", st, err)
	}
}

// Whoever changes a room owns it first. In the wrong order that fails, or changes
// nothing of what others rely on: what is looked at before it is written is not
// remembered as if it stood, and what others have left to be written is not lost.
func TestARoomIsOwnedBeforeItIsChanged(t *testing.T) {
	s := newSite(t)
	ann := s.person()
	id := ann.makeGroup()
	change := func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE room SET proposals = proposals + 1 WHERE id = $1`, id)
		return err
	}
	undo := func(tx *db.Tx) error {
		err := room.Own(tx, id)
		if err == nil {
			_, err = tx.Exec(`UPDATE room SET proposals = 0 WHERE id = $1`, id)
		}
		return err
	}
	var sent, owned error
	for i, job := range []func(*db.Tx) error{
		func(tx *db.Tx) error { return errors.Join(room.Own(tx, id), change(tx)) },
		func(tx *db.Tx) error { return errors.Join(s.rooms.Look(tx, id), room.Own(tx, id), change(tx)) },
		func(tx *db.Tx) error { return errors.Join(room.Own(tx, id), s.rooms.Look(tx, id), change(tx)) },
		func(tx *db.Tx) error {
			return errors.Join(room.Own(tx, id), change(tx), s.rooms.Look(tx, id), change(tx))
		},
	} {
		message := ann.sealing(id, "a message")
		s.together(
			func() { _, sent = s.rooms.Send(s.ctx, ann.Actor, message) },
			func() { owned = s.db.Update(s.ctx, job) },
		)
		s.must(sent)
		s.must(owned)
		s.must(s.db.Update(s.ctx, undo))
		if n := s.count(`SELECT seq FROM room WHERE id = $1`, id); n != int64(i+2) {
			t.Errorf("job %d: the room stands at %d", i, n)
		}
	}
	// Written first, and then owned: it is refused, and the message stays.
	message := ann.sealing(id, "the last")
	s.together(
		func() { _, sent = s.rooms.Send(s.ctx, ann.Actor, message) },
		func() {
			owned = s.db.Update(s.ctx, func(tx *db.Tx) error {
				if err := change(tx); err != nil {
					return err
				}
				return room.Own(tx, id)
			})
		},
	)
	s.must(sent)
	if owned == nil {
		t.Error("a job that wrote before it owned the room was let through")
	}
	if n := s.count(`SELECT seq + 1000 * proposals FROM room WHERE id = $1`, id); n != 6 {
		t.Errorf("the room stands at %d", n)
	}
}

// A commit that is refused after others in its transaction have moved the room on
// takes nothing of theirs with it.
func TestARefusedCommitUndoesNothingOfOthers(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	_, err := ann.send(id, "so that the room is remembered")
	s.must(err)
	bob.sync(id)
	one, two := ann.sealing(id, "one"), ann.sealing(id, "two")
	c := bob.committing(id, group.CommitOptions{})
	bob.revoke() // the server finds this when the commit has its turn
	var errs [3]error
	var last wire.Receipt
	s.together(
		func() { _, errs[0] = s.rooms.Send(s.ctx, ann.Actor, one) },
		func() { _, errs[1] = s.rooms.Commit(s.ctx, bob.Actor, c) },
		func() { last, errs[2] = s.rooms.Send(s.ctx, ann.Actor, two) },
	)
	s.must(errs[0])
	if errs[1] == nil {
		t.Fatal("the commit was taken")
	}
	s.must(errs[2])
	if n := s.count(`SELECT seq FROM room WHERE id = $1`, id); n != 4 || last.Seq != 4 {
		t.Errorf("the room stands at %d, the last was told %d", n, last.Seq)
	}
	ann.sync(id)
}

// What is remembered is used, and the tests above hold something against the rows.
func TestMessagesAreRemembered(t *testing.T) {
	s := newSite(t)
	ann := s.person()
	id := ann.makeGroup()
	for range 2 {
		_, err := ann.send(id, "hello")
		s.must(err)
	}
	s.must(s.db.Update(s.ctx, func(tx *db.Tx) error {
		n, err := s.rooms.CheckMemory(tx)
		if n != 3 { // the room, a member, a leaf
			t.Errorf("%d facts are remembered", n)
		}
		return err
	}))
	s.must(ann.commit(id, group.CommitOptions{}))
	s.must(s.db.Update(s.ctx, func(tx *db.Tx) error {
		n, err := s.rooms.CheckMemory(tx)
		if n != 0 {
			t.Errorf("after a commit %d facts are remembered", n)
		}
		return err
	}))
}

// Who reads the newest entries gets what is on disk, to the byte, whether they
// come from there or from memory.
func TestTheTailIsWhatIsOnDisk(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob)
	for range 20 {
		_, err := ann.send(id, "hello")
		s.must(err)
	}
	bob.sync(id)
	s.must(bob.leave(id)) // from here on it reads no further
	ann.sync(id)
	s.must(ann.commit(id, group.CommitOptions{IncludePending: true, Add: keyPackages(cid)}))
	for range 5 {
		_, err := ann.send(id, "without bob")
		s.must(err)
	}
	if n := s.rooms.Tail(id); n != 28 {
		t.Errorf("%d entries are kept", n)
	}
	pages := func() (all []byte) {
		for _, d := range []*device{ann, bob, cid} {
			for after := range int64(30) {
				for _, limit := range []int{0, 1, 7, 28, 29} {
					page, err := s.rooms.Log(s.ctx, d.Actor, wire.ReadLog{Room: id, After: after, Limit: limit})
					s.must(err)
					b, err := wire.Encode(page)
					s.must(err)
					all = append(all, b...)
				}
			}
		}
		return all
	}
	fromMemory := pages()
	s.db.Close()
	s.open()
	if n := s.rooms.Tail(id); n != 0 {
		t.Errorf("%d entries are kept after a start", n)
	}
	if string(pages()) != string(fromMemory) {
		t.Error("memory and disk differ")
	}
}

// What was erased is gone for whoever reads afterwards.
func TestATailForgetsWhatIsErased(t *testing.T) {
	s := newSite(t)
	ann := s.person()
	id := ann.makeGroup()
	for range 3 {
		_, err := ann.send(id, "hello")
		s.must(err)
	}
	s.must(s.rooms.Erase(s.ctx, ann.Actor, wire.Erase{Room: id, Seq: 3}))
	for range 2 {
		page, err := s.rooms.Log(s.ctx, ann.Actor, wire.ReadLog{Room: id})
		s.must(err)
		if len(page.Entries) < 4 || page.Entries[2].Body != nil || page.Entries[2].Erased == nil {
			t.Errorf("%d entries, the third with %s", len(page.Entries), page.Entries[2].Body)
		}
		_, err = ann.send(id, "more")
		s.must(err)
	}
}
