package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Send appends a message. It refuses with Stale (sealed in another epoch),
// Pending (a proposal waits), TooLarge, BadRequest, and NotFound (no such room,
// or a blob that is not there).
func (rs *Rooms) Send(ctx context.Context, a authz.Actor, p wire.SendMessage) (wire.Receipt, error) {
	header, malformed := parseMessage(p) // outside of the writer; what comes of it, inside and in its place
	e := wire.Entry{Kind: wire.MessageEntry, Account: a.Account, Device: a.Device, Client: p.Client, Epoch: p.Epoch, Body: p.Body}
	var got wire.Receipt
	err := rs.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		if malformed == nil && len(p.Blobs) == 0 {
			r, ready, err := rs.ready(tx, a, p.Room, header.Epoch)
			if err != nil {
				return err
			}
			if ready {
				got, err = rs.log.add(tx, r, &e)
				return err
			}
		}
		// One of them says no, or it was sent before: ask them in their order.
		r, sent, err := rs.begin(tx, a, authz.RoomSend, p.Room, p.Client)
		if err != nil {
			return err
		}
		if sent != nil {
			got = *sent
			return nil
		}
		switch {
		case malformed != nil:
			return malformed
		case header.Epoch != r.epoch:
			return wire.Refuse(wire.Stale, "sealed in epoch %d, the room is in %d", header.Epoch, r.epoch)
		case r.proposals > 0:
			return wire.Refuse(wire.Pending, "%d proposals wait", r.proposals)
		}
		if has, err := hasLeaf(tx, p.Room, a.Device); err != nil {
			return err
		} else if !has { // it cannot have sealed anything
			return wire.Refuse(wire.BadRequest, "this device is not in the group")
		}
		if err := rs.cfg.Blobs.Hold(tx, a, p.Room, r.seq+1, p.Blobs); err != nil {
			return err
		}
		if err := rs.log.append(tx, &r, &e); err != nil {
			return err
		}
		got = receipt(&e)
		return nil
	})
	return got, err
}

// parseMessage checks what can be seen of a sealed message by itself.
func parseMessage(p wire.SendMessage) (*mls.PrivateMessage, error) {
	if len(p.Body) > wire.MaxMessage || len(p.Blobs) > wire.MaxBlobsInEntry {
		return nil, wire.Refuse(wire.TooLarge, "a message has at most %d bytes and %d blobs", wire.MaxMessage, wire.MaxBlobsInEntry)
	}
	m, err := mls.ParsePrivate(p.Body)
	if err != nil {
		return nil, bad("the message", err)
	}
	data, err := policy.DecodeMessageData(m.AuthenticatedData)
	switch {
	case err != nil:
		return nil, bad("the message", err)
	case string(m.GroupID) != string(p.Room[:]):
		return nil, wire.Refuse(wire.BadRequest, "the message belongs to another group")
	case m.Type != mls.ContentApplication:
		return nil, wire.Refuse(wire.BadRequest, "content type %d; handshakes are public messages", m.Type)
	case m.Epoch != p.Epoch:
		return nil, wire.Refuse(wire.BadRequest, "the message was sealed in epoch %d, not %d", m.Epoch, p.Epoch)
	case data.Client != p.Client:
		return nil, wire.Refuse(wire.BadRequest, "the message was sealed under another client id")
	}
	return m, nil
}

// ready reports whether a message that was sealed in epoch may be appended, by
// all that is asked of one which was not sent before and holds no blobs. What it
// asks is mostly remembered.
func (rs *Rooms) ready(tx *db.Tx, a authz.Actor, id wire.RoomID, epoch uint64) (r remembered, ready bool, err error) {
	r, is, err := rs.memory.ofMember(tx, id, a.Account)
	if !is || err != nil {
		return r, false, err
	}
	if epoch != r.epoch || r.proposals > 0 || !authz.Can(a, authz.RoomSend, authz.InRoom(authz.Member)) {
		return r, false, nil
	}
	if has, err := r.hasLeaf(tx, a.Device); !has || err != nil {
		return r, false, err
	}
	err = checkActive(tx, rs.cfg.People, a)
	return r, err == nil, ignoreDenied(err)
}

// ignoreDenied leaves it to others to refuse.
func ignoreDenied(err error) error {
	if errors.Is(err, authz.ErrDenied) {
		return nil
	}
	return err
}

// add appends a message that is ready, with one statement: the row of the room
// is written once for all messages of this transaction. If the device sent one
// under this client id before, it returns that one's receipt.
func (l *logs) add(tx *db.Tx, r remembered, e *wire.Entry) (wire.Receipt, error) {
	l.number(&r.room, e)
	n, err := tx.ExecLast(insert+` ON CONFLICT (room_id, device_id, client_id) DO NOTHING`, values(r.id, e)...)
	if err != nil {
		return wire.Receipt{}, fmt.Errorf("append %s/%d: %w", r.id, e.Seq, err)
	}
	if n == 0 {
		sent, err := receiptOf(tx, r.id, e.Device, e.Client)
		return deref(sent), err
	}
	r.seq, r.head = e.Seq, e.Head
	tx.Remember(known(r.id), r)
	tx.Postpone(known(r.id), func(tx *db.Tx) error {
		now, ok := tx.Recall(known(r.id)).(remembered)
		if !ok {
			return fmt.Errorf("room %s was forgotten before it was stored", r.id)
		}
		if err := move(tx, &now.room); err != nil {
			return err
		}
		return l.progress.store(tx, &now)
	})
	l.nudge(tx, r.id, e)
	return receipt(e), nil
}

// hasLeaf reports whether a device is in the group.
func hasLeaf(tx *db.Tx, id wire.RoomID, device wire.DeviceID) (bool, error) {
	var n int64
	has, err := exists(tx.QueryRow(`SELECT leaf FROM room_leaf WHERE room_id = $1 AND device_id = $2`, id, device), &n)
	if err != nil {
		return false, fmt.Errorf("look up the leaf of %s in %s: %w", device, id, err)
	}
	return has, nil
}

// bad says that what breaks a rule: the rule is the device's own fault and no
// secret.
func bad(what string, err error) error { return wire.Refuse(wire.BadRequest, "%s: %v", what, err) }
