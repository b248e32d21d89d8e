package room

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// keeper leaves the group in order, and does what any member may do.
type keeper struct{ *worker }

// Keys of an epoch are renewed, before the next message, when it is this old or
// has had this many entries.
const (
	epochAge     = 24 * time.Hour
	epochEntries = 1000
)

// How long members wait before they do what any of them may do, so that not all
// do it: commit what waits, remove what others revoked, say the room's name.
const (
	proposalWait = 2 * time.Second
	revokedLeast = 5 * time.Second
	revokedMost  = 15 * time.Second
	nameWait     = 2 * time.Second
)

// settle leaves the group in order: nothing half done, nobody in it who should
// not be. With something to send it does so at once, else after a wait that
// lets another member be first.
func (w keeper) settle(ctx context.Context) error {
	if err := w.commits.resume(ctx); err != nil {
		return err
	}
	if err := w.leaving(ctx); err != nil || w.row.State != store.RoomOpen {
		return err
	}
	urgent, err := w.anythingToSend(ctx)
	if err != nil {
		return err
	}
	err = w.commits.alter(ctx, func(g *group.Group, leaves []policy.Leaf) (change, error) {
		return w.upkeep(ctx, g, leaves, urgent)
	})
	if errors.Is(err, errLater) {
		err = nil
	}
	if err != nil {
		return err
	}
	if err := w.erase(ctx); err != nil {
		return err
	}
	return w.sayName(ctx)
}

func (w keeper) anythingToSend(ctx context.Context) (bool, error) {
	_, err := w.outlet.next(ctx)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return err == nil, err
}

// errLater stops a commit that somebody else may make first.
var errLater = errors.New("room: later")

// upkeep says what a commit has to put in order. It is errLater when there is
// something, but its time has not come.
func (w keeper) upkeep(ctx context.Context, g *group.Group, leaves []policy.Leaf, urgent bool) (change, error) {
	var c change
	waits := false
	later := func(what string, least, most time.Duration) bool {
		if urgent || w.ripe(what, least, most) {
			return false
		}
		waits = true
		return true
	}
	back, err := w.broughtBack(ctx, g, leaves)
	if err != nil {
		return c, err
	}
	c.remove = append(c.remove, back...)
	revoked, err := w.revoked(ctx, g.Epoch(), leaves)
	if err != nil {
		return c, err
	}
	leaving := leavingLeaves(g)
	for _, l := range revoked {
		mine := l.Account == w.me().Account
		if slices.Contains(c.remove, mls.LeafIndex(l.Index)) || leaving[mls.LeafIndex(l.Index)] || !mine && later("revoked "+l.Device.String(), revokedLeast, revokedMost) {
			continue
		}
		c.remove = append(c.remove, mls.LeafIndex(l.Index))
	}
	proposals := len(g.Public().PendingProposals()) > 0
	if proposals && len(c.remove) == 0 && later(fmt.Sprintf("proposals %d", g.Epoch()), 0, proposalWait) {
		return c, errLater
	}
	if urgent && len(c.remove) == 0 && !proposals {
		c.renew, err = w.oldKeys(ctx)
	}
	if waits && c.empty() && !proposals {
		return c, errLater
	}
	return c, err
}

// broughtBack returns the leaves of those who had been taken out of the room
// before a restore brought them back, if this account may remove them.
func (w keeper) broughtBack(ctx context.Context, g *group.Group, leaves []policy.Leaf) ([]mls.LeafIndex, error) {
	h, err := w.hold.now(ctx)
	if err != nil || len(h.Gone) == 0 {
		return nil, err
	}
	p, err := policy.FromContext(g.Public().Context().Extensions)
	if err != nil || p.Kind != wire.Group || !p.Owns(w.me().Account) {
		return nil, err
	}
	var list []mls.LeafIndex
	leaving := leavingLeaves(g)
	for _, l := range leaves {
		if slices.Contains(h.Gone, l.Account) && !leaving[mls.LeafIndex(l.Index)] {
			list = append(list, mls.LeafIndex(l.Index))
		}
	}
	return list, nil
}

// ripe reports whether a random wait since something was first seen is over; if
// not the worker wakes up then.
func (w keeper) ripe(what string, least, most time.Duration) bool {
	now := w.cfg.Now()
	at, ok := w.since[what]
	if !ok {
		at = now.Add(least + rand.N(most-least))
		w.since[what] = at
	}
	if now.Before(at) {
		w.due(at.Sub(now))
		return false
	}
	return true
}

