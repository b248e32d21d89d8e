package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/e2ee/sframe"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// Labels of what calls take out of the group's exporter. docs/spec/calls.md#keys.
const (
	mediaLabel = "SFrame 1.0 Base Key" // RFC 9605 §5.2
	codeLabel  = "veche call code"
)

// CallKey is what a call in a room is sealed with in one epoch.
type CallKey struct {
	Epoch  uint64
	Base   sframe.Key
	Code   []byte // 32 bytes, equal for all who are in this epoch
	Own    uint32 // this device's leaf
	Leaves []policy.Leaf
	Policy policy.Policy
}

// CallKey derives the key of a call in the room's epoch as it is stored here;
// ok is false if this device is not in the group.
func (r *Rooms) CallKey(ctx context.Context, id wire.RoomID, call wire.CallID) (k CallKey, ok bool, err error) {
	err = r.cfg.Store.View(ctx, func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, id)
		if err != nil {
			return err
		}
		if m.State != store.RoomOpen || m.Seq == 0 {
			return nil
		}
		g, err := group.Load(store.MLS(tx, id))
		if err != nil {
			return fmt.Errorf("load the group of %s: %w", id, err)
		}
		k, err = callKey(g, call)
		ok = err == nil
		return err
	})
	return k, ok, err
}

func callKey(g *group.Group, call wire.CallID) (k CallKey, err error) {
	base, err := g.Export(mediaLabel, call[:], sframe.KeySize)
	if err != nil {
		return k, fmt.Errorf("media key of call %s: %w", call, err)
	}
	defer clear(base)
	if k.Base, err = sframe.ParseKey(base); err != nil {
		return k, err
	}
	if k.Code, err = g.Export(codeLabel, call[:], 32); err != nil {
		return k, fmt.Errorf("code of call %s: %w", call, err)
	}
	if k.Leaves, err = policy.Leaves(g.Public().Members()); err != nil {
		return k, err
	}
	if k.Policy, err = policy.FromContext(g.Public().Context().Extensions); err != nil {
		return k, err
	}
	k.Epoch, k.Own = g.Epoch(), uint32(g.OwnLeaf())
	return k, nil
}

// joins counts this device's joinings of calls in a room, so that no two seal
// under one key id in one epoch.
func joinsName(room wire.RoomID) string { return "joins " + room.String() }

// NextJoin returns a join number that this device has not used in the room's
// epoch, and stores that it is used. Where numbers begin again, a new epoch
// begins first, in which none was used.
func (r *Rooms) NextJoin(ctx context.Context, id wire.RoomID) (join uint16, err error) {
	again := false
	next := func(tx *store.Tx) error {
		var used uint32
		if _, err := getSetting(tx, joinsName(id), &used); err != nil {
			return err
		}
		if used > sframe.MaxJoin {
			if !again {
				return errWrapped
			}
			used = 0
		}
		join = uint16(used)
		return putSetting(tx, joinsName(id), used+1)
	}
	err = r.cfg.Store.Update(ctx, next)
	if !errors.Is(err, errWrapped) {
		return join, err
	}
	if err := r.renew(ctx, id); err != nil {
		return 0, err
	}
	again = true
	return join, r.cfg.Store.Update(ctx, next)
}

var errWrapped = errors.New("room: join numbers are used up")

// renew starts a new epoch with new keys of this device.
func (r *Rooms) renew(ctx context.Context, id wire.RoomID) error {
	return r.do(ctx, id, func(ctx context.Context, w *worker) error {
		done := false
		return w.commits.alter(ctx, func(*group.Group, []policy.Leaf) (change, error) {
			if done {
				return change{}, nil
			}
			done = true
			return change{renew: true}, nil
		})
	})
}

// SayCall puts the beginning or the end of a call into the room's log.
func (r *Rooms) SayCall(ctx context.Context, room wire.RoomID, c content.Call) error {
	made, err := content.NewCall(c)
	if err != nil {
		return err
	}
	err = r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := store.Enqueue(tx, store.Outgoing{Room: room, Client: wire.NewClientID(), Content: made.Content})
		return err
	})
	if err == nil {
		r.Wake(room)
	}
	return err
}
