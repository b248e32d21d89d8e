package room

import (
	"errors"
	"fmt"
	"slices"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

// A device that had to join anew cannot open what was sent before that, though
// it was meant for it: its leaf was in the tree. It asks, and each sender says
// its own entries again, to whoever has had a leaf since before they were sealed,
// once. docs/spec/room-log.md#what-could-not-be-opened.

// ask notes what could not be opened, and asks for it; also for what is here from
// before, where it may say something else now.
func (w joiner) ask(tx *store.Tx, lost, moved []wire.Entry) error {
	var list []content.Sent
	for i, e := range slices.Concat(lost, moved) {
		gap := ""
		if i < len(lost) {
			gap = gapName(lost[0].Seq)
		}
		if err := store.PutMissing(tx, w.id, store.Missing{Device: e.Device, Client: e.Client, Seq: e.Seq, Time: e.Time, Gap: gap}); err != nil {
			return err
		}
		list = append(list, content.Sent{Device: e.Device, Client: e.Client})
	}
	for part := range slices.Chunk(list, content.MaxMissing) {
		made, err := content.NewMissing(part)
		if err != nil {
			return err
		}
		if _, err := store.Enqueue(tx, store.Outgoing{Room: w.id, Client: wire.NewClientID(), Content: made.Content}); err != nil {
			return err
		}
	}
	return nil
}

func gapName(seq int64) string { return fmt.Sprintf("gap-%d", seq) }

// asked says again what this device has sent and the one that asks could not
// open, unless it came into the room after that.
func (w logbook) asked(tx *store.Tx, by wire.DeviceID, missing []content.Sent) error {
	me := w.me()
	since, err := store.LeafSince(tx, w.id, by)
	if errors.Is(err, store.ErrNone) || by == me.Device {
		return nil
	}
	if err != nil {
		return err
	}
	for _, s := range missing {
		if s.Device != me.Device {
			continue
		}
		seq, err := store.EntryOf(tx, w.id, me.Device, s.Client)
		if errors.Is(err, store.ErrNone) || err == nil && seq <= since {
			continue
		}
		if err != nil {
			return err
		}
		if err := w.sayAgain(tx, me, by, s.Client); err != nil {
			return err
		}
	}
	return nil
}

func (w logbook) sayAgain(tx *store.Tx, me Me, to wire.DeviceID, client wire.ClientID) error {
	o, ok, err := said(tx, me, w.id, client)
	if err != nil {
		return err
	}
	if !ok {
		o.Content = []byte{} // it is not worth saying again, or was deleted: nothing is missing
	}
	first, err := store.SayAgain(tx, w.id, to, client)
	if err != nil || !first {
		return err
	}
	if hears, err := w.hears(tx, me, to, client); err != nil || hears {
		return err
	}
	made, err := content.NewAgain(client, o.Content)
	if errors.Is(err, content.ErrTooLarge) {
		return nil
	}
	if err != nil {
		return err
	}
	tx.OnCommit(w.wake)
	as := wire.NewClientID()
	if err := putSetting(tx, againName(w.id, client), as); err != nil {
		return err
	}
	_, err = store.Enqueue(tx, store.Outgoing{Room: w.id, Client: as, Content: made.Content})
	return err
}

// hears reports whether what was said again to somebody else serves a device too:
// it is not sealed yet, or was since the device has come in. So many who ask at
// once are answered once.
func (w logbook) hears(tx *store.Tx, me Me, to wire.DeviceID, client wire.ClientID) (bool, error) {
	var as wire.ClientID
	if said, err := getSetting(tx, againName(w.id, client), &as); err != nil || !said {
		return false, err
	}
	o, err := store.OutgoingByClient(tx, w.id, as)
	if !errors.Is(err, store.ErrNone) {
		return err == nil && o.Body == nil, err
	}
	seq, err := store.EntryOf(tx, w.id, me.Device, as)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	var came int64
	known, e := getSetting(tx, cameName(w.id, to), &came)
	return known && came < seq, errors.Join(err, e)
}

func againName(room wire.RoomID, client wire.ClientID) string {
	return "again " + room.String() + " " + client.String()
}

// cameName names the entry with which a device came anew in the place of its old
// leaf.
func cameName(room wire.RoomID, device wire.DeviceID) string {
	return "came " + room.String() + " " + device.String()
}

// saidAgain takes what its sender says again, if it is missing here, in its old
// place.
func (w logbook) saidAgain(tx *store.Tx, row *store.Room, m timeline.Message, a *content.Again) error {
	was, last, err := store.TakeMissing(tx, w.id, m.Device, a.Client)
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	v, _, err := content.Read(a.Content)
	if err != nil || v.Kind == content.KindAgain || v.Kind == content.KindMissing || v.Kind == content.KindAsk ||
		v.Kind == content.KindName && was.Seq < row.Named {
		v.Kind = ""
	}
	if v.Kind != "" {
		m.Content, m.Seq, m.Sub, m.Time, m.ID = a.Content, was.Seq, 0, was.Time, timeline.ID(m.Device, a.Client)
		if err := w.apply(tx, row, m); err != nil {
			return err
		}
	}
	if !last || was.Gap == "" {
		return nil
	}
	tx.OnCommit(func() { w.cfg.Feed.Items(w.id, was.Gap) })
	return store.DeleteItem(tx, w.id, was.Gap)
}

// keepLeaves notes since when each device has had its leaf, after a commit.
func keepLeaves(tx *store.Tx, id wire.RoomID, seq int64, c policy.Change) error {
	for _, r := range c.Removed {
		if c.External && r.Device == c.Committer.Device {
			continue // it came anew in the place of its old one
		}
		if err := store.DeleteLeaf(tx, id, r.Device); err != nil {
			return err
		}
	}
	if c.External {
		if err := putSetting(tx, cameName(id, c.Committer.Device), seq); err != nil {
			return err
		}
	}
	come := c.Added
	if c.External && !slices.ContainsFunc(c.Leaves, func(l policy.Leaf) bool { return l.Device == c.Committer.Device }) {
		come = append(slices.Clone(come), c.Committer)
	}
	for _, l := range come {
		if err := store.PutLeaf(tx, id, l.Device, seq); err != nil {
			return err
		}
	}
	return nil
}

// newLeaves notes that all leaves are at least as old as our own joining.
func newLeaves(tx *store.Tx, id wire.RoomID, seq int64, leaves []policy.Leaf) error {
	if err := store.DeleteLeaves(tx, id); err != nil {
		return err
	}
	for _, l := range leaves {
		if err := store.PutLeaf(tx, id, l.Device, seq); err != nil {
			return err
		}
	}
	return nil
}
