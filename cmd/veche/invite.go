package main

import (
	"context"

	"github.com/veche-im/veche/server/admin"
)

type inviteCmd struct {
	dataFlags
	JSON bool `name:"json" help:"Write a JSON object."`
}

// inviteRow is a link for one person.
type inviteRow struct {
	Link    string `json:"link"`
	Expires string `json:"expires"`
}

func (c inviteCmd) Run(ctx context.Context, t *term) error {
	invite, err := admin.MakeInvite(ctx, c.Data)
	if err != nil {
		return refusal(err)
	}
	if c.JSON {
		return t.object(inviteRow{invite.Link, stamp(invite.Expires)})
	}
	t.show("%s\n", invite.Link)
	t.note("For one person, until %s.", clock(invite.Expires))
	return nil
}
