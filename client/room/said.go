package room

import (
	"errors"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// sentAgain makes what this device sent once ready to be sent again under the
// same client id. ok is false for what it need not: commits, what was deleted.
func sentAgain(tx *store.Tx, me Me, id wire.RoomID, l store.Lost) (o store.Outgoing, ok bool, err error) {
	if _, err := store.OutgoingByClient(tx, id, l.Client); !errors.Is(err, store.ErrNone) {
		return o, false, err // still there: its receipt was not seen in the log
	}
	o, ok, err = said(tx, me, id, l.Client)
	if err != nil || !ok || o.Item != timeline.ID(me.Device, l.Client) {
		return o, ok, err
	}
	i, err := store.GetItem(tx, id, o.Item)
	if err != nil {
		return o, false, err
	}
	files, err := store.Files(tx, id, o.Item)
	if err != nil || len(files) == 0 {
		return o, err == nil, err
	}
	here := !i.Edited
	for _, f := range files {
		o.Blobs = append(o.Blobs, f.Blob)
		whole, err := timeline.Here(tx, f)
		if err != nil {
			return o, false, err
		}
		here = here && whole
	}
	if here {
		// Uploaded again, should the server have lost them too.
		for _, f := range files {
			b, err := store.GetBlob(tx, f.Local)
			if err != nil {
				return o, false, err
			}
			b.Pinned = true
			if err := store.PutBlob(tx, b); err != nil {
				return o, false, err
			}
		}
		o.Kind, o.Blobs = outFiles, nil
	}
	return o, true, nil
}

// said returns what this device has sent under a client id, as it was. ok is
// false for what it has not, or does not keep: commits, what was deleted.
func said(tx *store.Tx, me Me, id wire.RoomID, client wire.ClientID) (o store.Outgoing, ok bool, err error) {
	o = store.Outgoing{Room: id, Client: client}
	o.Content, o.Item, err = store.GetSaid(tx, id, client)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return o, false, err
	}
	kept := err == nil
	row := timeline.ID(me.Device, client)
	i, err := store.GetItem(tx, id, row)
	if errors.Is(err, store.ErrNone) || err == nil && i.Kind != string(api.ItemMessage) {
		return o, kept, nil
	}
	if err != nil {
		return o, false, err
	}
	o.Item = row
	if !kept {
		o.Content, err = store.ItemContent(tx, id, row)
	}
	return o, o.Content != nil, err
}

// keepSaid keeps what the log has of ours and no row keeps as it was.
func keepSaid(tx *store.Tx, id wire.RoomID, o store.Outgoing, kind content.Kind) error {
	switch kind {
	case content.KindText, content.KindUnknown:
		if o.Item != "" {
			return nil
		}
	case content.KindAsk, content.KindMissing, content.KindAgain:
		return nil
	case content.KindDelete:
		if err := store.ForgetSaid(tx, id, o.Item); err != nil {
			return err
		}
	}
	return store.PutSaid(tx, id, o.Client, o.Item, o.Content)
}
