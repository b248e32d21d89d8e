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
	var rows [][]string
	for _, person := range people.People {
		if c.JSON {
			if err := t.object(person); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{person.Name, marks(person.Me, "you", person.Admin, "administrator", person.Online, "online")})
	}
	if c.JSON {
		return nil
	}
	return t.table([]string{"NAME", "IS"}, rows)
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
	var rows [][]string
	for _, r := range rooms.Rooms {
		if c.JSON {
			err := t.object(roomRow{r.ID, r.Kind, r.Title, r.State, r.Role, r.Members, r.Unread, r.Seq, r.Queued, r.Failed, stamp(r.Time)})
			if err != nil {
				return err
			}
			continue
		}
		title := r.Title
		if r.Kind == wire.Direct {
			title = "@" + title
		}
		rows = append(rows, []string{title, strconv.Itoa(r.Members), count(r.Unread), marks(r.State != api.RoomOpen, string(r.State), r.Queued > 0, "unsent", r.Failed > 0, "failed"), clock(r.Time), r.ID.String()})
	}
	if c.JSON {
		return nil
	}
	return t.table([]string{"ROOM", "PEOPLE", "UNREAD", "STATE", "LAST", "ID"}, rows)
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
	var rows [][]string
	for _, d := range devices.Devices {
		if c.JSON {
			if err := t.object(deviceRow{d.ID, d.Name, d.State, d.This, d.Online, stamp(d.Seen), d.Code}); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{d.Name, marks(d.This, "this one", true, string(d.State), d.Online, "online"), d.Code, clock(d.Seen), d.ID.String()})
	}
	if c.JSON {
		return nil
	}
	return t.table([]string{"DEVICE", "IS", "CODE", "SEEN", "ID"}, rows)
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
