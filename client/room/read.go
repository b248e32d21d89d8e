package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// logbook reads a room's log, entry by entry, and does what each says.
type logbook struct{ *worker }

// read brings the room to the newest entry that the server spoke of.
func (w logbook) read(ctx context.Context) error {
	for w.row.State == store.RoomOpen {
		if f, err := w.checkOld(ctx); err != nil || f != nil {
			if err != nil {
				return err
			}
			return w.block(ctx, f)
		}
		if e, ok := w.nextNudged(); ok {
			if err := w.process(ctx, []wire.Entry{e}); err != nil {
				return err
			}
			continue
		}
		target := w.target()
		if w.row.Seq >= target {
			return nil
		}
		page, err := session.Call(ctx, w.cfg.Session, wire.RoomLog, wire.ReadLog{Room: w.id, After: w.row.Seq})
		if err != nil {
			return err
		}
		if len(page.Entries) == 0 {
			// What was promised is not there, or not for us any more.
			w.giveUpTarget(target)
			continue
		}
		w.raiseTarget(page.Seq)
		if page.Entries[0].Seq > w.row.Seq+1 {
			if again, err := w.rejoined(ctx); err != nil || again {
				return err
			}
		}
		if err := w.process(ctx, page.Entries); err != nil {
			return err
		}
	}
	return nil
}

// rejoined asks whether the account was out of the room in between, which is
// the one honest reason for a hole in the log.
func (w logbook) rejoined(ctx context.Context) (bool, error) {
	s, err := session.Call(ctx, w.cfg.Session, wire.RoomGet, wire.GetRoom{Room: w.id})
	if err != nil {
		return false, err
	}
	if s.From <= w.row.Seq+1 {
		return false, nil
	}
	return true, w.join.forget(ctx, nil)
}

// target is the newest entry that the server spoke of.
func (w *worker) target() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq
}

// giveUpTarget forgets what was promised and is not there. What the server has
// spoken of since then stays.
func (w *worker) giveUpTarget(seq int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seq == seq {
		w.seq = w.row.Seq
	}
}

func (w *worker) raiseTarget(seq int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq = max(w.seq, seq)
}

// nextNudged takes the next entry out of what came with nudges.
func (w *worker) nextNudged() (wire.Entry, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e, ok := w.nudged[w.row.Seq+1]
	delete(w.nudged, w.row.Seq+1)
	return e, ok
}

// checkOld compares entries of nudges that have been processed already: a
// doubled nudge is nothing, but another entry for the same seq is a fork.
func (w logbook) checkOld(ctx context.Context) (*fault, error) {
	w.mu.Lock()
	var old []wire.Entry
	for seq, e := range w.nudged {
		if seq <= w.row.Seq {
			old = append(old, e)
			delete(w.nudged, seq)
		}
	}
	w.mu.Unlock()
	if len(old) == 0 {
		return nil, nil
	}
	var f *fault
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		for _, e := range old {
			head, err := store.HeadAt(tx, w.id, e.Seq)
			if errors.Is(err, store.ErrNone) {
				continue
			}
			if err != nil {
				return err
			}
			if head != e.Head {
				f = faultf(api.NoticeForked, "a second entry %d was shown", e.Seq)
			}
		}
		return nil
	})
	return f, err
}

// follows checks that e is the entry after row's: no gap, nothing moved, and
// the head that the server gives is the hash over all of it.
func (w *worker) follows(row *store.Room, e *wire.Entry) *fault {
	switch {
	case e.Seq != row.Seq+1:
		return faultf(api.NoticeForked, "entry %d came after %d", e.Seq, row.Seq)
	case wire.Next(row.Head, w.id, e) != e.Head:
		return faultf(api.NoticeForked, "the head of entry %d does not fit", e.Seq)
	}
	return nil
}

