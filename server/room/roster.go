package room

import (
	"fmt"
	"time"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// roster is who is in each room: the accounts that are its members, their devices'
// leaves, and the Welcomes that wait for devices. It moves in the transaction of
// the commit that moves the tree, but who leaves has left at once. Whom an entry
// takes in hears of every entry after it, and whom one takes out of none.
type roster struct {
	hub  *hub.Hub
	now  func() time.Time
	left func(room wire.RoomID, account wire.AccountID, device wire.DeviceID) // Config.Left
}

// follow follows a commit that begins r's new epoch: leaves, members, and
// Welcomes. passedOver says that it dropped proposals to leave.
func (o *roster) follow(tx *db.Tx, r *room, c *commit, passedOver bool) error {
	if err := moveLeaves(tx, r.id, c); err != nil {
		return err
	}
	o.tellLeaves(tx, r.id, c)
	if err := moveWelcomes(tx, r, c, o.now()); err != nil {
		return err
	}
	var came, left []wire.AccountID
	var err error
	if r.kind == wire.Direct {
		came, err = openDirect(tx, r, c)
	} else {
		came, left, err = moveSpans(tx, r, c, passedOver)
	}
	if err != nil {
		return err
	}
	return o.tell(tx, r, c, came, left)
}

// tellLeaves says which devices a commit has taken out of the tree. One that came
// in again in the place of its own leaf is none.
func (o *roster) tellLeaves(tx *db.Tx, id wire.RoomID, c *commit) {
	stays := make(map[wire.DeviceID]bool)
	for _, l := range c.change.LeavesAfter() {
		stays[l.Device] = true
	}
	for _, l := range c.change.Removed {
		if !stays[l.Device] {
			tx.OnCommit(func() { o.left(id, l.Account, l.Device) })
		}
	}
}

func moveLeaves(tx *db.Tx, id wire.RoomID, c *commit) error {
	for _, l := range c.change.Removed {
		if _, err := tx.Exec(`DELETE FROM room_leaf WHERE room_id = $1 AND device_id = $2`, id, l.Device); err != nil {
			return fmt.Errorf("remove leaf %d of %s: %w", l.Index, id, err)
		}
	}
	added := c.change.Added
	if c.change.External {
		added = append(added[:len(added):len(added)], c.change.Committer)
	}
	if c.change.First {
		added = append(added[:len(added):len(added)], c.change.Leaves...)
	}
	const add = `INSERT INTO room_leaf (room_id, device_id, account_id, leaf) VALUES ($1, $2, $3, $4)`
	for _, l := range added {
		if _, err := tx.Exec(add, id, l.Device, l.Account, int64(l.Index)); err != nil {
			return fmt.Errorf("add leaf %d of %s: %w", l.Index, id, err)
		}
	}
	return nil
}

// moveWelcomes stores the Welcome of each added device, and drops those that a
// device can no longer use: its leaf is gone, or it came in by itself.
func moveWelcomes(tx *db.Tx, r *room, c *commit, now time.Time) error {
	var stale []wire.DeviceID
	for _, l := range c.change.Removed {
		stale = append(stale, l.Device)
	}
	if c.change.External {
		stale = append(stale, c.change.Committer.Device)
	}
	for _, device := range stale {
		if err := dropWelcome(tx, r.id, device); err != nil {
			return err
		}
	}
	const put = `INSERT INTO room_welcome (room_id, device_id, account_id, epoch, seq, head, body, made_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (room_id, device_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, head = excluded.head, body = excluded.body, made_ms = excluded.made_ms`
	for _, l := range c.change.Added {
		if _, err := tx.Exec(put, r.id, l.Device, l.Account, int64(r.epoch), r.seq, r.head, c.welcomes[l.Device], now.UnixMilli()); err != nil {
			return fmt.Errorf("store the Welcome of %s to %s: %w", l.Device, r.id, err)
		}
	}
	return nil
}

func dropWelcome(tx *db.Tx, id wire.RoomID, device wire.DeviceID) error {
	if _, err := tx.Exec(`DELETE FROM room_welcome WHERE room_id = $1 AND device_id = $2`, id, device); err != nil {
		return fmt.Errorf("drop the Welcome of %s to %s: %w", device, id, err)
	}
	return nil
}

// openDirect makes the two people of a new direct room its members, for ever.
func openDirect(tx *db.Tx, r *room, c *commit) ([]wire.AccountID, error) {
	if !c.change.First {
		return nil, nil
	}
	for _, account := range c.change.After.Owners {
		if err := addSpan(tx, r.id, account, r.seq); err != nil {
			return nil, err
		}
	}
	return c.change.After.Owners, nil
}

func addSpan(tx *db.Tx, id wire.RoomID, account wire.AccountID, from int64) error {
	if _, err := tx.Exec(`INSERT INTO room_member (room_id, account_id, from_seq, until_seq) VALUES ($1, $2, $3, 0)`, id, account, from); err != nil {
		return fmt.Errorf("make %s a member of %s: %w", account, id, err)
	}
	return nil
}

func endSpan(tx *db.Tx, id wire.RoomID, account wire.AccountID, until int64) error {
	if _, err := tx.Exec(`UPDATE room_member SET until_seq = $3 WHERE room_id = $1 AND account_id = $2 AND until_seq = 0`, id, account, until); err != nil {
		return fmt.Errorf("end %s's membership of %s: %w", account, id, err)
	}
	return nil
}

// moveSpans makes the members of a group what its tree says.
func moveSpans(tx *db.Tx, r *room, c *commit, passedOver bool) (came, left []wire.AccountID, err error) {
	members, err := membersOf(tx, r.id)
	if err != nil {
		return nil, nil, err
	}
	was := make(map[wire.AccountID]bool, len(members))
	for _, m := range members {
		was[m] = true
	}
	is := make(map[wire.AccountID]bool)
	for _, l := range c.change.LeavesAfter() {
		if is[l.Account] {
			continue
		}
		is[l.Account] = true
		if was[l.Account] {
			continue
		}
		came = append(came, l.Account)
		if passedOver { // it never left the tree: what it missed meanwhile is its own
			const again = `UPDATE room_member SET until_seq = 0 WHERE room_id = $1 AND account_id = $2
				AND from_seq = (SELECT MAX(from_seq) FROM room_member WHERE room_id = $1 AND account_id = $2)`
			if _, err := tx.Exec(again, r.id, l.Account); err != nil {
				return nil, nil, fmt.Errorf("make %s a member of %s again: %w", l.Account, r.id, err)
			}
		} else if err := addSpan(tx, r.id, l.Account, r.seq); err != nil {
			return nil, nil, err
		}
	}
	for _, m := range members {
		if is[m] {
			continue
		}
		left = append(left, m)
		if err := endSpan(tx, r.id, m, r.seq); err != nil {
			return nil, nil, err
		}
	}
	return came, left, nil
}

// membersOf lists the members of a room.
func membersOf(tx *db.Tx, id wire.RoomID) ([]wire.AccountID, error) {
	const get = `SELECT account_id FROM room_member WHERE room_id = $1 AND until_seq = 0 ORDER BY account_id`
	members, err := column[wire.AccountID](tx, get, id)
	if err != nil {
		return nil, fmt.Errorf("list the members of %s: %w", id, err)
	}
	return members, nil
}

// tell has those that came listen and those that left not, and tells them
// and the devices for which a Welcome waits, once the commit is on disk.
func (o *roster) tell(tx *db.Tx, r *room, c *commit, came, left []wire.AccountID) error {
	if len(came)+len(left)+len(c.change.Added) == 0 {
		return nil
	}
	base, err := describe(tx, *r, everybody)
	if err != nil {
		return err
	}
	leaves := make(map[wire.DeviceID]bool)
	for _, l := range c.change.LeavesAfter() {
		leaves[l.Device] = true
	}
	id := r.id
	var after []func()
	told := make(map[wire.AccountID]bool)
	for _, account := range append(append([]wire.AccountID(nil), came...), left...) {
		s, err := spanOf(tx, r.id, account)
		if err != nil {
			return err
		}
		told[account] = true
		after = append(after, func() {
			if s.until == 0 {
				o.hub.Join(id, account)
			} else {
				o.hub.Leave(id, account)
				o.left(id, account, wire.DeviceID{})
			}
			hub.TellEach(o.hub, account, wire.OnRoom, func(device wire.DeviceID) wire.Room {
				return base.as(account, s, leaves[device], c.welcomes[device] != nil)
			})
		})
	}
	for _, l := range c.change.Added {
		if told[l.Account] {
			continue
		}
		s, err := spanOf(tx, r.id, l.Account)
		if err != nil {
			return err
		}
		after = append(after, func() {
			hub.Tell(o.hub, hub.Device(l.Account, l.Device), wire.OnRoom, base.as(l.Account, s, true, true))
		})
	}
	tx.OnCommit(func() {
		for _, f := range after {
			f()
		}
	})
	return nil
}

// leave ends the account's membership with the newest entry.
func (o *roster) leave(tx *db.Tx, a authz.Actor, r *room) error {
	if err := endSpan(tx, r.id, a.Account, r.seq); err != nil {
		return err
	}
	const deserted = `UPDATE room SET deserted_ms = $2 WHERE id = $1
		AND NOT EXISTS (SELECT 1 FROM room_member WHERE room_id = $1 AND until_seq = 0)`
	if _, err := tx.Exec(deserted, r.id, o.now().UnixMilli()); err != nil {
		return fmt.Errorf("look whether %s is deserted: %w", r.id, err)
	}
	s, err := spanOf(tx, r.id, a.Account)
	if err != nil {
		return err
	}
	w, err := former(tx, a, *r, s, everybody)
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		o.hub.Leave(r.id, a.Account)
		o.left(r.id, a.Account, wire.DeviceID{})
		hub.Tell(o.hub, hub.Account(a.Account), wire.OnRoom, w)
	})
	return nil
}
