package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/veche-im/veche/wire"
)

// ErrRefused is returned for a commit that the room's policy does not allow.
var ErrRefused = errors.New("refused by the room's policy")

// Leaf is a device in the tree.
type Leaf struct {
	Account wire.AccountID
	Device  wire.DeviceID
	Index   uint32 // leaf index
}

// Removal is a leaf that a commit takes out of the tree.
type Removal struct {
	Leaf
	// Revoked: the newest statement of the leaf's account, as the judge knows it,
	// lists the device as revoked.
	Revoked bool
	// Leaving: the Remove was proposed by a leaf of the same account, and the
	// commit names it by reference.
	Leaving bool
}

// Change is what a commit does to a room, as the judge sees it.
type Change struct {
	First  bool   // the commit that ends epoch 0
	Before Policy // of the epoch that the commit ends
	After  Policy // of the epoch that it begins
	Leaves []Leaf // before the commit, every leaf, in the order of their index

	Committer Leaf // for an external commit the new leaf
	External  bool // the committer is not in Leaves: it joins by itself

	Added   []Leaf    // by Add; an external committer's leaf is not among them
	Removed []Removal // by Remove
	Updated []Update  // leaves that another leaf takes the place of: the committer's own, by its path

	// Other names what else the commit does, for which there is no rule yet: a
	// PSK, a ReInit, another extension. Empty if nothing.
	Other string
}

// Update is a leaf and what stands in its place afterwards.
type Update struct{ Old, New Leaf }

