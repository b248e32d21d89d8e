package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// The Wait functions serve programs that do one thing and end. Each needs Run to
// be under way. When the server cannot be reached they fail with an api.Failure
// of api.Offline as soon as an attempt to connect has failed; when the device is
// signed out or waits to be let in, with api.SignedOut or api.NotEnrolled.

func notice(n store.Notice) api.Notice { return feed.Notice(n) }

// WaitOnline waits until the device is connected and ready.
func (c *Client) WaitOnline(ctx context.Context) error {
	err := c.waitReady(ctx)
	if !errors.Is(err, api.Fail(api.NotEnrolled, "")) {
		return err
	}
	// It may have been let in while it was away, and a program that ends soon
	// cannot wait to hear of it.
	if err := c.account.Settle(ctx); err != nil {
		return failure(err)
	}
	return c.waitReady(ctx)
}

func (c *Client) waitReady(ctx context.Context) error {
	return c.waitPhase(ctx, func(s api.Status) (bool, error) {
		switch s.Phase {
		case api.PhaseReady:
			return s.Connection == api.Online, nil
		case api.PhaseEnrolling:
			if s.Connection == api.Online {
				return false, api.Fail(api.NotEnrolled, "this device waits to be let in")
			}
			return false, nil
		}
		return false, api.Fail(api.SignedOut, "nobody is signed in")
	})
}

// WaitEnrolled waits until this device was let in.
func (c *Client) WaitEnrolled(ctx context.Context) error {
	return c.waitPhase(ctx, func(s api.Status) (bool, error) {
		switch s.Phase {
		case api.PhaseReady:
			return true, nil
		case api.PhaseEnrolling:
			return false, nil
		}
		return false, api.Fail(api.SignedOut, "this device was turned away, or nobody is signed in")
	})
}

// waitPhase waits for cond, and gives up when dialling has failed.
func (c *Client) waitPhase(ctx context.Context, cond func(api.Status) (bool, error)) error {
	select {
	case <-c.loaded:
	case <-ctx.Done():
		return api.FailureOf(ctx.Err())
	}
	tried := false
	err := c.account.Wait(ctx, func(s api.Status) (bool, error) {
		if ok, err := cond(s); err != nil || ok {
			return ok, err
		}
		switch s.Connection {
		case api.Connecting, api.Online:
			tried = true
		case api.NoServer:
			why := c.account.Why()
			if tried && wire.CodeOf(why) != wire.Unauthenticated { // else it is about to be known that the session has ended
				return false, api.Fail(api.Offline, "the server cannot be reached: %v", why)
			}
		}
		return false, nil
	})
	if err != nil {
		return failure(err)
	}
	return nil
}

// WaitCaughtUp waits until every room (or these alone) has been joined and read
// up to where the server stood when WaitCaughtUp was called. Rooms that cannot
// be are left out: blocked ones, and ones that wait for their first message or
// for a person without a device. One that cannot be read keeps none from it that
// can: the Failure, of the first such, names them all in its Text.
func (c *Client) WaitCaughtUp(ctx context.Context, rooms ...wire.RoomID) error {
	if err := c.WaitOnline(ctx); err != nil {
		return err
	}
	if err := c.healer.wait(ctx); err != nil {
		return failure(err)
	}
	// A program that ends soon must leave what others need to add this device.
	if err := c.account.Refill(ctx); err != nil {
		return failure(err)
	}
	if err := c.people.Sync(ctx); err != nil {
		return failure(err)
	}
	if err := c.rooms.Connected(ctx); err != nil {
		return failure(err)
	}
	if len(rooms) == 0 {
		all, err := c.view.Rooms(ctx, nil)
		if err != nil {
			return failure(err)
		}
		for _, m := range all {
			if m.State == api.RoomOpen || m.State == api.RoomJoining {
				rooms = append(rooms, m.ID)
			}
		}
	}
	var bad []error
	for _, id := range rooms {
		id, err := c.rooms.Resolve(ctx, id)
		if err == nil {
			err = c.rooms.Do(ctx, id, nil)
		}
		switch {
		case err == nil, errors.Is(err, room.ErrShut):
		case ctx.Err() != nil, errors.Is(err, session.ErrOffline), errors.Is(err, room.ErrPaused):
			return failure(err) // and so would be the others
		default:
			bad = append(bad, fmt.Errorf("%s: %w", c.nameOf(ctx, id), err))
		}
	}
	return behind(bad)
}

