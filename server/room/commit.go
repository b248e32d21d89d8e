package room

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// commit is a commit that was found valid on the group as it stood, ready to
// take effect if the room still stands so.
type commit struct {
	upload wire.GroupUpload
	group  *mls.PublicGroup // moved on to the new epoch already
	staged *mls.StagedPublicCommit
	change policy.Change // but for which removed leaves are revoked
	fresh  []policy.Fresh
	data   policy.CommitData

	welcomes map[wire.DeviceID][]byte // MLSMessage for each added device
}

// Commit starts the next epoch. It refuses with Conflict (another commit was
// first), Pending (it leaves out a proposal that waits), Busy (the account has
// changed the room too often), TooLarge, BadRequest (it breaks a rule of MLS or of
// the room) and NotFound (no such room).
func (rs *Rooms) Commit(ctx context.Context, a authz.Actor, p wire.SendCommit) (got wire.Receipt, err error) {
	if err := checkUpload(p.GroupUpload); err != nil {
		return got, err
	}
	// All that takes long is done on a copy, before the writer is asked.
	m, malformed := parseCommit(p.Commit)
	base, group, sent, err := rs.stand(ctx, a, authz.RoomCommit, p.Room, p.Client, func(r room) error {
		if malformed == nil && m.Content.Epoch != r.epoch {
			return wire.Refuse(wire.Conflict, "the commit ends epoch %d, the room is in %d", m.Content.Epoch, r.epoch)
		}
		return malformed
	})
	if sent != nil || err != nil {
		return deref(sent), err
	}
	c, err := prepare(group, m, a, p.GroupUpload)
	if err != nil {
		return got, err
	}
	err = rs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		r, sent, err := rs.begin(tx, a, authz.RoomCommit, p.Room, p.Client)
		if err != nil {
			return err
		}
		if sent != nil {
			got = *sent
			return nil
		}
		switch {
		case r.epoch != base.epoch:
			return wire.Refuse(wire.Conflict, "the room is in epoch %d", r.epoch)
		case r.proposals != base.proposals:
			return wire.Refuse(wire.Pending, "a proposal came meanwhile")
		}
		got, err = rs.apply(tx, a, &r, c)
		return err
	})
	return got, err
}

func deref(r *wire.Receipt) (got wire.Receipt) {
	if r != nil {
		got = *r
	}
	return got
}

func checkUpload(u wire.GroupUpload) error {
	if len(u.Commit) > wire.MaxCommit || len(u.Welcome) > wire.MaxCommit || len(u.GroupInfo) > maxInfo {
		return wire.Refuse(wire.TooLarge, "a commit or Welcome has at most %d bytes, a GroupInfo %d", wire.MaxCommit, maxInfo)
	}
	return nil
}

// stand reads how a room stands, with its group, for who wants to append a
// commit or a proposal. If that was done before, it returns the receipt. Fits
// says, before the group is loaded, whether it is worth it.
func (rs *Rooms) stand(ctx context.Context, a authz.Actor, do authz.Action, id wire.RoomID, client wire.ClientID, fits func(room) error) (r room, g *mls.PublicGroup, sent *wire.Receipt, err error) {
	var s *state
	err = rs.cfg.DB.View(ctx, func(tx *db.Tx) error {
		if r, _, err = enter(tx, a, authz.RoomRead, id); err != nil {
			return err
		}
		if sent, err = receiptOf(tx, id, a.Device, client); sent != nil || err != nil {
			return err
		}
		if r, _, err = enter(tx, a, do, id); err != nil {
			return err
		}
		if err = fits(r); err != nil {
			return err
		}
		if err = rs.paced(id, a.Account); err != nil {
			return err
		}
		s, err = readState(tx, id, r.epoch)
		return err
	})
	if err != nil || sent != nil {
		return r, nil, sent, err
	}
	g, err = s.load()
	return r, g, nil, err
}

func parseCommit(b []byte) (*mls.PublicMessage, error) {
	m, err := mls.ParsePublic(b)
	if err != nil {
		return nil, bad("the commit", err)
	}
	if m.Content.Type != mls.ContentCommit {
		return nil, wire.Refuse(wire.BadRequest, "not a commit but content type %d", m.Content.Type)
	}
	return m, nil
}

