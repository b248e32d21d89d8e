package room

import (
	"fmt"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// state is a group's public state in one epoch, as mls.Storage: read whole when
// it is opened, so that loading a tree of 1,000 leaves is one query.
//
// What a later epoch replaces is kept under the epochs in which it stood, as long
// as a Welcome that has not been used leads into one of them (prune).
type state struct {
	room  wire.RoomID
	rows  map[string][]byte
	tx    *db.Tx // for writing; nil if only read
	epoch uint64 // that Put and Delete write for
}

// readState reads the state of a group as it stands in epoch.
func readState(tx *db.Tx, id wire.RoomID, epoch uint64) (*state, error) {
	const get = `SELECT node, body FROM room_node WHERE room_id = $1 AND since_epoch <= $2 AND (until_epoch = 0 OR until_epoch > $2)`
	s := &state{room: id, rows: make(map[string][]byte)}
	err := tx.Each(func(r *db.Rows) error {
		var key string
		var body []byte
		if err := r.Scan(&key, &body); err != nil {
			return err
		}
		s.rows[key] = body
		return nil
	}, get, id, int64(epoch))
	if err != nil {
		return nil, fmt.Errorf("read the group of %s: %w", id, err)
	}
	return s, nil
}

// load returns the group that the state holds.
func (s *state) load() (*mls.PublicGroup, error) {
	g, err := mls.LoadPublicGroup(s)
	if err != nil {
		return nil, fmt.Errorf("load the group of %s: %w", s.room, err)
	}
	return g, nil
}

// Get is mls.Storage's.
func (s *state) Get(key string) ([]byte, error) { return s.rows[key], nil }

// Put is mls.Storage's.
func (s *state) Put(key string, value []byte) error {
	if err := s.end(key); err != nil {
		return err
	}
	const put = `INSERT INTO room_node (room_id, node, since_epoch, until_epoch, body) VALUES ($1, $2, $3, 0, $4)
		ON CONFLICT (room_id, node, since_epoch) DO UPDATE SET until_epoch = 0, body = excluded.body`
	if _, err := s.tx.Exec(put, s.room, key, int64(s.epoch), value); err != nil {
		return fmt.Errorf("store %s of %s: %w", key, s.room, err)
	}
	return nil
}

// Delete is mls.Storage's.
func (s *state) Delete(key string) error {
	const del = `DELETE FROM room_node WHERE room_id = $1 AND node = $2 AND since_epoch = $3`
	if _, err := s.tx.Exec(del, s.room, key, int64(s.epoch)); err != nil {
		return fmt.Errorf("delete %s of %s: %w", key, s.room, err)
	}
	return s.end(key)
}

// end closes the version of key that an earlier epoch left current.
func (s *state) end(key string) error {
	const end = `UPDATE room_node SET until_epoch = $3 WHERE room_id = $1 AND node = $2 AND until_epoch = 0 AND since_epoch < $3`
	if _, err := s.tx.Exec(end, s.room, key, int64(s.epoch)); err != nil {
		return fmt.Errorf("end %s of %s: %w", key, s.room, err)
	}
	return nil
}

// prune deletes what stood in epochs that no Welcome leads into any more.
func prune(tx *db.Tx, id wire.RoomID) error {
	const del = `DELETE FROM room_node WHERE room_id = $1 AND until_epoch > 0 AND NOT EXISTS (
		SELECT 1 FROM room_welcome w WHERE w.room_id = $1 AND w.epoch >= room_node.since_epoch AND w.epoch < room_node.until_epoch)`
	if _, err := tx.Exec(del, id); err != nil {
		return fmt.Errorf("prune the group of %s: %w", id, err)
	}
	return nil
}