// behind is what WaitCaughtUp says of rooms that could not be read: the failure
// of the first, which names them all.
func behind(bad []error) error {
	if len(bad) == 0 {
		return nil
	}
	var texts []string
	for _, err := range bad {
		texts = append(texts, err.Error())
	}
	f := *api.FailureOf(failure(bad[0]))
	f.Text, f.Retry = strings.Join(texts, "; "), 0 // which would be one room's
	return &f
}

// nameOf is a room's title, or its id.
func (c *Client) nameOf(ctx context.Context, id wire.RoomID) string {
	if m, err := c.oneRoom(ctx, id); err == nil && m.Title != "" {
		return m.Title
	}
	return id.String()
}

// WaitSent waits until the server has acknowledged a message, and returns the
// row then. A message that was refused is an api.Failure with the row's code, as is
// one that the server cannot take now: that one is saved and leaves later. One that
// waits for its person is api.Held.
func (c *Client) WaitSent(ctx context.Context, id wire.RoomID, item string) (api.Item, error) {
	if err := c.WaitOnline(ctx); err != nil {
		return api.Item{}, err
	}
	for {
		changed := c.feed.Changed()
		now, err := c.rooms.Resolve(ctx, id)
		if err != nil {
			return api.Item{}, failure(err)
		}
		list, err := c.view.Items(ctx, now, []string{item})
		switch {
		case err != nil:
			return api.Item{}, failure(err)
		case len(list) == 0:
			// A planned direct room may have given way, just now, to the one
			// that the two have already: the message went with it.
			switch moved, err := c.rooms.Resolve(ctx, id); {
			case err != nil:
				return api.Item{}, failure(err)
			case moved == now:
				return api.Item{}, api.Fail(api.NotFound, "no such message")
			}
			continue
		case list[0].State == api.ItemFailed:
			return list[0], api.Fail(list[0].Fail, "the message was refused")
		case list[0].State != api.ItemSaved:
			return list[0], nil
		case list[0].Fail != "":
			return list[0], api.Fail(list[0].Fail, "the server cannot take it now; the message is stored and will be sent")
		}
		if err := c.undecided(ctx, now); err != nil {
			return list[0], err
		}
		status := c.account.Changed()
		if s := c.account.Status(); s.Phase != api.PhaseReady || s.Connection == api.NoServer {
			return list[0], api.Fail(api.Offline, "the connection was lost; the message is stored and will be sent")
		}
		select {
		case <-changed:
		case <-status:
		case <-ctx.Done():
			return list[0], api.FailureOf(ctx.Err())
		}
	}
}

// undecided is api.Held where a room seals nothing because a restore has brought
// people back into it, and this device does not take them out by itself.
func (c *Client) undecided(ctx context.Context, id wire.RoomID) error {
	back, err := c.broughtBack(ctx, id)
	if err != nil || len(back) == 0 {
		return err
	}
	if err := c.rooms.Do(ctx, id, nil); err != nil {
		return nil // where it stands is not known yet: whoever waits goes on
	}
	if back, err = c.broughtBack(ctx, id); err != nil || len(back) == 0 {
		return err
	}
	m, err := c.oneRoom(ctx, id)
	if err != nil {
		return failure(err)
	}
	var names []string
	for _, b := range m.Back {
		names = append(names, b.Name)
	}
	return api.Fail(api.Held, "this device has not seen who let them in: %s", strings.Join(names, ", "))
}

func (c *Client) broughtBack(ctx context.Context, id wire.RoomID) (back []wire.AccountID, err error) {
	err = c.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		back, _, err = room.Back(tx, id)
		return err
	})
	if err != nil {
		return nil, failure(err)
	}
	return back, nil
}

// WaitIdle waits until nothing waits to be sent in a room: edits, deletions and
// names too, which have no row of their own. Its failures are those of WaitSent.
func (c *Client) WaitIdle(ctx context.Context, id wire.RoomID) error {
	if err := c.WaitOnline(ctx); err != nil {
		return err
	}
	for {
		changed, status := c.feed.Changed(), c.account.Changed()
		now, err := c.rooms.Resolve(ctx, id)
		if err != nil {
			return failure(err)
		}
		m, err := c.oneRoom(ctx, now)
		if err != nil {
			return failure(err)
		}
		if m.Queued == 0 {
			return nil
		}
		if err := c.undecided(ctx, now); err != nil {
			return err
		}
		if s := c.account.Status(); s.Phase != api.PhaseReady || s.Connection == api.NoServer {
			return api.Fail(api.Offline, "the connection was lost; what waits is stored and will be sent")
		}
		select {
		case <-changed:
		case <-status:
		case <-ctx.Done():
			return api.FailureOf(ctx.Err())
		}
	}
}
