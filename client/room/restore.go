package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// ErrPaused is returned for what needs the server while the rooms are brought
// over to another life of the site.
var ErrPaused = errors.New("room: the site was restored, and this device is not through with that")

// Pause keeps the rooms from the server until Resume, and returns when none of
// them is at work any more.
func (r *Rooms) Pause() {
	r.life.Lock()
	defer r.life.Unlock()
	r.paused = true
}

// Resume lets the rooms go on, with nothing in memory from before.
func (r *Rooms) Resume() {
	r.life.Lock()
	defer r.life.Unlock()
	r.paused = false
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		w.forgetLife()
		w.wake()
	}
}

// Paused reports whether the rooms are kept from the server.
func (r *Rooms) Paused() bool {
	r.life.RLock()
	defer r.life.RUnlock()
	return r.paused
}

// forgetLife drops what was heard in the former life, and has the worker drop what
// it worked out before it does anything else. No cycle runs meanwhile.
func (w *worker) forgetLife() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq, w.nudged, w.server = 0, map[int64]wire.Entry{}, nil
	w.anew = true
}

// beginLife drops what the worker worked out in a former life, if there was one.
func (w *worker) beginLife() {
	w.mu.Lock()
	anew := w.anew
	w.anew = false
	w.mu.Unlock()
	if anew {
		w.g, w.clean, w.retries = nil, clean{}, 0
	}
}

// Restored compares every room with how the server of a restored site has it,
// and takes back those that are further than it. The rooms must be paused. It
// can be called again after any error. docs/spec/restore.md.
func (r *Rooms) Restored(ctx context.Context) error {
	me, ok := r.cfg.Me()
	if !ok {
		return ErrPaused
	}
	list, err := session.Call(ctx, r.cfg.Session, wire.RoomList, wire.None{})
	if err != nil {
		return err
	}
	there := map[wire.RoomID]*wire.Room{}
	for i := range list.Rooms {
		there[list.Rooms[i].Room] = &list.Rooms[i]
	}
	var rooms []store.Room
	if err := r.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		rooms, err = store.Rooms(tx)
		return err
	}); err != nil {
		return err
	}
	for _, m := range rooms {
		if m.State == store.RoomBlocked {
			continue
		}
		err := r.restoredOne(ctx, me, m, there[m.ID])
		var f *fault
		switch code := wire.CodeOf(err); {
		case errors.As(err, &f):
			err = r.blockRewritten(ctx, m.ID, f)
		case code != "" && code != wire.Busy:
			// Something is wrong with this room there. It alone waits.
			r.cfg.Log.Warn("room is compared later", "room", m.ID, "err", err)
			err = r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
				return store.PutSetting(tx, compareName(m.ID), []byte{1})
			})
		}
		if err != nil {
			return fmt.Errorf("compare %s: %w", m.ID, err)
		}
	}
	return nil
}

// compareLater compares a room that could not be when the site was found to be
// restored.
func (w *worker) compareLater(ctx context.Context) error {
	waits := false
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := store.GetSetting(tx, compareName(w.id))
		waits = err == nil
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		return err
	})
	if err != nil || !waits {
		return err
	}
	s, err := session.Call(ctx, w.cfg.Session, wire.RoomGet, wire.GetRoom{Room: w.id})
	if err != nil {
		return err
	}
	err = w.restoredOne(ctx, w.me(), w.row, &s)
	var f *fault
	if errors.As(err, &f) {
		err = w.blockRewritten(ctx, w.id, f)
	}
	if err != nil {
		return err
	}
	w.forgetLife()
	w.raiseTarget(s.Seq)
	if err := w.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DeleteSetting(tx, compareName(w.id)) }); err != nil {
		return err
	}
	return w.load(ctx)
}

func (r *Rooms) restoredOne(ctx context.Context, me Me, m store.Room, s *wire.Room) error {
	if s == nil {
		planned := false
		if err := r.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
			planned, err = Planned(tx, m.ID)
			return err
		}); err != nil || planned {
			return err // it never was on the server
		}
		return r.vanished(ctx, me, m)
	}
	if m.Seq == 0 {
		return nil
	}
	p, err := r.common(ctx, m, s)
	if err != nil {
		return err
	}
	if p.seq == m.Seq {
		return r.sealAnew(ctx, me, m, s)
	}
	return r.takeBack(ctx, me, m, p, s)
}

