package room

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// Draft is a message as the person wrote it. Files have their Source, their size
// and what is known of a picture.
type Draft struct {
	Text  string
	Reply string // id of the row that it answers
	Files []store.File
}

// Send stores a message and lets it leave as soon as may be. It returns the id
// of its row.
func (r *Rooms) Send(ctx context.Context, room wire.RoomID, d Draft) (id string, err error) {
	me, ok := r.cfg.Me()
	if !ok {
		return "", api.Fail(api.NotEnrolled, "this device has not been let in")
	}
	client := wire.NewClientID()
	id = timeline.ID(me.Device, client)
	err = r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := writable(tx, room); err != nil {
			return err
		}
		reply, err := messageID(tx, room, d.Reply)
		if err != nil {
			return err
		}
		made, kind, err := contentOf(d, reply)
		if err != nil {
			return err
		}
		n, err := store.Enqueue(tx, store.Outgoing{Room: room, Client: client, Item: id, Kind: kind, Content: made.Content})
		if err != nil {
			return err
		}
		i := store.Item{
			Room: room, ID: id, Order: store.PendingOrder(n), Kind: string(api.ItemMessage), Account: me.Account, Device: me.Device,
			Mine: true, State: string(api.ItemSaved), Time: wire.Now(r.cfg.Now()), Text: made.Message.View().Text, Content: made.Content,
		}
		if kind == outFiles {
			i.Text = d.Text
		} else {
			message := made.Message.ID(me.Account, room, made.Content)
			i.Message = message[:]
		}
		if reply != nil {
			i.Reply = reply[:]
		}
		if err := store.PutItem(tx, i); err != nil {
			return err
		}
		for n, f := range d.Files {
			f.Room, f.Item, f.N = room, id, n
			if err := store.PutFile(tx, f); err != nil {
				return err
			}
		}
		return r.touched(tx, room, id)
	})
	if err != nil {
		return "", err
	}
	r.Wake(room)
	return id, nil
}

// touched says that rows changed because of the person, now.
func (r *Rooms) touched(tx *store.Tx, room wire.RoomID, ids ...string) error {
	m, err := store.GetRoom(tx, room)
	if err != nil {
		return err
	}
	m.Time = max(m.Time, wire.Now(r.cfg.Now()))
	tx.OnCommit(func() { r.cfg.Feed.Items(room, ids...) })
	return store.PutRoom(tx, m)
}

// writable refuses rooms in which nothing can be written any more.
func writable(tx *store.Tx, room wire.RoomID) error {
	m, err := store.GetRoom(tx, room)
	if errors.Is(err, store.ErrNone) {
		return api.Fail(api.NotFound, "no such room")
	}
	if err != nil {
		return err
	}
	switch m.State {
	case store.RoomLeft:
		return api.Fail(api.NotAllowed, "the room was left")
	case store.RoomBlocked:
		return api.Fail(api.Distrusted, "the room is blocked")
	}
	return nil
}

// messageID returns by which id others know the message of a row, nil for no
// row.
func messageID(tx *store.Tx, room wire.RoomID, item string) (*content.ID, error) {
	if item == "" {
		return nil, nil
	}
	i, err := store.GetItem(tx, room, item)
	if errors.Is(err, store.ErrNone) || err == nil && (len(i.Message) != len(content.ID{}) || i.Kind != string(api.ItemMessage)) {
		return nil, &api.Failure{Code: api.BadInput, Field: "reply", Text: "no message that could be answered"}
	}
	if err != nil {
		return nil, err
	}
	id := content.ID(i.Message)
	return &id, nil
}

// contentOf makes the content of a message. One with files cannot be finished
// before they are on the server; it is tried with stand-ins, so that what would
// be refused then is refused now.
func contentOf(d Draft, reply *content.ID) (content.Made, string, error) {
	kind := outPlain
	var files []content.File
	for _, f := range d.Files {
		kind = outFiles
		files = append(files, standIn(f))
	}
	made, err := content.NewText(d.Text, files, reply)
	switch {
	case errors.Is(err, content.ErrTooLarge):
		return made, kind, api.Fail(api.TooLarge, "%v", err)
	case err != nil:
		return made, kind, &api.Failure{Code: api.BadInput, Field: "text", Text: err.Error()}
	}
	return made, kind, nil
}