// process takes entries in order, until the room is not open any more.
func (w logbook) process(ctx context.Context, entries []wire.Entry) error {
	for len(entries) > 0 && w.row.State == store.RoomOpen {
		n := 0
		for n < len(entries) && entries[n].Kind == wire.MessageEntry {
			n++
		}
		var err error
		switch {
		case n > 0:
			err = w.messages(ctx, entries[:n])
		case entries[0].Kind == wire.CommitEntry:
			n = 1
			err = w.commit(ctx, &entries[0])
		default:
			n = 1
			err = w.proposal(ctx, &entries[0])
		}
		if err := w.blockIf(ctx, err); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// messages takes entries that are messages, in one transaction. Those before
// one that cannot be are kept.
func (w logbook) messages(ctx context.Context, entries []wire.Entry) error {
	g, err := w.group(ctx)
	if err != nil {
		return err
	}
	var bad *fault
	err = w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		for i := range entries {
			e := &entries[i]
			if bad = w.follows(row, e); bad != nil {
				break
			}
			if err := w.message(tx, row, g, e); err != nil {
				if errors.As(err, &bad) {
					break
				}
				return fmt.Errorf("entry %d of %s: %w", e.Seq, w.id, err)
			}
			if err := w.passed(tx, row, e); err != nil {
				return err
			}
		}
		return g.Save(store.MLS(tx, w.id))
	})
	if err == nil && bad != nil {
		err = bad
	}
	return err
}

// passed notes that e was processed.
func (w logbook) passed(tx *store.Tx, row *store.Room, e *wire.Entry) error {
	row.Seq, row.Head = e.Seq, e.Head
	return store.PutEntry(tx, w.id, e)
}

// seen reports whether an entry of this device and client id was processed
// before, and says so to the person.
//
// So is a message with the bytes of one that the site has lost: whoever sends
// again seals anew, so it is the server that shows what it had.
func (w logbook) seen(tx *store.Tx, e *wire.Entry) (bool, error) {
	was, err := store.EntryOf(tx, w.id, e.Device, e.Client)
	if errors.Is(err, store.ErrNone) && e.Kind == wire.MessageEntry {
		was, err = store.WasLost(tx, w.id, e)
	}
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, w.notice(tx, w.id, api.NoticeReplay, wire.AccountID{}, fmt.Sprintf("entry %d shows entry %d again", e.Seq, was))
}

// message takes one message. Only a fault of the server is an error; what does
// not open is a line in the timeline.
func (w logbook) message(tx *store.Tx, row *store.Room, g *group.Group, e *wire.Entry) error {
	if again, err := w.seen(tx, e); err != nil || again {
		return err
	}
	was, err := timeline.Unstored(tx, w.id, timeline.ID(e.Device, e.Client))
	if err != nil {
		return err
	}
	me := w.me()
	if e.Account == me.Account && e.Device == me.Device {
		if err := w.ownMessage(tx, row, e); err != nil {
			return err
		}
		return w.readAgain(tx, e, was)
	}
	if e.Erased != nil {
		return timeline.Erased(tx, w.place(e), e.Account)
	}
	plain, err := open(g, e)
	if err != nil {
		w.cfg.Log.Info("message does not open", "room", w.id, "seq", e.Seq, "err", err)
		place := w.place(e)
		if was.ID != "" {
			place.ID = fmt.Sprintf("again-%d", e.Seq) // what we have of it stays
		}
		return timeline.Unopenable(tx, place, e.Account)
	}
	err = w.apply(tx, row, timeline.Message{Place: w.place(e), Account: e.Account, Device: e.Device, Content: plain, Me: me.Account, Mine: e.Account == me.Account})
	if err != nil {
		return err
	}
	return w.readAgain(tx, e, was)
}

// place says where in the timeline e stands, and tells front ends that it
// changed there.
func (w *worker) place(e *wire.Entry) timeline.Place {
	return timeline.Place{
		Room: w.id, Seq: e.Seq, Time: e.Time, ID: timeline.ID(e.Device, e.Client),
		Changed: func(ids ...string) { w.cfg.Feed.Items(w.id, ids...) },
	}
}

// open opens a message of the current epoch and checks that it is the one that
// the entry says it is: of that device, under that client id. Anything else
// does not open.
func open(g *group.Group, e *wire.Entry) ([]byte, error) {
	var m mls.Message
	if err := mls.Unmarshal(e.Body, &m); err != nil {
		return nil, err
	}
	if m.Private == nil || e.Epoch != g.Epoch() {
		return nil, fmt.Errorf("%w: epoch %d in epoch %d", group.ErrOpen, e.Epoch, g.Epoch())
	}
	opened, err := g.Open(m.Private)
	if err != nil {
		return nil, err
	}
	data, err := policy.DecodeMessageData(opened.AuthenticatedData)
	if err != nil {
		return nil, err
	}
	from, err := policy.LeafOf(opened.Sender, g.Public().Leaf(opened.Sender))
	if err != nil {
		return nil, err
	}
	if data.Client != e.Client || from.Account != e.Account || from.Device != e.Device {
		return nil, fmt.Errorf("%w: it is another entry's", group.ErrOpen)
	}
	return opened.Plaintext, nil
}

