package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Standing says how an account stands to a room, of what kind the room is, and
// whether a device of the account has a leaf in its tree. Of a room that does not
// exist everybody is a stranger.
func (rs *Rooms) Standing(tx *db.Tx, id wire.RoomID, account wire.AccountID, device wire.DeviceID) (m authz.Membership, kind wire.RoomKind, leaf bool, err error) {
	s, err := spanOf(tx, id, account)
	if err != nil || s.membership == authz.Stranger {
		return authz.Stranger, "", false, err
	}
	r, err := find(tx, id)
	if errors.Is(err, db.ErrNone) {
		return authz.Stranger, "", false, nil
	}
	if err != nil {
		return authz.Stranger, "", false, fmt.Errorf("read room %s: %w", id, err)
	}
	var n int64
	leaf, err = exists(tx.QueryRow(`SELECT leaf FROM room_leaf WHERE room_id = $1 AND device_id = $2 AND account_id = $3`, id, device, account), &n)
	if err != nil {
		return authz.Stranger, "", false, fmt.Errorf("look up the leaf of %s in %s: %w", device, id, err)
	}
	return s.membership, r.kind, leaf, nil
}

// Members lists the members of a room.
func (rs *Rooms) Members(tx *db.Tx, id wire.RoomID) ([]wire.AccountID, error) {
	return membersOf(tx, id)
}

// Owners returns who owns a room by the policy in its group.
func (rs *Rooms) Owners(ctx context.Context, id wire.RoomID) ([]wire.AccountID, error) {
	var s *state
	err := rs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		r, err := find(tx, id)
		if errors.Is(err, db.ErrNone) {
			return authz.ErrDenied
		}
		if err != nil {
			return fmt.Errorf("read room %s: %w", id, err)
		}
		s, err = readState(tx, id, r.epoch)
		return err
	})
	if err != nil {
		return nil, err
	}
	g, err := s.load()
	if err != nil {
		return nil, err
	}
	p, err := policy.FromContext(g.Context().Extensions)
	if err != nil {
		return nil, fmt.Errorf("read the policy of %s: %w", id, err)
	}
	return p.Owners, nil
}
