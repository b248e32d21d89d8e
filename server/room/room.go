package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

const (
	// maxInfo caps a GroupInfo, in bytes: the policy of a room that wire.MaxLeaves
	// accounts own is 85 KB, the rest is some 4 KB with the hybrid suite.
	maxInfo = 256 << 10
	// maxWelcomes caps what one commit's Welcomes take on disk, in bytes: each
	// added device gets its own with the whole encrypted GroupInfo, some 2 KB of a
	// new group, 90 KB of one that thousands own.
	maxWelcomes = 32 << 20
	// smallEntry is the largest body that a nudge carries along, in bytes.
	smallEntry = 16 << 10
	// welcomeTTL is how long a Welcome waits for its device; room-log.md.
	welcomeTTL = 30 * 24 * time.Hour
	// desertedTTL is how long a room without members is kept for those that left
	// and have not read everything.
	desertedTTL = 30 * 24 * time.Hour
	// proposalGrace is how long members have for committing a proposal before an
	// external commit may pass over it.
	proposalGrace = time.Minute
	// maxIntimate is the number of accounts up to which members hear of one
	// another's cursors as they move, and a list of rooms says who is in one: with
	// n members every message would be n×n events.
	maxIntimate = wire.MaxCursors
	// maxListDetails is how many members and cursors a list of rooms says before it
	// leaves them out: some 5 MB.
	maxListDetails = 100_000
)

// People is what a room needs to know of accounts: what their newest statements
// say. server/device knows it.
type People interface {
	// Known reports whether there is such an account.
	Known(tx *db.Tx, account wire.AccountID) (bool, error)
	// Listed returns the signature key of a device's leaves and its state; the
	// state is empty if the account's newest statement does not list the device.
	Listed(tx *db.Tx, account wire.AccountID, device wire.DeviceID) (key []byte, state wire.DeviceState, err error)
}

// Blobs is what a room needs of sealed files. server/blob has it.
type Blobs interface {
	Hold(tx *db.Tx, sender authz.Actor, room wire.RoomID, seq int64, blobs []wire.BlobID) error
	Release(tx *db.Tx, room wire.RoomID, seq int64) error
	ReleaseRoom(tx *db.Tx, room wire.RoomID) (more bool, err error)
}

// Config says what Rooms work with. All is required but Now and what follows.
type Config struct {
	DB     *db.DB
	Hub    *hub.Hub
	People People
	Blobs  Blobs
	Log    *slog.Logger
	Now    func() time.Time // nil means time.Now
	Limit  *limit.Limiter   // nil is one of their own, on the clock Now
	// Believed is the moment that a sweep may believe it is; nil means Now.
	Believed func(context.Context) (time.Time, error)
	// Left hears, after the commit, that an account is no longer a member, or, with
	// a device, that this one has no leaf any more. It must not block; nil is
	// nobody.
	Left func(room wire.RoomID, account wire.AccountID, device wire.DeviceID)
}

// Rooms is all rooms of a site, for those who ask: each method opens a
// transaction, asks whether the actor may, and has the nouns do it. Refusals are
// *wire.Error.
type Rooms struct {
	cfg      Config
	memory   *memory
	progress *progress
	log      *logs
	roster   *roster
	upkeep   *upkeep
	trees    treeCache

	listDetails int        // maxListDetails, but for tests
	changeRate  limit.Rate // likewise
}

