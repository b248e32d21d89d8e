package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"encoding/binary"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

func rowID(call wire.CallID) string { return timeline.CallItem(call) }

func ignoreNone(err error) error {
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	return err
}

// List returns the calls that are going on, oldest first, and what rings.
func (c *Calls) List(ctx context.Context) (api.Calls, error) {
	out := api.Calls{Calls: []api.Call{}, Rings: []api.Ring{}}
	c.mu.Lock()
	var ids []wire.CallID
	for id := range c.live {
		ids = append(ids, id)
	}
	var rings []wire.Ring
	for id, r := range c.rings {
		if c.shown[id] {
			rings = append(rings, r)
		}
	}
	c.mu.Unlock()
	for _, id := range ids {
		v, ok, err := c.view(ctx, id)
		if err != nil {
			return out, err
		}
		if ok {
			out.Calls = append(out.Calls, v)
		}
	}
	slices.SortFunc(out.Calls, func(a, b api.Call) int {
		return cmp.Or(cmp.Compare(a.Started, b.Started), slices.Compare(a.ID[:], b.ID[:]))
	})
	for _, r := range rings {
		v, ok, err := c.ringView(ctx, r)
		if err != nil {
			return out, err
		}
		if ok {
			out.Rings = append(out.Rings, v)
		}
	}
	return out, nil
}

// view is a call as front ends see it; ok is false when it is not known any
// more.
func (c *Calls) view(ctx context.Context, id wire.CallID) (v api.Call, ok bool, err error) {
	me, _ := c.cfg.Me()
	c.mu.Lock()
	l := c.live[id]
	if l == nil {
		c.mu.Unlock()
		return v, false, nil
	}
	v = api.Call{ID: id, Room: l.Room, By: l.By, Started: l.Started, Video: l.Video, Count: l.Count}
	people := slices.Clone(l.Call.People)
	said := map[uint32]state{}
	var leaves []policy.Leaf
	var owners policy.Policy
	if l.own != nil {
		v.Me, v.Code = int(l.own.number), l.own.codeText()
		leaves, owners = l.own.newest().Leaves, l.own.newest().Policy
		for n, s := range l.own.states {
			said[n] = s.state
		}
	}
	inside := l.own != nil
	c.mu.Unlock()

	err = c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		v.Name, err = name(tx, v.By)
		if err != nil {
			return err
		}
		members := map[wire.AccountID]bool{}
		list, err := store.Members(tx, v.Room)
		if err != nil {
			return err
		}
		for _, m := range list {
			members[m.Account] = true
		}
		for _, p := range people {
			q := api.CallParticipant{
				Number: int(p.Number), Account: p.Account, Device: p.Device, Leaf: -1, Away: p.Away, Joined: p.Joined,
				Me: int(p.Number) == v.Me && v.Me != 0,
			}
			if p.Account == me.Account && p.Device != me.Device {
				v.Elsewhere = true
			}
			// A name is shown for a leaf of the tree; to who is not in the call,
			// for a member. What the server names besides is nobody.
			real := members[p.Account]
			if inside {
				real = false
				for _, leaf := range leaves {
					if leaf.Device == p.Device && leaf.Account == p.Account {
						q.Leaf, real = int(leaf.Index), true
					}
				}
				q.Owner = owners.Kind == wire.Group && owners.Owns(p.Account)
			}
			if real {
				if q.Name, err = name(tx, p.Account); err != nil {
					return err
				}
			}
			if s, heard := said[p.Number]; heard {
				q.Known, q.Muted, q.Camera, q.Screen, q.Hand = true, s.Muted, s.Camera, s.Screen, s.Hand
			}
			v.People = append(v.People, q)
		}
		return nil
	})
	slices.SortFunc(v.People, func(a, b api.CallParticipant) int { return cmp.Compare(a.Number, b.Number) })
	if v.People == nil {
		v.People = []api.CallParticipant{}
	}
	return v, err == nil, err
}

func name(tx *store.Tx, id wire.AccountID) (string, error) {
	p, err := store.GetPerson(tx, id)
	return p.Name, ignoreNone(err)
}

// Code writes the code of a call: the first eight bytes of what all have in
// common as a number, its last sixteen digits in groups of four.
func Code(common []byte) string {
	if len(common) < 8 {
		return ""
	}
	n := binary.BigEndian.Uint64(common) % 1e16
	s := fmt.Sprintf("%016d", n)
	return s[:4] + " " + s[4:8] + " " + s[8:12] + " " + s[12:]
}
