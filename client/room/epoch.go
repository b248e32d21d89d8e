package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// Epoch is what a room's group is in one epoch, for those who derive keys from
// it.
type Epoch struct {
	Room    wire.RoomID
	Number  uint64
	Own     uint32        // this device's leaf
	Leaves  []policy.Leaf // by index; each was verified when it came
	Policy  policy.Policy
	Removed bool // it began by taking a device out
	// Export is MLS-Exporter (RFC 9420 §8.5). It is good until whoever was given
	// the Epoch returns.
	Export func(label string, context []byte, n int) ([]byte, error)
}

func epochOf(id wire.RoomID, g *group.Group) (Epoch, error) {
	e := Epoch{Room: id, Number: g.Epoch(), Own: uint32(g.OwnLeaf()), Export: g.Export}
	var err error
	if e.Leaves, err = policy.Leaves(g.Public().Members()); err != nil {
		return e, err
	}
	e.Policy, err = policy.FromContext(g.Public().Context().Extensions)
	return e, err
}

// begun tells, after the commit of tx, that the group is in a new epoch.
func (w *worker) begun(tx *store.Tx, g *group.Group, removed bool) error {
	e, err := epochOf(w.id, g)
	if err != nil {
		return err
	}
	e.Removed = removed
	tx.OnCommit(func() { w.cfg.Epoch(e) })
	return nil
}

// Epoch reads the group of a room as it is stored here; ok is false if this
// device is not in it, or may not use its keys because of whom a restore has
// brought back: Open says which. Export works while tx does.
func (r *Rooms) Epoch(tx *store.Tx, id wire.RoomID) (e Epoch, ok bool, err error) {
	m, err := store.GetRoom(tx, id)
	if errors.Is(err, store.ErrNone) || err == nil && (m.State != store.RoomOpen || m.Seq == 0) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	if back, _, err := Back(tx, id); err != nil || len(back) > 0 {
		return e, false, err
	}
	g, err := group.Load(store.MLS(tx, id))
	if errors.Is(err, mls.ErrStorage) {
		return e, false, nil // it is about to be joined again
	}
	if err != nil {
		return e, false, fmt.Errorf("load the group of %s: %w", id, err)
	}
	e, err = epochOf(id, g)
	return e, err == nil, err
}

// Renew begins a new epoch with new keys of this device.
func (r *Rooms) Renew(ctx context.Context, id wire.RoomID) error {
	return r.do(ctx, id, func(ctx context.Context, w *worker) error {
		began := w.row.Epoch
		return w.commits.alter(ctx, func(g *group.Group, _ []policy.Leaf) (change, error) {
			return change{renew: g.Epoch() == began}, nil
		})
	})
}

// Open makes sure that a room is on the server and that this device is in it,
// and reads it to its end. A direct room is made, if need be, before its first
// message.
func (r *Rooms) Open(ctx context.Context, id wire.RoomID) error {
	err := r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		var p plan
		planned, err := getSetting(tx, planName(id), &p)
		if err != nil || !planned || !p.Waits {
			return err
		}
		p.Waits = false
		return putSetting(tx, planName(id), p)
	})
	if err != nil {
		return err
	}
	return r.do(ctx, id, func(ctx context.Context, w *worker) error {
		h, err := w.hold.now(ctx)
		if err == nil && len(h.Back) > 0 {
			return api.Fail(api.NotAllowed, "the room waits for a decision about people whom this device has not seen come in")
		}
		return err
	})
}

// SayCall puts what is to be said of a call into the outbox of its room, sealed.
func (r *Rooms) SayCall(tx *store.Tx, id wire.RoomID, said []byte) error {
	if err := writable(tx, id); err != nil {
		return err
	}
	tx.OnCommit(func() { r.Wake(id) })
	_, err := store.Enqueue(tx, store.Outgoing{Room: id, Client: wire.NewClientID(), Content: said})
	return err
}
