package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

// Kinds of outgoing entries.
const (
	outPlain = ""      // content is ready
	outFiles = "files" // files go up first
)

// send empties the outbox of the room, first to last. An entry that is refused
// for good is marked and those behind it go on.
func (w *worker) send(ctx context.Context) error {
	stale := 0
	for w.row.State == store.RoomOpen {
		o, err := w.next(ctx)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if o.Kind == outFiles && o.Body == nil {
			if o, err = w.upload(ctx, o); err != nil {
				if err := w.refused(ctx, o, err); err != nil {
					return err
				}
				continue
			}
		}
		if err := w.settle(ctx); err != nil || w.row.State != store.RoomOpen {
			return err
		}
		if o, err = w.sealed(ctx, o); err != nil {
			return err
		}
		again, err := w.deliver(ctx, o)
		if err != nil {
			return err
		}
		if again {
			if stale++; stale > mostRaces {
				return wire.Refuse(wire.Busy, "others change this room all the time")
			}
		}
	}
	return nil
}

// next returns the first entry of the outbox that waits.
func (w *worker) next(ctx context.Context) (o store.Outgoing, err error) {
	err = w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		o, err = store.Waiting(tx, w.id)
		return err
	})
	return o, err
}

// upload brings the files of an entry to the server, and stores what the
// message has to say about them.
func (w *worker) upload(ctx context.Context, o store.Outgoing) (store.Outgoing, error) {
	content, blobs, err := w.cfg.Files.Upload(ctx, w.id, o.Item, o.Content)
	if err != nil {
		return o, err
	}
	o.Content, o.Blobs = content, blobs
	return o, w.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.PutOutgoing(tx, o) })
}

// sealed returns o sealed in the current epoch. Bytes that were sealed in this
// epoch before are kept; otherwise the new ones and the ratchet that made them
// are stored before they are returned.
func (w *worker) sealed(ctx context.Context, o store.Outgoing) (store.Outgoing, error) {
	g, err := w.group(ctx)
	if err != nil {
		return o, err
	}
	if o.Body != nil && o.Epoch == g.Epoch() {
		return o, nil
	}
	err = w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		body, err := g.SealPadded(o.Content, policy.MessageData{Client: o.Client}.Encode(), seal.Padding)
		if err != nil {
			return fmt.Errorf("seal for %s: %w", w.id, err)
		}
		o.Body, o.Epoch = body, g.Epoch()
		if err := store.PutOutgoing(tx, o); err != nil {
			return err
		}
		return g.Save(store.MLS(tx, w.id))
	})
	return o, err
}

// deliver sends a sealed entry. again says that it has to be sealed anew, or
// that something has to be settled first.
func (w *worker) deliver(ctx context.Context, o store.Outgoing) (again bool, err error) {
	receipt, err := session.Call(ctx, w.cfg.Session, wire.RoomSend, wire.SendMessage{
		Room: w.id, Client: o.Client, Epoch: o.Epoch, Body: o.Body, Blobs: o.Blobs,
	})
	switch code := wire.CodeOf(err); {
	case err == nil:
		return false, w.acknowledged(ctx, o, receipt)
	case code == wire.Stale, code == wire.Pending:
		before := w.row.Seq
		if err := w.catchUp(ctx); err != nil {
			return false, err
		}
		if w.row.Seq == before {
			// There is nothing newer: the server contradicts itself.
			return false, fmt.Errorf("entry for %s in epoch %d: %w", w.id, o.Epoch, err)
		}
		return true, nil
	default:
		return false, w.refused(ctx, o, err)
	}
}

// acknowledged notes that the server has an entry, then takes it as what it
// must be: the next one of the log.
func (w *worker) acknowledged(ctx context.Context, o store.Outgoing, r wire.Receipt) error {
	if o.Item != "" {
		err := w.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			return timeline.Acknowledged(tx, w.id, o.Item, r, func(ids ...string) { w.cfg.Feed.Items(w.id, ids...) })
		})
		if err != nil {
			return err
		}
	}
	w.raiseTarget(r.Seq)
	w.expect(&wire.Entry{
		Seq: r.Seq, Kind: wire.MessageEntry, Client: o.Client, Epoch: o.Epoch, Time: r.Time, Body: o.Body, Head: r.Head,
	})
	return w.read(ctx)
}

// refused decides what becomes of an entry that could not be sent: the person
// is asked, or it waits for better times (the error is returned).
func (w *worker) refused(ctx context.Context, o store.Outgoing, why error) error {
	code, final := finalCode(why)
	if !final {
		return why
	}
	w.cfg.Log.Warn("message refused", "room", w.id, "err", why)
	return w.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if o.Item == "" {
			return store.Dequeue(tx, o.N) // nobody would know what to try again
		}
		o.Fail, o.Body = string(code), nil
		if err := store.PutOutgoing(tx, o); err != nil {
			return err
		}
		return timeline.Failed(tx, w.id, o.Item, code, func(ids ...string) { w.cfg.Feed.Items(w.id, ids...) })
	})
}

// finalCode says whether trying again will not help, and what to tell.
func finalCode(err error) (api.FailureCode, bool) {
	var f *api.Failure
	if errors.As(err, &f) {
		return f.Code, true
	}
	switch wire.CodeOf(err) {
	case wire.TooLarge:
		return api.TooLarge, true
	case wire.NoSpace:
		return api.NoSpace, true
	case wire.NotFound:
		return api.NotFound, true
	case wire.BadRequest:
		return api.InternalFail, true
	}
	return "", false
}
