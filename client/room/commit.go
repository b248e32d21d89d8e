package room

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/people"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// judge decides whether what the server shows of a room may be.
type judge struct{ *worker }

// commit takes an entry that starts the next epoch: it is checked as MLS, then
// against what we saw of the log, against statements, and against the room's
// policy, before anything changes.
func (w logbook) commit(ctx context.Context, e *wire.Entry) error {
	g, err := w.group(ctx)
	if err != nil {
		return err
	}
	if f := w.follows(&w.row, e); f != nil {
		return f
	}
	if skipped, err := w.skipSeen(ctx, e); err != nil || skipped {
		return err
	}
	m, staged, err := stage(g, e)
	if err != nil {
		w.cfg.Log.Warn("commit does not apply", "room", w.id, "seq", e.Seq, "err", err)
		return w.join.forget(ctx, err)
	}
	change, err := w.judge.judge(ctx, g, m, staged, e)
	if err != nil {
		return err
	}
	return w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		own := bytes.Equal(g.Pending(), e.Body)
		if own {
			err = g.MergePending()
		} else {
			err = g.Apply(staged)
		}
		if err != nil {
			return fmt.Errorf("apply commit %d of %s: %w", e.Seq, w.id, err)
		}
		if err := w.passed(tx, row, e); err != nil {
			return err
		}
		return w.after(tx, row, g, e, change, staged.RemovesUs, own)
	})
}

// skipSeen passes over a commit or proposal that was shown before.
func (w logbook) skipSeen(ctx context.Context, e *wire.Entry) (bool, error) {
	var again bool
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := store.EntryOf(tx, w.id, e.Device, e.Client)
		again = err == nil
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	if err != nil || !again {
		return false, err
	}
	return true, w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		if _, err := w.seen(tx, e); err != nil {
			return err
		}
		return w.passed(tx, row, e)
	})
}

func stage(g *group.Group, e *wire.Entry) (*mls.PublicMessage, *group.Staged, error) {
	var m mls.Message
	if err := mls.Unmarshal(e.Body, &m); err != nil {
		return nil, nil, err
	}
	if m.Public == nil {
		return nil, nil, fmt.Errorf("%w: not a public message", policy.ErrMalformed)
	}
	staged, err := g.StageCommit(m.Public)
	return m.Public, staged, err
}

// judge decides whether the commit of e may change the room. A fault blocks it.
func (w judge) judge(ctx context.Context, g *group.Group, m *mls.PublicMessage, staged *group.Staged, e *wire.Entry) (policy.Change, error) {
	if err := w.judgeData(ctx, staged, e); err != nil {
		return policy.Change{}, err
	}
	ask := w.cfg.People.Current
	change, err := w.judgeChange(ctx, g, m, staged, e, ask)
	var f *fault
	if errors.As(err, &f) {
		// The statement that allows it may be newer than what we were told of.
		change, err = w.judgeChange(ctx, g, m, staged, e, w.cfg.People.Newest)
	}
	return change, err
}

// judgeData checks what the commit binds: its client id, and the log as its
// committer saw it.
func (w judge) judgeData(ctx context.Context, staged *group.Staged, e *wire.Entry) error {
	data, err := policy.DecodeCommitData(staged.AuthenticatedData)
	if err != nil {
		return faultf(api.NoticeBadCommit, "commit %d: %v", e.Seq, err)
	}
	if data.Client != e.Client {
		return faultf(api.NoticeForked, "commit %d was sent as another entry", e.Seq)
	}
	if data.Seq >= e.Seq {
		return faultf(api.NoticeSplit, "who made commit %d saw entry %d before it", e.Seq, data.Seq)
	}
	return w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		head, err := store.HeadAt(tx, w.id, data.Seq)
		if errors.Is(err, store.ErrNone) {
			return nil // from before this device came
		}
		if err != nil {
			return err
		}
		if head != data.Head {
			return faultf(api.NoticeSplit, "who made commit %d saw another history up to %d", e.Seq, data.Seq)
		}
		return nil
	})
}