// Edit changes the text of an own message.
func (r *Rooms) Edit(ctx context.Context, room wire.RoomID, id, text string) error {
	err := r.ownRow(ctx, room, id, func(tx *store.Tx, i store.Item) error {
		waits, err := store.OutgoingByItem(tx, room, id)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		if err == nil && i.Seq == 0 && waits.Body == nil && waits.Kind == outPlain {
			return r.rewrite(tx, i, waits, text) // it has not left: there is nothing to replace
		}
		if len(i.Message) != len(content.ID{}) {
			return api.Fail(api.Busy, "the message is on its way, try again")
		}
		var reply *content.ID
		if len(i.Reply) == len(content.ID{}) {
			reply = (*content.ID)(i.Reply)
		}
		files, err := contentFiles(tx, room, id)
		if err != nil {
			return err
		}
		made, err := content.NewEdit(content.ID(i.Message), text, files, reply)
		if err != nil {
			return badContent(err)
		}
		if err := keepOriginal(tx, i); err != nil {
			return err
		}
		i.Text, i.Edited, i.Content = made.Message.View().Text, true, made.Content
		if err := store.PutItem(tx, i); err != nil {
			return err
		}
		var blobs []wire.BlobID
		for _, f := range files {
			blobs = append(blobs, f.Blob)
		}
		_, err = store.Enqueue(tx, store.Outgoing{Room: room, Client: wire.NewClientID(), Item: id, Content: made.Content, Blobs: blobs})
		return err
	})
	if err != nil {
		return err
	}
	r.Wake(room)
	return nil
}

// keepOriginal keeps what a message said before it is edited for the first time,
// so that it can be sent again as it was.
func keepOriginal(tx *store.Tx, i store.Item) error {
	if i.Edited || i.Seq == 0 {
		return nil
	}
	client, err := store.ClientAt(tx, i.Room, i.Seq)
	if errors.Is(err, store.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	said, err := store.ItemContent(tx, i.Room, i.ID)
	if err != nil || said == nil {
		return err
	}
	return store.PutSaid(tx, i.Room, client, i.ID, said)
}

func badContent(err error) error {
	if errors.Is(err, content.ErrTooLarge) {
		return api.Fail(api.TooLarge, "%v", err)
	}
	return &api.Failure{Code: api.BadInput, Field: "text", Text: err.Error()}
}

func (r *Rooms) rewrite(tx *store.Tx, i store.Item, o store.Outgoing, text string) error {
	var reply *content.ID
	if len(i.Reply) == len(content.ID{}) {
		reply = (*content.ID)(i.Reply)
	}
	made, err := content.NewText(text, nil, reply)
	if err != nil {
		return badContent(err)
	}
	message := made.Message.ID(i.Account, i.Room, made.Content)
	i.Text, i.Message, i.Content = made.Message.View().Text, message[:], made.Content
	i.State, i.Fail = string(api.ItemSaved), ""
	o.Content, o.Fail = made.Content, ""
	if err := store.PutOutgoing(tx, o); err != nil {
		return err
	}
	return store.PutItem(tx, i)
}

// contentFiles are the files of a message as its content names them.
func contentFiles(tx *store.Tx, room wire.RoomID, item string) ([]content.File, error) {
	rows, err := store.Files(tx, room, item)
	if err != nil {
		return nil, err
	}
	var files []content.File
	for _, f := range rows {
		c, err := ContentFile(f)
		if err != nil {
			return nil, err
		}
		files = append(files, c)
	}
	return files, nil
}

// ownRow changes a row of a message that this account sent.
func (r *Rooms) ownRow(ctx context.Context, room wire.RoomID, id string, f func(tx *store.Tx, i store.Item) error) error {
	me, ok := r.cfg.Me()
	if !ok {
		return api.Fail(api.NotEnrolled, "this device has not been let in")
	}
	return r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := writable(tx, room); err != nil {
			return err
		}
		i, err := store.GetItem(tx, room, id)
		if errors.Is(err, store.ErrNone) || err == nil && i.Kind != string(api.ItemMessage) {
			return api.Fail(api.NotFound, "no such message")
		}
		if err != nil {
			return err
		}
		if i.Account != me.Account {
			return api.Fail(api.NotAllowed, "somebody else's message")
		}
		if err := f(tx, i); err != nil {
			return err
		}
		answers := []string{id}
		if i.Message != nil {
			list, err := store.Answers(tx, room, i.Message)
			if err != nil {
				return err
			}
			for _, a := range list {
				answers = append(answers, a.ID)
			}
		}
		tx.OnCommit(func() { r.cfg.Feed.Items(room, answers...) })
		return nil
	})
}