// revoked returns the leaves that may not stay: the newest statement that we
// know of revokes them. That there are none is remembered: it is asked before
// each message, and there may be a thousand leaves.
func (w keeper) revoked(ctx context.Context, epoch uint64, leaves []policy.Leaf) ([]policy.Leaf, error) {
	now := clean{epoch: epoch, pins: w.cfg.People.Pins(), known: true}
	if w.clean == now {
		return nil, nil
	}
	var accounts []wire.AccountID
	for _, l := range leaves {
		accounts = append(accounts, l.Account)
	}
	known, err := w.cfg.People.Known(ctx, policy.Sorted(accounts...)...)
	if err != nil {
		return nil, err
	}
	own := w.me().Device
	var list []policy.Leaf
	for _, l := range leaves {
		if l.Device != own && revokedIn(known[l.Account], l) {
			list = append(list, l)
		}
	}
	if len(list) == 0 {
		w.clean = now
	}
	return list, nil
}

// clean says when no leaf was found that may not stay.
type clean struct {
	epoch uint64
	pins  uint64
	known bool
}

func (w keeper) oldKeys(ctx context.Context) (bool, error) {
	var m mark
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := getSetting(tx, markName(w.id), &m)
		return err
	})
	old := w.cfg.Now().Sub(m.Time.Time()) >= epochAge || w.row.Seq-m.Seq >= epochEntries
	return old, err
}

// Leave takes the account out of a group: each of its leaves asks to be removed,
// and another member commits that.
func (r *Rooms) Leave(ctx context.Context, id wire.RoomID) error {
	return r.do(ctx, id, func(ctx context.Context, w *worker) error {
		if w.row.Kind == wire.Direct {
			return policy.ErrRefused
		}
		err := w.write(ctx, func(tx *store.Tx, row *store.Room) error {
			return store.PutSetting(tx, leaveName(w.id), []byte{1})
		})
		if err != nil {
			return err
		}
		return w.keep.leaving(ctx)
	})
}

// leaving asks for the removal of the account's leaves that have not asked yet,
// our own last, if the person wants to leave. The proposals count from when the
// log shows them: until then nothing of them is kept here.
func (w keeper) leaving(ctx context.Context) error {
	wants := false
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := store.GetSetting(tx, leaveName(w.id))
		wants = err == nil
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	if err != nil || !wants {
		return err
	}
	for range mostRaces {
		if w.row.State != store.RoomOpen {
			return nil
		}
		body, client, err := w.nextLeaving(ctx)
		if err != nil || body == nil {
			return err
		}
		receipt, err := session.Call(ctx, w.cfg.Session, wire.RoomPropose, wire.SendProposal{Room: w.id, Client: client, Proposal: body})
		switch code := wire.CodeOf(err); {
		case err == nil:
			w.raiseTarget(receipt.Seq)
			if err := w.book.read(ctx); err != nil {
				return err
			}
		case code == wire.Stale, code == wire.Conflict, code == wire.Pending:
			if err := w.commits.catchUp(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return wire.Refuse(wire.Busy, "others change this room all the time")
}

// nextLeaving makes the next proposal by which the account leaves, nil if all
// are made. A room with nobody else is left by its last device without one: no
// member could commit it.
func (w keeper) nextLeaving(ctx context.Context) ([]byte, wire.ClientID, error) {
	client := wire.NewClientID()
	g, err := w.group(ctx)
	if err != nil {
		return nil, client, err
	}
	leaves, err := policy.Leaves(g.Public().Members())
	if err != nil {
		return nil, client, err
	}
	me := w.me()
	asked := leavingLeaves(g)
	leaves = slices.DeleteFunc(leaves, func(l policy.Leaf) bool { return l.Account != me.Account || asked[mls.LeafIndex(l.Index)] })
	if len(leaves) == 0 {
		return nil, client, nil
	}
	slices.SortStableFunc(leaves, func(a, b policy.Leaf) int {
		switch {
		case a.Device == me.Device:
			return 1
		case b.Device == me.Device:
			return -1
		}
		return 0
	})
	body, err := g.Propose(mls.ProposeRemove(mls.LeafIndex(leaves[0].Index)), group.ProposeOptions{})
	w.g = nil // our own proposal is pending in it: the one in the log counts
	return body, client, err
}
