package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Create makes a room with its first commit, all or nothing. It refuses with
// Exists (the two have a direct room: Error.Room names it), Conflict (the id is
// taken), TooLarge and BadRequest.
func (rs *Rooms) Create(ctx context.Context, a authz.Actor, p wire.CreateRoom) (got wire.Receipt, err error) {
	if err := checkUpload(p.First); err != nil {
		return got, err
	}
	if len(p.Info) > maxInfo {
		return got, wire.Refuse(wire.TooLarge, "a GroupInfo has at most %d bytes", maxInfo)
	}
	group, rules, err := found(a, p)
	if err != nil {
		return got, err
	}
	m, err := parseCommit(p.First.Commit)
	if err != nil {
		return got, err
	}
	c, err := prepare(group, m, a, p.First)
	if err != nil {
		return got, err
	}
	err = rs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		switch r, err := find(tx, p.Room); {
		case err == nil:
			return createdBefore(tx, a, r, p, &got)
		case !errors.Is(err, db.ErrNone):
			return fmt.Errorf("look for room %s: %w", p.Room, err)
		}
		if err := checkActive(tx, rs.cfg.People, a); err != nil {
			return err
		}
		r := room{id: p.Room, kind: p.Kind}
		if err := establish(tx, rs.cfg.People, &r, rules); err != nil {
			return err
		}
		got, err = rs.apply(tx, a, &r, c)
		return err
	})
	return got, err
}

// createdBefore answers the repetition of a Create that was carried out.
func createdBefore(tx *db.Tx, a authz.Actor, r room, p wire.CreateRoom, got *wire.Receipt) error {
	sent, err := receiptOf(tx, r.id, a.Device, p.First.Client)
	if err != nil {
		return err
	}
	if sent == nil {
		return wire.Refuse(wire.Conflict, "the room's id is taken")
	}
	*got = *sent
	return nil
}

// found checks epoch 0 of a group: the room's id and the policy. That it has the
// creator's device alone is judged with the first commit.
func found(a authz.Actor, p wire.CreateRoom) (*mls.PublicGroup, policy.Policy, error) {
	fail := func(err error) (*mls.PublicGroup, policy.Policy, error) { return nil, policy.Policy{}, err }
	if p.Room.IsZero() {
		return fail(wire.Refuse(wire.BadRequest, "a room needs an id"))
	}
	info, err := mls.ParseGroupInfo(p.Info)
	if err != nil {
		return fail(bad("the GroupInfo of epoch 0", err))
	}
	g, err := mls.NewPublicGroup(info, nil)
	if err != nil {
		return fail(bad("the GroupInfo of epoch 0", err))
	}
	if string(info.Context.GroupID) != string(p.Room[:]) || g.Epoch() != 0 {
		return fail(wire.Refuse(wire.BadRequest, "the group is not of this room, or not in epoch 0"))
	}
	rules, err := policy.FromContext(info.Context.Extensions)
	if err != nil {
		return fail(bad("the policy", err))
	}
	switch {
	case rules.Kind != p.Kind:
		return fail(wire.Refuse(wire.BadRequest, "the policy is that of a %s room", rules.Kind))
	case !rules.Owns(a.Account): // else a stranger could ask which room two others have
		return fail(wire.Refuse(wire.BadRequest, "the creator of a room is among its owners"))
	}
	return g, rules, nil
}

// establish makes the row of a new room. To a direct room its two people belong
// from the start.
func establish(tx *db.Tx, people People, r *room, rules policy.Policy) error {
	var pair any // null
	if rules.Kind == wire.Direct {
		var both []byte
		for _, account := range rules.Owners {
			known, err := people.Known(tx, account)
			if err != nil {
				return fmt.Errorf("look up account %s: %w", account, err)
			}
			if !known {
				return authz.ErrDenied
			}
			both = append(both, account[:]...)
		}
		e := wire.Refuse(wire.Exists, "the two have a room")
		err := tx.QueryRow(`SELECT id FROM room WHERE pair = $1`, both).Scan(&e.Room)
		if err == nil {
			return e
		}
		if !errors.Is(err, db.ErrNone) {
			return fmt.Errorf("look for the direct room: %w", err)
		}
		pair = both
	}
	const add = `INSERT INTO room (id, kind, pair, seq, head, epoch, epoch_seq, epoch_head, proposals, proposed_ms, deserted_ms)
		VALUES ($1, $2, $3, 0, $4, 0, 0, $4, 0, 0, 0)`
	if _, err := tx.Exec(add, r.id, string(r.kind), pair, r.head); err != nil {
		return fmt.Errorf("create room %s: %w", r.id, err)
	}
	return nil
}
