package policy_test

import (
	"errors"
	"testing"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

func account(c byte) wire.AccountID { return wire.AccountID{15: c} }

// leaf is the n-th device of the account c, at index i.
func leaf(c byte, n byte, i uint32) policy.Leaf {
	return policy.Leaf{Account: account(c), Device: wire.DeviceID{0: c, 15: n}, Index: i}
}

func group(owners ...byte) policy.Policy { return policyOf(wire.Group, owners) }
func direct(pair ...byte) policy.Policy  { return policyOf(wire.Direct, pair) }

func policyOf(kind wire.RoomKind, owners []byte) policy.Policy {
	p := policy.Policy{Kind: kind}
	for _, o := range owners {
		p.Owners = append(p.Owners, account(o))
	}
	return p
}

// The cast: ann (a) owns the group and is one of the direct room's pair, bob (b)
// is a member of both, cid (c) is a member of the group, dan (d) is nobody.
var (
	ann  = leaf('a', 1, 0)
	ann2 = leaf('a', 2, 1)
	bob  = leaf('b', 1, 2)
	bob2 = leaf('b', 2, 3)
	cid  = leaf('c', 1, 4)
	dan  = leaf('d', 1, 5)
)

func in(p policy.Policy, by policy.Leaf, leaves ...policy.Leaf) policy.Change {
	return policy.Change{Before: p, After: p, Committer: by, Leaves: leaves}
}

func inGroup(by policy.Leaf) policy.Change  { return in(group('a'), by, ann, ann2, bob, bob2, cid) }
func inDirect(by policy.Leaf) policy.Change { return in(direct('a', 'b'), by, ann, ann2, bob, bob2) }

type change func(*policy.Change)

func adds(l ...policy.Leaf) change {
	return func(c *policy.Change) { c.Added = append(c.Added, l...) }
}
func removes(l policy.Leaf) change {
	return func(c *policy.Change) { c.Removed = append(c.Removed, policy.Removal{Leaf: l}) }
}
func removesRevoked(l policy.Leaf) change {
	return func(c *policy.Change) { c.Removed = append(c.Removed, policy.Removal{Leaf: l, Revoked: true}) }
}
func leaves(l policy.Leaf) change {
	return func(c *policy.Change) { c.Removed = append(c.Removed, policy.Removal{Leaf: l, Leaving: true}) }
}
func updates(from, to policy.Leaf) change {
	return func(c *policy.Change) { c.Updated = append(c.Updated, policy.Update{Old: from, New: to}) }
}
func owned(p policy.Policy) change         { return func(c *policy.Change) { c.After = p } }
func before(p policy.Policy) change        { return func(c *policy.Change) { c.Before = p; c.After = p } }
func external(c *policy.Change)            { c.External = true }
func first(c *policy.Change)               { c.First = true }
func other(c *policy.Change)               { c.Other = "a PSK" }
func with(l ...policy.Leaf) change         { return func(c *policy.Change) { c.Leaves = l } }
func device(n byte) func(byte) policy.Leaf { return func(c byte) policy.Leaf { return leaf(c, n, 9) } }

func TestJudge(t *testing.T) {
	const yes, no = true, false
	third := device(3)
	for _, tt := range []struct {
		name    string
		base    policy.Change
		changes []change
		allowed bool
	}{
		{"nothing but a path", inGroup(cid), []change{updates(cid, cid)}, yes},

		// Add of a device whose account is a member already.
		{"group: anybody adds a device of a member", inGroup(cid), []change{adds(third('b'))}, yes},
		{"direct: anybody adds a device of a member", inDirect(bob), []change{adds(third('a'))}, yes},

		// Add of another account.
		{"group: an owner adds an account", inGroup(ann), []change{adds(dan)}, yes},
		{"group: a member adds an account", inGroup(bob), []change{adds(dan)}, no},
		{"group: an owner adds two devices of an account", inGroup(ann2), []change{adds(dan, leaf('d', 2, 6))}, yes},
		{"group: a member adds a member's device and an account", inGroup(bob), []change{adds(third('c'), dan)}, no},
		{"direct: the creator adds the second person first", in(direct('a', 'b'), ann, ann), []change{first, adds(bob)}, yes},
		{"direct: the creator adds the second person later", in(direct('a', 'b'), ann, ann), []change{adds(bob)}, yes},
		{"direct: who is left adds the other again", in(direct('a', 'b'), bob, bob), []change{adds(ann)}, yes},
		{"direct: the creator adds a third person first", in(direct('a', 'b'), ann, ann), []change{first, adds(bob, cid)}, no},
		{"direct: a third person instead of the second", in(direct('a', 'b'), ann, ann), []change{first, adds(cid)}, no},
		{"direct: a third person later", inDirect(bob), []change{adds(cid)}, no},
		{"notes to oneself: a second person", in(direct('a'), ann, ann), []change{adds(bob)}, no},
		{"notes to oneself: a further device", in(direct('a'), ann, ann), []change{adds(ann2)}, yes},

		// Remove of a leaf of the committer's own account.
		{"group: one's own other device", inGroup(bob), []change{removes(bob2)}, yes},
		{"direct: one's own other device", inDirect(ann), []change{removes(ann2)}, yes},
		{"direct: one's own other device, which asked", inDirect(ann), []change{leaves(ann2)}, yes},

		// Remove of a leaf that the newest statement revokes.
		{"group: anybody removes a revoked device", inGroup(cid), []change{removesRevoked(bob2)}, yes},
		{"direct: anybody removes a revoked device", inDirect(ann), []change{removesRevoked(bob2)}, yes},
		{"group: a revoked device and one that is not", inGroup(cid), []change{removesRevoked(bob2), removes(bob)}, no},

		// Remove proposed by the leaver.
		{"group: anybody commits who leaves", inGroup(cid), []change{leaves(bob), leaves(bob2)}, yes},
		{"direct: nobody leaves", inDirect(ann), []change{leaves(bob)}, no},

		// Remove of another account's leaf.
		{"group: an owner removes another", inGroup(ann), []change{removes(cid)}, yes},
		{"group: a member removes another", inGroup(bob), []change{removes(cid)}, no},
		{"group: a member removes an owner", inGroup(bob), []change{removes(ann2)}, no},
		{"direct: one removes the other", inDirect(ann), []change{removes(bob)}, no},

		// Change of the policy extension.
		{"group: an owner makes an owner", inGroup(ann), []change{owned(group('a', 'b'))}, yes},
		{"group: an owner steps back for another", inGroup(ann), []change{owned(group('b'))}, yes},
		{"group: an owner makes somebody added an owner", inGroup(ann), []change{adds(dan), owned(group('a', 'd'))}, yes},
		{"group: an owner who is not a member", inGroup(ann), []change{owned(group('a', 'd'))}, no},
		{"group: an owner who is removed in the same commit", inGroup(ann), []change{removes(cid), owned(group('a', 'c'))}, no},
		{"group: no owner at all", inGroup(ann), []change{owned(group())}, no},
		{"group: a member makes itself an owner", inGroup(bob), []change{owned(group('a', 'b'))}, no},
		{"group: becomes direct", inGroup(ann), []change{owned(direct('a'))}, no},
		{"direct: becomes a group", inDirect(ann), []change{owned(group('a'))}, no},
		{"direct: other people", inDirect(ann), []change{owned(direct('a', 'c'))}, no},
		{"direct: one fewer", inDirect(ann), []change{owned(direct('a'))}, no},

		// Owners that left.
		{"group: the last owner left, the lowest leaf inherits", inGroup(cid), []change{leaves(ann), leaves(ann2), owned(group('b'))}, yes},
		{"group: the last owner left, the committer takes it", inGroup(cid), []change{leaves(ann), leaves(ann2), owned(group('c'))}, no},
		{"group: the last owner left and nobody inherits", inGroup(cid), []change{leaves(ann), leaves(ann2)}, no},
		{"group: the owner's one device left", inGroup(cid), []change{leaves(ann)}, yes},
		{"group: the owner's one device left and another inherits", inGroup(cid), []change{leaves(ann), owned(group('b'))}, no},
		{"group: one of two owners left", inGroup(cid), []change{before(group('a', 'b')), leaves(ann), leaves(ann2), owned(group('b'))}, yes},
		{"group: one of two owners left and stays on the list", inGroup(cid), []change{before(group('a', 'b')), leaves(ann), leaves(ann2)}, no},
		{"group: one of two owners left and the committer joins the list", inGroup(cid), []change{before(group('a', 'b')), leaves(ann), leaves(ann2), owned(group('b', 'c'))}, no},
		{"group: one of two owners left, the other chooses a third", inGroup(bob), []change{before(group('a', 'b')), leaves(ann), leaves(ann2), owned(group('b', 'c'))}, yes},
		{"group: an owner removes the other owner", inGroup(bob), []change{before(group('a', 'b')), removes(ann), removes(ann2), owned(group('b'))}, yes},
		{"group: an owner removes the other owner, who stays on the list", inGroup(bob), []change{before(group('a', 'b')), removes(ann), removes(ann2)}, no},
		{"group: the owner's only device was revoked", inGroup(cid), []change{with(ann, bob, cid), removesRevoked(ann), owned(group('b'))}, yes},
		{"group: an owner's old device makes place for a new one", inGroup(bob), []change{with(ann, bob), removesRevoked(ann), adds(ann2)}, yes},

		// Anything else.
		{"group: something without a rule", inGroup(ann), []change{other}, no},
		{"direct: something without a rule", inDirect(ann), []change{other}, no},

		// External commits.
		{"group: a member's further device", inGroup(third('b')), []change{external}, yes},
		{"direct: a person's further device", inDirect(third('b')), []change{external}, yes},
		{"direct: a person without a leaf", in(direct('a', 'b'), bob, ann), []change{external}, yes},
		{"group: rejoins", inGroup(leaf('b', 1, 9)), []change{external, removes(bob)}, yes},
		{"direct: rejoins", inDirect(leaf('b', 1, 9)), []change{external, removes(bob)}, yes},
		{"group: a stranger", inGroup(dan), []change{external}, no},
		{"direct: a stranger", inDirect(cid), []change{external}, no},
		{"group: joins and removes another's leaf", inGroup(third('b')), []change{external, removes(cid)}, no},
		{"group: the owner's device joins and removes another's leaf", inGroup(third('a')), []change{external, removes(cid)}, no},
		{"group: joins and removes another device of its account", inGroup(third('b')), []change{external, removes(bob2)}, no},
		{"group: joins and removes a revoked leaf", inGroup(third('b')), []change{external, removesRevoked(cid)}, no},
		{"group: joins twice", inGroup(leaf('b', 1, 9)), []change{external}, no},
		{"group: joins and brings somebody", inGroup(third('a')), []change{external, adds(dan)}, no},
		{"group: joins and changes the owners", inGroup(third('a')), []change{external, owned(group('a', 'b'))}, no},
		{"group: claims to be inside", inGroup(third('b')), nil, no},

		// One leaf for each device, and each leaf with its device.
		{"group: adds a device that is there", inGroup(ann), []change{adds(leaf('c', 1, 9))}, no},
		{"group: adds a device twice", inGroup(ann), []change{adds(dan, leaf('d', 1, 6))}, no},
		{"group: replaces a device's leaf", inGroup(ann), []change{removes(cid), adds(leaf('c', 1, 9))}, yes},
		{"group: a leaf passes to another device", inGroup(bob), []change{updates(bob, leaf('b', 9, 2))}, no},
		{"group: a leaf passes to another account", inGroup(bob), []change{updates(bob, leaf('d', 1, 2))}, no},
		{"group: somebody else's leaf is renewed", inGroup(bob), []change{updates(cid, cid)}, no},

		// How a room starts.
		{"group: first commit", in(group('a'), ann, ann), []change{first, adds(bob, bob2, cid)}, yes},
		{"group: first commit of somebody who owns nothing", in(group('b'), ann, ann), []change{first, adds(bob)}, no},
		{"group: starts with two owners", in(group('a', 'b'), ann, ann), []change{first, adds(bob)}, no},
		{"group: makes a second owner at once", in(group('a'), ann, ann), []change{first, adds(bob), owned(group('a', 'b'))}, yes},
		{"group: starts with somebody in it", in(group('a'), ann, ann, bob), []change{first}, no},
		{"direct: of two others", in(direct('b', 'c'), ann, ann), []change{first, adds(bob, cid)}, no},
		{"direct: of two others, who are not added yet", in(direct('b', 'c'), ann, ann), []change{first}, no},
		{"notes to oneself", in(direct('a'), ann, ann), []change{first}, yes},
		{"group: first commit from outside", in(group('a'), ann2, ann), []change{first, external}, no},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.base
			for _, f := range tt.changes {
				f(&c)
			}
			err := policy.Judge(c)
			if tt.allowed && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !tt.allowed && !errors.Is(err, policy.ErrRefused) {
				t.Errorf("got %v, want ErrRefused", err)
			}
		})
	}
}

func TestInheritNamesTheLowestLeafThatStays(t *testing.T) {
	c := inGroup(cid)
	leaves(ann)(&c)
	leaves(ann2)(&c)
	adds(leaf('c', 9, 0))(&c) // lands where ann was
	p, forced := policy.Inherit(c)
	if !forced || !p.Equal(group('b')) {
		t.Errorf("got %v, %v; want bob", p, forced)
	}
	if p, forced := policy.Inherit(inGroup(cid)); forced {
		t.Errorf("nobody left, but got %v", p)
	}
	c = inDirect(ann)
	removesRevoked(bob)(&c)
	if p, forced := policy.Inherit(c); forced {
		t.Errorf("a direct room has nothing to inherit, but got %v", p)
	}
}
