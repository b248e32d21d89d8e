package room

import (
	"fmt"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// Gather is how long cursors wait for others.
const Gather = gather

// Own has a test change a room's rows.
func Own(tx *db.Tx, id wire.RoomID) error { return own(tx, id) }

// Waiting is how many rooms have cursors that are not stored or not told.
func (rs *Rooms) Waiting() int {
	rs.progress.mu.Lock()
	defer rs.progress.mu.Unlock()
	return len(rs.progress.rooms)
}

// ChangeRate has an account change one room at most so often.
func (rs *Rooms) ChangeRate(r limit.Rate) { rs.changeRate = r }

// ListDetails has lists say at most n members and cursors in detail.
func (rs *Rooms) ListDetails(n int) { rs.listDetails = n }

// CheckMemory holds what the writer remembers of rooms against the rows, and
// returns how many facts it held.
func (rs *Rooms) CheckMemory(tx *db.Tx) (n int, err error) {
	readings := make(map[uint64]wire.RoomID)
	for _, fact := range tx.Facts() {
		r, ok := fact.(remembered)
		if !ok {
			continue
		}
		n++
		readings[r.reading] = r.id
		stored := room{id: r.id}
		if err := stored.scan(tx.QueryRow(`SELECT `+columns+` FROM room WHERE id = $1`, r.id)); err != nil {
			return n, fmt.Errorf("room %s is remembered: %w", r.id, err)
		}
		if stored != r.room {
			return n, fmt.Errorf("%+v is remembered, %+v is stored", r.room, stored)
		}
	}
	for key, fact := range tx.Facts() {
		switch key := key.(type) {
		case member:
			id, ok := readings[key.reading]
			if !ok {
				continue // of a room that was forgotten
			}
			n++
			if s, err := spanOf(tx, id, key.account); err != nil || s.membership != authz.Member {
				return n, fmt.Errorf("%s is remembered as a member of %s, %v", key.account, id, err)
			}
		case cursor:
			id, ok := readings[key.reading]
			if !ok {
				continue
			}
			n++
			if list, err := cursorsOf(tx, id, key.account); err != nil || len(list) == 0 || list[0] != fact {
				return n, fmt.Errorf("%v is remembered, %v is stored in %s, %v", fact, list, id, err)
			}
		case crowd:
			id, ok := readings[key.reading]
			if !ok {
				continue
			}
			n++
			if list, err := membersOf(tx, id); err != nil || int64(min(len(list), maxIntimate+1)) != fact {
				return n, fmt.Errorf("%s is remembered with %v members, it has %d, %v", id, fact, len(list), err)
			}
		case leaf:
			id, ok := readings[key.reading]
			if !ok {
				continue
			}
			n++
			if has, err := hasLeaf(tx, id, key.device); err != nil || !has {
				return n, fmt.Errorf("%s is remembered as a leaf of %s, %v", key.device, id, err)
			}
		}
	}
	return n, nil
}

// Look has the room's row remembered, as a method does that only looks.
func (rs *Rooms) Look(tx *db.Tx, id wire.RoomID) error {
	_, err := rs.memory.look(tx, id)
	return err
}

// Tail is how many of a room's newest entries are kept.
func (rs *Rooms) Tail(id wire.RoomID) int {
	rs.log.tails.mu.Lock()
	defer rs.log.tails.mu.Unlock()
	if el := rs.log.tails.rooms[id]; el != nil {
		return len(el.Value.(*tail).entries)
	}
	return 0
}
