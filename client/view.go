package client

import (
	"context"
	"encoding/base32"
	"errors"
	"slices"
	"strings"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/wire"
)

// view reads what front ends see from the store: for commands, and for events,
// as feed.Reader.
type view struct{ *Client }

// Status implements feed.Reader.
func (c view) Status(context.Context) (api.Status, error) { return c.account.Status(), nil }

// Devices implements feed.Reader.
func (c view) Devices(ctx context.Context) (api.Devices, error) { return c.account.Devices(ctx) }

// People implements feed.Reader. Without ids it is everybody.
func (c view) People(ctx context.Context, ids []wire.AccountID) ([]api.Person, error) {
	list := []api.Person{}
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		all, err := store.People(tx)
		if err != nil {
			return err
		}
		for _, p := range all {
			if (ids == nil || slices.Contains(ids, p.Account)) && p.Name != "" {
				list = append(list, c.person(p))
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b api.Person) int {
		if d := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); d != 0 {
			return d
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
	return list, err
}

func (c view) person(p store.Person) api.Person {
	return api.Person{ID: p.Account, Name: p.Name, Me: p.Account == c.account.ID(), Online: c.people.Online(p.Account), Admin: p.Admin, Shut: p.Shut}
}

// Rooms implements feed.Reader. Without ids it is all of them, the newest first.
func (c view) Rooms(ctx context.Context, ids []wire.RoomID) ([]api.Room, error) {
	list := []api.Room{}
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		if ids == nil {
			all, err := store.Rooms(tx)
			if err != nil {
				return err
			}
			for _, m := range all {
				r, err := c.room(tx, m)
				if err != nil {
					return err
				}
				list = append(list, r)
			}
			return nil
		}
		for _, id := range ids {
			m, err := store.GetRoom(tx, id)
			if errors.Is(err, store.ErrNone) {
				continue
			}
			if err != nil {
				return err
			}
			r, err := c.room(tx, m)
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	return list, err
}

// Calls implements feed.Reader.
func (c view) Calls(ctx context.Context, ids []wire.CallID) ([]api.Call, error) {
	return c.calls.Views(ctx, ids)
}

// room is a row of the chat list.
func (c view) room(tx *store.Tx, m store.Room) (api.Room, error) {
	me := c.account.ID()
	r := api.Room{
		ID: m.ID, Kind: m.Kind, State: api.RoomState(m.State), Role: api.Member, Time: m.Time, Seq: m.Seq, Draft: m.Draft,
		Self: m.Kind == wire.Direct && m.Peer.IsZero() && m.State != store.RoomJoining,
	}
	if m.State == store.RoomJoining {
		planned, err := room.Planned(tx, m.ID)
		if err != nil {
			return r, err
		}
		if planned {
			r.State = api.RoomOpen
		}
	}
	v, err := timeline.NewView(tx, m.ID, me, c.files.Transfer, c.calls.Live)
	if err != nil {
		return r, err
	}
	members, err := store.Members(tx, m.ID)
	if err != nil {
		return r, err
	}
	r.Members = len(members)
	for _, o := range members {
		if o.Account == me && o.Owner && m.Kind == wire.Group {
			r.Role = api.Owner
		}
	}
	if !m.Peer.IsZero() {
		r.Peer = &m.Peer
	} else if m.Kind == wire.Direct {
		r.Self = true
	}
	if r.Title, err = c.title(v, m, members); err != nil {
		return r, err
	}
	r.Named = m.Kind == wire.Group && m.Name != ""
	if r.Last, err = c.last(tx, v, m.ID); err != nil {
		return r, err
	}
	cur, err := store.GetCursor(tx, m.ID, me)
	if err != nil {
		return r, err
	}
	r.Read = cur.Read
	if r.Unread, _, err = store.Unread(tx, m.ID, cur.Read, string(api.ItemMessage)); err != nil {
		return r, err
	}
	back, restored, err := room.Back(tx, m.ID)
	if err != nil {
		return r, err
	}
	r.Restored = restored && m.State == store.RoomLeft
	for _, a := range back {
		name, err := v.Name(a)
		if err != nil {
			return r, err
		}
		r.Back = append(r.Back, api.Returned{ID: a, Name: name})
	}
	r.Queued, r.Failed, err = store.CountOutbox(tx, m.ID)
	return r, err
}

// title is a group's name, the other person's, or the members' names.
func (c view) title(v *timeline.View, m store.Room, members []store.RoomMember) (string, error) {
	switch {
	case m.Kind == wire.Group && m.Name != "":
		return m.Name, nil
	case m.Kind == wire.Direct && !m.Peer.IsZero():
		return v.Name(m.Peer)
	case m.Kind == wire.Direct:
		return v.Name(c.account.ID())
	}
	var names []string
	for _, o := range members {
		if o.Account == c.account.ID() {
			continue
		}
		name, err := v.Name(o.Account)
		if err != nil {
			return "", err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", "), nil
}

// last is the newest row worth showing in the chat list.
func (c view) last(tx *store.Tx, v *timeline.View, room wire.RoomID) (*api.Preview, error) {
	rows, err := store.ItemsBefore(tx, room, store.Newest, 4)
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(rows) {
		if r.Kind != string(api.ItemStart) {
			return v.Preview(r)
		}
	}
	return nil, nil
}

// Items implements feed.Reader.
func (c view) Items(ctx context.Context, room wire.RoomID, ids []string) ([]api.Item, error) {
	list := []api.Item{}
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		v, err := timeline.NewView(tx, room, c.account.ID(), c.files.Transfer, c.calls.Live)
		if err != nil {
			return err
		}
		for _, id := range ids {
			r, err := store.GetItem(tx, room, id)
			if errors.Is(err, store.ErrNone) {
				continue
			}
			if err != nil {
				return err
			}
			i, err := v.Item(r)
			if err != nil {
				return err
			}
			list = append(list, i)
		}
		return nil
	})
	return list, err
}

// Sizes of a window.
const (
	usualRows = 60
	mostRows  = 200
)

func (c view) timeline(ctx context.Context, p api.Window) (api.Timeline, error) {
	out := api.Timeline{Room: p.Room, Items: []api.Item{}}
	n := p.Limit
	if n <= 0 {
		n = usualRows
	}
	n = min(n, mostRows)
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		if _, err := store.GetRoom(tx, p.Room); err != nil {
			return noRoom(err)
		}
		me := c.account.ID()
		v, err := timeline.NewView(tx, p.Room, me, c.files.Transfer, c.calls.Live)
		if err != nil {
			return err
		}
		cur, err := store.GetCursor(tx, p.Room, me)
		if err != nil {
			return err
		}
		_, first, err := store.Unread(tx, p.Room, cur.Read, string(api.ItemMessage))
		if err != nil {
			return err
		}
		out.FirstUnread = first.ID
		rows, err := window(tx, p, first, n)
		if err != nil {
			return err
		}
		if out.Items, err = v.Items(rows); err != nil || len(rows) == 0 {
			return err
		}
		older, err := store.ItemsBefore(tx, p.Room, rows[0].Order, 1)
		if err != nil {
			return err
		}
		newer, err := store.ItemsAfter(tx, p.Room, rows[len(rows)-1].Order, 1)
		out.Older, out.Newer = len(older) > 0, len(newer) > 0
		return err
	})
	return out, err
}

