package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const (
	// MaxAppend is the most that one Append takes, in bytes.
	MaxAppend = 4 << 20
	// maxLoose is how many blobs that no message holds an account may have: a
	// few hundred photos on their way.
	maxLoose = 1000
	// minCharge is what a blob costs of the quota at least, in bytes: a block on
	// disk, so that many tiny ones are not free.
	minCharge = 4 << 10
	// appendWait is how long an Append waits for another of the same blob, whose
	// connection may be dead without anybody knowing.
	appendWait = 5 * time.Second
)

// Config says what a Store works with. DB, Dir and Log are required.
type Config struct {
	DB  *db.DB
	Dir string // made with mode 0700 if there is none
	Log *slog.Logger
	Now func() time.Time // nil means time.Now
	// Believed is the moment that a sweep may believe it is; nil means Now.
	Believed func(context.Context) (time.Time, error)
	Max      int64 // sealed bytes of one blob; 0 means wire.MaxBlob
	Quota    int64 // sealed bytes of one account; 0 means wire.MaxQuota
	// Fatal is called when a sync failed, so that what is on disk is unknown. It
	// is expected to end the process; nil panics.
	Fatal func(error)
}

// Store is all sealed file bytes of a site. Refusals are *wire.Error.
type Store struct {
	cfg Config
	dir dir

	mu     sync.Mutex // guards what follows
	locked map[wire.BlobID]chan struct{}
	gone   []wire.BlobID // rows are dropped, files are not yet
	kept   int           // how many want that files stay meanwhile

	wake chan struct{} // gone has grown
}

// New checks cfg. Files of deleted blobs stay until Run is called.
func New(cfg Config) (*Store, error) {
	if cfg.DB == nil || cfg.Dir == "" || cfg.Log == nil {
		return nil, errors.New("blob: DB, Dir and Log are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Believed == nil {
		cfg.Believed = func(context.Context) (time.Time, error) { return cfg.Now(), nil }
	}
	if cfg.Max == 0 {
		cfg.Max = wire.MaxBlob
	}
	if cfg.Quota == 0 {
		cfg.Quota = wire.MaxQuota
	}
	if cfg.Fatal == nil {
		cfg.Fatal = func(err error) { panic(err) }
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	return &Store{
		cfg:    cfg,
		dir:    dir{cfg.Dir, (*os.File).Sync},
		locked: make(map[wire.BlobID]chan struct{}),
		wake:   make(chan struct{}, 1),
	}, nil
}

// Caps are the limits that devices are told.
func (s *Store) Caps() wire.Caps { return wire.Caps{Blob: s.cfg.Max, Quota: s.cfg.Quota} }

// Create makes room for size sealed bytes of the actor. It refuses with BadRequest
// (not a size), TooLarge (over the cap) or NoSpace (over the quota).
func (s *Store) Create(ctx context.Context, a authz.Actor, size int64) (wire.BlobState, error) {
	if err := authz.Check(a, authz.BlobCreate, authz.TheSite()); err != nil {
		return wire.BlobState{}, err
	}
	switch {
	case size < 1:
		return wire.BlobState{}, wire.Refuse(wire.BadRequest, "a blob of %d bytes", size)
	case size > s.cfg.Max:
		return wire.BlobState{}, wire.Refuse(wire.TooLarge, "a blob has at most %d bytes", s.cfg.Max)
	}
	st := wire.BlobState{Blob: wire.NewBlobID(), Size: size}
	err := s.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		u, err := usageOf(tx, a.Account)
		if err != nil {
			return err
		}
		if u.used+charge(size) > s.cfg.Quota {
			return wire.Refuse(wire.NoSpace, "%d of %d bytes are used", u.used, s.cfg.Quota)
		}
		if u.loose >= maxLoose {
			return wire.Refuse(wire.NoSpace, "%d blobs wait for a message", u.loose)
		}
		const add = `INSERT INTO blob (id, account_id, size, have, holders, touched_ms) VALUES ($1, $2, $3, 0, 0, $4)`
		if _, err := tx.Exec(add, st.Blob, a.Account, size, s.cfg.Now().UnixMilli()); err != nil {
			return fmt.Errorf("create blob %s: %w", st.Blob, err)
		}
		note(tx, a.Account, charge(size), 1)
		return nil
	})
	if err != nil {
		return wire.BlobState{}, err
	}
	return st, nil
}