type asking func(context.Context, ...wire.AccountID) (people.Statements, error)

func (w judge) judgeChange(ctx context.Context, g *group.Group, m *mls.PublicMessage, staged *group.Staged, e *wire.Entry, ask asking) (policy.Change, error) {
	revoked := func(l policy.Leaf) (bool, error) {
		known, err := ask(ctx, l.Account)
		if err != nil {
			return false, err
		}
		return revokedIn(known[l.Account], l), nil
	}
	change, fresh, err := policy.Describe(g.Public(), m, staged.StagedPublicCommit, revoked)
	switch {
	case errors.Is(err, policy.ErrMalformed), errors.Is(err, policy.ErrRefused):
		return change, faultf(api.NoticeBadCommit, "commit %d: %v", e.Seq, err)
	case err != nil:
		return change, err
	}
	if change.Committer.Account != e.Account || change.Committer.Device != e.Device {
		return change, faultf(api.NoticeForked, "commit %d is not by whom the server says", e.Seq)
	}
	var accounts []wire.AccountID
	for _, l := range fresh {
		accounts = append(accounts, l.Account)
	}
	known, err := ask(ctx, policy.Sorted(accounts...)...)
	if err != nil {
		return change, err
	}
	for _, l := range fresh {
		if !listed(known[l.Account], l) {
			f := faultf(api.NoticeBadDevice, "commit %d brings in device %s, which is not listed", e.Seq, l.Device)
			f.account = l.Account
			return change, f
		}
	}
	if err := policy.Judge(change); err != nil {
		f := faultf(api.NoticeBadCommit, "commit %d: %v", e.Seq, err)
		f.account = change.Committer.Account
		return change, f
	}
	return change, nil
}

// listed reports whether a statement lists a leaf's device with its key, revoked
// since or not: who catches up sees devices come that have gone since. Times
// cannot tell which was first: that of the statement is from a clock that may be
// wrong, that of the entry is whatever the server says. An honest server takes
// nothing from a revoked device; with any other, nothing is sealed to it before
// it was removed, see settle.
func listed(v *statement.Verified, l policy.Fresh) bool {
	if v == nil {
		return false
	}
	d, ok := v.Device(l.Device)
	return ok && bytes.Equal(d.Key[:], l.Key)
}

func revokedIn(v *statement.Verified, l policy.Leaf) bool {
	if v == nil {
		return false
	}
	d, ok := v.Device(l.Device)
	return ok && !d.Active()
}

// after stores what a commit that was applied has done to the room.
func (w logbook) after(tx *store.Tx, row *store.Room, g *group.Group, e *wire.Entry, c policy.Change, out, own bool) error {
	if err := w.putChanges(tx, row, e, c); err != nil {
		return err
	}
	if err := store.DeleteSetting(tx, commitName(w.id)); err != nil {
		return err
	}
	for _, a := range goneAccounts(c) {
		if err := store.PutGone(tx, w.id, e.Seq, a); err != nil {
			return err
		}
	}
	if err := w.hold.released(tx, leavesAfter(c)); err != nil {
		return err
	}
	if err := keepLeaves(tx, w.id, e.Seq, c); err != nil {
		return err
	}
	if out {
		row.State = store.RoomLeft
		if err := store.SetMembers(tx, w.id, membersOf(leavesAfter(c), c.After)); err != nil {
			return err
		}
		tx.OnCommit(func() {
			w.g = nil
			w.cfg.Shut(w.id)
		})
		return store.DropMLS(tx, w.id)
	}
	if err := g.Save(store.MLS(tx, w.id)); err != nil {
		return err
	}
	if err := w.begun(tx, g, len(c.Removed) > 0); err != nil {
		return err
	}
	row.Epoch = g.Epoch()
	if err := putMark(tx, w.id, mark{Seq: e.Seq, Time: wire.Now(w.cfg.Now())}); err != nil {
		return err
	}
	leaves, err := policy.Leaves(g.Public().Members())
	if err != nil {
		return err
	}
	if err := store.SetMembers(tx, w.id, membersOf(leaves, c.After)); err != nil {
		return err
	}
	if own && len(newAccounts(c)) > 0 && row.Named != 0 {
		return w.enqueueName(tx, w.id, row.Name)
	}
	return nil
}