// sealAnew drops the sealed bytes of what waits in a room that stays where it is,
// and may have left in the former life: others who had it do not take the same
// bytes again. What the server shows behind that place it did keep.
func (r *Rooms) sealAnew(ctx context.Context, me Me, m store.Room, s *wire.Room) error {
	waits := make(map[wire.ClientID]bool)
	err := r.cfg.Store.View(ctx, func(tx *store.Tx) error {
		all, err := store.Outbox(tx, m.ID)
		for _, o := range all {
			if o.Body != nil {
				waits[o.Client] = true
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for after := m.Seq; len(waits) > 0 && after < s.Seq; {
		page, err := session.Call(ctx, r.cfg.Session, wire.RoomLog, wire.ReadLog{Room: m.ID, After: after})
		if err != nil {
			return err
		}
		if len(page.Entries) == 0 {
			break
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if e.Seq <= after {
				return faultf(api.NoticeForked, "entry %d came after %d", e.Seq, after)
			}
			after = e.Seq
			if e.Device == me.Device {
				delete(waits, e.Client)
			}
		}
	}
	if len(waits) == 0 {
		return nil
	}
	return r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := store.Outbox(tx, m.ID)
		if err != nil {
			return err
		}
		for _, o := range all {
			if !waits[o.Client] {
				continue
			}
			o.Body, o.Epoch = nil, 0
			if err := store.PutOutgoing(tx, o); err != nil {
				return err
			}
		}
		return nil
	})
}

// common finds the newest entry that this device and the server have both. The
// heads of the two logs agree up to it and nowhere after it.
func (r *Rooms) common(ctx context.Context, m store.Room, s *wire.Room) (place, error) {
	if s.Seq == m.Seq && s.Head == m.Head {
		return place{seq: m.Seq}, nil
	}
	lo := int64(0) // highest place that is known to agree; 0: that of nobody
	var at place
	var first int64
	if err := r.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		first, err = store.FirstHead(tx, m.ID)
		if errors.Is(err, store.ErrNone) {
			first, err = m.Seq+1, nil
		}
		return err
	}); err != nil {
		return at, err
	}
	hi := min(m.Seq, s.Seq) + 1 // lowest place that is known not to agree
	for step := int64(1); hi > max(lo+1, first); {
		x := (lo + hi) / 2
		if lo == 0 {
			x = max(first, hi-step) // what was lost is little beside what there is
			step *= 2
		}
		p, agrees, err := r.probe(ctx, m.ID, x)
		if err != nil {
			return at, err
		}
		if agrees {
			lo, at = x, p
		} else {
			hi = x
		}
	}
	return at, nil
}

// place is where two logs agree, and the epoch there.
type place struct {
	seq   int64
	head  wire.Hash
	epoch uint64
}

// probe has the server show entry x. A server that shows another entry for a
// head that we have noted is at fault.
func (r *Rooms) probe(ctx context.Context, id wire.RoomID, x int64) (p place, agrees bool, err error) {
	page, err := session.Call(ctx, r.cfg.Session, wire.RoomLog, wire.ReadLog{Room: id, After: x - 1, Limit: 1})
	if err != nil || len(page.Entries) == 0 || page.Entries[0].Seq != x {
		return p, false, err // not there, or not for this account
	}
	e := &page.Entries[0]
	p = place{seq: x, head: e.Head, epoch: e.Epoch}
	if e.Kind == wire.CommitEntry {
		p.epoch++
	}
	err = r.cfg.Store.View(ctx, func(tx *store.Tx) error {
		head, err := store.HeadAt(tx, id, x)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if agrees = head == e.Head; !agrees {
			return nil
		}
		before, err := store.HeadAt(tx, id, x-1)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err == nil && wire.Next(before, id, e) != head {
			return faultf(api.NoticeForked, "entry %d is not the one that we have", x)
		}
		return err
	})
	return p, agrees, err
}

