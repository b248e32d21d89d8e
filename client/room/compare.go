package room

import (
	"context"
	"errors"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// comparison holds a room as this device has it against how the server of a
// restored site has it.
type comparison struct {
	*Rooms
	me Me
	m  store.Room
	s  *wire.Room // nil: the server has no such room, or not for this account
}

// settle brings the room to where the server has it. Where the server has
// changed what should only be shorter, the room is blocked.
func (c comparison) settle(ctx context.Context) error {
	err := c.compare(ctx)
	var f *fault
	if errors.As(err, &f) {
		return c.block(ctx, f)
	}
	return err
}

func (c comparison) compare(ctx context.Context) error {
	if c.s == nil {
		planned := false
		if err := c.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
			planned, err = Planned(tx, c.m.ID)
			return err
		}); err != nil || planned {
			return err // it never was on the server
		}
		return c.vanished(ctx)
	}
	if c.m.Seq == 0 {
		return nil
	}
	p, err := c.common(ctx)
	if err != nil {
		return err
	}
	if p.seq == c.m.Seq {
		return c.sealAnew(ctx)
	}
	return c.takeBack(ctx, p)
}

// block stops a room whose log the server has changed where it should
// only be shorter.
func (c comparison) block(ctx context.Context, f *fault) error {
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		row, err := store.GetRoom(tx, c.m.ID)
		if err != nil {
			return err
		}
		row.State = store.RoomBlocked
		if err := store.PutRoom(tx, row); err != nil {
			return err
		}
		tx.OnCommit(func() { c.cfg.Feed.Rooms(c.m.ID) })
		return c.notice(tx, c.m.ID, f.code, f.account, f.text)
	})
	if err == nil {
		c.cfg.Shut(c.m.ID)
	}
	return err
}

// sealAnew drops the sealed bytes of what waits in a room that stays where it is,
// and may have left in the former life: others who had it do not take the same
// bytes again. What the server shows behind that place it did keep.
func (c comparison) sealAnew(ctx context.Context) error {
	waits := make(map[wire.ClientID]bool)
	err := c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		all, err := store.Outbox(tx, c.m.ID)
		for _, o := range all {
			if o.Body != nil {
				waits[o.Client] = true
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for after := c.m.Seq; len(waits) > 0 && after < c.s.Seq; {
		page, err := session.Call(ctx, c.cfg.Session, wire.RoomLog, wire.ReadLog{Room: c.m.ID, After: after})
		if err != nil {
			return err
		}
		if len(page.Entries) == 0 {
			break
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if e.Seq <= after {
				return faultf(api.NoticeForked, "entry %d came after %d", e.Seq, after)
			}
			after = e.Seq
			if e.Device == c.me.Device {
				delete(waits, e.Client)
			}
		}
	}
	if len(waits) == 0 {
		return nil
	}
	return c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := store.Outbox(tx, c.m.ID)
		if err != nil {
			return err
		}
		for _, o := range all {
			if !waits[o.Client] {
				continue
			}
			o.Body, o.Epoch = nil, 0
			if err := store.PutOutgoing(tx, o); err != nil {
				return err
			}
		}
		return nil
	})
}

// common finds the newest entry that this device and the server have both. The
// heads of the two logs agree up to it and nowhere after it.
func (c comparison) common(ctx context.Context) (place, error) {
	if c.s.Seq == c.m.Seq && c.s.Head == c.m.Head {
		return place{seq: c.m.Seq}, nil
	}
	lo := int64(0)                  // highest place that is known to agree; 0: that of nobody
	hi := min(c.m.Seq, c.s.Seq) + 1 // lowest place that is known not to agree
	var at place
	for step := int64(1); hi > lo+1; {
		x := (lo + hi) / 2
		if lo == 0 {
			x = max(1, hi-step) // what was lost is little beside what there is
			step *= 2
		}
		// Only what is known here says anything: the account may have been out of
		// the room for a while.
		err := c.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
			x, err = store.HeadNear(tx, c.m.ID, x, lo, hi)
			return err
		})
		if errors.Is(err, store.ErrNone) {
			break
		}
		if err != nil {
			return at, err
		}
		p, agrees, err := c.probe(ctx, x)
		if err != nil {
			return at, err
		}
		if agrees {
			lo, at = x, p
		} else {
			hi = x
		}
	}
	return at, nil
}

// place is where two logs agree, and the epoch there.
type place struct {
	seq   int64
	head  wire.Hash
	epoch uint64
}

// probe has the server show entry x, of which the head is known. A server that
// shows another entry for it is at fault.
func (c comparison) probe(ctx context.Context, x int64) (p place, agrees bool, err error) {
	page, err := session.Call(ctx, c.cfg.Session, wire.RoomLog, wire.ReadLog{Room: c.m.ID, After: x - 1, Limit: 1})
	if err != nil || len(page.Entries) == 0 || page.Entries[0].Seq != x {
		return p, false, err // not there, or not for this account
	}
	e := &page.Entries[0]
	p = place{seq: x, head: e.Head, epoch: e.Epoch}
	if e.Kind == wire.CommitEntry {
		p.epoch++
	}
	err = c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		head, err := store.HeadAt(tx, c.m.ID, x)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if agrees = head == e.Head; !agrees {
			return nil
		}
		var before wire.Hash
		if x > 1 {
			before, err = store.HeadAt(tx, c.m.ID, x-1)
		}
		if errors.Is(err, store.ErrNone) {
			// Nothing here binds the entry to its head. What counts is in which epoch
			// this device joined with it.
			agrees, err = getSetting(tx, joinedName(c.m.ID, x), &p.epoch)
			return err
		}
		if err == nil && wire.Next(before, c.m.ID, e) != head {
			return faultf(api.NoticeForked, "entry %d is not the one that we have", x)
		}
		return err
	})
	return p, agrees, err
}