// leavesAfter are the leaves that a commit leaves in the room.
func leavesAfter(c policy.Change) []policy.Leaf {
	var leaves []policy.Leaf
	for _, l := range c.Leaves {
		if !slices.ContainsFunc(c.Removed, func(r policy.Removal) bool { return r.Index == l.Index }) {
			leaves = append(leaves, l)
		}
	}
	leaves = append(leaves, c.Added...)
	if c.External {
		leaves = append(leaves, c.Committer)
	}
	return leaves
}

func membersOf(leaves []policy.Leaf, p policy.Policy) []store.RoomMember {
	var members []store.RoomMember
	at := map[wire.AccountID]int{}
	for _, l := range leaves {
		i, ok := at[l.Account]
		if !ok {
			i = len(members)
			at[l.Account] = i
			members = append(members, store.RoomMember{Account: l.Account, Owner: p.Owns(l.Account)})
		}
		members[i].Leaves++
	}
	return members
}

func accountsOf(leaves []policy.Leaf) map[wire.AccountID]bool {
	accounts := map[wire.AccountID]bool{}
	for _, l := range leaves {
		accounts[l.Account] = true
	}
	return accounts
}

// newAccounts are those that a commit brings in, gone those that it takes out.
func newAccounts(c policy.Change) []wire.AccountID {
	return missingFrom(accountsOf(c.Leaves), leavesAfter(c))
}

func goneAccounts(c policy.Change) []wire.AccountID {
	return missingFrom(accountsOf(leavesAfter(c)), c.Leaves)
}

func missingFrom(have map[wire.AccountID]bool, leaves []policy.Leaf) []wire.AccountID {
	var list []wire.AccountID
	for _, l := range leaves {
		if !have[l.Account] && !slices.Contains(list, l.Account) {
			list = append(list, l.Account)
		}
	}
	return list
}

// putChanges writes the lines that say what a commit did.
func (w logbook) putChanges(tx *store.Tx, row *store.Room, e *wire.Entry, c policy.Change) error {
	by := c.Committer.Account
	var lines []timeline.Change
	if c.First && row.Kind == wire.Group {
		lines = append(lines, timeline.Change{Kind: api.ChangeCreated, By: by})
	}
	if come := newAccounts(c); len(come) > 0 && row.Kind == wire.Group {
		lines = append(lines, timeline.Change{Kind: api.ChangeAdded, By: by, Who: come})
	}
	left, removed := splitGone(c)
	for _, a := range left {
		lines = append(lines, timeline.Change{Kind: api.ChangeLeft, By: a, Who: []wire.AccountID{a}})
	}
	if len(removed) > 0 {
		lines = append(lines, timeline.Change{Kind: api.ChangeRemoved, By: by, Who: removed})
	}
	for _, a := range devicesCome(c) {
		lines = append(lines, timeline.Change{Kind: api.ChangeDeviceJoined, By: by, Who: []wire.AccountID{a}})
	}
	for _, a := range devicesGone(c) {
		lines = append(lines, timeline.Change{Kind: api.ChangeDeviceGone, By: by, Who: []wire.AccountID{a}})
	}
	if row.Kind == wire.Group && !c.First {
		lines = append(lines, ownersLines(c)...)
	}
	place := w.place(e)
	for i, l := range lines {
		place.Sub = i
		if err := timeline.PutChange(tx, place, l); err != nil {
			return err
		}
	}
	return nil
}