// New checks cfg.
func New(cfg Config) (*Rooms, error) {
	if cfg.DB == nil || cfg.Hub == nil || cfg.People == nil || cfg.Blobs == nil || cfg.Log == nil {
		return nil, errors.New("room: DB, Hub, People, Blobs and Log are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Limit == nil {
		cfg.Limit = limit.New(cfg.Now)
	}
	if cfg.Believed == nil {
		cfg.Believed = func(context.Context) (time.Time, error) { return cfg.Now(), nil }
	}
	if cfg.Left == nil {
		cfg.Left = func(wire.RoomID, wire.AccountID, wire.DeviceID) {}
	}
	rs := &Rooms{cfg: cfg, memory: new(memory), listDetails: maxListDetails, changeRate: changeRate}
	newest := new(tails)
	rs.progress = &progress{db: cfg.DB, hub: cfg.Hub, memory: rs.memory, tails: newest, log: cfg.Log}
	rs.log = &logs{hub: cfg.Hub, blobs: cfg.Blobs, now: cfg.Now, tails: newest, progress: rs.progress, log: cfg.Log}
	rs.roster = &roster{hub: cfg.Hub, now: cfg.Now, left: cfg.Left}
	rs.upkeep = &upkeep{db: cfg.DB, blobs: cfg.Blobs, tails: newest, log: cfg.Log}
	return rs, nil
}

// room is the row of a room.
type room struct {
	id         wire.RoomID
	kind       wire.RoomKind
	seq        int64
	head       wire.Hash
	epoch      uint64
	epochSeq   int64
	epochHead  wire.Hash
	proposals  int64
	proposedMS int64
}

const columns = `kind, seq, head, epoch, epoch_seq, epoch_head, proposals, proposed_ms`

func (r *room) scan(row db.Row) error {
	var epoch int64
	err := row.Scan((*string)(&r.kind), &r.seq, &r.head, &epoch, &r.epochSeq, &r.epochHead, &r.proposals, &r.proposedMS)
	r.epoch = uint64(epoch)
	return err
}

// find reads the row of a room; ErrNone if there is no such room.
func find(tx *db.Tx, id wire.RoomID) (room, error) {
	if r, ok := tx.Recall(known(id)).(remembered); ok {
		return r.room, nil
	}
	r := room{id: id}
	return r, r.scan(tx.QueryRow(`SELECT `+columns+` FROM room WHERE id = $1`, id))
}

// lock is find for who changes the room: until the transaction ends nobody else
// does.
func lock(tx *db.Tx, id wire.RoomID) (room, error) {
	r := room{id: id}
	if err := own(tx, id); err != nil {
		return r, err
	}
	return r, r.scan(tx.QueryRow(`UPDATE room SET seq = seq WHERE id = $1 RETURNING `+columns, id))
}

// span is from where to where an account may read: its newest time as a member.
type span struct {
	membership  authz.Membership
	from, until int64 // until is 0 for a member
}

// spanOf returns how an account stands to a room.
func spanOf(tx *db.Tx, id wire.RoomID, account wire.AccountID) (s span, err error) {
	const get = `SELECT from_seq, until_seq FROM room_member WHERE room_id = $1 AND account_id = $2 ORDER BY from_seq DESC LIMIT 1`
	err = tx.QueryRow(get, id, account).Scan(&s.from, &s.until)
	switch {
	case errors.Is(err, db.ErrNone):
		return span{membership: authz.Stranger}, nil
	case err != nil:
		return span{}, fmt.Errorf("look up %s in %s: %w", account, id, err)
	case s.until == 0:
		s.membership = authz.Member
	default:
		s.membership = authz.Former
	}
	return s, nil
}

// enter reads a room for an actor who wants to do something that changes
// nothing. A room that does not exist and one that is not for the actor are
// refused alike.
func enter(tx *db.Tx, a authz.Actor, do authz.Action, id wire.RoomID) (room, span, error) {
	s, err := spanOf(tx, id, a.Account)
	if err != nil {
		return room{}, span{}, err
	}
	if err := authz.CheckIn(a, do, s.membership); err != nil {
		return room{}, span{}, err
	}
	r, err := find(tx, id)
	if errors.Is(err, db.ErrNone) {
		return room{}, span{}, authz.ErrDenied
	}
	if err != nil {
		return room{}, span{}, fmt.Errorf("read room %s: %w", id, err)
	}
	return r, s, nil
}

// begin is enter for an actor who wants to append an entry. If the device sent
// one under this client id before, its receipt is returned, and nothing else is
// to be done: so it is even after the account has left, because the entry by
// which it left may be the one that is repeated.
func (rs *Rooms) begin(tx *db.Tx, a authz.Actor, do authz.Action, id wire.RoomID, client wire.ClientID) (r room, sent *wire.Receipt, err error) {
	s, err := spanOf(tx, id, a.Account)
	if err != nil {
		return room{}, nil, err
	}
	if err := authz.Check(a, authz.RoomRead, authz.InRoom(s.membership)); err != nil {
		return room{}, nil, err
	}
	if r, err = lock(tx, id); errors.Is(err, db.ErrNone) {
		return room{}, nil, authz.ErrDenied
	} else if err != nil {
		return room{}, nil, fmt.Errorf("lock room %s: %w", id, err)
	}
	if sent, err = receiptOf(tx, id, a.Device, client); sent != nil || err != nil {
		return r, sent, err
	}
	if err := authz.Check(a, do, authz.InRoom(s.membership)); err != nil {
		return room{}, nil, err
	}
	return r, nil, checkActive(tx, rs.cfg.People, a)
}

// checkActive refuses a device that was revoked since its session began.
func checkActive(tx *db.Tx, people People, a authz.Actor) error {
	_, state, err := people.Listed(tx, a.Account, a.Device)
	if err != nil {
		return fmt.Errorf("look up device %s: %w", a.Device, err)
	}
	if state != wire.DeviceActive {
		return authz.ErrDenied
	}
	return nil
}
