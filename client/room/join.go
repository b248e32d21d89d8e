package room

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// joiner makes this device a member of a room that is there.
type joiner struct{ *worker }

// enter makes this device a member of a room that it is not in yet: by making
// the room, by a Welcome, or by external commit.
func (w joiner) enter(ctx context.Context) error {
	if w.row.State != store.RoomJoining {
		return nil
	}
	if planned, err := w.founding.create(ctx); err != nil || planned {
		return err
	}
	s, err := session.Call(ctx, w.cfg.Session, wire.RoomGet, wire.GetRoom{Room: w.id})
	if err != nil {
		return err
	}
	w.raiseTarget(s.Seq)
	if s.Until != 0 {
		return w.write(ctx, func(tx *store.Tx, row *store.Room) error {
			row.State = store.RoomLeft
			return nil
		})
	}
	if s.Welcome {
		joined, err := w.welcome(ctx)
		if err := w.blockIf(ctx, err); err != nil || joined || w.row.State == store.RoomBlocked {
			return err
		}
	}
	for range mostRaces {
		if err = w.external(ctx, &s); wire.CodeOf(err) != wire.Conflict {
			break // else another commit was first: look again
		}
	}
	return w.blockIf(ctx, err)
}

// comeBack lets a room be joined anew whose log has just shown how the account
// left it, if the server has said that the account is a member at a newer entry:
// it was taken in again meanwhile.
func (w joiner) comeBack(ctx context.Context) error {
	w.mu.Lock()
	s := w.server
	w.mu.Unlock()
	if w.row.State != store.RoomLeft || s == nil || s.Until != 0 || s.Seq <= w.row.Seq {
		return nil
	}
	return w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		row.State = store.RoomJoining
		return nil
	})
}

// dropWelcome lets the server forget a Welcome that was used already, where the
// word of it was lost. The log must have been read to where the server stood
// when it spoke of the Welcome: only then it is not one by which this device
// comes in again after having been removed.
func (w joiner) dropWelcome(ctx context.Context) error {
	w.mu.Lock()
	s := w.server
	w.server = nil
	w.mu.Unlock()
	if s == nil || !s.Welcome || w.row.Seq < s.Seq {
		return nil
	}
	_, err := session.Call(ctx, w.cfg.Session, wire.RoomJoined, wire.GetRoom{Room: w.id})
	return err
}

// welcome joins by the Welcome that waits on the server. false means that there
// is none that this device can open.
func (w joiner) welcome(ctx context.Context) (bool, error) {
	st, err := session.Call(ctx, w.cfg.Session, wire.RoomWelcome, wire.GetRoom{Room: w.id})
	if wire.CodeOf(err) == wire.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	g, used, err := w.openWelcome(ctx, &st)
	if err != nil {
		for _, mine := range []error{store.ErrDamaged, store.ErrClosed, store.ErrFull, store.ErrBusy} {
			if ctx.Err() != nil || errors.Is(err, mine) {
				return false, err // nothing is wrong with the Welcome
			}
		}
		w.cfg.Log.Warn("welcome does not open", "room", w.id, "err", err)
		return false, nil
	}
	if w.row.Seq > 0 && g.Epoch() <= w.row.Epoch {
		// Used before: to join by it once more would seal with keys of that epoch
		// that were used already.
		w.cfg.Log.Warn("welcome to an epoch that is over", "room", w.id, "epoch", g.Epoch())
		return false, nil
	}
	before, err := w.usedWelcome(ctx, g)
	if err != nil {
		return false, err
	}
	if before {
		// In another life of the site the room may have gone back behind it.
		w.cfg.Log.Warn("welcome that was used", "room", w.id, "epoch", g.Epoch())
		return false, nil
	}
	c, err := w.judge.vet(ctx, g)
	if err != nil {
		return false, err
	}
	w.out = true
	err = w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		// Whoever added us again did so after we had left. A device that comes
		// in by itself may still have to ask: a leaving can fall with its epoch.
		if err := store.DeleteSetting(tx, leaveName(w.id)); err != nil {
			return err
		}
		if !used.LastResort {
			if err := store.DeleteKeyPackage(tx, used.Ref); err != nil {
				return err
			}
		} else if err := store.PutSetting(tx, welcomedName(w.id, g), []byte{1}); err != nil {
			return err
		}
		return w.joinedAt(tx, row, g, c, st.Seq, st.Head, wire.Now(w.cfg.Now()))
	})
	if err != nil {
		return false, err
	}
	w.g = g
	w.raiseTarget(st.LogSeq)
	_, err = session.Call(ctx, w.cfg.Session, wire.RoomJoined, wire.GetRoom{Room: w.id})
	return true, err
}

