package main

import (
	"context"
	"errors"

	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

type inviteCmd struct {
	dataFlags
	JSON bool `name:"json" help:"Write a JSON object."`
}

// inviteRow is a link for one new person.
type inviteRow struct {
	Link    string `json:"link"`
	Expires string `json:"expires"`
}

func (c inviteCmd) Run(ctx context.Context, t *term) error {
	invite, err := admin.MakeInvite(ctx, c.Data)
	var refused *wire.Error
	if errors.As(err, &refused) {
		return errors.New(refused.Text)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return t.object(inviteRow{invite.Link, stamp(invite.Expires)})
	}
	t.show("%s\n", invite.Link)
	t.note("For one person, until %s.", clock(invite.Expires))
	return nil
}
