package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// committer makes commits of our own and sees them through.
type committer struct{ *worker }

// A change is what a commit of ours shall do, besides committing the proposals
// that wait. It is worked out anew whenever another commit was first.
type change struct {
	add    []mls.KeyPackage
	remove []mls.LeafIndex
	owners []wire.AccountID // nil: as they are, or as the leaving makes them
	renew  bool             // our own keys, even if there is nothing else to do
}

func (c *change) empty() bool {
	return len(c.add) == 0 && len(c.remove) == 0 && c.owners == nil && !c.renew
}

// mostRaces is how many commits of others may be first before we give up and
// try again later.
const mostRaces = 8

// alter makes a commit that does what plan says and returns after it was
// applied, or nothing was left to do. plan is asked again after each race.
func (w committer) alter(ctx context.Context, plan func(g *group.Group, leaves []policy.Leaf) (change, error)) error {
	for range mostRaces {
		if w.row.State != store.RoomOpen {
			return fmt.Errorf("%w: %s", ErrShut, w.row.State)
		}
		g, err := w.group(ctx)
		if err != nil {
			return err
		}
		leaves, err := policy.Leaves(g.Public().Members())
		if err != nil {
			return err
		}
		c, err := plan(g, leaves)
		if err != nil {
			return err
		}
		if c.empty() && len(g.Public().PendingProposals()) == 0 {
			return nil
		}
		req, err := w.stageOwn(ctx, g, c)
		if err != nil {
			return err
		}
		done, err := w.offer(ctx, req)
		if err != nil || done {
			return err
		}
	}
	return wire.Refuse(wire.Busy, "others change this room all the time")
}

// stageOwn makes the commit and stores it as pending, before it leaves.
func (w committer) stageOwn(ctx context.Context, g *group.Group, c change) (wire.SendCommit, error) {
	client := wire.NewClientID()
	opts := group.CommitOptions{
		Add: c.add, Remove: c.remove, IncludePending: true, Now: w.cfg.Now(),
		AuthenticatedData: policy.CommitData{Client: client, Seq: w.row.Seq, Head: w.row.Head}.Encode(),
	}
	extensions, err := w.policyAfter(g, c)
	if err != nil {
		return wire.SendCommit{}, err
	}
	opts.Extensions = extensions
	var req wire.SendCommit
	err = w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		g.ClearPending()
		p, err := g.Commit(opts)
		if err != nil {
			return fmt.Errorf("commit in %s: %w", w.id, err)
		}
		req = wire.SendCommit{Room: w.id, GroupUpload: wire.GroupUpload{Client: client, Commit: p.Message, Welcome: p.Welcome, GroupInfo: p.GroupInfo}}
		if err := putSetting(tx, commitName(w.id), req); err != nil {
			return err
		}
		return g.Save(store.MLS(tx, w.id))
	})
	return req, err
}

// policyAfter returns the group's extensions if the commit has to change the
// policy: because it says so, or because owners go with it.
func (w committer) policyAfter(g *group.Group, c change) (*mls.Extensions, error) {
	context := g.Public().Context()
	before, err := policy.FromContext(context.Extensions)
	if err != nil {
		return nil, err
	}
	after := before
	if c.owners != nil {
		after.Owners = policy.Sorted(c.owners...)
	} else {
		leaves, err := policy.Leaves(g.Public().Members())
		if err != nil {
			return nil, err
		}
		gone := leavingLeaves(g)
		for _, i := range c.remove {
			gone[i] = true
		}
		pc := policy.Change{Before: before, Leaves: leaves}
		for _, l := range leaves {
			if mls.LeafIndex(l.Index) == g.OwnLeaf() {
				pc.Committer = l
			}
			if gone[mls.LeafIndex(l.Index)] {
				pc.Removed = append(pc.Removed, policy.Removal{Leaf: l})
			}
		}
		for _, kp := range c.add {
			account, device, err := policy.ParseIdentity(kp.Leaf.Credential.Identity)
			if err != nil {
				return nil, err
			}
			pc.Added = append(pc.Added, policy.Leaf{Account: account, Device: device})
		}
		if p, ok := policy.Inherit(pc); ok {
			after = p
		}
	}
	if after.Equal(before) {
		return nil, nil
	}
	data, err := after.Encode()
	if err != nil {
		return nil, err
	}
	x := context.Extensions.With(mls.ExtensionType(policy.Extension), data)
	return &x, nil
}

// offer sends a commit of ours that is stored as pending, and reads the log
// until it shows who won. done is false if another was first.
func (w committer) offer(ctx context.Context, req wire.SendCommit) (done bool, err error) {
	receipt, err := session.Call(ctx, w.cfg.Session, wire.RoomCommit, req)
	switch code := wire.CodeOf(err); {
	case err == nil:
		w.raiseTarget(receipt.Seq)
		w.expect(&wire.Entry{
			Seq: receipt.Seq, Kind: wire.CommitEntry, Client: req.Client, Epoch: w.row.Epoch,
			Time: receipt.Time, Body: req.Commit, Head: receipt.Head,
		})
		if err := w.book.read(ctx); err != nil {
			return false, err
		}
		return w.merged(ctx, req.Client)
	case code == wire.Conflict, code == wire.Stale, code == wire.Pending:
		if err := w.catchUp(ctx); err != nil {
			return false, err
		}
		if done, err := w.merged(ctx, req.Client); err != nil || done {
			return done, err // it had arrived before, and the answer was lost
		}
		return false, w.drop(ctx)
	case code == wire.Busy, errors.Is(err, session.ErrOffline), ctx.Err() != nil:
		return false, err // stays pending: sent again as it is
	default:
		return false, errors.Join(err, w.drop(ctx))
	}
}

// expect takes an entry that we know from a receipt as if a nudge had brought
// it, which saves asking for it.
func (w *worker) expect(e *wire.Entry) {
	me := w.me()
	e.Account, e.Device = me.Account, me.Device
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nudged[e.Seq] = *e
}

// catchUp reads to the end of the log, wherever that is.
func (w committer) catchUp(ctx context.Context) error {
	s, err := session.Call(ctx, w.cfg.Session, wire.RoomGet, wire.GetRoom{Room: w.id})
	if err != nil {
		return err
	}
	w.raiseTarget(s.Seq)
	return w.book.read(ctx)
}

// merged reports whether the log has shown our entry of this client id.
func (w committer) merged(ctx context.Context, client wire.ClientID) (done bool, err error) {
	err = w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := store.EntryOf(tx, w.id, w.me().Device, client)
		done = err == nil
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	return done, err
}

// drop forgets a pending commit that lost.
func (w committer) drop(ctx context.Context) error {
	if w.row.State != store.RoomOpen {
		return nil
	}
	g, err := w.group(ctx)
	if err != nil {
		return err
	}
	return w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		g.ClearPending()
		if err := store.DeleteSetting(tx, commitName(w.id)); err != nil {
			return err
		}
		return g.Save(store.MLS(tx, w.id))
	})
}

// resume sends a pending commit again that was stored before a crash or a lost
// connection. The log has been read, so it has neither won nor lost yet, or has
// lost.
func (w committer) resume(ctx context.Context) error {
	var req wire.SendCommit
	var found bool
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		found, err = getSetting(tx, commitName(w.id), &req)
		return err
	})
	if err != nil || !found {
		return err
	}
	g, err := w.group(ctx)
	if err != nil {
		return err
	}
	if g.Pending() == nil {
		return w.drop(ctx)
	}
	_, err = w.offer(ctx, req)
	return err
}
