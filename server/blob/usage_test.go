package blob_test

import (
	"errors"
	"testing"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// After each method that writes, what is remembered of an account's blobs is
// what they come to.
func TestWhatIsRememberedOfBlobsIsWhatTheyComeTo(t *testing.T) {
	s := newSite(t)
	ann, bob := person(), person()
	r := wire.NewRoomID()
	s.member(r, ann, 1, 0)
	s.member(r, bob, 1, 0)
	check := func(when string) {
		t.Helper()
		for _, a := range []authz.Actor{ann, bob} {
			err := s.db.Update(s.ctx, func(tx *db.Tx) error {
				remembered, stored, err := blob.Usage(tx, a.Account)
				if remembered != stored {
					t.Errorf("%s: %s is remembered, %s is stored", when, remembered, stored)
				}
				return err
			})
			s.must(err)
		}
	}
	check("at first")
	create := func(a authz.Actor, size int) wire.BlobID {
		t.Helper()
		id := s.upload(a, random(size))
		check("after an upload")
		return id
	}
	small, large, third := create(ann, 10), create(ann, 50_000), create(bob, 5000)
	s.must(s.hold(ann, r, 1, small, large, small))
	check("held")
	s.must(s.hold(bob, r, 2, small, third))
	check("held by another, too")
	s.must(s.release(r, 1))
	check("released")
	s.must(s.release(r, 2))
	check("released by all")
	loose := create(ann, 6000)
	s.must(s.blobs.Delete(s.ctx, ann, loose))
	check("deleted")
	loose = create(ann, 6000)
	err := s.db.Update(s.ctx, func(tx *db.Tx) error {
		held := s.blobs.Hold(tx, ann, r, 3, []wire.BlobID{loose})
		_, err := s.blobs.ReleaseRoom(tx, r)
		return errors.Join(held, err, errors.New("no"))
	})
	if err == nil {
		t.Error("it was not undone")
	}
	check("undone")
	create(bob, 7000)
	s.must(s.hold(bob, r, 4, create(bob, 8000)))
	s.releaseRoom(r)
	check("when the room was deleted")
	s.now = s.now.Add(2 * wire.BlobTTL)
	s.settle(loose)
	check("swept")
	if _, err := s.blobs.State(s.ctx, ann, loose); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("got %v after %v", err, 2*wire.BlobTTL/time.Hour)
	}
}

// A room that held thousands of files is not let go of in one transaction.
func TestARoomIsReleasedInPieces(t *testing.T) {
	s := newSite(t)
	ann, r, other := person(), wire.NewRoomID(), wire.NewRoomID()
	id := s.upload(ann, random(10))
	const messages = 450
	s.must(s.db.Update(s.ctx, func(tx *db.Tx) error {
		for seq := range int64(messages) {
			if err := s.blobs.Hold(tx, ann, r, seq+1, []wire.BlobID{id}); err != nil {
				return err
			}
		}
		return s.blobs.Hold(tx, ann, other, 1, []wire.BlobID{id})
	}))
	if steps := s.releaseRoom(r); steps < 3 {
		t.Errorf("it was released in %d steps", steps)
	}
	s.read(ann, id) // the other room holds it
	s.releaseRoom(other)
	s.settle(id)
}