// prepare judges all of a commit that does not depend on statements or on the
// log. g is the group in the epoch that m ends, and moves on to the next.
func prepare(g *mls.PublicGroup, m *mls.PublicMessage, a authz.Actor, u wire.GroupUpload) (c *commit, err error) {
	if n := leavesAfter(g, m); n > wire.MaxLeaves { // before signatures are checked
		return nil, wire.Refuse(wire.TooLarge, "a room has at most %d devices, not %d", wire.MaxLeaves, n)
	}
	c = &commit{upload: u, group: g}
	if c.staged, err = g.StageCommit(m); err != nil {
		if errors.Is(err, mls.ErrUnknownProposal) {
			return nil, wire.Refuse(wire.Pending, "%v", err)
		}
		return nil, bad("the commit", err)
	}
	if err := includesPending(g, m); err != nil && !c.staged.External {
		return nil, err
	}
	never := func(policy.Leaf) (bool, error) { return false, nil } // asked in apply, where it is read with all else
	if c.change, c.fresh, err = policy.Describe(g, m, c.staged, never); err != nil {
		return nil, bad("the commit", err)
	}
	if by := c.change.Committer; by.Account != a.Account || by.Device != a.Device {
		return nil, wire.Refuse(wire.BadRequest, "the commit is of another device")
	}
	if c.data, err = policy.DecodeCommitData(c.staged.AuthenticatedData); err != nil {
		return nil, bad("the commit", err)
	}
	if c.data.Client != u.Client {
		return nil, wire.Refuse(wire.BadRequest, "the commit was made under another client id")
	}
	if err := c.takeWelcome(m); err != nil {
		return nil, err
	}
	if err := g.Apply(c.staged); err != nil {
		return nil, bad("the commit", err)
	}
	return c, c.checkInfo()
}

// leavesAfter counts the leaves that a commit leads to, if it is valid.
func leavesAfter(g *mls.PublicGroup, m *mls.PublicMessage) int {
	n := len(g.Members())
	for _, p := range m.Content.Commit.Proposals {
		switch {
		case p.Proposal == nil: // somebody leaves
			n--
		case p.Proposal.Type == mls.ProposalAdd, p.Proposal.Type == mls.ProposalExternalInit:
			n++
		case p.Proposal.Type == mls.ProposalRemove:
			n--
		}
	}
	return n
}

// includesPending refuses a commit that does not refer to every proposal that
// waits.
func includesPending(g *mls.PublicGroup, m *mls.PublicMessage) error {
	named := make(map[string]bool)
	for _, p := range m.Content.Commit.Proposals {
		named[string(p.Ref)] = true
	}
	for _, p := range g.PendingProposals() {
		if !named[string(p.Ref)] {
			return wire.Refuse(wire.Pending, "the commit leaves out a proposal")
		}
	}
	return nil
}

// takeWelcome cuts the Welcome into one for each added device. It must have
// secrets for exactly the key packages that the commit adds.
func (c *commit) takeWelcome(m *mls.PublicMessage) error {
	refs := make(map[string]wire.DeviceID)
	for _, p := range m.Content.Commit.Proposals {
		if p.Proposal == nil || p.Proposal.Type != mls.ProposalAdd {
			continue
		}
		kp := &p.Proposal.Add.KeyPackage
		ref, err := kp.Ref()
		if err != nil {
			return bad("a key package", err)
		}
		_, device, err := policy.ParseIdentity(kp.Leaf.Credential.Identity)
		if err != nil {
			return bad("a key package", err)
		}
		refs[string(ref)] = device
	}
	if len(refs) != len(c.staged.Added) {
		return wire.Refuse(wire.BadRequest, "the commit adds a key package twice")
	}
	if len(refs) == 0 {
		if len(c.upload.Welcome) > 0 {
			return wire.Refuse(wire.BadRequest, "a Welcome for nobody")
		}
		return nil
	}
	w, err := mls.ParseWelcome(c.upload.Welcome)
	if err != nil {
		return bad("the Welcome", err)
	}
	if w.Suite != c.staged.Context.Suite {
		return wire.Refuse(wire.BadRequest, "the Welcome is of another suite")
	}
	if n := len(refs) * len(w.EncryptedGroupInfo); n > maxWelcomes { // before there are so many copies of it
		return wire.Refuse(wire.TooLarge, "a Welcome for %d devices has at most %d bytes for each", len(refs), maxWelcomes/len(refs))
	}
	c.welcomes = make(map[wire.DeviceID][]byte, len(refs))
	for i := range w.Secrets {
		ref := w.Secrets[i].NewMember
		device, ok := refs[string(ref)]
		if !ok || c.welcomes[device] != nil {
			return wire.Refuse(wire.BadRequest, "the Welcome has secrets for whom the commit does not add")
		}
		one := mls.Welcome{Suite: w.Suite, Secrets: w.Secrets[i : i+1], EncryptedGroupInfo: w.EncryptedGroupInfo}
		if c.welcomes[device], err = mls.Marshal(mls.Message{Welcome: &one}); err != nil {
			return bad("the Welcome", err)
		}
	}
	if len(c.welcomes) != len(refs) {
		return wire.Refuse(wire.BadRequest, "the Welcome lacks secrets for whom the commit adds")
	}
	return nil
}

// checkInfo checks the GroupInfo by which others will join the new epoch.
func (c *commit) checkInfo() error {
	info, err := mls.ParseGroupInfo(c.upload.GroupInfo)
	if err != nil {
		return bad("the GroupInfo", err)
	}
	if err := c.group.CheckGroupInfo(info); err != nil {
		return bad("the GroupInfo", err)
	}
	if info.Signer != c.staged.Committer {
		return wire.Refuse(wire.BadRequest, "the GroupInfo is not signed by the committer")
	}
	if _, ok, err := info.Extensions.ExternalPub(); err != nil || !ok {
		return wire.Refuse(wire.BadRequest, "the GroupInfo lacks external_pub")
	}
	if _, ok := info.Extensions.Get(mls.ExtensionRatchetTree); ok {
		return wire.Refuse(wire.BadRequest, "the GroupInfo brings the tree, which the server has")
	}
	return nil
}