// takeBack moves a room to where the server has it. Where its group is ahead of
// that, it is to be joined anew.
func (r *Rooms) takeBack(ctx context.Context, me Me, m store.Room, p place, s *wire.Room) error {
	err := r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		row, err := store.GetRoom(tx, m.ID)
		if err != nil || row.Seq <= p.seq {
			return err
		}
		gone, err := store.GoneAfter(tx, m.ID, p.seq)
		if err != nil {
			return err
		}
		was := row
		row.Seq, row.Head = p.seq, p.head
		if p.seq == 0 {
			row.Epoch, row.Joined = 0, 0
		}
		ahead := p.seq == 0 || row.State != store.RoomOpen || p.epoch != was.Epoch
		if !ahead {
			if ahead, err = r.unpend(tx, m.ID); err != nil {
				return err
			}
		}
		if ahead {
			row.Epoch = p.epoch
			if err := r.dropGroup(tx, &row, gone); err != nil {
				return err
			}
			if s.Until != 0 {
				row.State = store.RoomLeft
			}
		}
		return r.back(tx, me, row)
	})
	return err
}

// vanished takes that the server has no such room, or not for this account. A
// direct room is made again; a group waits until somebody adds us again.
func (r *Rooms) vanished(ctx context.Context, me Me, m store.Room) error {
	if m.Seq == 0 && m.State != store.RoomOpen || m.State == store.RoomLeft {
		return nil
	}
	return r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		row, err := store.GetRoom(tx, m.ID)
		if err != nil {
			return err
		}
		gone, err := store.GoneAfter(tx, m.ID, 0)
		if err != nil {
			return err
		}
		row.Seq, row.Head, row.Epoch, row.Joined = 0, wire.Hash{}, 0, 0
		if err := r.dropGroup(tx, &row, gone); err != nil {
			return err
		}
		if m.Kind == wire.Direct {
			p := plan{Kind: wire.Direct, Members: []wire.AccountID{}, Waits: true}
			if !m.Peer.IsZero() {
				p.Members = append(p.Members, m.Peer)
			}
			if err := putSetting(tx, planName(m.ID), p); err != nil {
				return err
			}
		} else {
			row.State = store.RoomLeft
			if err := store.PutSetting(tx, restoredName(m.ID), []byte{1}); err != nil {
				return err
			}
		}
		return r.back(tx, me, row)
	})
}

// back stores row, which is further back than what is stored, and queues again
// what this device has sent after it.
func (r *Rooms) back(tx *store.Tx, me Me, row store.Room) error {
	own, err := store.GetCursor(tx, row.ID, me.Account)
	if err != nil {
		return err
	}
	var before int64
	if _, err := getSetting(tx, readName(row.ID), &before); err != nil {
		return err
	}
	if err := putSetting(tx, readName(row.ID), max(before, own.Read)); err != nil {
		return err
	}
	lost, err := store.TakeBack(tx, row)
	if err != nil {
		return err
	}
	var again []store.Outgoing
	for _, l := range lost {
		if l.Device != me.Device {
			continue
		}
		o, ok, err := sentAgain(tx, me, row.ID, l)
		if err != nil {
			return err
		}
		if ok {
			again = append(again, o)
		}
	}
	if err := store.Requeue(tx, row.ID, again); err != nil {
		return err
	}
	all, err := store.Outbox(tx, row.ID)
	if err != nil {
		return err
	}
	for _, o := range all {
		i, err := store.GetItem(tx, row.ID, o.Item)
		if errors.Is(err, store.ErrNone) || err == nil && (i.Seq != 0 || o.Fail != "") {
			continue
		}
		if err != nil {
			return err
		}
		i.State = string(api.ItemSaved)
		if err := store.PutItem(tx, i); err != nil {
			return err
		}
	}
	moved, err := store.UnstoredItems(tx, row.ID)
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		for _, i := range moved {
			r.cfg.Feed.Items(row.ID, i.ID)
		}
		r.cfg.Feed.Rooms(row.ID)
	})
	return nil
}