// window reads the rows that are asked for: nearest to a place, or around the
// first unread one, or the newest.
func window(tx *store.Tx, p api.Window, first store.Item, n int) ([]store.Item, error) {
	switch {
	case p.Before > 0:
		return store.ItemsBefore(tx, p.Room, p.Before, n)
	case p.After > 0:
		return store.ItemsAfter(tx, p.Room, p.After, n)
	case p.Unread && first.ID != "":
		before, err := store.ItemsBefore(tx, p.Room, first.Order, n/3)
		if err != nil {
			return nil, err
		}
		after, err := store.ItemsAfter(tx, p.Room, first.Order-1, n-len(before))
		return append(before, after...), err
	}
	return store.ItemsBefore(tx, p.Room, store.Newest, n)
}

func noRoom(err error) error {
	if errors.Is(err, store.ErrNone) {
		return api.Fail(api.NotFound, "no such room")
	}
	return err
}

var codeText = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

func (c view) details(ctx context.Context, id wire.RoomID) (api.RoomDetails, error) {
	out := api.RoomDetails{Members: []api.RoomMember{}}
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, id)
		if err != nil {
			return noRoom(err)
		}
		if out.Room, err = c.room(tx, m); err != nil {
			return err
		}
		d, ok, err := c.rooms.Details(tx, id)
		if err != nil {
			return err
		}
		if ok {
			out.Epoch, out.Suite = d.Epoch, d.Suite.String()
			code := codeText.EncodeToString(d.Code)[:12]
			out.Code = code[:4] + "-" + code[4:8] + "-" + code[8:]
		}
		members, err := store.Members(tx, id)
		if err != nil {
			return err
		}
		for _, o := range members {
			p, err := store.GetPerson(tx, o.Account)
			if err != nil && !errors.Is(err, store.ErrNone) {
				return err
			}
			p.Account = o.Account
			role := api.Member
			if o.Owner && m.Kind == wire.Group {
				role = api.Owner
			}
			out.Members = append(out.Members, api.RoomMember{Person: c.person(p), Role: role, Devices: o.Leaves})
		}
		return nil
	})
	return out, err
}
