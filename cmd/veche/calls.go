package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

type callsCmd struct{ profileFlags }

// liveCall is a call that is going on, in JSON.
type liveCall struct {
	Call    wire.CallID `json:"call"`
	Room    wire.RoomID `json:"room"`
	Title   string      `json:"title"`
	By      string      `json:"by"`
	Started string      `json:"started"`
	Video   bool        `json:"video"`
	Count   int         `json:"count"`  // devices that are in
	People  []string    `json:"people"` // the first of them
	Rings   bool        `json:"rings"`  // for you
}

func (c callsCmd) Run(ctx context.Context, t *term) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.catchUpOnline(ctx); err != nil {
		return err
	}
	calls, err := do(ctx, p, api.ListCalls, api.None{})
	if err != nil {
		return err
	}
	rooms, err := do(ctx, p, api.ListRooms, api.None{})
	if err != nil {
		return err
	}
	titles := map[wire.RoomID]string{}
	for _, r := range rooms.Rooms {
		titles[r.ID] = r.Title
		if r.Kind == wire.Direct {
			titles[r.ID] = "@" + r.Title
		}
	}
	rings := map[wire.CallID]bool{}
	for _, r := range calls.Rings {
		rings[r.Call] = true
	}
	return list(t, c.JSON, calls.Calls, func(v api.Call) any {
		return liveCall{v.ID, v.Room, titles[v.Room], v.Name, stamp(v.Started), v.Video, v.Count, peopleIn(v), rings[v.ID]}
	}, []string{"ROOM", "BY", "SINCE", "IN", "WHO", "IS", "ID"}, func(v api.Call) []string {
		return []string{
			titles[v.Room], v.Name, clock(v.Started), strconv.Itoa(v.Count), strings.Join(peopleIn(v), ", "),
			marks(rings[v.ID], "ringing", v.Elsewhere, "on your other device", v.Video, "video"), v.ID.String(),
		}
	})
}

// peopleIn are the names of who is in a call, each once. A device that the room
// does not know has none.
func peopleIn(v api.Call) []string {
	names, seen := []string{}, map[wire.AccountID]bool{}
	for _, p := range v.People {
		if p.Name != "" && !seen[p.Account] {
			names = append(names, p.Name)
		}
		seen[p.Account] = true
	}
	return names
}
