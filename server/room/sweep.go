package room

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const (
	sweepEvery = time.Hour
	// sweepBatch is how many rows go in one transaction, so that no sender waits
	// long.
	sweepBatch = 500
)

// Run drops, every hour, Welcomes that nobody used for 30 days, with the trees
// that are kept for them, and rooms that the last member left 30 days ago. It
// returns when ctx ends.
func (rs *Rooms) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := rs.Sweep(ctx); err != nil && ctx.Err() == nil {
			rs.cfg.Log.Error("sweep rooms", "err", err) // the next tick comes
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep is what Run does every hour.
func (rs *Rooms) Sweep(ctx context.Context) error {
	now, err := rs.cfg.Believed(ctx)
	if err != nil {
		return err
	}
	if err := rs.upkeep.welcomes(ctx, now.Add(-welcomeTTL)); err != nil {
		return err
	}
	return rs.upkeep.deserted(ctx, now.Add(-desertedTTL))
}

// upkeep takes away what nobody needs any more, a little in each transaction.
// Where it is cut off it goes on with the next sweep.
type upkeep struct {
	db    *db.DB
	blobs Blobs
	tails *tails
	log   *slog.Logger
}

// welcomes drops the Welcomes that were made before a time and never used.
func (u *upkeep) welcomes(ctx context.Context, then time.Time) error {
	before := then.UnixMilli()
	for {
		rooms, err := roomsBy(ctx, u.db, `SELECT DISTINCT room_id FROM room_welcome WHERE made_ms < $1 LIMIT $2`, before, int64(sweepBatch))
		if err != nil || len(rooms) == 0 {
			return err
		}
		for _, id := range rooms {
			err := u.db.Update(ctx, func(tx *db.Tx) error {
				if _, err := tx.Exec(`DELETE FROM room_welcome WHERE room_id = $1 AND made_ms < $2`, id, before); err != nil {
					return fmt.Errorf("drop old Welcomes to %s: %w", id, err)
				}
				return prune(tx, id)
			})
			if err != nil {
				return err
			}
		}
	}
}

// deserted deletes the rooms whose last member left before a time.
func (u *upkeep) deserted(ctx context.Context, then time.Time) error {
	before := then.UnixMilli()
	for {
		rooms, err := roomsBy(ctx, u.db, `SELECT id FROM room WHERE deserted_ms > 0 AND deserted_ms < $1 LIMIT $2`, before, int64(sweepBatch))
		if err != nil || len(rooms) == 0 {
			return err
		}
		for _, id := range rooms {
			if err := u.delete(ctx, id); err != nil {
				return err
			}
			u.log.Info("deleted a room that everybody left", "room", id)
		}
	}
}

// roomsBy lists the rooms that a query finds.
func roomsBy(ctx context.Context, d *db.DB, query string, args ...any) (ids []wire.RoomID, err error) {
	err = d.View(ctx, func(tx *db.Tx) error {
		ids, err = column[wire.RoomID](tx, query, args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list rooms: %w", err)
	}
	return ids, nil
}

// column returns the one column of all rows that a query finds.
func column[T any](tx *db.Tx, query string, args ...any) (all []T, err error) {
	err = tx.Each(func(r *db.Rows) error {
		var one T
		if err := r.Scan(&one); err != nil {
			return err
		}
		all = append(all, one)
		return nil
	}, query, args...)
	return all, err
}

// delete removes a room with all that it has: first who may see it, so that
// nobody meets it half gone, then what it holds and its log in pieces, then its
// row, by which a sweep that was cut off finds it again.
func (u *upkeep) delete(ctx context.Context, id wire.RoomID) error {
	err := u.db.Update(ctx, func(tx *db.Tx) error {
		if err := own(tx, id); err != nil {
			return err
		}
		for _, table := range []string{
			`DELETE FROM room_member WHERE room_id = $1`,
			`DELETE FROM room_leaf WHERE room_id = $1`,
			`DELETE FROM room_cursor WHERE room_id = $1`,
			`DELETE FROM room_welcome WHERE room_id = $1`,
			`DELETE FROM room_info WHERE room_id = $1`,
			`DELETE FROM room_node WHERE room_id = $1`,
		} {
			if _, err := tx.Exec(table, id); err != nil {
				return fmt.Errorf("delete room %s: %w", id, err)
			}
		}
		tx.OnCommit(func() { u.tails.drop(id) })
		return nil
	})
	for more := true; err == nil && more; {
		err = u.db.Update(ctx, func(tx *db.Tx) error {
			more, err = u.blobs.ReleaseRoom(tx, id)
			return err
		})
	}
	for err == nil {
		var more bool
		err = u.db.Update(ctx, func(tx *db.Tx) error {
			if err := own(tx, id); err != nil {
				return err
			}
			const some = `DELETE FROM room_entry WHERE room_id = $1 AND seq IN (SELECT seq FROM room_entry WHERE room_id = $1 LIMIT $2)`
			n, err := tx.Exec(some, id, int64(sweepBatch))
			if err != nil {
				return fmt.Errorf("delete the log of %s: %w", id, err)
			}
			if more = n > 0; more {
				return nil
			}
			_, err = tx.Exec(`DELETE FROM room WHERE id = $1`, id)
			return err
		})
		if !more {
			break
		}
	}
	return err
}