func splitGone(c policy.Change) (left, removed []wire.AccountID) {
	for _, a := range goneAccounts(c) {
		leaving := slices.ContainsFunc(c.Removed, func(r policy.Removal) bool { return r.Account == a && r.Leaving })
		if leaving {
			left = append(left, a)
		} else {
			removed = append(removed, a)
		}
	}
	return left, removed
}

// devicesCome are the members with a device more, devicesGone those with one
// fewer. A device that joins anew in the place of its old leaf is neither.
func devicesCome(c policy.Change) []wire.AccountID {
	before := accountsOf(c.Leaves)
	var list []wire.AccountID
	added := c.Added
	if c.External && !slices.ContainsFunc(c.Leaves, func(l policy.Leaf) bool { return l.Device == c.Committer.Device }) {
		added = append(slices.Clone(added), c.Committer)
	}
	for _, l := range added {
		if before[l.Account] && !slices.Contains(list, l.Account) {
			list = append(list, l.Account)
		}
	}
	return list
}

func devicesGone(c policy.Change) []wire.AccountID {
	after := accountsOf(leavesAfter(c))
	var list []wire.AccountID
	for _, r := range c.Removed {
		back := c.External && r.Device == c.Committer.Device
		if after[r.Account] && !back && !slices.Contains(list, r.Account) {
			list = append(list, r.Account)
		}
	}
	return list
}

func ownersLines(c policy.Change) []timeline.Change {
	var lines []timeline.Change
	after := accountsOf(leavesAfter(c))
	for _, a := range c.After.Owners {
		if !c.Before.Owns(a) {
			lines = append(lines, timeline.Change{Kind: api.ChangeOwner, By: c.Committer.Account, Who: []wire.AccountID{a}})
		}
	}
	for _, a := range c.Before.Owners {
		if !c.After.Owns(a) && after[a] {
			lines = append(lines, timeline.Change{Kind: api.ChangeNoOwner, By: c.Committer.Account, Who: []wire.AccountID{a}})
		}
	}
	return lines
}

// forget throws the group away and lets the room be joined anew: this device
// cannot follow, or was out of the room in between. The place in the log is
// kept, so that the history in between is still checked. Who is in the group that
// it comes into is the server's word: whoever is new is waited for, see hold.
func (w joiner) forget(ctx context.Context, why error) error {
	if why != nil {
		w.cfg.Log.Warn("room is joined anew", "room", w.id, "seq", w.row.Seq, "err", why)
	}
	err := w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		row.State = store.RoomJoining
		if err := note(tx, w.id, nil, true); err != nil {
			return err
		}
		if err := store.DeleteSetting(tx, commitName(w.id)); err != nil {
			return err
		}
		return store.DropMLS(tx, w.id)
	})
	w.g = nil
	return err
}

// mark says where an epoch began, and when by our own clock: keys that are old
// are renewed. By the server's clock a device whose own is wrong would renew
// them with every message.
type mark struct {
	Seq  int64       `cbor:"seq"`
	Time wire.Millis `cbor:"time"`
}

func markName(room wire.RoomID) string   { return "epoch " + room.String() }
func commitName(room wire.RoomID) string { return "commit " + room.String() }
func leaveName(room wire.RoomID) string  { return "leave " + room.String() }
func planName(room wire.RoomID) string   { return "plan " + room.String() }
func createName(room wire.RoomID) string { return "create " + room.String() }

func putMark(tx *store.Tx, room wire.RoomID, m mark) error { return putSetting(tx, markName(room), m) }

func putSetting(tx *store.Tx, name string, v any) error {
	b, err := wire.Encode(v)
	if err != nil {
		return err
	}
	return store.PutSetting(tx, name, b)
}

// getSetting reads a setting into v and reports whether it is there.
func getSetting(tx *store.Tx, name string, v any) (bool, error) {
	b, err := store.GetSetting(tx, name)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := wire.Decode(b, v); err != nil {
		return false, fmt.Errorf("%w: setting %q: %w", store.ErrDamaged, name, err)
	}
	return true, nil
}
