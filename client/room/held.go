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

// hold keeps the room from sealing to whom a restore has brought back.
type hold struct{ *worker }

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

func notedName(room wire.RoomID) string { return "noted " + room.String() }

func heldName(room wire.RoomID) string { return "held " + room.String() }

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
	return w.tell(tx, api.NoticeBack, true, h.Back, "are in the room again since the site was restored")
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

// released lets the room seal again once those whom a restore brought back are
// out.
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
