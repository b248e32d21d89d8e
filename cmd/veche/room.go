package main

import (
	"context"
	"fmt"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

type roomCmd struct {
	Create roomCreateCmd `cmd:"" help:"Make a group."`
	Show   roomShowCmd   `cmd:"" help:"Show a conversation's members and state."`
	Add    roomAddCmd    `cmd:"" help:"Take a person into a group."`
	Remove roomRemoveCmd `cmd:"" help:"Take a person out of a group."`
	Accept roomAcceptCmd `cmd:"" help:"Write to people of a conversation whom this device has not seen come in: after a restore of the server, say."`
	Leave  roomLeaveCmd  `cmd:"" help:"Leave a group."`
	Rename roomRenameCmd `cmd:"" help:"Give a group another name."`
}

type roomCreateCmd struct {
	profileFlags
	Name    string   `arg:"" help:"The group's name. The server never sees it."`
	Members []string `arg:"" optional:"" name:"member" help:"People to take in."`
}

func (c roomCreateCmd) Run(ctx context.Context, t *term) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.catchUpOnline(ctx); err != nil {
		return err
	}
	members, err := p.peopleNamed(ctx, c.Members)
	if err != nil {
		return err
	}
	room, err := do(ctx, p, api.CreateGroup, api.NewGroup{Name: c.Name, Members: members})
	if err != nil {
		return err
	}
	if err := p.settled(ctx); err != nil {
		return err
	}
	return c.shown(t, room.ID)
}

// shown writes which conversation was made or changed.
func (f profileFlags) shown(t *term, id wire.RoomID) error {
	if f.JSON {
		return t.object(map[string]any{"room": id})
	}
	_, err := fmt.Fprintln(t.out, id)
	return err
}

// roomFlags name one conversation.
type roomFlags struct {
	profileFlags
	Room string `arg:"" help:"Id, group's name, or @person."`
}

// change opens the profile, finds the room, lets f change it on the server, and
// writes its id.
func (c roomFlags) change(ctx context.Context, t *term, f func(p *profile, room api.Room) error) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.catchUpOnline(ctx); err != nil {
		return err
	}
	room, err := p.roomNamed(ctx, c.Room)
	if err != nil {
		return err
	}
	if err := f(p, room); err != nil {
		return err
	}
	if err := p.settled(ctx); err != nil {
		return err
	}
	if c.JSON {
		return c.shown(t, room.ID)
	}
	return nil
}

// changePeople is change with people who are named.
func (c roomFlags) changePeople(ctx context.Context, t *term, names []string, f func(*profile, api.RoomPeople) error) error {
	return c.change(ctx, t, func(p *profile, room api.Room) error {
		members, err := p.peopleNamed(ctx, names)
		if err != nil {
			return err
		}
		return f(p, api.RoomPeople{Room: room.ID, Members: members})
	})
}

type roomAddCmd struct {
	roomFlags
	Members []string `arg:"" name:"member" help:"People to take in."`
}

func (c roomAddCmd) Run(ctx context.Context, t *term) error {
	return c.changePeople(ctx, t, c.Members, func(p *profile, people api.RoomPeople) error {
		_, err := do(ctx, p, api.AddMembers, people)
		return err
	})
}

type roomRemoveCmd struct {
	roomFlags
	Members []string `arg:"" name:"member" help:"People to take out."`
}

func (c roomRemoveCmd) Run(ctx context.Context, t *term) error {
	return c.changePeople(ctx, t, c.Members, func(p *profile, people api.RoomPeople) error {
		for _, m := range people.Members {
			if _, err := do(ctx, p, api.RemoveMember, api.RoomPerson{Room: people.Room, Member: m}); err != nil {
				return err
			}
		}
		return nil
	})
}

type roomAcceptCmd struct {
	roomFlags
	Members []string `arg:"" name:"member" help:"Who may read again what is written here."`
}

func (c roomAcceptCmd) Run(ctx context.Context, t *term) error {
	return c.changePeople(ctx, t, c.Members, func(p *profile, people api.RoomPeople) error {
		_, err := do(ctx, p, api.AcceptRoom, people)
		return err
	})
}

type roomLeaveCmd struct{ roomFlags }

func (c roomLeaveCmd) Run(ctx context.Context, t *term) error {
	return c.change(ctx, t, func(p *profile, room api.Room) error {
		_, err := do(ctx, p, api.LeaveRoom, api.RoomRef{Room: room.ID})
		return err
	})
}

type roomRenameCmd struct {
	roomFlags
	Name string `arg:"" help:"The new name."`
}

func (c roomRenameCmd) Run(ctx context.Context, t *term) error {
	return c.change(ctx, t, func(p *profile, room api.Room) error {
		_, err := do(ctx, p, api.RenameRoom, api.Rename{Room: room.ID, Name: c.Name})
		return err
	})
}

type roomShowCmd struct{ roomFlags }

func (c roomShowCmd) Run(ctx context.Context, t *term) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.catchUp(ctx); err != nil {
		return err
	}
	room, err := p.roomNamed(ctx, c.Room)
	if err != nil {
		return err
	}
	d, err := do(ctx, p, api.GetRoom, api.RoomRef{Room: room.ID})
	if err != nil {
		return err
	}
	if c.JSON {
		return t.object(d)
	}
	t.show("%s (%s, %s)\nid      %s\nsuite   %s\nepoch   %d, code %s\n\n", d.Room.Title, d.Room.Kind, d.Room.State, d.Room.ID, d.Suite, d.Epoch, d.Code)
	if len(d.Room.Back) > 0 {
		t.show("%s\n\n", broughtBack(d.Room))
	}
	var rows [][]string
	for _, m := range d.Members {
		rows = append(rows, []string{m.Person.Name, string(m.Role), count(m.Devices), marks(m.Person.Me, "you", m.Person.Online, "online")})
	}
	return t.table([]string{"MEMBER", "ROLE", "DEVICES", "IS"}, rows)
}