// sentAgain makes what this device sent once ready to be sent again under the
// same client id. ok is false for what it need not: commits, what was deleted.
func sentAgain(tx *store.Tx, me Me, id wire.RoomID, l store.Lost) (o store.Outgoing, ok bool, err error) {
	if _, err := store.OutgoingByClient(tx, id, l.Client); !errors.Is(err, store.ErrNone) {
		return o, false, err // still there: its receipt was not seen in the log
	}
	o, ok, err = said(tx, me, id, l.Client)
	if err != nil || !ok || o.Item != timeline.ID(me.Device, l.Client) {
		return o, ok, err
	}
	i, err := store.GetItem(tx, id, o.Item)
	if err != nil {
		return o, false, err
	}
	files, err := store.Files(tx, id, o.Item)
	if err != nil || len(files) == 0 {
		return o, err == nil, err
	}
	here := !i.Edited
	for _, f := range files {
		o.Blobs = append(o.Blobs, f.Blob)
		whole, err := timeline.Here(tx, f)
		if err != nil {
			return o, false, err
		}
		here = here && whole
	}
	if here {
		// Uploaded again, should the server have lost them too.
		for _, f := range files {
			b, err := store.GetBlob(tx, f.Local)
			if err != nil {
				return o, false, err
			}
			b.Pinned = true
			if err := store.PutBlob(tx, b); err != nil {
				return o, false, err
			}
		}
		o.Kind, o.Blobs = outFiles, nil
	}
	return o, true, nil
}

// said returns what this device has sent under a client id, as it was. ok is
// false for what it has not, or does not keep: commits, what was deleted.
func said(tx *store.Tx, me Me, id wire.RoomID, client wire.ClientID) (o store.Outgoing, ok bool, err error) {
	o = store.Outgoing{Room: id, Client: client}
	o.Content, o.Item, err = store.GetSaid(tx, id, client)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return o, false, err
	}
	kept := err == nil
	row := timeline.ID(me.Device, client)
	i, err := store.GetItem(tx, id, row)
	if errors.Is(err, store.ErrNone) || err == nil && i.Kind != string(api.ItemMessage) {
		return o, kept, nil
	}
	if err != nil {
		return o, false, err
	}
	o.Item = row
	if !kept {
		o.Content, err = store.ItemContent(tx, id, row)
	}
	return o, o.Content != nil, err
}

// keepSaid keeps what the log has of ours and no row keeps as it was.
func keepSaid(tx *store.Tx, id wire.RoomID, o store.Outgoing, kind content.Kind) error {
	switch kind {
	case content.KindText, content.KindUnknown:
		if o.Item != "" {
			return nil
		}
	case content.KindAsk, content.KindMissing, content.KindAgain:
		return nil
	case content.KindDelete:
		if err := store.ForgetSaid(tx, id, o.Item); err != nil {
			return err
		}
	}
	return store.PutSaid(tx, id, o.Client, o.Item, o.Content)
}

// unpend makes a group that goes on as it is forget its pending commit, which
// was made after entries that are lost. ahead is true if it knows proposals,
// which may be lost: then it is to be joined anew.
func (r *Rooms) unpend(tx *store.Tx, id wire.RoomID) (ahead bool, err error) {
	g, err := group.Load(store.MLS(tx, id))
	if errors.Is(err, mls.ErrStorage) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("load the group of %s: %w", id, err)
	}
	if len(g.Public().PendingProposals()) > 0 {
		return true, nil
	}
	g.ClearPending()
	if err := store.DeleteSetting(tx, commitName(id)); err != nil {
		return false, err
	}
	return false, g.Save(store.MLS(tx, id))
}

