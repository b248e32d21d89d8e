package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// takeBack moves a room to where the server has it. Where its group is ahead of
// that, it is to be joined anew.
func (c comparison) takeBack(ctx context.Context, p place) error {
	return c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		row, err := store.GetRoom(tx, c.m.ID)
		if err != nil || row.Seq <= p.seq {
			return err
		}
		gone, err := store.GoneAfter(tx, c.m.ID, p.seq)
		if err != nil {
			return err
		}
		was := row
		row.Seq, row.Head = p.seq, p.head
		if p.seq == 0 {
			row.Epoch, row.Joined = 0, 0
		}
		ahead := p.seq == 0 || row.State != store.RoomOpen || p.epoch != was.Epoch
		if !ahead {
			if ahead, err = c.unpend(tx); err != nil {
				return err
			}
		}
		if ahead {
			row.Epoch = p.epoch
			if err := c.dropGroup(tx, &row, gone); err != nil {
				return err
			}
			if c.s.Until != 0 {
				row.State = store.RoomLeft
			}
		}
		return c.back(tx, row)
	})
}

// vanished takes that the server has no such room, or not for this account. A
// direct room is made again; a group waits until somebody adds us again.
func (c comparison) vanished(ctx context.Context) error {
	if c.m.Seq == 0 && c.m.State != store.RoomOpen || c.m.State == store.RoomLeft {
		return nil
	}
	return c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		row, err := store.GetRoom(tx, c.m.ID)
		if err != nil {
			return err
		}
		gone, err := store.GoneAfter(tx, c.m.ID, 0)
		if err != nil {
			return err
		}
		row.Seq, row.Head, row.Epoch, row.Joined = 0, wire.Hash{}, 0, 0
		if err := c.dropGroup(tx, &row, gone); err != nil {
			return err
		}
		if c.m.Kind == wire.Direct {
			p := plan{Kind: wire.Direct, Members: []wire.AccountID{}, Waits: true}
			if !c.m.Peer.IsZero() {
				p.Members = append(p.Members, c.m.Peer)
			}
			if err := putSetting(tx, planName(c.m.ID), p); err != nil {
				return err
			}
		} else {
			row.State = store.RoomLeft
			if err := store.PutSetting(tx, restoredName(c.m.ID), []byte{1}); err != nil {
				return err
			}
		}
		return c.back(tx, row)
	})
}

// back stores row, which is further back than what is stored, and queues again
// what this device has sent after it.
func (c comparison) back(tx *store.Tx, row store.Room) error {
	own, err := store.GetCursor(tx, row.ID, c.me.Account)
	if err != nil {
		return err
	}
	var before int64
	if _, err := getSetting(tx, readName(row.ID), &before); err != nil {
		return err
	}
	if err := putSetting(tx, readName(row.ID), max(before, own.Read)); err != nil {
		return err
	}
	lost, err := store.TakeBack(tx, row)
	if err != nil {
		return err
	}
	var again []store.Outgoing
	for _, l := range lost {
		if l.Device != c.me.Device {
			continue
		}
		o, ok, err := sentAgain(tx, c.me, row.ID, l)
		if err != nil {
			return err
		}
		if ok {
			again = append(again, o)
		}
	}
	if err := store.Requeue(tx, row.ID, again); err != nil {
		return err
	}
	all, err := store.Outbox(tx, row.ID)
	if err != nil {
		return err
	}
	for _, o := range all {
		i, err := store.GetItem(tx, row.ID, o.Item)
		if errors.Is(err, store.ErrNone) || err == nil && (i.Seq != 0 || o.Fail != "") {
			continue
		}
		if err != nil {
			return err
		}
		i.State = string(api.ItemSaved)
		if err := store.PutItem(tx, i); err != nil {
			return err
		}
	}
	moved, err := store.UnstoredItems(tx, row.ID)
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		for _, i := range moved {
			c.cfg.Feed.Items(row.ID, i.ID)
		}
		c.cfg.Feed.Rooms(row.ID)
	})
	return nil
}

// unpend makes a group that goes on as it is forget its pending commit, which
// was made after entries that are lost. ahead is true if it knows proposals,
// which may be lost: then it is to be joined anew.
func (c comparison) unpend(tx *store.Tx) (ahead bool, err error) {
	g, err := group.Load(store.MLS(tx, c.m.ID))
	if errors.Is(err, mls.ErrStorage) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("load the group of %s: %w", c.m.ID, err)
	}
	if len(g.Public().PendingProposals()) > 0 {
		return true, nil
	}
	g.ClearPending()
	if err := store.DeleteSetting(tx, commitName(c.m.ID)); err != nil {
		return false, err
	}
	return false, g.Save(store.MLS(tx, c.m.ID))
}

// dropGroup throws a group away that is ahead of the server's, after noting who
// was in it: whoever is in the one that is joined then and was not in this one
// has been brought back.
func (c comparison) dropGroup(tx *store.Tx, row *store.Room, gone []wire.AccountID) error {
	if err := note(tx, row.ID, gone, false); err != nil {
		return err
	}
	for _, name := range []string{commitName(row.ID), createName(row.ID)} {
		if err := store.DeleteSetting(tx, name); err != nil {
			return err
		}
	}
	row.State = store.RoomJoining
	tx.OnCommit(func() { c.cfg.Shut(row.ID) })
	return store.DropMLS(tx, row.ID)
}

func restoredName(room wire.RoomID) string { return "restored " + room.String() }

func readName(room wire.RoomID) string { return "read " + room.String() }

// readAgain moves the person's own cursor over an entry that they have read
// before the site lost it, if they have read all before it.
func (w logbook) readAgain(tx *store.Tx, e *wire.Entry, was store.Item) error {
	var read int64
	if known, err := getSetting(tx, readName(w.id), &read); err != nil || !known {
		return err
	}
	me := w.me()
	if e.Kind == wire.MessageEntry && e.Account != me.Account && (was.Unstored == 0 || was.Unstored > read) {
		return nil
	}
	cur, err := store.GetCursor(tx, w.id, me.Account)
	if err != nil || cur.Read != e.Seq-1 {
		return err
	}
	cur.Read = e.Seq
	moved, err := store.MoveCursor(tx, w.id, cur)
	if moved {
		tx.OnCommit(func() { w.cfg.Read(w.id) })
	}
	return err
}
