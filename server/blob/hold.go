package blob

import (
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Hold has the message seq of a room hold blobs, in the transaction that appends
// it. Each must be complete, and the sender's own or readable by it; else
// NotFound, for whichever reason.
func (s *Store) Hold(tx *db.Tx, a authz.Actor, room wire.RoomID, seq int64, blobs []wire.BlobID) error {
	for _, id := range blobs {
		st, err := find(tx, a, authz.BlobRead, id)
		if err != nil {
			return err
		}
		if st.Have != st.Size {
			return authz.ErrDenied
		}
		const ref = `INSERT INTO blob_ref (blob_id, room_id, seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
		n, err := tx.Exec(ref, id, room, seq)
		if err != nil {
			return fmt.Errorf("hold blob %s by %s/%d: %w", id, room, seq, err)
		}
		if n == 0 {
			continue // named twice
		}
		var owner wire.AccountID
		var holders int64
		const count = `UPDATE blob SET holders = holders + 1 WHERE id = $1 RETURNING account_id, holders`
		if err := tx.QueryRow(count, id).Scan(&owner, &holders); err != nil {
			return fmt.Errorf("count the holders of blob %s: %w", id, err)
		}
		if holders == 1 {
			note(tx, owner, 0, -1)
		}
	}
	return nil
}

// Release has the message seq of a room hold nothing any more. Blobs that no
// other message holds are deleted.
func (s *Store) Release(tx *db.Tx, room wire.RoomID, seq int64) error {
	return s.release(tx, room, seq, seq)
}

// ReleaseRoom has some messages of a room hold nothing any more, oldest first, and
// reports whether there are more that do. They are few enough that no sender
// waits long.
func (s *Store) ReleaseRoom(tx *db.Tx, room wire.RoomID) (more bool, err error) {
	var until int64
	const part = `SELECT COALESCE(MAX(seq), 0) FROM (SELECT seq FROM blob_ref WHERE room_id = $1 ORDER BY seq LIMIT $2) AS part`
	if err := tx.QueryRow(part, room, int64(sweepBatch)).Scan(&until); err != nil {
		return false, fmt.Errorf("look which blobs %s holds: %w", room, err)
	}
	return until > 0, s.release(tx, room, 0, until)
}

func (s *Store) release(tx *db.Tx, room wire.RoomID, from, to int64) error {
	var held []wire.BlobID
	const drop = `DELETE FROM blob_ref WHERE room_id = $1 AND seq >= $2 AND seq <= $3 RETURNING blob_id`
	err := tx.Each(func(r *db.Rows) error {
		var id wire.BlobID
		if err := r.Scan(&id); err != nil {
			return err
		}
		held = append(held, id)
		return nil
	}, drop, room, from, to)
	if err != nil {
		return fmt.Errorf("release blobs of %s: %w", room, err)
	}
	for _, id := range held {
		var owner wire.AccountID
		var holders int64
		const count = `UPDATE blob SET holders = holders - 1 WHERE id = $1 RETURNING account_id, holders`
		if err := tx.QueryRow(count, id).Scan(&owner, &holders); err != nil {
			return fmt.Errorf("count the holders of blob %s: %w", id, err)
		}
		if holders == 0 {
			note(tx, owner, 0, 1) // for a moment
			if err := s.remove(tx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove drops the row of a blob that nothing holds, and has its file removed
// once that is on disk.
func (s *Store) remove(tx *db.Tx, id wire.BlobID) error {
	const del = `DELETE FROM blob WHERE id = $1 AND holders = 0 RETURNING account_id, size`
	var owner wire.AccountID
	var size int64
	err := tx.QueryRow(del, id).Scan(&owner, &size)
	if errors.Is(err, db.ErrNone) {
		return errors.New("blob " + id.String() + " is deleted while something holds it")
	}
	if err != nil {
		return fmt.Errorf("delete blob %s: %w", id, err)
	}
	note(tx, owner, -charge(size), -1)
	tx.OnCommit(func() { s.drop([]wire.BlobID{id}) })
	return nil
}

// drop has Run remove the files of blobs whose rows are gone.
func (s *Store) drop(ids []wire.BlobID) {
	s.mu.Lock()
	s.gone = append(s.gone, ids...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // awake already
	}
}
