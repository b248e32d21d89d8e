package room

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

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
	for n := range mostRaces {
		if err = w.external(ctx, &s); wire.CodeOf(err) != wire.Conflict {
			break
		}
		// Another commit was first. After a restore a whole room comes back at once:
		// whoever looks again at the same moment only meets the same others.
		select {
		case <-time.After(rand.N(racePause << n)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return w.blockIf(ctx, err)
}

// racePause is how long a device waits at most after it was not the first to join;
// twice as long each time.
const racePause = 20 * time.Millisecond

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
	skip := skipper{w: w.worker, erased: map[int64]bool{}, seq: st.LogSeq, head: st.LogHead, mark: st.LogSeq, markHead: st.LogHead}
	w.out = w.row.Seq > 0 && s.From > w.row.Seq+1 // not a member in between
	if w.row.Seq > 0 && !w.out {
		skip.seq, skip.head = w.row.Seq, w.row.Head
	}
	if err := skip.walk(ctx, receipt); err != nil {
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
		lost, err := skip.note(tx, row)
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
	if err := putSetting(tx, joinedName(w.id, seq), g.Epoch()); err != nil {
		return err
	}
	if err := store.SetMembers(tx, w.id, membersOf(c.leaves, c.policy)); err != nil {
		return err
	}
	if err := w.hold.rejoined(tx, c.leaves); err != nil {
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
	if err := w.dropStart(tx); err != nil {
		return err
	}
	if g.Epoch() == 1 {
		return putBeginning(tx, place, c)
	}
	return timeline.Start(tx, place)
}

// joinedName names the epoch in which this device joined at an entry.
func joinedName(room wire.RoomID, seq int64) string { return fmt.Sprintf("joined %s %d", room, seq) }

// startSub is the place of the line that says that the device came in here,
// behind what the same entry changed.
const startSub = 1000

// dropStart takes away where the device came in before, which a restored site has
// lost.
func (w joiner) dropStart(tx *store.Tx) error {
	rows, err := store.UnstoredItems(tx, w.id)
	if err != nil {
		return err
	}
	for _, i := range rows {
		if i.Kind != string(api.ItemStart) {
			continue
		}
		if err := store.DeleteItem(tx, w.id, i.ID); err != nil {
			return err
		}
		tx.OnCommit(func() { w.cfg.Feed.Items(w.id, i.ID) })
	}
	return nil
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

// config says how this device takes part in a group.
func (m Me) config() group.Config {
	caps := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	return group.Config{
		Suite: m.Suite, Signer: m.Signer, Credential: identity.Credential(m.Account, m.Device), Capabilities: &caps,
	}
}