// usedWelcome reports whether this device has come in by the same Welcome before.
// The key package of last resort opens it again, and what is sealed with the
// group in it would take the keys that were taken then.
func (w joiner) usedWelcome(ctx context.Context, g *group.Group) (used bool, err error) {
	err = w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := store.GetSetting(tx, welcomedName(w.id, g))
		used = err == nil
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	return used, err
}

// welcomedName names a group by its epoch's secrets: where they are others, so are
// all keys.
func welcomedName(room wire.RoomID, g *group.Group) string {
	return fmt.Sprintf("welcomed %s %x", room, g.EpochAuthenticator())
}

func (w joiner) openWelcome(ctx context.Context, st *wire.GroupState) (*group.Group, store.KeyPackage, error) {
	var m mls.Message
	var used store.KeyPackage
	if err := mls.Unmarshal(st.Welcome, &m); err != nil {
		return nil, used, err
	}
	if m.Welcome == nil {
		return nil, used, fmt.Errorf("%w: not a Welcome", policy.ErrMalformed)
	}
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		for _, s := range m.Welcome.Secrets {
			var err error
			used, err = store.GetKeyPackage(tx, s.NewMember)
			if !errors.Is(err, store.ErrNone) {
				return err
			}
		}
		return fmt.Errorf("%w: no key package of ours", store.ErrNone)
	})
	if err != nil {
		return nil, used, err
	}
	var kp mls.KeyPackage
	if err := mls.Unmarshal(used.Package, &kp); err != nil {
		return nil, used, fmt.Errorf("%w: key package: %w", store.ErrDamaged, err)
	}
	secrets, err := group.ParseKeyPackageSecrets(used.Secrets)
	if err != nil {
		return nil, used, fmt.Errorf("%w: key package: %w", store.ErrDamaged, err)
	}
	g, err := group.Join(m.Welcome, kp, secrets, group.JoinOptions{Tree: st.Tree})
	return g, used, err
}

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
	if w.row.Seq > 0 && p.Kind != w.row.Kind {
		return composition{}, faultf(api.NoticeBadCommit, "the room became %s", p.Kind)
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

// joinedAt stores a group that was joined and where in the log that was.
func (w joiner) joinedAt(tx *store.Tx, row *store.Room, g *group.Group, c composition, seq int64, head wire.Hash, now wire.Millis) error {
	first := row.Joined == 0
	me := w.me().Account
	row.Kind, row.State = c.policy.Kind, store.RoomOpen
	row.Seq, row.Head, row.Epoch, row.Joined = seq, head, g.Epoch(), seq
	row.Peer = wire.AccountID{}
	if c.policy.Kind == wire.Direct {
		row.Peer = other(me, c.policy.Owners)
	}
	row.Time = max(row.Time, now)
	if err := store.DropMLS(tx, w.id); err != nil {
		return err
	}
	if err := g.Save(store.MLS(tx, w.id)); err != nil {
		return err
	}
	if err := w.begun(tx, g, !first); err != nil { // of what was missed, something may have taken a device out
		return err
	}
	if err := store.PutHead(tx, w.id, seq, head); err != nil {
		return faultf(api.NoticeForked, "the room is offered with another history than the one we have")
	}
	if err := store.SetMembers(tx, w.id, membersOf(c.leaves, c.policy)); err != nil {
		return err
	}
	if err := w.rejoinedWith(tx, c.leaves); err != nil {
		return err
	}
	if err := newLeaves(tx, w.id, seq, c.leaves); err != nil {
		return err
	}
	if err := putMark(tx, w.id, mark{Seq: seq, Time: wire.Now(w.cfg.Now())}); err != nil {
		return err
	}
	place := timeline.Place{Room: w.id, Seq: seq, Sub: startSub, Time: now, ID: fmt.Sprintf("start-%d", seq), Changed: func(ids ...string) { w.cfg.Feed.Items(w.id, ids...) }}
	if !first && !w.out {
		return nil // joined anew: what was missed is said where it was
	}
	if g.Epoch() == 1 {
		return putBeginning(tx, place, c)
	}
	return timeline.Start(tx, place)
}

// putBeginning writes the lines of a room that we are in from its first commit
// on: there is nothing older that we could not read. Its maker is then the only
// owner.
func putBeginning(tx *store.Tx, place timeline.Place, c composition) error {
	if c.policy.Kind != wire.Group || len(c.policy.Owners) != 1 {
		return nil
	}
	maker := c.policy.Owners[0]
	if err := timeline.PutChange(tx, place, timeline.Change{Kind: api.ChangeCreated, By: maker}); err != nil {
		return err
	}
	others := policy.Sorted(slices.Collect(maps.Keys(accountsOf(c.leaves)))...)
	others = slices.DeleteFunc(others, func(a wire.AccountID) bool { return a == maker })
	if len(others) == 0 {
		return nil
	}
	place.Sub++
	return timeline.PutChange(tx, place, timeline.Change{Kind: api.ChangeAdded, By: maker, Who: others})
}

// startSub is the place of the line that says that the device came in here,
// behind what the same entry changed.
const startSub = 1000

// external joins by external commit: as a further device of a member, or again
// after it could not follow.
func (w joiner) external(ctx context.Context, s *wire.Room) error {
	st, err := session.Call(ctx, w.cfg.Session, wire.RoomGroup, wire.GetRoom{Room: w.id})
	if err != nil {
		return err
	}
	var m mls.Message
	if err := mls.Unmarshal(st.GroupInfo, &m); err != nil {
		return fmt.Errorf("group info of %s: %w", w.id, err)
	}
	if m.GroupInfo == nil {
		return fmt.Errorf("group info of %s: %w", w.id, policy.ErrMalformed)
	}
	public, err := mls.NewPublicGroup(m.GroupInfo, st.Tree)
	if err != nil {
		return fmt.Errorf("group of %s: %w", w.id, err)
	}
	c, err := w.judge.vetPublic(ctx, public.Context(), public.Members())
	if err != nil {
		return err
	}
	me := w.me()
	if err := mayJoin(c, me.Account); err != nil {
		return err
	}
	if !public.Context().Suite.Supported() {
		return fmt.Errorf("suite of %s: %w", w.id, mls.ErrSuite)
	}
	client := wire.NewClientID()
	g, p, err := group.JoinExternal(m.GroupInfo, st.Tree, me.config(), group.ExternalOptions{
		AuthenticatedData: policy.CommitData{Client: client, Seq: st.LogSeq, Head: st.LogHead}.Encode(),
		RemoveOwn:         ownLeaf(c.leaves, me.Device),
	})
	if err != nil {
		return fmt.Errorf("external commit to %s: %w", w.id, err)
	}
	receipt, err := session.Call(ctx, w.cfg.Session, wire.RoomCommit, wire.SendCommit{
		Room: w.id, GroupUpload: wire.GroupUpload{Client: client, Commit: p.Message, GroupInfo: p.GroupInfo},
	})
	if err != nil {
		return err
	}
	return w.joinedExternally(ctx, g, s, &st, receipt)
}

func mayJoin(c composition, me wire.AccountID) error {
	if c.policy.Kind == wire.Direct && c.policy.Owns(me) || accountsOf(c.leaves)[me] {
		return nil
	}
	return faultf(api.NoticeBadCommit, "the server says that we are in a room whose tree says otherwise")
}

func ownLeaf(leaves []policy.Leaf, device wire.DeviceID) *mls.LeafIndex {
	i := slices.IndexFunc(leaves, func(l policy.Leaf) bool { return l.Device == device })
	if i < 0 {
		return nil
	}
	index := mls.LeafIndex(leaves[i].Index)
	return &index
}

// joinedExternally stores the group after the server took the external commit.
// The log up to it is checked from the last entry that we know, or that our
// commit vouches for; messages in between cannot be opened.
func (w joiner) joinedExternally(ctx context.Context, g *group.Group, s *wire.Room, st *wire.GroupState, receipt wire.Receipt) error {
	skip := skipper{erased: map[int64]bool{}, seq: st.LogSeq, head: st.LogHead, mark: st.LogSeq, markHead: st.LogHead}
	w.out = w.row.Seq > 0 && s.From > w.row.Seq+1 // not a member in between
	if w.row.Seq > 0 && !w.out {
		skip.seq, skip.head = w.row.Seq, w.row.Head
	}
	if err := w.skip(ctx, &skip, receipt); err != nil {
		return err
	}
	return w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		if err := g.MergePending(); err != nil {
			return err
		}
		leaves, err := policy.Leaves(g.Public().Members())
		if err != nil {
			return err
		}
		p, err := policy.FromContext(g.Public().Context().Extensions)
		if err != nil {
			return err
		}
		first := row.Joined == 0
		lost, err := w.skipped(tx, row, &skip)
		if err != nil {
			return err
		}
		if row.Seq > 0 && !w.out {
			if err := w.ask(tx, lost, skip.moved); err != nil {
				return err
			}
		}
		if len(lost) > 0 && row.Seq > 0 && !w.out {
			place := timeline.Place{Room: w.id, Seq: lost[0].Seq, Time: receipt.Time, ID: gapName(lost[0].Seq), Changed: func(ids ...string) { w.cfg.Feed.Items(w.id, ids...) }}
			if err := timeline.Unopenable(tx, place, wire.AccountID{}); err != nil {
				return err
			}
		}
		if err := w.joinedAt(tx, row, g, composition{p, leaves}, receipt.Seq, receipt.Head, receipt.Time); err != nil {
			return err
		}
		w.g = g
		if first && p.Kind == wire.Group {
			return w.enqueueAsk(tx, w.id)
		}
		return nil
	})
}

