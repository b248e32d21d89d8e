package store

import (
	"errors"

	"github.com/veche-im/veche/wire"
)

// ErrJoins is returned when the numbers of an epoch are used up: a new epoch
// comes first.
var ErrJoins = errors.New("store: no join number is left in this epoch")

// joins is how many join numbers there are. In one epoch one fewer is given out:
// a device that came in an epoch before may still use its own.
const joins = 1 << 13

// NextJoin takes a number for joining a call of room in an epoch. It must be on
// disk before it is used, and the same is not given again before all others were:
// not in the next epoch either, where a device that came in this one still uses
// it.
func NextJoin(tx *Tx, room wire.RoomID, epoch uint64) (uint16, error) {
	var next, taken int
	var of uint64
	_, err := one(tx, func(r row) (struct{}, error) { return struct{}{}, r.scan(&next, &of, &taken) },
		`SELECT next, epoch, taken FROM call_join WHERE room = ?1`, room)
	if err != nil && !errors.Is(err, ErrNone) {
		return 0, err
	}
	if of != epoch {
		taken = 0
	}
	if taken >= joins-1 {
		return 0, ErrJoins
	}
	const put = `INSERT INTO call_join (room, next, epoch, taken) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (room) DO UPDATE SET next = excluded.next, epoch = excluded.epoch, taken = excluded.taken`
	_, err = tx.exec(put, room, (next+1)%joins, epoch, taken+1)
	return uint16(next), err
}
