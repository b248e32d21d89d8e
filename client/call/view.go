package call

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// List returns the calls that go on in rooms that are here, and what rings.
func (c *Calls) List(ctx context.Context) (api.Calls, error) {
	out := api.Calls{Calls: []api.Call{}, Rings: []api.Ring{}}
	c.known(ctx)
	c.mu.Lock()
	var ids []wire.CallID
	for id := range c.live {
		ids = append(ids, id)
	}
	var rings []*ring
	for _, r := range c.rings {
		if r.shown {
			rings = append(rings, r)
		}
	}
	c.mu.Unlock()
	calls, err := c.Views(ctx, ids)
	if err != nil {
		return out, err
	}
	out.Calls = append(out.Calls, calls...)
	slices.SortFunc(out.Calls, func(a, b api.Call) int { return int(a.Started - b.Started) })
	for _, r := range rings {
		shown, ok, err := c.showRing(ctx, r)
		if err != nil {
			return out, err
		}
		if ok {
			out.Rings = append(out.Rings, shown)
		}
	}
	return out, nil
}

// Views returns calls as front ends see them; those whose room is not here are
// left out.
func (c *Calls) Views(ctx context.Context, ids []wire.CallID) ([]api.Call, error) {
	list := []api.Call{}
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		name := func(a wire.AccountID) (string, error) { return c.names.of(tx, a, c.cfg.Now()) }
		for _, id := range ids {
			v, room := c.view(id)
			if room.IsZero() {
				continue
			}
			m, err := store.GetRoom(tx, room)
			if errors.Is(err, store.ErrNone) || err == nil && m.State != store.RoomOpen && !v.Ended {
				continue
			}
			if err != nil {
				return err
			}
			if v.Name, err = name(v.By); err != nil {
				return err
			}
			for i := range v.People {
				p := &v.People[i]
				if p.Leaf < 0 {
					continue // whose it is only the server says
				}
				if p.Name, err = name(p.Account); err != nil {
					return err
				}
			}
			list = append(list, v)
		}
		return nil
	})
	return list, err
}

// names remembers people's names for a while: in a large call a thousand of them
// are shown again whenever somebody comes.
type names struct {
	mu    sync.Mutex // guards what follows
	known map[wire.AccountID]string
	since time.Time
}

const namesKept = 30 * time.Second

// of is a person's name, empty if it is not known.
func (n *names) of(tx *store.Tx, a wire.AccountID, now time.Time) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if age := now.Sub(n.since); n.known == nil || age < 0 || age >= namesKept {
		n.known, n.since = map[wire.AccountID]string{}, now
	}
	if name, ok := n.known[a]; ok {
		return name, nil
	}
	p, err := store.GetPerson(tx, a)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return "", err
	}
	if p.Name != "" {
		n.known[a] = p.Name
	}
	return p.Name, nil
}

// view is a call without names; the room is zero if it is not known.
func (c *Calls) view(id wire.CallID) (v api.Call, r wire.RoomID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.live[id]
	if l == nil {
		if l = c.over[id]; l == nil {
			return v, r
		}
	}
	me, _ := c.cfg.Me()
	w := &l.call
	v = api.Call{ID: id, Room: w.Room, By: w.By, Started: w.Started, Video: w.Video, Count: w.Count, People: []api.CallParticipant{}, Ended: w.Ended}
	if w.Ended {
		v.Count = 0
		return v, w.Room
	}
	t := c.trees[w.Room]
	if l.in != nil {
		v.Me = int(l.in.number)
		v.Code = l.in.keys.code()
	}
	for _, p := range l.people {
		q := api.CallParticipant{
			Number: int(p.Number), Account: p.Account, Device: p.Device, Leaf: -1, Me: l.in != nil && p.Number == l.in.number,
			Away: p.Away, Joined: p.Joined,
		}
		if t != nil {
			if leaf, ok := t.byDev[p.Device]; ok && leaf.Account == p.Account {
				q.Leaf = int(leaf.Index)
				q.Owner = t.policy.Kind == wire.Group && t.policy.Owns(p.Account)
			}
		}
		if l.in != nil {
			s, known := l.in.states[p.Number]
			if q.Me && l.in.own != nil {
				known, s.state = true, signal{Muted: l.in.own.Muted, Camera: l.in.own.Camera, Screen: l.in.own.Screen, Hand: l.in.hand}
			}
			q.Known, q.Muted, q.Camera, q.Screen, q.Hand = known, s.state.Muted, s.state.Camera, s.state.Screen, s.state.Hand
		}
		v.Elsewhere = v.Elsewhere || p.Account == me.Account && p.Device != me.Device
		v.People = append(v.People, q)
	}
	slices.SortFunc(v.People, func(a, b api.CallParticipant) int { return a.Number - b.Number })
	return v, w.Room
}

// nameOf is a person's name, empty if it is not known.
func (c *Calls) nameOf(a wire.AccountID) string {
	var p store.Person
	err := c.cfg.Store.View(context.Background(), func(tx *store.Tx) (err error) {
		p, err = store.GetPerson(tx, a)
		return err
	})
	if err != nil {
		return ""
	}
	return p.Name
}