// dropGroup throws a group away that is ahead of the server's, after noting who
// was in it: whoever is in the one that is joined then and was not in this one
// has been brought back.
func (r *Rooms) dropGroup(tx *store.Tx, row *store.Room, gone []wire.AccountID) error {
	var n noted
	known, err := getSetting(tx, notedName(row.ID), &n)
	if err != nil {
		return err
	}
	if !known {
		members, err := store.Members(tx, row.ID)
		if err != nil {
			return err
		}
		for _, m := range members {
			n.Accounts = append(n.Accounts, m.Account)
		}
	}
	n.Gone = policy.Sorted(append(n.Gone, gone...)...)
	// Whoever was held back before still counts as brought back.
	var h held
	if _, err := getSetting(tx, heldName(row.ID), &h); err != nil {
		return err
	}
	n.Accounts = slices.DeleteFunc(n.Accounts, func(a wire.AccountID) bool { return slices.Contains(h.Back, a) })
	n.Gone = policy.Sorted(append(n.Gone, h.Gone...)...)
	if err := putSetting(tx, notedName(row.ID), n); err != nil {
		return err
	}
	for _, name := range []string{commitName(row.ID), heldName(row.ID), createName(row.ID)} {
		if err := store.DeleteSetting(tx, name); err != nil {
			return err
		}
	}
	row.State = store.RoomJoining
	tx.OnCommit(func() { r.cfg.Shut(row.ID) })
	return store.DropMLS(tx, row.ID)
}

// noted is who was in a group that was thrown away after a restore.
type noted struct {
	Accounts []wire.AccountID `cbor:"accounts"`
	Gone     []wire.AccountID `cbor:"gone"` // were taken out by commits that the site has lost
}

// held is whom a restore has brought back into a room. As long as there is
// anybody, nothing is sealed in it.
type held struct {
	Back []wire.AccountID `cbor:"back"`
	Gone []wire.AccountID `cbor:"gone"` // those of them who had been taken out: an owner does so again
}

func notedName(room wire.RoomID) string    { return "noted " + room.String() }
func heldName(room wire.RoomID) string     { return "held " + room.String() }
func restoredName(room wire.RoomID) string { return "restored " + room.String() }
func compareName(room wire.RoomID) string  { return "compare " + room.String() }
func readName(room wire.RoomID) string     { return "read " + room.String() }

// Back returns whom a restore has brought back into a room and nobody has
// accepted or removed, and whether the room is left because of a restore.
func Back(tx *store.Tx, id wire.RoomID) (back []wire.AccountID, restored bool, err error) {
	var h held
	if _, err := getSetting(tx, heldName(id), &h); err != nil {
		return nil, false, err
	}
	_, err = store.GetSetting(tx, restoredName(id))
	if errors.Is(err, store.ErrNone) {
		return h.Back, false, nil
	}
	return h.Back, err == nil, err
}

// rejoined compares who is in a group that was joined with who was in the one
// that was thrown away.
func (w *worker) rejoinedWith(tx *store.Tx, leaves []policy.Leaf) error {
	if err := store.DeleteSetting(tx, restoredName(w.id)); err != nil {
		return err
	}
	var n noted
	known, err := getSetting(tx, notedName(w.id), &n)
	if err != nil {
		return err
	}
	if !known {
		return w.released(tx, leaves) // joined anew for another reason: they may be out by now
	}
	if err := store.DeleteSetting(tx, notedName(w.id)); err != nil {
		return err
	}
	me := w.me().Account
	now := accountsOf(leaves)
	var h held
	for a := range now {
		if a != me && !slices.Contains(n.Accounts, a) {
			h.Back = append(h.Back, a)
			if slices.Contains(n.Gone, a) {
				h.Gone = append(h.Gone, a)
			}
		}
	}
	if missing := missingFrom(now, leavesOf(n.Accounts)); len(missing) > 0 {
		if err := w.tellPeople(tx, api.NoticeMissing, false, missing, "were added after the moment to which the site was restored"); err != nil {
			return err
		}
	}
	if len(h.Back) == 0 {
		return nil
	}
	h.Back, h.Gone = policy.Sorted(h.Back...), policy.Sorted(h.Gone...)
	if err := putSetting(tx, heldName(w.id), h); err != nil {
		return err
	}
	return w.tellPeople(tx, api.NoticeBack, true, h.Back, "are in the room again since the site was restored")
}

