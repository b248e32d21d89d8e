package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/veche-im/veche/client/api"
)

type deviceCmd struct {
	Approve approveCmd `cmd:"" help:"Let a waiting device in, after comparing its code."`
	Reject  rejectCmd  `cmd:"" help:"Turn a waiting device away."`
	Revoke  revokeCmd  `cmd:"" help:"Remove a device from your account and from all conversations."`
	Key     keyCmd     `cmd:"" name:"new-recovery-key" help:"Make a new recovery key; the old one stops working."`
}

// deviceFlags name one of the person's devices.
type deviceFlags struct {
	profileFlags
	Device string `arg:"" help:"The device's id, or its code."`
}

type approveCmd struct{ deviceFlags }
type rejectCmd struct{ deviceFlags }
type revokeCmd struct{ deviceFlags }

func (c approveCmd) Run(ctx context.Context, t *term) error {
	return c.do(ctx, t, api.ApproveDevice, "was let in")
}

func (c rejectCmd) Run(ctx context.Context, t *term) error {
	return c.do(ctx, t, api.RejectDevice, "was turned away")
}

func (c revokeCmd) Run(ctx context.Context, t *term) error {
	return c.do(ctx, t, api.RevokeDevice, "was removed")
}

func (c deviceFlags) do(ctx context.Context, t *term, what api.Command[api.DeviceRef, api.None], done string) error {
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
	d, err := pickDevice(devices.Devices, c.Device)
	if err != nil {
		return err
	}
	if _, err := do(ctx, p, what, api.DeviceRef{Device: d.ID}); err != nil {
		return err
	}
	if err := p.catchUp(ctx); err != nil {
		return err
	}
	if c.JSON {
		return t.object(map[string]any{"device": d.ID})
	}
	t.note("%s %s", d.Name, done)
	return nil
}

// pickDevice finds a device by id or, if it waits, by the code that it shows.
func pickDevice(devices []api.Device, said string) (api.Device, error) {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(s))
	}
	for _, d := range devices {
		if d.ID.String() == said || (d.Code != "" && plain(d.Code) == plain(said)) {
			return d, nil
		}
	}
	return api.Device{}, fmt.Errorf("you have no device %q (veche devices lists them)", said)
}

type keyCmd struct{ profileFlags }

func (c keyCmd) Run(ctx context.Context, t *term) error {
	p, err := openProfile(ctx, t, c.Profile)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.needServer(ctx); err != nil {
		return err
	}
	key, err := do(ctx, p, api.NewRecovery, api.None{})
	if err != nil {
		return err
	}
	if c.JSON {
		return t.object(map[string]string{"recoveryKey": key.Key})
	}
	t.recoveryKey(key.Key)
	return nil
}
