package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

// profileFlags are those of every client command.
type profileFlags struct {
	Profile string `default:"${profile}" env:"VECHE_PROFILE" placeholder:"DIR" help:"Where this device keeps its keys and messages (default ${default})."`
	JSON    bool   `name:"json" help:"Write one JSON object per line."`
}

type peopleCmd struct{ profileFlags }

func (c peopleCmd) Run(ctx context.Context, t *term) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.catchUp(ctx); err != nil {
		return err
	}
	people, err := do(ctx, p, api.ListPeople, api.None{})
	if err != nil {
		return err
	}
	return list(t, c.JSON, people.People, func(person api.Person) any { return person },
		[]string{"NAME", "IS"}, func(person api.Person) []string {
			return []string{person.Name, marks(person.Me, "you", person.Admin, "administrator", person.Online, "online", person.Shut, "account shut")}
		})
}

// list writes items, one JSON object a line or as a table.
func list[T any](t *term, json bool, items []T, object func(T) any, head []string, row func(T) []string) error {
	var rows [][]string
	for _, item := range items {
		if !json {
			rows = append(rows, row(item))
		} else if err := t.object(object(item)); err != nil {
			return err
		}
	}
	if json {
		return nil
	}
	return t.table(head, rows)
}

type roomsCmd struct{ profileFlags }

// roomRow is a conversation in JSON.
type roomRow struct {
	Room    wire.RoomID   `json:"room"`
	Kind    wire.RoomKind `json:"kind"`
	Title   string        `json:"title"`
	State   api.RoomState `json:"state"`
	Role    api.Role      `json:"role"`
	Members int           `json:"members"`
	Unread  int           `json:"unread"`
	Seq     int64         `json:"seq"`
	Queued  int           `json:"queued"`
	Failed  int           `json:"failed"`
	Time    string        `json:"time"`
}

func (c roomsCmd) Run(ctx context.Context, t *term) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.catchUp(ctx); err != nil {
		return err
	}
	rooms, err := do(ctx, p, api.ListRooms, api.None{})
	if err != nil {
		return err
	}
	return list(t, c.JSON, rooms.Rooms, func(r api.Room) any {
		return roomRow{r.ID, r.Kind, r.Title, r.State, r.Role, r.Members, r.Unread, r.Seq, r.Queued, r.Failed, stamp(r.Time)}
	}, []string{"ROOM", "PEOPLE", "UNREAD", "STATE", "LAST", "ID"}, func(r api.Room) []string {
		title := r.Title
		if r.Kind == wire.Direct {
			title = "@" + title
		}
		return []string{title, strconv.Itoa(r.Members), count(r.Unread), marks(r.State != api.RoomOpen, string(r.State), r.Queued > 0, "unsent", r.Failed > 0, "failed", r.Restored, "since the server was restored", len(r.Back) > 0, "waits for you: veche room show"), clock(r.Time), r.ID.String()}
	})
}

type devicesCmd struct{ profileFlags }

// deviceRow is a device in JSON.
type deviceRow struct {
	Device wire.DeviceID    `json:"device"`
	Name   string           `json:"name"`
	State  wire.DeviceState `json:"state"`
	This   bool             `json:"this"`
	Online bool             `json:"online"`
	Seen   string           `json:"seen"`
	Code   string           `json:"code,omitempty"`
}

func (c devicesCmd) Run(ctx context.Context, t *term) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.needServer(ctx); err != nil {
		return err
	}
	devices, err := do(ctx, p, api.ListDevices, api.None{})
	if err != nil {
		return err
	}
	return list(t, c.JSON, devices.Devices, func(d api.Device) any {
		return deviceRow{d.ID, d.Name, d.State, d.This, d.Online, stamp(d.Seen), d.Code}
	}, []string{"DEVICE", "IS", "CODE", "SEEN", "ID"}, func(d api.Device) []string {
		return []string{d.Name, marks(d.This, "this one", true, string(d.State), d.Online, "online"), d.Code, clock(d.Seen), d.ID.String()}
	})
}

// marks joins the words whose condition, standing before each, holds.
func marks(pairs ...any) string {
	var words []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].(bool) {
			words = append(words, pairs[i+1].(string))
		}
	}
	return strings.Join(words, ", ")
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// stamp writes a time for programs: RFC 3339 in UTC with milliseconds.
func stamp(ms wire.Millis) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// clock writes a time for people, in their own zone.
func clock(ms wire.Millis) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(int64(ms)).Local().Format("2006-01-02 15:04")
}