// Append adds what body holds, at most MaxAppend bytes, to a blob of the actor's
// account at exactly offset, and returns how it stands then. It refuses with
// NotFound (no such blob of this account), Conflict (offset is not where the
// blob stands: the state is returned too), TooLarge (body goes beyond the blob's
// size or MaxAppend; nothing is added), NoSpace (the disk is full) or Busy
// (another Append of the same blob is under way).
//
// If body breaks off, what arrived is kept and counts; the error says so.
func (s *Store) Append(ctx context.Context, a authz.Actor, id wire.BlobID, offset int64, body io.Reader) (wire.BlobState, error) {
	unlock, err := s.lock(ctx, id)
	if err != nil {
		return wire.BlobState{}, err
	}
	defer unlock()
	st, err := s.look(ctx, a, authz.BlobWrite, id)
	if err != nil {
		return wire.BlobState{}, err
	}
	if st.Have != offset {
		return st, wire.Refuse(wire.Conflict, "the blob has %d bytes", st.Have)
	}
	fits := min(MaxAppend, st.Size-st.Have)
	n, err := s.dir.write(id, st.Have, &overflow{body, fits})
	switch {
	case errors.Is(err, errTooLong):
		return st, wire.Refuse(wire.TooLarge, "at most %d bytes fit here", fits)
	case isFull(err):
		s.cfg.Log.Warn("the disk is full", "blob", id, "err", err)
		return st, wire.Refuse(wire.NoSpace, "the server's disk is full")
	case errors.Is(err, errSync):
		err = fmt.Errorf("append to blob %s: %w", id, err)
		s.cfg.Fatal(err)
		return st, err
	case err != nil && n == 0:
		if _, gone := s.look(ctx, a, authz.BlobWrite, id); gone != nil {
			return wire.BlobState{}, gone // deleted meanwhile
		}
		return st, fmt.Errorf("append to blob %s: %w", id, err)
	}
	st.Have += n
	if n > 0 {
		if err := s.moveOn(ctx, st, offset); err != nil {
			return wire.BlobState{}, err
		}
	}
	if err != nil {
		return st, fmt.Errorf("append to blob %s: broke off after %d bytes: %w", id, n, err)
	}
	return st, nil
}

var errSwept = errors.New("the blob was deleted meanwhile")

// moveOn writes down that the blob has st.Have bytes: true even if whoever asked
// has gone.
func (s *Store) moveOn(ctx context.Context, st wire.BlobState, from int64) error {
	err := s.cfg.DB.Update(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		const set = `UPDATE blob SET have = $2, touched_ms = $3 WHERE id = $1 AND have = $4`
		n, err := tx.Exec(set, st.Blob, st.Have, s.cfg.Now().UnixMilli(), from)
		if err != nil {
			return fmt.Errorf("move blob %s on: %w", st.Blob, err)
		}
		if n == 0 {
			return errSwept
		}
		return nil
	})
	if errors.Is(err, errSwept) {
		s.drop([]wire.BlobID{st.Blob}) // its file came back with us
		return authz.ErrDenied
	}
	return err
}

// find returns how a blob stands, if the actor may do this to it: as the one
// who uploads it, or as one who is or was a member of a room where a message
// that it may read holds it. What does not exist is refused alike.
func find(tx *db.Tx, a authz.Actor, do authz.Action, id wire.BlobID) (wire.BlobState, error) {
	const get = `SELECT size, have, account_id, COALESCE((
		SELECT MAX(CASE WHEN m.until_seq = 0 THEN 2 ELSE 1 END)
		FROM blob_ref r JOIN room_member m ON m.room_id = r.room_id
		WHERE r.blob_id = b.id AND m.account_id = $2 AND r.seq >= m.from_seq AND (m.until_seq = 0 OR r.seq <= m.until_seq)), 0)
		FROM blob b WHERE id = $1`
	st := wire.BlobState{Blob: id}
	var owner wire.AccountID
	var member int64
	err := tx.QueryRow(get, id, a.Account).Scan(&st.Size, &st.Have, &owner, &member)
	if err != nil && !errors.Is(err, db.ErrNone) {
		return wire.BlobState{}, fmt.Errorf("look up blob %s: %w", id, err)
	}
	closest := [...]authz.Membership{authz.Stranger, authz.Former, authz.Member}[member]
	if err := authz.Check(a, do, authz.BlobOf(owner, closest)); err != nil {
		return wire.BlobState{}, err
	}
	return st, nil
}

