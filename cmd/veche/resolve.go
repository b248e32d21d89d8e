package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

// personNamed finds one person. Names are unique at a site; letter case is
// forgiven when it leaves no doubt.
func (p *profile) personNamed(ctx context.Context, name string) (api.Person, error) {
	people, err := do(ctx, p, api.ListPeople, api.None{})
	if err != nil {
		return api.Person{}, err
	}
	var alike []api.Person
	for _, person := range people.People {
		if person.Name == name {
			return person, nil
		}
		if strings.EqualFold(person.Name, name) || person.ID.String() == name {
			alike = append(alike, person)
		}
	}
	if len(alike) == 1 {
		return alike[0], nil
	}
	return api.Person{}, fmt.Errorf("there is nobody called %q here (veche people lists everybody)", name)
}

func (p *profile) peopleNamed(ctx context.Context, names []string) ([]wire.AccountID, error) {
	var ids []wire.AccountID
	for _, name := range names {
		person, err := p.personNamed(ctx, strings.TrimPrefix(name, "@"))
		if err != nil {
			return nil, err
		}
		ids = append(ids, person.ID)
	}
	return ids, nil
}

// roomNamed finds the conversation that the person means: "@name" is the direct
// chat with a person (made at the first message), anything else an id or the
// name of a group.
func (p *profile) roomNamed(ctx context.Context, name string) (api.Room, error) {
	if who, direct := strings.CutPrefix(name, "@"); direct {
		person, err := p.personNamed(ctx, who)
		if err != nil {
			return api.Room{}, err
		}
		return do(ctx, p, api.OpenDirect, api.PersonRef{Person: person.ID})
	}
	var id wire.RoomID
	if id.UnmarshalText([]byte(name)) == nil {
		details, err := do(ctx, p, api.GetRoom, api.RoomRef{Room: id})
		return details.Room, err
	}
	rooms, err := do(ctx, p, api.ListRooms, api.None{})
	if err != nil {
		return api.Room{}, err
	}
	return pickRoom(rooms.Rooms, name)
}

func pickRoom(rooms []api.Room, name string) (api.Room, error) {
	var exact, alike []api.Room
	for _, r := range rooms {
		if r.Kind == wire.Direct {
			continue // those are meant by @name, so that a group cannot pass for a person
		}
		if r.Title == name {
			exact = append(exact, r)
		}
		if strings.EqualFold(r.Title, name) {
			alike = append(alike, r)
		}
	}
	for _, found := range [][]api.Room{exact, alike} {
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			var ids []string
			for _, r := range found {
				ids = append(ids, r.ID.String())
			}
			return api.Room{}, fmt.Errorf("%d groups are called %q, so name one by its id: %s", len(found), name, strings.Join(ids, ", "))
		}
	}
	return api.Room{}, fmt.Errorf("there is no group called %q here (veche rooms lists them; a person is @NAME)", name)
}
