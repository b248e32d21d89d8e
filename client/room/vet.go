package room

import (
	"bytes"
	"context"
	"fmt"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// composition is who is in a group, as the group itself proves it.
type composition struct {
	policy policy.Policy
	leaves []policy.Leaf
}

// vet decides whether a group that we are about to join can be what the server
// says it is: this room, not older than what we left, every leaf listed by its
// account.
func (w judge) vet(ctx context.Context, g *group.Group) (composition, error) {
	return w.vetPublic(ctx, g.Public().Context(), g.Public().Members())
}

func (w judge) vetPublic(ctx context.Context, c mls.GroupContext, members []mls.Member) (composition, error) {
	if !bytes.Equal(c.GroupID, w.id[:]) {
		return composition{}, faultf(api.NoticeForked, "the server offers another room's group")
	}
	if c.Epoch < w.row.Epoch {
		return composition{}, faultf(api.NoticeOldEpoch, "the server offers epoch %d, we were in %d", c.Epoch, w.row.Epoch)
	}
	p, err := policy.FromContext(c.Extensions)
	if err != nil {
		return composition{}, faultf(api.NoticeBadCommit, "the room's policy: %v", err)
	}
	if err := w.same(ctx, p); err != nil {
		return composition{}, err
	}
	leaves, err := policy.Leaves(members)
	if err != nil {
		return composition{}, faultf(api.NoticeBadCommit, "%v", err)
	}
	out := composition{p, leaves}
	if err := checkMembers(out); err != nil {
		return composition{}, faultf(api.NoticeBadCommit, "%v", err)
	}
	return out, w.vetDevices(ctx, leaves, members)
}

// same refuses a group that is not the room which this device was in, be it that a
// restored site has lost all of it: of another kind, or between others.
func (w judge) same(ctx context.Context, p policy.Policy) error {
	was := w.row.Seq > 0
	if !was {
		if err := w.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
			was, err = getSetting(tx, notedName(w.id), &noted{})
			return err
		}); err != nil {
			return err
		}
	}
	switch {
	case !was:
		return nil
	case p.Kind != w.row.Kind:
		return faultf(api.NoticeBadCommit, "the room became %s", p.Kind)
	case p.Kind == wire.Direct && !w.row.Peer.IsZero() && !p.Owns(w.row.Peer):
		return faultf(api.NoticeBadCommit, "the room was with somebody else")
	}
	return nil
}

// checkMembers holds a group to what the policy says of every epoch.
func checkMembers(c composition) error {
	accounts := accountsOf(c.leaves)
	seen := map[wire.DeviceID]bool{}
	for _, l := range c.leaves {
		if seen[l.Device] {
			return fmt.Errorf("device %s has two leaves", l.Device)
		}
		seen[l.Device] = true
		if c.policy.Kind == wire.Direct && !c.policy.Owns(l.Account) {
			return fmt.Errorf("%s is in a direct room of others", l.Account)
		}
	}
	for _, o := range c.policy.Owners {
		if c.policy.Kind == wire.Group && !accounts[o] {
			return fmt.Errorf("owner %s is not a member", o)
		}
	}
	return nil
}

// vetDevices holds every leaf against its account's statement. A device that
// was revoked and not removed yet does not keep us out: nothing is sealed to it.
func (w judge) vetDevices(ctx context.Context, leaves []policy.Leaf, members []mls.Member) error {
	var accounts []wire.AccountID
	for _, l := range leaves {
		accounts = append(accounts, l.Account)
	}
	accounts = policy.Sorted(accounts...)
	known, err := w.cfg.People.Current(ctx, accounts...)
	if err != nil {
		return err
	}
	for again := range 2 {
		var missing []policy.Leaf
		for i, l := range leaves {
			if !listed(known[l.Account], policy.Fresh{Leaf: l, Key: members[i].Leaf.SignatureKey}) {
				missing = append(missing, l)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		if again == 1 {
			f := faultf(api.NoticeBadDevice, "device %s in the room is not listed", missing[0].Device)
			f.account = missing[0].Account
			return f
		}
		var ask []wire.AccountID
		for _, l := range missing {
			ask = append(ask, l.Account)
		}
		newer, err := w.cfg.People.Newest(ctx, policy.Sorted(ask...)...)
		if err != nil {
			return err
		}
		for a, v := range newer {
			known[a] = v
		}
	}
	return nil
}