// ownMessage takes an entry that this device has sent itself. MLS cannot open
// it; the outbox has what it says, and the same bytes.
func (w logbook) ownMessage(tx *store.Tx, row *store.Room, e *wire.Entry) error {
	o, err := store.OutgoingByClient(tx, w.id, e.Client)
	if errors.Is(err, store.ErrNone) {
		return timeline.Unopenable(tx, w.place(e), e.Account) // sent before this device lost its store
	}
	if err != nil {
		return err
	}
	sent := wire.Entry{Body: o.Body}
	if e.BodyHash() != sent.BodyHash() {
		return faultf(api.NoticeForked, "entry %d is ours, but not what we sent", e.Seq)
	}
	if err := store.Dequeue(tx, o.N); err != nil {
		return err
	}
	if v, _, err := content.Read(o.Content); err == nil {
		if err := keepSaid(tx, w.id, o, v.Kind); err != nil {
			return err
		}
	}
	return w.apply(tx, row, timeline.Message{
		Place: w.place(e), Account: e.Account, Device: e.Device, Content: o.Content, Me: e.Account, Mine: true, Item: o.Item,
	})
}

// proposal takes a proposal. The server has checked what can be; a proposal
// that does not hold here will show in the commit.
func (w logbook) proposal(ctx context.Context, e *wire.Entry) error {
	g, err := w.group(ctx)
	if err != nil {
		return err
	}
	return w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		if f := w.follows(row, e); f != nil {
			return f
		}
		again, err := w.seen(tx, e)
		if err != nil {
			return err
		}
		if !again && e.Erased == nil {
			if err := receive(g, e.Body); err != nil {
				w.cfg.Log.Info("proposal refused", "room", w.id, "seq", e.Seq, "err", err)
			}
			if err := g.Save(store.MLS(tx, w.id)); err != nil {
				return err
			}
		}
		if err := w.leftIf(tx, row, g, e); err != nil {
			return err
		}
		return w.passed(tx, row, e)
	})
}

func receive(g *group.Group, body []byte) error {
	var m mls.Message
	if err := mls.Unmarshal(body, &m); err != nil {
		return err
	}
	if m.Public == nil {
		return fmt.Errorf("%w: not a public message", policy.ErrMalformed)
	}
	_, err := g.ReceiveProposal(m.Public)
	return err
}

// leftIf ends the room for this account once all its leaves have asked to
// leave.
func (w logbook) leftIf(tx *store.Tx, row *store.Room, g *group.Group, e *wire.Entry) error {
	leaves, err := policy.Leaves(g.Public().Members())
	if err != nil {
		return err
	}
	leaving := leavingLeaves(g)
	me := w.me().Account
	for _, l := range leaves {
		if l.Account == me && !leaving[mls.LeafIndex(l.Index)] {
			return nil
		}
	}
	row.State = store.RoomLeft
	if err := store.DropMLS(tx, w.id); err != nil { // nothing more is to be opened with it
		return err
	}
	tx.OnCommit(func() {
		w.g = nil
		w.cfg.Shut(w.id)
	})
	return timeline.PutChange(tx, w.place(e), timeline.Change{Kind: api.ChangeLeft, By: me, Who: []wire.AccountID{me}})
}

// leavingLeaves returns the leaves whose removal waits, proposed by their own
// account.
func leavingLeaves(g *group.Group) map[mls.LeafIndex]bool {
	leaving := map[mls.LeafIndex]bool{}
	for _, p := range g.Public().PendingProposals() {
		if p.Proposal.Type != mls.ProposalRemove || p.Sender.Type != mls.SenderMember {
			continue
		}
		by, err := policy.LeafOf(p.Sender.Leaf, g.Public().Leaf(p.Sender.Leaf))
		if err != nil {
			continue
		}
		who, err := policy.LeafOf(p.Proposal.Remove.Removed, g.Public().Leaf(p.Proposal.Remove.Removed))
		if err == nil && who.Account == by.Account {
			leaving[p.Proposal.Remove.Removed] = true
		}
	}
	return leaving
}
