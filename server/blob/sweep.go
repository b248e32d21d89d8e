package blob

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const (
	// sweepEvery is how often blobs that no message holds are looked for.
	sweepEvery = time.Hour
	// sweepBatch is how many go in one transaction, so that no sender waits long.
	sweepBatch = 200
)

// Run removes files whose rows are gone: at once those that a crash left behind,
// from then on those that are deleted, and every hour blobs that no message has
// held for wire.BlobTTL. It returns when ctx ends.
func (s *Store) Run(ctx context.Context) error {
	switch err := s.sweepOrphans(ctx); {
	case errors.Is(err, db.ErrDamaged):
		s.cfg.Log.Error("files that a crash left behind stay, because the database is damaged", "err", err)
	case err != nil && ctx.Err() == nil:
		return err
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for due := true; ; {
		if due {
			// Not this time is no harm: the next tick comes.
			if err := s.sweepLoose(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Error("sweep blobs", "err", err)
			}
		}
		s.removeGone()
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
			due = false
		case <-tick.C:
			due = true
		}
	}
}

// removeGone removes the files of blobs whose rows were dropped. One that cannot
// be removed is an orphan that the next start sweeps.
func (s *Store) removeGone() {
	s.mu.Lock()
	if s.kept > 0 {
		s.mu.Unlock()
		return // the last one wakes us
	}
	gone := s.gone
	s.gone = nil
	s.mu.Unlock()
	for _, id := range gone {
		if err := s.dir.remove(id); err != nil {
			s.cfg.Log.Error("remove the file of a deleted blob", "blob", id, "err", err)
		}
	}
}

// Keep has the files of blobs stay until undo is called, whatever becomes of their
// rows: somebody copies them.
func (s *Store) Keep() (undo func()) {
	s.mu.Lock()
	s.kept++
	s.mu.Unlock()
	return sync.OnceFunc(func() {
		s.mu.Lock()
		s.kept--
		s.mu.Unlock()
		s.drop(nil)
	})
}

// sweepLoose deletes blobs that no message has held for wire.BlobTTL.
func (s *Store) sweepLoose(ctx context.Context) error {
	now, err := s.cfg.Believed(ctx)
	if err != nil {
		return err
	}
	before := now.Add(-wire.BlobTTL).UnixMilli()
	for {
		var loose []wire.BlobID
		err := s.cfg.DB.Update(ctx, func(tx *db.Tx) error {
			const find = `SELECT id FROM blob WHERE holders = 0 AND touched_ms < $1 LIMIT $2`
			err := tx.Each(func(r *db.Rows) error {
				var id wire.BlobID
				if err := r.Scan(&id); err != nil {
					return err
				}
				loose = append(loose, id)
				return nil
			}, find, before, int64(sweepBatch))
			if err != nil {
				return fmt.Errorf("find loose blobs: %w", err)
			}
			for _, id := range loose {
				if err := s.remove(tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(loose) > 0 {
			s.cfg.Log.Info("deleted blobs that no message holds", "count", len(loose))
		}
		if len(loose) < sweepBatch {
			return nil
		}
	}
}

// sweepOrphans removes files that have no row. A row is committed before its
// file is made, so a file without one is never on its way.
//
// Of a database that is damaged it is not known which rows it had: then nothing is
// removed.
func (s *Store) sweepOrphans(ctx context.Context) error {
	removed := 0
	if s.cfg.DB.Damaged() {
		return nil
	}
	err := s.dir.each(func(id wire.BlobID) error {
		var there int64
		err := s.cfg.DB.View(ctx, func(tx *db.Tx) error {
			return tx.QueryRow(`SELECT 1 FROM blob WHERE id = $1`, id).Scan(&there)
		})
		if !errors.Is(err, db.ErrNone) {
			return err
		}
		removed++
		s.drop([]wire.BlobID{id})
		return nil
	})
	if removed > 0 {
		s.cfg.Log.Info("removing files that a crash left behind", "count", removed)
	}
	if err != nil {
		return fmt.Errorf("sweep orphan blobs: %w", err)
	}
	return nil
}