func leavesOf(accounts []wire.AccountID) []policy.Leaf {
	var leaves []policy.Leaf
	for _, a := range accounts {
		leaves = append(leaves, policy.Leaf{Account: a})
	}
	return leaves
}

func (w *worker) tellPeople(tx *store.Tx, code api.NoticeCode, severe bool, accounts []wire.AccountID, what string) error {
	var names []string
	for _, a := range accounts {
		p, err := store.GetPerson(tx, a)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		if p.Name == "" {
			p.Name = a.String()
		}
		names = append(names, p.Name)
	}
	now := wire.Now(w.cfg.Now())
	return w.cfg.Feed.Raise(tx, store.Notice{
		ID: fmt.Sprintf("%s %s %d", code, w.id, now), Code: string(code), Severe: severe, Room: w.id, Account: accounts[0],
		Time: now, Text: strings.Join(names, ", ") + " " + what,
	})
}

// released lets the room seal again once those whom a restore brought back are
// out.
func (w *worker) released(tx *store.Tx, leaves []policy.Leaf) error {
	var h held
	if known, err := getSetting(tx, heldName(w.id), &h); err != nil || !known {
		return err
	}
	now := accountsOf(leaves)
	return h.without(tx, w.id, func(a wire.AccountID) bool { return !now[a] })
}

// without stores h less those who are decided about.
func (h held) without(tx *store.Tx, room wire.RoomID, decided func(wire.AccountID) bool) error {
	h.Back, h.Gone = slices.DeleteFunc(h.Back, decided), slices.DeleteFunc(h.Gone, decided)
	if len(h.Back) == 0 {
		return store.DeleteSetting(tx, heldName(room))
	}
	return putSetting(tx, heldName(room), h)
}

// heldBack returns for whom the room waits.
func (w *worker) heldBack(ctx context.Context) (h held, err error) {
	err = w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := getSetting(tx, heldName(w.id), &h)
		return err
	})
	return h, err
}

// Accept lets a room seal to these accounts, which a restore has brought back into
// it: the person was shown who they are. Whoever else is back is waited for.
func (r *Rooms) Accept(ctx context.Context, id wire.RoomID, shown []wire.AccountID) error {
	err := r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := store.GetRoom(tx, id); err != nil {
			return err
		}
		var h held
		if known, err := getSetting(tx, heldName(id), &h); err != nil || !known {
			return err
		}
		tx.OnCommit(func() { r.cfg.Feed.Rooms(id) })
		return h.without(tx, id, func(a wire.AccountID) bool { return slices.Contains(shown, a) })
	})
	if err == nil {
		r.Wake(id)
	}
	return err
}

// readAgain moves the person's own cursor over an entry that they have read
// before the site lost it, if they have read all before it.
func (w logbook) readAgain(tx *store.Tx, e *wire.Entry, was store.Item) error {
	var read int64
	if known, err := getSetting(tx, readName(w.id), &read); err != nil || !known {
		return err
	}
	me := w.me()
	if e.Kind == wire.MessageEntry && e.Account != me.Account && (was.Unstored == 0 || was.Unstored > read) {
		return nil
	}
	cur, err := store.GetCursor(tx, w.id, me.Account)
	if err != nil || cur.Read != e.Seq-1 {
		return err
	}
	cur.Read = e.Seq
	moved, err := store.MoveCursor(tx, w.id, cur)
	if moved {
		tx.OnCommit(func() { w.cfg.Read(w.id) })
	}
	return err
}

// blockRewritten blocks a room whose log the server has changed where it should
// only be shorter.
func (r *Rooms) blockRewritten(ctx context.Context, id wire.RoomID, f *fault) error {
	err := r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		row, err := store.GetRoom(tx, id)
		if err != nil {
			return err
		}
		row.State = store.RoomBlocked
		if err := store.PutRoom(tx, row); err != nil {
			return err
		}
		tx.OnCommit(func() { r.cfg.Feed.Rooms(id) })
		return r.notice(tx, id, f.code, f.account, f.text)
	})
	if err == nil {
		r.cfg.Shut(id)
	}
	return err
}