// Delete deletes an own message for everybody. One that has not left is taken
// back.
func (r *Rooms) Delete(ctx context.Context, room wire.RoomID, id string) error {
	if err := r.Drop(ctx, room, id); api.FailureOf(err).Code != api.NotFound {
		return err
	}
	err := r.ownRow(ctx, room, id, func(tx *store.Tx, i store.Item) error {
		if len(i.Message) != len(content.ID{}) {
			return api.Fail(api.Busy, "the message is on its way, try again")
		}
		var reply *content.ID
		if len(i.Reply) == len(content.ID{}) {
			reply = (*content.ID)(i.Reply)
		}
		made, err := content.NewDelete(content.ID(i.Message), reply)
		if err != nil {
			return err
		}
		if _, err := store.Enqueue(tx, store.Outgoing{Room: room, Client: wire.NewClientID(), Item: id, Content: made.Content}); err != nil {
			return err
		}
		if err := store.ForgetSaid(tx, room, id); err != nil {
			return err
		}
		return timeline.Delete(tx, i, func(ids ...string) { r.cfg.Feed.Items(room, ids...) })
	})
	if err != nil {
		return err
	}
	r.Wake(room)
	return nil
}

// Drop takes back a message that cannot have reached the server: it was never
// sealed, or it was refused. Anything else is api.NotFound.
func (r *Rooms) Drop(ctx context.Context, room wire.RoomID, id string) error {
	return r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		i, err := store.GetItem(tx, room, id)
		if errors.Is(err, store.ErrNone) || err == nil && i.Seq != 0 {
			return api.Fail(api.NotFound, "no message that could be taken back")
		}
		if err != nil {
			return err
		}
		o, err := store.OutgoingByItem(tx, room, id)
		if errors.Is(err, store.ErrNone) || err == nil && o.Body != nil {
			return api.Fail(api.NotFound, "the message is on its way")
		}
		if err != nil {
			return err
		}
		files, err := store.Files(tx, room, id)
		if err != nil {
			return err
		}
		for _, f := range files {
			if f.Local != 0 {
				if err := store.DeleteBlob(tx, f.Local); err != nil {
					return err
				}
			}
		}
		all, err := store.Outbox(tx, room)
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.Item == id {
				if err := store.Dequeue(tx, o.N); err != nil {
					return err
				}
			}
		}
		tx.OnCommit(func() { r.cfg.Feed.Items(room, id) })
		return store.DeleteItem(tx, room, id)
	})
}

// Retry tries a message again that was refused.
func (r *Rooms) Retry(ctx context.Context, room wire.RoomID, id string) error {
	err := r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := store.Outbox(tx, room)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(o store.Outgoing) bool { return o.Item == id && o.Fail != "" })
		if at < 0 {
			return api.Fail(api.NotFound, "no message that was refused")
		}
		o := all[at]
		o.Fail = ""
		if err := store.PutOutgoing(tx, o); err != nil {
			return err
		}
		i, err := store.GetItem(tx, room, id)
		if err != nil {
			return err
		}
		if i.Seq == 0 {
			i.State, i.Fail = string(api.ItemSaved), ""
		}
		tx.OnCommit(func() { r.cfg.Feed.Items(room, id) })
		return store.PutItem(tx, i)
	})
	if err != nil {
		return err
	}
	r.Wake(room)
	return nil
}

// DraftFile makes the row of a file that is to be sent.
func DraftFile(f api.OutgoingFile, size int64) (store.File, error) {
	row := store.File{
		Source: f.Source, Name: f.Name, Type: strings.ToLower(f.Type), Size: size, Width: f.Width, Height: f.Height, PreviewType: f.PrevType,
	}
	var err error
	if row.Thumb, err = base64.StdEncoding.DecodeString(f.Thumb); err != nil {
		return row, &api.Failure{Code: api.BadInput, Field: "thumb", Text: "not base64"}
	}
	if row.Preview, err = base64.StdEncoding.DecodeString(f.Preview); err != nil {
		return row, &api.Failure{Code: api.BadInput, Field: "preview", Text: "not base64"}
	}
	if len(row.Thumb) == 0 {
		row.Thumb = nil
	}
	if len(row.Preview) == 0 {
		row.Preview = nil
	}
	return row, nil
}
