package room

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// askedRecently is how old a question for the room's name may be to be
// answered: one in the past was answered by those who were there.
const askedRecently = time.Minute

// apply does what a message says.
func (w logbook) apply(tx *store.Tx, row *store.Room, m timeline.Message) error {
	v, err := timeline.Apply(tx, m)
	if err != nil {
		return err
	}
	switch v.Kind {
	case content.KindText, content.KindUnknown, content.KindCall, content.KindCallEnd:
		row.Time = max(row.Time, m.Time)
	case content.KindName:
		return w.rename(tx, row, m, v.Text)
	case content.KindMissing:
		return w.asked(tx, m.Device, v.Missing)
	case content.KindAgain:
		return w.saidAgain(tx, row, m, v.Again)
	case content.KindAsk:
		if row.Named != 0 && m.Device != w.me().Device && w.cfg.Now().Sub(m.Time.Time()) < askedRecently {
			w.named = w.cfg.Now().Add(rand.N(nameWait))
			w.due(nameWait)
		}
	case content.KindDelete:
		if m.Mine && m.Item != "" {
			return w.keep.noteErase(tx, m.Item)
		}
	}
	return nil
}

// rename takes the room's name. Saying the same name again is an answer to
// somebody who asked, and no news.
func (w logbook) rename(tx *store.Tx, row *store.Room, m timeline.Message, name string) error {
	w.named = time.Time{} // somebody has answered
	if row.Kind != wire.Group {
		return nil
	}
	again := row.Named != 0 && row.Name == name
	first := row.Named == 0
	row.Name, row.Named = name, m.Seq
	if again || first {
		return nil
	}
	return timeline.PutChange(tx, m.Place, timeline.Change{Kind: api.ChangeRenamed, By: m.Account, Name: name})
}

// sayName answers whoever asked for the room's name, unless somebody has.
func (w keeper) sayName(ctx context.Context) error {
	if w.named.IsZero() || w.row.Named == 0 {
		return nil
	}
	if wait := w.named.Sub(w.cfg.Now()); wait > 0 {
		w.due(wait)
		return nil
	}
	w.named = time.Time{}
	return w.cfg.Store.Update(ctx, func(tx *store.Tx) error { return w.enqueueName(tx, w.id, w.row.Name) })
}

// enqueueName puts the room's name into the outbox.
func (r *Rooms) enqueueName(tx *store.Tx, room wire.RoomID, name string) error {
	made, err := content.NewName(name)
	if err != nil {
		return api.Fail(api.BadInput, "name: %v", err)
	}
	_, err = store.Enqueue(tx, store.Outgoing{Room: room, Client: wire.NewClientID(), Content: made.Content})
	return err
}

func (r *Rooms) enqueueAsk(tx *store.Tx, room wire.RoomID) error {
	made, err := content.NewAsk()
	if err != nil {
		return err
	}
	_, err = store.Enqueue(tx, store.Outgoing{Room: room, Client: wire.NewClientID(), Content: made.Content})
	return err
}

func eraseName(room wire.RoomID) string { return "erase " + room.String() }

// noteErase remembers that the server shall delete the body of a message that
// the person has deleted.
func (w keeper) noteErase(tx *store.Tx, item string) error {
	i, err := store.GetItem(tx, w.id, item)
	if err != nil || i.Seq == 0 {
		return nil // not on the server, or not here: nothing to erase
	}
	var seqs []int64
	if _, err := getSetting(tx, eraseName(w.id), &seqs); err != nil {
		return err
	}
	return putSetting(tx, eraseName(w.id), append(seqs, i.Seq))
}

// erase lets the server delete what the person has deleted.
func (w keeper) erase(ctx context.Context) error {
	var seqs []int64
	err := w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := getSetting(tx, eraseName(w.id), &seqs)
		return err
	})
	if err != nil || len(seqs) == 0 {
		return err
	}
	for _, seq := range seqs {
		_, err := session.Call(ctx, w.cfg.Session, wire.RoomErase, wire.Erase{Room: w.id, Seq: seq})
		if _, final := finalCode(err); err != nil && !final {
			return err
		}
	}
	return w.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DeleteSetting(tx, eraseName(w.id)) })
}
