package seed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// History writes so many messages of size bytes behind what is in each room of a
// site whose server does not run. Only here rows are written past the server's
// nouns, because two million sends would take minutes; the log is dense and its
// heads are right all the same.
func History(ctx context.Context, dir string, s Site, members [][]int, each, size int) (err error) {
	w, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for i, r := range s.Rooms {
		if err := w.fill(ctx, r, s.People[members[i][0]], each, size); err != nil {
			return fmt.Errorf("fill room %d: %w", i, err)
		}
	}
	return nil
}

// Epochs has a site whose server does not run live through as many epochs of each
// room, with each messages of size bytes before every commit; s tells of the last.
// The commits renew the keys of the room's first member and are judged as by a
// server.
func Epochs(ctx context.Context, dir string, s *Site, members [][]int, epochs, each, size int) (err error) {
	w, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for i := range s.Rooms {
		r, from := &s.Rooms[i], s.People[members[i][0]]
		for range epochs {
			if err := w.fill(ctx, *r, from, each, size); err != nil {
				return fmt.Errorf("fill room %d: %w", i, err)
			}
			if err := w.commit(ctx, r, from, s.groups[i]); err != nil {
				return fmt.Errorf("begin epoch %d of room %d: %w", r.Epoch+1, i, err)
			}
		}
	}
	return nil
}

// commit begins the next epoch of a room.
func (w *writer) commit(ctx context.Context, r *Room, from Person, g *group.Group) error {
	stands, err := w.rooms.Get(ctx, actor(from), r.ID)
	if err != nil {
		return err
	}
	client := wire.NewClientID()
	c, err := g.Commit(group.CommitOptions{AuthenticatedData: policy.CommitData{Client: client, Seq: stands.Seq, Head: stands.Head}.Encode()})
	if err != nil {
		return err
	}
	_, err = w.rooms.Commit(ctx, actor(from), wire.SendCommit{Room: r.ID, GroupUpload: wire.GroupUpload{
		Client: client, Commit: c.Message, GroupInfo: c.GroupInfo,
	}})
	if err != nil {
		return err
	}
	if err := g.MergePending(); err != nil {
		return err
	}
	r.Epoch = g.Epoch()
	return nil
}

// fill writes the messages of one room in one transaction.
func (w *writer) fill(ctx context.Context, r Room, from Person, each, size int) error {
	body := make([]byte, size)
	rand.Read(body)
	m := mls.PrivateMessage{GroupID: r.ID[:], Epoch: r.Epoch, Type: mls.ContentApplication, SenderData: body[:28], Ciphertext: body}
	return w.db.Update(ctx, func(tx *db.Tx) error {
		var e wire.Entry
		const stands = `SELECT seq, head FROM room WHERE id = $1`
		if err := tx.QueryRow(stands, r.ID).Scan(&e.Seq, &e.Head); err != nil {
			return err
		}
		e.Kind, e.Account, e.Device, e.Epoch, e.Time = wire.MessageEntry, from.Account, from.Device, r.Epoch, wire.Now(time.Now())
		for range each {
			e.Seq++
			e.Client = wire.NewClientID()
			m.AuthenticatedData = policy.MessageData{Client: e.Client}.Encode()
			var err error
			if e.Body, err = mls.Marshal(mls.Message{Private: &m}); err != nil {
				return err
			}
			e.Head = wire.Next(e.Head, r.ID, &e)
			const add = `INSERT INTO room_entry (room_id, seq, kind, account_id, device_id, client_id, epoch, time_ms, head, body)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
			if _, err := tx.Exec(add, r.ID, e.Seq, int64(e.Kind), e.Account, e.Device, e.Client, int64(e.Epoch), int64(e.Time), e.Head, []byte(e.Body)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(`UPDATE room SET seq = $2, head = $3 WHERE id = $1`, r.ID, e.Seq, e.Head)
		return err
	})
}