// Judge returns nil if the policy of docs/spec/room-log.md allows c, and
// ErrRefused with the rule that does not hold otherwise. It assumes that c is
// valid as MLS (RFC 9420 §12) and that every leaf in Added, Updated and an
// external Committer were checked against the statement of their account.
func Judge(c Change) error {
	for _, rule := range []func(Change) error{
		judgeOther, judgeFirst, judgeAdded, judgeRemoved, judgeUpdated, judgeExternal, judgeDevices, judgePolicy,
	} {
		if err := rule(c); err != nil {
			return err
		}
	}
	return nil
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

func judgeOther(c Change) error {
	if c.Other != "" {
		return refuse("%s is not allowed yet", c.Other)
	}
	return nil
}

// judgeFirst holds the room to how it starts: one leaf, its account an owner.
// A group's creator owns it alone; a direct room belongs to its two people from
// the start.
func judgeFirst(c Change) error {
	if !c.First {
		return nil
	}
	switch {
	case len(c.Leaves) != 1 || c.Leaves[0] != c.Committer:
		return refuse("a room starts with its creator's device alone")
	case !c.Before.Owns(c.Committer.Account):
		return refuse("the creator of a room is among its owners")
	case c.Before.Kind == wire.Group && len(c.Before.Owners) != 1:
		return refuse("a group starts with one owner")
	}
	return nil
}

// judgeAdded: further devices of a member by anybody, other accounts by an owner
// of a group; into a direct room only the people whose room it is.
func judgeAdded(c Change) error {
	members := accountsOf(c.Leaves)
	for _, l := range c.Added {
		switch {
		case c.External:
			return refuse("an external commit adds nobody else")
		case members[l.Account]:
		case c.Before.Kind == wire.Direct && !c.Before.Owns(l.Account):
			return refuse("a direct room takes nobody else")
		case !c.Before.Owns(c.Committer.Account):
			return refuse("only an owner adds another account")
		}
	}
	return nil
}

// judgeRemoved: one's own devices, revoked ones and, in a group, who asked to
// leave by anybody; the devices of others by an owner of a group.
func judgeRemoved(c Change) error {
	for _, r := range c.Removed {
		switch {
		case c.External && (r.Account != c.Committer.Account || r.Device != c.Committer.Device):
			return refuse("an external commit removes only the former leaf of its own device")
		case r.Account == c.Committer.Account:
		case r.Revoked:
		case c.Before.Kind == wire.Direct:
			return refuse("nobody leaves a direct room or is removed from it")
		case r.Leaving:
		case !c.Before.Owns(c.Committer.Account):
			return refuse("only an owner removes another account's device")
		}
	}
	return nil
}

// judgeUpdated: a leaf stays with its device.
func judgeUpdated(c Change) error {
	for _, u := range c.Updated {
		switch {
		case u.Old != u.New:
			return refuse("a leaf cannot pass to another device")
		case u.Old != c.Committer:
			return refuse("a commit renews its committer's leaf alone")
		}
	}
	return nil
}

// judgeExternal: a device joins by itself only where its account is.
func judgeExternal(c Change) error {
	switch {
	case !c.External:
		if !slices.Contains(c.Leaves, c.Committer) {
			return refuse("the committer is not in the room")
		}
	case accountsOf(c.Leaves)[c.Committer.Account]:
	case c.Before.Kind == wire.Direct && c.Before.Owns(c.Committer.Account):
	default:
		return refuse("a device joins by itself only where its account is a member")
	}
	return nil
}

// judgeDevices: one leaf for each device.
func judgeDevices(c Change) error {
	seen := make(map[wire.DeviceID]bool, len(c.Leaves)+len(c.Added)+1)
	for _, l := range c.LeavesAfter() {
		if seen[l.Device] {
			return refuse("a device has one leaf")
		}
		seen[l.Device] = true
	}
	return nil
}

// judgePolicy: owners are members, there is always one, and only owners say who
// they are. Where owners left with the commit, whoever commits takes them off
// the list, and if that empties it the account with the lowest leaf takes their
// place: nothing else, so that no choice is left to who happens to commit.
func judgePolicy(c Change) error {
	if c.After.Kind != c.Before.Kind {
		return refuse("a room stays what it is")
	}
	if c.Before.Kind == wire.Direct {
		if !c.After.Equal(c.Before) {
			return refuse("the people of a direct room stay the same")
		}
		return nil
	}
	must, forced := c.inherit()
	if forced && c.After.Equal(must) {
		return nil
	}
	if !forced && c.After.Equal(c.Before) {
		return nil
	}
	if c.External || !c.Before.Owns(c.Committer.Account) {
		if forced {
			return refuse("owners left, and the list of owners must follow them and change in nothing else")
		}
		return refuse("only an owner changes the owners")
	}
	members := c.membersAfter()
	for _, o := range c.After.Owners {
		if !members[o] {
			return refuse("an owner must be a member")
		}
	}
	if len(c.After.Owners) == 0 {
		return refuse("a group has an owner")
	}
	return nil
}

// Inherit returns the policy that a commit in a group must at least bring about
// because owners left with it, and whether there is one: a committer that sees
// true puts it into the commit. c needs Before, Leaves, Committer, External,
// Added and Removed.
func Inherit(c Change) (Policy, bool) { return c.inherit() }

func (c Change) inherit() (Policy, bool) {
	if c.Before.Kind != wire.Group {
		return Policy{}, false
	}
	members := c.membersAfter()
	p := Policy{Kind: c.Before.Kind}
	for _, o := range c.Before.Owners {
		if members[o] {
			p.Owners = append(p.Owners, o)
		}
	}
	if len(p.Owners) == len(c.Before.Owners) {
		return Policy{}, false
	}
	// Only leaves that stay count: where an added one lands is decided by the
	// same commit.
	if stay := c.leavesThatStay(); len(p.Owners) == 0 && len(stay) > 0 {
		lowest := slices.MinFunc(stay, func(a, b Leaf) int { return cmp.Compare(a.Index, b.Index) })
		p.Owners = []wire.AccountID{lowest.Account}
	}
	return p, true
}

func (c Change) leavesThatStay() []Leaf {
	gone := make(map[uint32]bool, len(c.Removed))
	for _, r := range c.Removed {
		gone[r.Index] = true
	}
	return slices.DeleteFunc(slices.Clone(c.Leaves), func(l Leaf) bool { return gone[l.Index] })
}

// LeavesAfter returns who is in the tree once the commit is applied, in no order.
func (c Change) LeavesAfter() []Leaf {
	after := append(c.leavesThatStay(), c.Added...)
	if c.External {
		after = append(after, c.Committer)
	}
	return after
}

func (c Change) membersAfter() map[wire.AccountID]bool { return accountsOf(c.LeavesAfter()) }

func accountsOf(leaves []Leaf) map[wire.AccountID]bool {
	accounts := make(map[wire.AccountID]bool)
	for _, l := range leaves {
		accounts[l.Account] = true
	}
	return accounts
}