// skipper walks over entries that this device cannot open.
type skipper struct {
	seq      int64 // newest entry that was checked
	head     wire.Hash
	mark     int64 // where the server said that the log stood …
	markHead wire.Hash
	passed   []wire.Entry // without bodies but for our own messages
	erased   map[int64]bool
	moved    []wire.Entry // those that are here, whose files may have other places now
}

// skip checks the log up to our own external commit.
func (w joiner) skip(ctx context.Context, k *skipper, receipt wire.Receipt) error {
	me := w.me()
	for k.seq < receipt.Seq {
		page, err := session.Call(ctx, w.cfg.Session, wire.RoomLog, wire.ReadLog{Room: w.id, After: k.seq})
		if err != nil {
			return err
		}
		if len(page.Entries) == 0 {
			return faultf(api.NoticeForked, "the log ends at %d, our commit is %d", k.seq, receipt.Seq)
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if k.seq >= receipt.Seq {
				break
			}
			if f := w.follows(&store.Room{Seq: k.seq, Head: k.head}, e); f != nil {
				return f
			}
			k.seq, k.head = e.Seq, e.Head
			if e.Seq == k.mark && e.Head != k.markHead {
				return faultf(api.NoticeForked, "the head of entry %d does not fit", e.Seq)
			}
			own := e.Account == me.Account && e.Kind == wire.MessageEntry
			if e.Erased != nil {
				k.erased[e.Seq] = true
			}
			if !own {
				sum := e.BodyHash()
				e.Body, e.Erased = nil, &sum
			}
			k.passed = append(k.passed, *e)
		}
	}
	if k.head != receipt.Head {
		return faultf(api.NoticeForked, "our commit is not where the server said")
	}
	return nil
}