// apply judges what depends on statements and on the log, and has the commit
// take effect. r is locked and in the epoch that the commit ends.
func (rs *Rooms) apply(tx *db.Tx, a authz.Actor, r *room, c *commit) (wire.Receipt, error) {
	waited := rs.cfg.Now().Sub(time.UnixMilli(r.proposedMS))
	if c.change.External && r.proposals > 0 && waited < proposalGrace && waited > -proposalGrace { // a clock that was set back must not make it wait for ever
		e := wire.Refuse(wire.Pending, "%d proposals wait for a member's commit", r.proposals)
		e.RetryAfter = proposalGrace.Milliseconds()
		return wire.Receipt{}, e
	}
	if err := c.judge(tx, rs.cfg.People); err != nil {
		return wire.Receipt{}, err
	}
	if err := checkSeen(tx, r, c.data); err != nil {
		return wire.Receipt{}, err
	}
	e := wire.Entry{Kind: wire.CommitEntry, Account: a.Account, Device: a.Device, Client: c.upload.Client, Epoch: r.epoch, Body: c.upload.Commit}
	if err := rs.log.append(tx, r, &e); err != nil {
		return wire.Receipt{}, err
	}
	r.epoch++
	r.epochSeq, r.epochHead = r.seq, r.head
	passedOver := r.proposals > 0 && c.change.External
	r.proposals = 0
	const move = `UPDATE room SET epoch = $2, epoch_seq = $3, epoch_head = $4, proposals = 0 WHERE id = $1`
	if _, err := tx.Exec(move, r.id, int64(r.epoch), r.epochSeq, r.epochHead); err != nil {
		return wire.Receipt{}, fmt.Errorf("move %s on to epoch %d: %w", r.id, r.epoch, err)
	}
	if err := c.group.Save(&state{room: r.id, tx: tx, epoch: r.epoch}); err != nil {
		return wire.Receipt{}, err
	}
	const info = `INSERT INTO room_info (room_id, body) VALUES ($1, $2) ON CONFLICT (room_id) DO UPDATE SET body = excluded.body`
	if _, err := tx.Exec(info, r.id, []byte(c.upload.GroupInfo)); err != nil {
		return wire.Receipt{}, fmt.Errorf("store the GroupInfo of %s: %w", r.id, err)
	}
	if err := rs.roster.follow(tx, r, c, passedOver); err != nil {
		return wire.Receipt{}, err
	}
	if err := prune(tx, r.id); err != nil {
		return wire.Receipt{}, err
	}
	return receipt(&e), nil
}

// judge refuses a commit that the policy does not allow, or that brings in or
// renews a leaf that its account's newest statement does not list with that key.
func (c *commit) judge(tx *db.Tx, people People) error {
	for _, f := range c.fresh {
		key, state, err := people.Listed(tx, f.Account, f.Device)
		if err != nil {
			return fmt.Errorf("look up device %s: %w", f.Device, err)
		}
		if state != wire.DeviceActive || !bytes.Equal(key, f.Key) {
			return wire.Refuse(wire.BadRequest, "leaf %d is not an active device with the key of its statement", f.Index)
		}
	}
	for i := range c.change.Removed {
		gone := &c.change.Removed[i]
		_, state, err := people.Listed(tx, gone.Account, gone.Device)
		if err != nil {
			return fmt.Errorf("look up device %s: %w", gone.Device, err)
		}
		gone.Revoked = state == wire.DeviceRevoked
	}
	if err := policy.Judge(c.change); err != nil {
		return wire.Refuse(wire.BadRequest, "%v", err)
	}
	return nil
}

// checkSeen holds the committer to the log that it says it has seen: of this
// epoch at least its beginning, and with the head that the log really has there.
// Members check the same, so a committer that errs would make them all cry
// fork.
func checkSeen(tx *db.Tx, r *room, d policy.CommitData) error {
	head := wire.Hash{}
	switch {
	case d.Seq < r.epochSeq || d.Seq > r.seq:
		return wire.Refuse(wire.BadRequest, "the commit is made on entry %d; the epoch began at %d, the newest is %d", d.Seq, r.epochSeq, r.seq)
	case d.Seq == r.seq:
		head = r.head
	default:
		if err := tx.QueryRow(`SELECT head FROM room_entry WHERE room_id = $1 AND seq = $2`, r.id, d.Seq).Scan(&head); err != nil {
			return fmt.Errorf("read the head of %s/%d: %w", r.id, d.Seq, err)
		}
	}
	if head != d.Head {
		return wire.Refuse(wire.BadRequest, "the commit names another head at entry %d", d.Seq)
	}
	return nil
}
