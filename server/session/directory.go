package session

import (
	"context"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/directory"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

type people struct{ Deps }

// DirectoryMethods registers what devices ask about the people of the site.
func DirectoryMethods(t *Table, d Deps) {
	h := people{d}
	Reads(t, wire.DirectoryPeople, authz.PeopleRead, limit.Read, h.list)
	Reads(t, wire.DirectoryStatements, authz.StatementsRead, limit.Read, h.statements)
}

func (h people) list(ctx context.Context, _ *Actor, p wire.ListPeople) (page wire.People, err error) {
	err = h.DB.View(ctx, func(tx *db.Tx) (err error) {
		page, err = directory.People(tx, p.After)
		return err
	})
	for i := range page.People {
		page.People[i].Online = h.Hub.Online(page.People[i].Account)
	}
	return page, err
}

func (h people) statements(ctx context.Context, a *Actor, p wire.GetStatements) (page wire.Statements, err error) {
	for _, of := range p.Of {
		if err := authz.Check(a.Actor, authz.StatementsRead, authz.AccountOf(of.Account)); err != nil {
			return wire.Statements{}, err
		}
	}
	err = h.DB.View(ctx, func(tx *db.Tx) (err error) {
		page, err = directory.Statements(tx, p.Of)
		return err
	})
	return page, err
}