// skipped notes entries that were walked over, and takes those that this device
// (or the one before it, here) has sent itself: the outbox knows what they say.
// Of others' messages it takes those that are here since before the site was
// restored, and returns the others.
func (w joiner) skipped(tx *store.Tx, row *store.Room, k *skipper) (lost []wire.Entry, err error) {
	for i := range k.passed {
		e := &k.passed[i]
		if err := store.PutEntry(tx, w.id, e); err != nil {
			return lost, faultf(api.NoticeForked, "entry %d is not the one that we have", e.Seq)
		}
		if e.Kind != wire.MessageEntry {
			continue
		}
		if e.Device != w.me().Device {
			here, err := w.here(tx, e)
			if err != nil {
				return lost, err
			}
			if here {
				files, err := store.Files(tx, w.id, timeline.ID(e.Device, e.Client))
				if err != nil {
					return lost, err
				}
				if len(files) > 0 {
					k.moved = append(k.moved, *e)
				}
			}
			if !here && k.erased[e.Seq] {
				here, err = true, timeline.Erased(tx, w.place(e), e.Account)
			}
			if err != nil {
				return lost, err
			}
			if !here {
				lost = append(lost, *e)
			}
		}
		if e.Body == nil {
			continue
		}
		o, err := store.OutgoingByClient(tx, w.id, e.Client)
		if errors.Is(err, store.ErrNone) {
			continue
		}
		if err != nil {
			return lost, err
		}
		if sent := (&wire.Entry{Body: o.Body}); sent.BodyHash() == e.BodyHash() {
			if err := w.book.ownMessage(tx, row, e); err != nil {
				return lost, err
			}
		}
	}
	return lost, nil
}

// here lets a message that this device cannot open take the place of the row
// that it has of it since before the site was restored.
func (w joiner) here(tx *store.Tx, e *wire.Entry) (bool, error) {
	switch _, err := store.WasLost(tx, w.id, e); {
	case err == nil:
		return true, nil // the server's, not the sender's: the row stays where it is
	case !errors.Is(err, store.ErrNone):
		return false, err
	}
	was, err := timeline.Unstored(tx, w.id, timeline.ID(e.Device, e.Client))
	if err != nil {
		return false, err
	}
	if was.ID == "" {
		// An edit, a deletion, a name: it was done then.
		return store.HadLost(tx, w.id, e.Device, e.Client)
	}
	if err := timeline.Again(tx, w.place(e), was); err != nil {
		return false, err
	}
	return true, w.book.readAgain(tx, e, was)
}

// config says how this device takes part in a group.
func (m Me) config() group.Config {
	caps := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	return group.Config{
		Suite: m.Suite, Signer: m.Signer, Credential: identity.Credential(m.Account, m.Device), Capabilities: &caps,
	}
}
