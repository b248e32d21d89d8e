package main

import (
	"context"
	"errors"

	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// adminCmd is what is done to people's accounts by who owns the data directory.
type adminCmd struct {
	Reset     adminResetCmd `cmd:"" help:"Make a link with which a person sets a new password."`
	Shut      adminShutCmd  `cmd:"" help:"Shut an account: its devices are cut off, nobody can sign in to it."`
	Open      adminOpenCmd  `cmd:"" help:"Open an account that was shut."`
	SignOut   adminOutCmd   `cmd:"" help:"Have all devices of a person show the password again."`
	MakeAdmin adminMakeCmd  `cmd:"" help:"Make a person an administrator."`
	TakeAdmin adminTakeCmd  `cmd:"" help:"Have a person be no administrator any more."`
}

// nameFlags name a person of a site.
type nameFlags struct {
	dataFlags
	Name string `arg:"" help:"The person's name."`
}

type (
	adminShutCmd struct{ nameFlags }
	adminOpenCmd struct{ nameFlags }
	adminOutCmd  struct{ nameFlags }
	adminMakeCmd struct{ nameFlags }
	adminTakeCmd struct{ nameFlags }
)

type adminResetCmd struct {
	nameFlags
	JSON bool `name:"json" help:"Write a JSON object."`
}

func (c adminResetCmd) Run(ctx context.Context, t *term) error {
	link, err := admin.MakeReset(ctx, c.Data, c.Name)
	if err != nil {
		return refusal(err)
	}
	if c.JSON {
		return t.object(inviteRow{link.Link, stamp(link.Expires)})
	}
	t.show("%s\n", link.Link)
	t.note("For %s alone, until %s. Whoever holds it sets their password; what is sealed it does not open.", c.Name, clock(link.Expires))
	return nil
}

func (c adminShutCmd) Run(ctx context.Context, t *term) error {
	return c.do(ctx, t, admin.Shut, "%s is shut out. What they wrote, their rooms and their devices stay; veche admin open lets them in again.")
}

func (c adminOpenCmd) Run(ctx context.Context, t *term) error {
	return c.do(ctx, t, admin.Open, "%s can sign in again.")
}

func (c adminOutCmd) Run(ctx context.Context, t *term) error {
	return c.do(ctx, t, admin.SignOut, "%s has to show the password on every device.")
}

func (c adminMakeCmd) Run(ctx context.Context, t *term) error {
	return c.do(ctx, t, admin.MakeAdmin, "%s is an administrator.")
}

func (c adminTakeCmd) Run(ctx context.Context, t *term) error {
	return c.do(ctx, t, admin.TakeAdmin, "%s is no administrator.")
}

// do does something to the person's account, and says that it is done.
func (c nameFlags) do(ctx context.Context, t *term, act admin.Act, done string) error {
	if err := admin.Do(ctx, c.Data, act, c.Name); err != nil {
		return refusal(err)
	}
	t.note(done, c.Name)
	return nil
}

// refusal is what a running server said no with, in its words.
func refusal(err error) error {
	var refused *wire.Error
	if errors.As(err, &refused) && refused.Text != "" {
		return errors.New(refused.Text)
	}
	return err
}
