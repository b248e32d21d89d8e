package main

import (
	"context"

	"github.com/veche-im/veche/client/api"
)

type passwordCmd struct {
	profileFlags
	OldFile string `required:"" placeholder:"FILE" help:"File whose first line is the password of now; - for standard input."`
	NewFile string `required:"" placeholder:"FILE" help:"File whose first line is the new one."`
}

func (c passwordCmd) Run(ctx context.Context, t *term) error {
	old, err := readSecret(t, c.OldFile)
	if err != nil {
		return err
	}
	fresh, err := readSecret(t, c.NewFile)
	if err != nil {
		return err
	}
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.needServer(ctx); err != nil {
		return err
	}
	if _, err := do(ctx, p, api.NewPassword, api.ChangePassword{Old: old, New: fresh}); err != nil {
		return err
	}
	t.note("The password is changed. Your other devices stay signed in; veche devices lists them.")
	return nil
}
