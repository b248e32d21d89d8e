package room

import (
	"context"
	"fmt"
	"slices"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// proposeTries is how often a proposal is judged anew because the room moved on
// meanwhile: as often as others may leave in the same moment.
const proposeTries = 5

// Propose appends a proposal of the account to take out a leaf of its own. With
// the last of its leaves the account leaves the room, at once. It refuses with
// Stale (made in another epoch), Busy (the room moves on too fast), BadRequest
// and NotFound.
func (rs *Rooms) Propose(ctx context.Context, a authz.Actor, p wire.SendProposal) (got wire.Receipt, err error) {
	if p.Client.IsZero() { // messages and commits carry theirs inside
		return got, wire.Refuse(wire.BadRequest, "an entry needs a client id")
	}
	if len(p.Proposal) > wire.MaxMessage {
		return got, wire.Refuse(wire.TooLarge, "a proposal has at most %d bytes", wire.MaxMessage)
	}
	m, malformed := parseProposal(p.Proposal)
	fits := func(r room) error {
		switch {
		case malformed != nil:
			return malformed
		case m.Content.Epoch != r.epoch:
			return wire.Refuse(wire.Stale, "made in epoch %d, the room is in %d", m.Content.Epoch, r.epoch)
		case r.kind != wire.Group:
			return wire.Refuse(wire.BadRequest, "nobody leaves a direct room")
		}
		return nil
	}
	for range proposeTries {
		base, group, sent, err := rs.stand(ctx, a, authz.RoomPropose, p.Room, p.Client, fits)
		if sent != nil || err != nil {
			return deref(sent), err
		}
		removed, err := stageLeaving(group, m, a)
		if err != nil {
			return got, err
		}
		moved := false
		err = rs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
			r, sent, err := rs.begin(tx, a, authz.RoomPropose, p.Room, p.Client)
			if err != nil {
				return err
			}
			if sent != nil {
				got = *sent
				return nil
			}
			if moved = r.epoch != base.epoch || r.proposals != base.proposals; moved {
				return nil
			}
			got, err = rs.applyProposal(tx, a, &r, group, removed, p)
			return err
		})
		if !moved || err != nil {
			return got, err
		}
	}
	e := wire.Refuse(wire.Busy, "the room moves on too fast")
	e.RetryAfter = 1000
	return got, e
}

func parseProposal(b []byte) (*mls.PublicMessage, error) {
	m, err := mls.ParsePublic(b)
	if err != nil {
		return nil, bad("the proposal", err)
	}
	if m.Content.Type != mls.ContentProposal {
		return nil, wire.Refuse(wire.BadRequest, "not a proposal but content type %d", m.Content.Type)
	}
	return m, nil
}

// stageLeaving judges a proposal on the group as it stands and adds it to those
// that wait. It returns all leaves whose removal is proposed now.
func stageLeaving(g *mls.PublicGroup, m *mls.PublicMessage, a authz.Actor) (removed map[mls.LeafIndex]bool, err error) {
	staged, err := g.StageProposal(m)
	if err != nil {
		return nil, bad("the proposal", err)
	}
	if staged.Sender.Type != mls.SenderMember || staged.Proposal.Type != mls.ProposalRemove || len(staged.AuthenticatedData) != 0 {
		return nil, wire.Refuse(wire.BadRequest, "a member proposes to leave and nothing else")
	}
	sender, err := policy.LeafOf(staged.Sender.Leaf, g.Leaf(staged.Sender.Leaf))
	if err != nil {
		return nil, bad("the proposal", err)
	}
	target := staged.Proposal.Remove.Removed
	leaver, err := policy.LeafOf(target, g.Leaf(target))
	if err != nil {
		return nil, bad("the proposal", err)
	}
	switch {
	case sender.Account != a.Account || sender.Device != a.Device:
		return nil, wire.Refuse(wire.BadRequest, "the proposal is of another device")
	case leaver.Account != a.Account:
		return nil, wire.Refuse(wire.BadRequest, "one proposes to leave oneself, not others")
	}
	removed = map[mls.LeafIndex]bool{target: true}
	for _, w := range g.PendingProposals() {
		if w.Proposal.Remove.Removed == target {
			// Two Removes of one leaf make every commit invalid (RFC 9420 §12.2).
			return nil, wire.Refuse(wire.BadRequest, "leaf %d is leaving already", target)
		}
		removed[w.Proposal.Remove.Removed] = true
	}
	if err := g.AddProposal(staged); err != nil {
		return nil, bad("the proposal", err)
	}
	return removed, nil
}

// applyProposal appends a proposal. r is locked and stands as it was judged.
func (rs *Rooms) applyProposal(tx *db.Tx, a authz.Actor, r *room, g *mls.PublicGroup, removed map[mls.LeafIndex]bool, p wire.SendProposal) (wire.Receipt, error) {
	e := wire.Entry{Kind: wire.ProposalEntry, Account: a.Account, Device: a.Device, Client: p.Client, Epoch: r.epoch, Body: p.Proposal}
	if err := rs.log.append(tx, r, &e); err != nil {
		return wire.Receipt{}, err
	}
	if err := g.Save(&state{room: r.id, tx: tx, epoch: r.epoch}); err != nil {
		return wire.Receipt{}, err
	}
	r.proposals++
	const wait = `UPDATE room SET proposals = $2, proposed_ms = $3 WHERE id = $1`
	if _, err := tx.Exec(wait, r.id, r.proposals, int64(e.Time)); err != nil {
		return wire.Receipt{}, fmt.Errorf("count the proposals of %s: %w", r.id, err)
	}
	leaves, err := column[int64](tx, `SELECT leaf FROM room_leaf WHERE room_id = $1 AND account_id = $2`, r.id, a.Account)
	if err != nil {
		return wire.Receipt{}, fmt.Errorf("list the leaves of %s in %s: %w", a.Account, r.id, err)
	}
	if !slices.ContainsFunc(leaves, func(leaf int64) bool { return !removed[mls.LeafIndex(leaf)] }) {
		if err := rs.roster.leave(tx, a, r); err != nil {
			return wire.Receipt{}, err
		}
	}
	return receipt(&e), nil
}
