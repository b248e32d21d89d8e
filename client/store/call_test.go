package store_test

import (
	"errors"
	"testing"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// In no epoch is a join number given twice, and none that was given in the epoch
// before is given again soon: a device that came in that epoch still uses it.
func TestJoinNumbers(t *testing.T) {
	db := open(t)
	r := wire.NewRoomID()
	next := func(epoch uint64) (n uint16, err error) {
		update(t, db, func(tx *store.Tx) error {
			n, err = store.NextJoin(tx, r, epoch)
			return nil
		})
		return n, err
	}
	last := -1
	for _, epoch := range []uint64{7, 7, 8, 8, 20} {
		n, err := next(epoch)
		if err != nil || int(n) != last+1 {
			t.Fatalf("number %d after %d in epoch %d, %v", n, last, epoch, err)
		}
		last = int(n)
	}
	seen := map[uint16]bool{uint16(last): true} // of the participation that goes on
	update(t, db, func(tx *store.Tx) error {
		for range 8191 {
			n, err := store.NextJoin(tx, r, 21)
			if err != nil {
				return err
			}
			if seen[n] {
				t.Fatalf("number %d twice", n)
			}
			seen[n] = true
			last = int(n)
		}
		return nil
	})
	if _, err := next(21); !errors.Is(err, store.ErrJoins) {
		t.Errorf("one more: %v", err)
	}
	if n, err := next(22); err != nil || n == uint16(last) {
		t.Errorf("in the next epoch %d, which is still used, %v", n, err)
	}
}
