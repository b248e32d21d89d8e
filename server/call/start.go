package call

import (
	"context"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// errOff is the answer of a site that has no calls.
var errOff = wire.Refuse(wire.NotFound, "this site has no calls")

// Start makes a call in a room, or returns the one that it has.
func (cs *Calls) Start(ctx context.Context, a authz.Actor, p wire.StartCall) (w wire.Call, err error) {
	switch {
	case !cs.On():
		return w, errOff
	case p.Call.IsZero():
		return w, wire.Refuse(wire.BadRequest, "a call needs an id")
	}
	if err := cs.allow(a.Device, toStart); err != nil {
		return w, err
	}
	err = cs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		if _, err := cs.enter(tx, a, authz.CallStart, p.Room, true); err != nil {
			return err
		}
		had, err := rowOf(tx, p.Room)
		if err != nil {
			return err
		}
		cs.mu.Lock()
		there := had != nil && !cs.dead[had.id] // else its row is about to go
		taken := cs.byID[p.Call] != nil || cs.dead[p.Call]
		if there {
			if begun := cs.byID[had.id]; begun != nil {
				had = begun // else it was stored in this very transaction
			}
			w = had.describe(wire.MaxCallBrief)
		}
		cs.mu.Unlock()
		switch {
		case there:
			return nil
		case taken:
			return wire.Refuse(wire.BadRequest, "the id is of another call")
		}
		c := newCall()
		c.id, c.room, c.by, c.device, c.video = p.Call, p.Room, a.Account, a.Device, p.Video
		c.started = wire.Now(cs.cfg.Now())
		tx.OnCommit(func() { cs.begin(c) })
		w = c.describe(0)
		return put(tx, c)
	})
	return w, err
}

// begin takes in a call whose row was stored.
func (cs *Calls) begin(c *call) {
	cs.lock()
	defer cs.unlock()
	cs.byID[c.id], cs.byRoom[c.room] = c, c
	cs.waitEmpty(c)
	c.brief.told = cs.cfg.Now()
	hub.Tell(cs.cfg.Hub, hub.Room(c.room), wire.OnCall, c.describe(wire.MaxCallBrief))
	cs.cfg.Log.Info("call began", "call", c.id, "room", c.room, "device", c.device)
}

// enter judges what an actor wants to do in a room. With leaf its device must be
// in the room's tree: else it could open nothing.
func (cs *Calls) enter(tx *db.Tx, a authz.Actor, do authz.Action, room wire.RoomID, leaf bool) (wire.RoomKind, error) {
	m, kind, has, err := cs.cfg.Rooms.Standing(tx, room, a.Account, a.Device)
	if err != nil {
		return kind, err
	}
	if err := authz.Check(a, do, authz.InRoom(m)); err != nil {
		return kind, err
	}
	_, state, err := cs.cfg.People.Listed(tx, a.Account, a.Device)
	switch {
	case err != nil:
		return kind, err
	case state != wire.DeviceActive:
		return kind, authz.ErrDenied
	case leaf && !has:
		return kind, wire.Refuse(wire.BadRequest, "this device is not in the group")
	}
	return kind, nil
}

// List returns the calls of the account's rooms, and tells the device again what
// rings for the account.
func (cs *Calls) List(ctx context.Context, a authz.Actor) (wire.Calls, error) {
	list := wire.Calls{Calls: []wire.Call{}}
	rooms, err := cs.cfg.Rooms.Of(ctx, a.Account)
	if err != nil {
		return list, err
	}
	cs.lock()
	defer cs.unlock()
	for _, room := range rooms {
		c := cs.byRoom[room]
		if c == nil {
			continue
		}
		list.Calls = append(list.Calls, c.describe(wire.MaxCallBrief))
		if r := c.rings[a.Account]; r != nil {
			cs.tellRing(c, r, hub.Device(a.Account, a.Device))
		}
	}
	return list, nil
}

// Get returns a call, with all of its participants to one of them.
func (cs *Calls) Get(ctx context.Context, a authz.Actor, id wire.CallID) (w wire.Call, err error) {
	room, err := cs.roomOf(id)
	if err != nil {
		return w, err
	}
	err = cs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		_, err := cs.enter(tx, a, authz.CallRead, room, false)
		return err
	})
	if err != nil {
		return w, err
	}
	cs.lock()
	defer cs.unlock()
	c := cs.byID[id]
	if c == nil {
		return w, authz.ErrDenied
	}
	n := wire.MaxCallBrief
	if p := c.devices[a.Device]; p != nil && p.ready {
		n = len(c.people)
	}
	return c.describe(n), nil
}

// roomOf returns the room of a call that goes on.
func (cs *Calls) roomOf(id wire.CallID) (wire.RoomID, error) {
	if !cs.On() {
		return wire.RoomID{}, errOff
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[id]
	if c == nil {
		return wire.RoomID{}, authz.ErrDenied
	}
	return c.room, nil
}
