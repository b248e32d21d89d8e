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
		if err := hasLeaf(tx, p.Room, a.Device); err != nil {
			return err
		}
		if err := rs.cfg.Blobs.Hold(tx, a, p.Room, r.seq+1, p.Blobs); err != nil {
			return err
		}
		if err := rs.append(tx, &r, &e); err != nil {
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

// hasLeaf refuses a device that is not in the group: it cannot have sealed
// anything.
func hasLeaf(tx *db.Tx, id wire.RoomID, device wire.DeviceID) error {
	var leaf int64
	err := tx.QueryRow(`SELECT leaf FROM room_leaf WHERE room_id = $1 AND device_id = $2`, id, device).Scan(&leaf)
	if errors.Is(err, db.ErrNone) {
		return wire.Refuse(wire.BadRequest, "this device is not in the group")
	}
	if err != nil {
		return fmt.Errorf("look up the leaf of %s in %s: %w", device, id, err)
	}
	return nil
}

// bad says that what breaks a rule: the rule is the device's own fault and no
// secret.
func bad(what string, err error) error { return wire.Refuse(wire.BadRequest, "%s: %v", what, err) }
