package call

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// tokenSize is that of a link's token in bytes; maxKnocking is how many may
// stand at one door.
const (
	tokenSize   = 16
	maxKnocking = 50
)

// lead judges what owners of a group alone may do.
func (cs *Calls) lead(ctx context.Context, a authz.Actor, id wire.CallID) (wire.RoomID, error) {
	room, err := cs.roomOf(id)
	if err != nil {
		return room, err
	}
	if err := cs.allow(a.Device, toLead); err != nil {
		return room, err
	}
	owners, err := cs.cfg.Rooms.Owners(ctx, room)
	if err != nil {
		return room, err
	}
	return room, cs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		kind, err := cs.enter(tx, a, authz.CallRead, room, false)
		if err != nil {
			return err
		}
		owns := kind == wire.Group && slices.Contains(owners, a.Account)
		return authz.Check(a, authz.CallLead, authz.GroupOf(authz.Member, owns))
	})
}

// Remove takes a person out of the call. They stay members, and come back when
// an owner rings them.
func (cs *Calls) Remove(ctx context.Context, a authz.Actor, p wire.CallPerson) error {
	if p.Account == a.Account {
		return wire.Refuse(wire.BadRequest, "leave instead")
	}
	if _, err := cs.lead(ctx, a, p.Call); err != nil {
		return err
	}
	cs.lock()
	defer cs.unlock()
	c := cs.byID[p.Call]
	if c == nil || c.has(p.Account) == nil {
		return authz.ErrDenied
	}
	c.removed[p.Account] = true
	cs.remove(c, func(o *participant) bool { return o.account == p.Account })
	return nil
}

// remove takes those out of a call that match.
func (cs *Calls) remove(c *call, which func(*participant) bool) {
	for _, o := range slices.Clone(c.people) {
		if which(o) {
			cs.out(c, o, wire.GoneRemoved)
		}
	}
}

// Link makes the secret of a link to a call, instead of an earlier one.
func (cs *Calls) Link(ctx context.Context, a authz.Actor, p wire.CallRef) (link wire.CallLink, err error) {
	if _, err := cs.lead(ctx, a, p.Call); err != nil {
		return link, err
	}
	token := make([]byte, tokenSize)
	rand.Read(token)
	hash := wire.Hash(sha256.Sum256(token))
	err = cs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(`UPDATE call SET link = $2 WHERE id = $1`, p.Call, hash)
		switch {
		case err != nil:
			return fmt.Errorf("store the link of %s: %w", p.Call, err)
		case n == 0:
			return authz.ErrDenied
		}
		tx.OnCommit(func() {
			cs.lock()
			defer cs.unlock()
			if c := cs.byID[p.Call]; c != nil {
				c.link = &hash
			}
		})
		return nil
	})
	return wire.CallLink{Token: token}, err
}

// Knock asks the owners who are in to let the actor in. Whether there is such a
// call only who knows the token hears.
func (cs *Calls) Knock(ctx context.Context, a authz.Actor, p wire.KnockCall) error {
	if err := cs.allow(a.Device, toKnock); err != nil {
		return err
	}
	room, err := cs.roomOf(p.Call)
	if err != nil || !cs.fits(p) {
		return authz.ErrDenied
	}
	var m authz.Membership
	err = cs.cfg.DB.View(ctx, func(tx *db.Tx) (err error) {
		m, _, _, err = cs.cfg.Rooms.Standing(tx, room, a.Account, a.Device)
		return err
	})
	if err != nil || m == authz.Member { // who is a member just comes in
		return err
	}
	owners, err := cs.cfg.Rooms.Owners(ctx, room)
	if err != nil {
		return err
	}
	cs.lock()
	defer cs.unlock()
	c := cs.byID[p.Call]
	if c == nil {
		return authz.ErrDenied
	}
	if len(c.knocking) >= maxKnocking && !c.knocking[a.Account] {
		return &wire.Error{Code: wire.Busy, Text: "many are knocking", RetryAfter: 10_000}
	}
	c.knocking[a.Account] = true
	var to []hub.Audience
	for _, o := range c.people {
		if o.ready && slices.Contains(owners, o.account) {
			to = append(to, hub.Device(o.account, o.device))
		}
	}
	hub.TellAll(cs.cfg.Hub, to, wire.OnCallKnock, wire.CallKnock{Call: c.id, Account: a.Account})
	return nil
}

func (cs *Calls) fits(p wire.KnockCall) bool {
	hash := sha256.Sum256(p.Token)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[p.Call]
	return c != nil && c.link != nil && subtle.ConstantTimeCompare(hash[:], c.link[:]) == 1
}

// ownersIfKnocked returns the owners of a call's room if somebody knocks there.
func (cs *Calls) ownersIfKnocked(ctx context.Context, c *call) ([]wire.AccountID, error) {
	cs.mu.Lock()
	n := len(c.knocking)
	cs.mu.Unlock()
	if n == 0 {
		return nil, nil
	}
	return cs.cfg.Rooms.Owners(ctx, c.room)
}

// Refuse tells somebody who knocked that they are not let in.
func (cs *Calls) Refuse(ctx context.Context, a authz.Actor, p wire.CallPerson) error {
	if _, err := cs.lead(ctx, a, p.Call); err != nil {
		return err
	}
	cs.lock()
	defer cs.unlock()
	c := cs.byID[p.Call]
	if c == nil || !c.knocking[p.Account] {
		return authz.ErrDenied
	}
	delete(c.knocking, p.Account)
	hub.Tell(cs.cfg.Hub, hub.Account(p.Account), wire.OnCallGone, wire.CallGone{Call: p.Call, Why: wire.GoneRefused})
	return nil
}
