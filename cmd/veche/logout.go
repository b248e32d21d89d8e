package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store/native"
)

type logoutCmd struct {
	profileFlags
	Forget bool `help:"Also remove this device from your account and wipe what is stored here."`
}

func (c logoutCmd) Run(ctx context.Context, t *term) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	_, ours := p.core.(*local)
	err = c.signOut(ctx, p)
	p.close()
	if err != nil || !c.Forget || !ours { // a process that follows still has the files open, emptied
		return err
	}
	if err := native.Remove(ctx, c.Profile); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(c.Profile, serverFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (c logoutCmd) signOut(ctx context.Context, p *profile) error {
	if c.Forget {
		// Where the server has ended the session there is nothing to tell it.
		if err := p.needServer(ctx); err != nil && !errors.Is(err, api.Fail(api.SignedOut, "")) {
			return err
		}
	}
	_, err := do(ctx, p, api.SignOut, api.SignOutHow{Forget: c.Forget})
	return err
}
