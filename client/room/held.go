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
	"github.com/veche-im/veche/wire"
)

// hold keeps the room from sealing to whom a restore has brought back, and to whom
// this device has not seen come in because it had to join anew.
type hold struct{ *worker }

// noted is who was in a group that was thrown away, after a restore or because
// this device could not follow.
type noted struct {
	Accounts []wire.AccountID `cbor:"accounts"`
	Gone     []wire.AccountID `cbor:"gone"`             // were taken out by commits that the site has lost
	Unseen   bool             `cbor:"unseen,omitempty"` // there was no restore: the server says what came after
}

// held is who is in a room and was not in the group before the one that was joined
// anew. As long as there is anybody, nothing is sealed in it.
type held struct {
	Back []wire.AccountID `cbor:"back"`
	Gone []wire.AccountID `cbor:"gone"` // those of them who had been taken out: an owner does so again
}

func notedName(room wire.RoomID) string { return "noted " + room.String() }

func heldName(room wire.RoomID) string { return "held " + room.String() }

// Back returns who came into a room by a restore, or unseen, and nobody has
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

// note keeps who is in a group that is to be thrown away: whoever is in the one that
// is joined then, and was not in this one, is not sealed to before the person says so.
func note(tx *store.Tx, id wire.RoomID, gone []wire.AccountID, unseen bool) error {
	var n noted
	known, err := getSetting(tx, notedName(id), &n)
	if err != nil {
		return err
	}
	if !known {
		members, err := store.Members(tx, id)
		if err != nil {
			return err
		}
		for _, m := range members {
			n.Accounts = append(n.Accounts, m.Account)
		}
		n.Unseen = unseen
	}
	n.Unseen = n.Unseen && unseen
	n.Gone = policy.Sorted(append(n.Gone, gone...)...)
	// Whoever was held back before still counts as brought back.
	var h held
	if _, err := getSetting(tx, heldName(id), &h); err != nil {
		return err
	}
	n.Accounts = slices.DeleteFunc(n.Accounts, func(a wire.AccountID) bool { return slices.Contains(h.Back, a) })
	n.Gone = policy.Sorted(append(n.Gone, h.Gone...)...)
	if err := putSetting(tx, notedName(id), n); err != nil {
		return err
	}
	return store.DeleteSetting(tx, heldName(id))
}

// rejoined compares who is in a group that was joined with who was in the one
// that was thrown away.
func (w hold) rejoined(tx *store.Tx, leaves []policy.Leaf) error {
	if err := store.DeleteSetting(tx, restoredName(w.id)); err != nil {
		return err
	}
	var n noted
	known, err := getSetting(tx, notedName(w.id), &n)
	if err != nil {
		return err
	}
	if !known {
		return w.released(tx, leaves) // taken in again after having left: they may be out by now
	}
	if err := store.DeleteSetting(tx, notedName(w.id)); err != nil {
		return err
	}
	me := w.me().Account
	now := accountsOf(leaves)
	var h held
	for a := range now {
		// A direct room is between the same two for good, whether the other one had a
		// device in it or not: judge.same has seen to that.
		if a != me && a != w.row.Peer && !slices.Contains(n.Accounts, a) {
			h.Back = append(h.Back, a)
			if slices.Contains(n.Gone, a) {
				h.Gone = append(h.Gone, a)
			}
		}
	}
	if missing := missingFrom(now, leavesOf(n.Accounts)); len(missing) > 0 && !n.Unseen {
		if err := w.tell(tx, api.NoticeMissing, false, missing, "were added after the moment to which the site was restored"); err != nil {
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
	what := "are in the room again since the site was restored"
	if n.Unseen {
		what = "are in the room, which this device had to join anew: it has not seen who brought them in"
	}
	return w.tell(tx, api.NoticeBack, true, h.Back, what)
}

func leavesOf(accounts []wire.AccountID) []policy.Leaf {
	var leaves []policy.Leaf
	for _, a := range accounts {
		leaves = append(leaves, policy.Leaf{Account: a})
	}
	return leaves
}

func (w hold) tell(tx *store.Tx, code api.NoticeCode, severe bool, accounts []wire.AccountID, what string) error {
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

// released lets the room seal again once those for whom it waits are out.
func (w hold) released(tx *store.Tx, leaves []policy.Leaf) error {
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

// now returns for whom the room waits.
func (w hold) now(ctx context.Context) (h held, err error) {
	err = w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := getSetting(tx, heldName(w.id), &h)
		return err
	})
	return h, err
}

// Accept lets a room seal to these accounts, for whom it waits: the person was shown
// who they are. Whoever else it waits for is waited for.
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
