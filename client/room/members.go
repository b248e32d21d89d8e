package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// rules returns the policy in force, and refuses what only owners of a group
// may do to whoever is none.
func (w committer) ownersOnly(g *group.Group) (policy.Policy, error) {
	p, err := policy.FromContext(g.Public().Context().Extensions)
	if err != nil {
		return p, err
	}
	if p.Kind != wire.Group || !p.Owns(w.me().Account) {
		return p, api.Fail(api.NotAllowed, "only an owner of a group may do that")
	}
	return p, nil
}

// Add takes people into a group. Who is in it already is left as they are.
func (r *Rooms) Add(ctx context.Context, id wire.RoomID, accounts []wire.AccountID) error {
	return r.do(ctx, id, func(ctx context.Context, w *worker) error {
		var packages []mls.KeyPackage
		claimed := false
		return w.commits.alter(ctx, func(g *group.Group, leaves []policy.Leaf) (change, error) {
			if _, err := w.commits.ownersOnly(g); err != nil {
				return change{}, err
			}
			in := accountsOf(leaves)
			missing := slices.DeleteFunc(slices.Clone(accounts), func(a wire.AccountID) bool { return in[a] })
			if len(missing) == 0 {
				return change{}, nil
			}
			if !claimed {
				var err error
				if packages, err = w.commits.claim(ctx, missing, leaves); err != nil {
					return change{}, err
				}
				claimed = true
			}
			c := change{}
			for _, kp := range packages {
				account, _, err := policy.ParseIdentity(kp.Leaf.Credential.Identity)
				if err != nil {
					return c, err
				}
				if !in[account] {
					c.add = append(c.add, kp)
				}
			}
			return c, nil
		})
	})
}

// Remove takes a person out of a group, with all devices.
func (r *Rooms) Remove(ctx context.Context, id wire.RoomID, account wire.AccountID) error {
	return r.do(ctx, id, func(ctx context.Context, w *worker) error {
		if account == w.me().Account {
			return api.Fail(api.BadInput, "leave the group instead")
		}
		return w.commits.alter(ctx, func(g *group.Group, leaves []policy.Leaf) (change, error) {
			if _, err := w.commits.ownersOnly(g); err != nil {
				return change{}, err
			}
			var c change
			for _, l := range leaves {
				if l.Account == account {
					c.remove = append(c.remove, mls.LeafIndex(l.Index))
				}
			}
			return c, nil
		})
	})
}

// SetOwner makes a member an owner, or no longer one.
func (r *Rooms) SetOwner(ctx context.Context, id wire.RoomID, account wire.AccountID, owner bool) error {
	return r.do(ctx, id, func(ctx context.Context, w *worker) error {
		return w.commits.alter(ctx, func(g *group.Group, leaves []policy.Leaf) (change, error) {
			p, err := w.commits.ownersOnly(g)
			if err != nil {
				return change{}, err
			}
			switch {
			case !accountsOf(leaves)[account]:
				return change{}, api.Fail(api.NotFound, "not a member")
			case p.Owns(account) == owner:
				return change{}, nil
			case owner:
				return change{owners: append(slices.Clone(p.Owners), account)}, nil
			}
			rest := slices.DeleteFunc(slices.Clone(p.Owners), func(a wire.AccountID) bool { return a == account })
			if len(rest) == 0 {
				return change{}, api.Fail(api.NotAllowed, "a group has an owner: name another one first")
			}
			return change{owners: rest}, nil
		})
	})
}

// Rename gives a group another name. Everybody in it may.
func (r *Rooms) Rename(ctx context.Context, id wire.RoomID, name string) error {
	name = strings.TrimSpace(name)
	err := r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := writable(tx, id); err != nil {
			return err
		}
		m, err := store.GetRoom(tx, id)
		if err != nil {
			return err
		}
		if m.Kind != wire.Group {
			return api.Fail(api.NotAllowed, "a direct room has no name")
		}
		return r.enqueueName(tx, id, name)
	})
	if err != nil {
		return err
	}
	r.Wake(id)
	return nil
}

// Details is what the group itself says of a room, as it is stored here. The
// worker is not asked, so this works while it waits for the network.
type Details struct {
	Leaves []policy.Leaf
	Policy policy.Policy
	Epoch  uint64
	Suite  mls.Suite
	Code   []byte // of the epoch
}

// Details reads the group of a room; ok is false if this device has none.
func (r *Rooms) Details(tx *store.Tx, id wire.RoomID) (d Details, ok bool, err error) {
	m, err := store.GetRoom(tx, id)
	if err != nil {
		return d, false, err
	}
	if m.State != store.RoomOpen && m.State != store.RoomBlocked || m.Seq == 0 {
		return d, false, nil
	}
	g, err := group.Load(store.MLS(tx, id))
	if err != nil {
		if m.State == store.RoomBlocked && errors.Is(err, mls.ErrStorage) {
			return d, false, nil // blocked before it was joined
		}
		return d, false, fmt.Errorf("load the group of %s: %w", id, err)
	}
	if d.Leaves, err = policy.Leaves(g.Public().Members()); err != nil {
		return d, false, err
	}
	if d.Policy, err = policy.FromContext(g.Public().Context().Extensions); err != nil {
		return d, false, err
	}
	d.Epoch, d.Suite, d.Code = g.Epoch(), g.Public().Context().Suite, g.EpochAuthenticator()
	return d, true, nil
}