// look is find in a transaction of its own.
func (s *Store) look(ctx context.Context, a authz.Actor, do authz.Action, id wire.BlobID) (st wire.BlobState, err error) {
	err = s.cfg.DB.View(ctx, func(tx *db.Tx) error {
		st, err = find(tx, a, do, id)
		return err
	})
	return st, err
}

// State returns how a blob stands, to whom may read it. Anybody else gets
// NotFound.
func (s *Store) State(ctx context.Context, a authz.Actor, id wire.BlobID) (wire.BlobState, error) {
	return s.look(ctx, a, authz.BlobRead, id)
}

// MayRead reports whether the actor may read a blob.
func (s *Store) MayRead(ctx context.Context, a authz.Actor, id wire.BlobID) (bool, error) {
	_, err := s.State(ctx, a, id)
	if wire.CodeOf(err) == wire.NotFound {
		return false, nil
	}
	return err == nil, err
}

// File is a complete blob, open for reading. It is an io.ReadSeekCloser, which
// http.ServeContent reads ranges from.
type File struct {
	*os.File
	Size int64
}

// Open opens a blob for whom may read it. A blob that is not complete, or not
// for the actor, is NotFound.
func (s *Store) Open(ctx context.Context, a authz.Actor, id wire.BlobID) (*File, error) {
	st, err := s.State(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if st.Have != st.Size {
		return nil, authz.ErrDenied
	}
	f, err := s.dir.open(id, st.Size)
	if err != nil {
		// Erased in this moment, or the disk lost it: ask again which.
		if _, again := s.State(ctx, a, id); wire.CodeOf(again) == wire.NotFound {
			return nil, authz.ErrDenied
		}
		return nil, fmt.Errorf("open blob %s: %w", id, err)
	}
	return &File{f, st.Size}, nil
}

// Delete removes a blob of the actor's account that no message holds. It refuses with
// NotFound (no such blob of this account), Conflict (a message holds it) or Busy
// (an Append is under way).
func (s *Store) Delete(ctx context.Context, a authz.Actor, id wire.BlobID) error {
	unlock, err := s.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	return s.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		if _, err := find(tx, a, authz.BlobWrite, id); err != nil {
			return err
		}
		var holders int64
		if err := tx.QueryRow(`SELECT holders FROM blob WHERE id = $1`, id).Scan(&holders); err != nil {
			return fmt.Errorf("count the holders of blob %s: %w", id, err)
		}
		if holders > 0 {
			return wire.Refuse(wire.Conflict, "a message holds the blob")
		}
		return s.remove(tx, id)
	})
}

// lock waits until nobody else changes the blob.
func (s *Store) lock(ctx context.Context, id wire.BlobID) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, appendWait)
	defer cancel()
	for {
		s.mu.Lock()
		held, taken := s.locked[id]
		if !taken {
			free := make(chan struct{})
			s.locked[id] = free
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.locked, id)
				s.mu.Unlock()
				close(free)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			e := wire.Refuse(wire.Busy, "the blob is being written")
			e.RetryAfter = 1000
			return nil, e
		}
	}
}

var errTooLong = errors.New("more than fits")

// overflow reads what fits; one byte more is errTooLong.
type overflow struct {
	r    io.Reader
	left int64
}

func (o *overflow) Read(p []byte) (int, error) {
	if o.left == 0 {
		var one [1]byte
		n, err := o.r.Read(one[:])
		if n > 0 {
			return 0, errTooLong
		}
		return 0, err
	}
	if int64(len(p)) > o.left {
		p = p[:o.left]
	}
	n, err := o.r.Read(p)
	o.left -= int64(n)
	return n, err
}
