package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/veche-im/veche/client/cursor"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// newCursors makes what tells the server how far this device has come.
func newCursors(c *Client) *cursor.Cursors {
	return cursor.New(cursor.Config{
		Standing: c.standing, Log: c.cfg.Log,
		Tell: func(ctx context.Context, set wire.SetCursor) error {
			_, err := session.Call(ctx, c.session, wire.RoomCursors, set)
			return err
		},
	})
}

// standing is cursor.Config's.
func (c *Client) standing(ctx context.Context, id wire.RoomID, told int64) (s cursor.Standing, err error) {
	err = c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		m, err := store.GetRoom(tx, id)
		if errors.Is(err, store.ErrNone) || err == nil && m.State != store.RoomOpen {
			return nil
		}
		if err != nil {
			return err
		}
		own, err := store.GetCursor(tx, id, c.account.ID())
		if err != nil {
			return err
		}
		if s.Owed, err = store.Owes(tx, id, told, m.Seq); err != nil {
			return err
		}
		s.Delivered, s.Read = m.Seq, own.Read
		return nil
	})
	return s, err
}

// cursorsMoved takes what the server says of others, and of the person's other
// devices.
func (c *Client) cursorsMoved(ctx context.Context, m wire.Cursors) error {
	if len(m.Cursors) > wire.MaxCursors {
		return fmt.Errorf("%w: %d cursors in %s", wire.ErrFrame, len(m.Cursors), m.Room)
	}
	return c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := store.GetRoom(tx, m.Room); errors.Is(err, store.ErrNone) {
			return nil // the event room comes first
		} else if err != nil {
			return err
		}
		return c.moveCursors(tx, m.Room, m.Cursors...)
	})
}

// moveCursors moves cursors and tells of the rows whose state that changes.
func (c *Client) moveCursors(tx *store.Tx, room wire.RoomID, list ...wire.Cursor) error {
	me := c.account.ID()
	others := slices.ContainsFunc(list, func(m wire.Cursor) bool { return m.Account != me })
	was, now, moved := int64(0), int64(0), false
	var err error
	if others {
		if was, err = store.Delivered(tx, room, me); err != nil {
			return err
		}
	}
	for _, m := range list {
		it, err := store.MoveCursor(tx, room, m)
		if err != nil {
			return err
		}
		moved = moved || it
	}
	if !moved {
		return nil
	}
	if others {
		if now, err = store.Delivered(tx, room, me); err != nil {
			return err
		}
	}
	items, err := store.ItemsBySeq(tx, room, was, now)
	if err != nil {
		return err
	}
	var ids []string
	for _, i := range items {
		if i.Mine {
			ids = append(ids, i.ID)
		}
	}
	tx.OnCommit(func() {
		if len(ids) > 0 {
			c.feed.Items(room, ids...)
		} else {
			c.feed.Rooms(room)
		}
	})
	return nil
}
