package room

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/wire"
)

// outlet empties the outbox of a room.
type outlet struct{ *worker }

// Kinds of outgoing entries.
const (
	outPlain = ""      // content is ready
	outFiles = "files" // files go up first; then it has blobs
)

// send empties the outbox of the room, first to last. An entry that is refused
// for good is marked and those behind it go on.
func (w outlet) send(ctx context.Context) error {
	stale := 0
	if h, err := w.hold.now(ctx); err != nil || len(h.Back) > 0 {
		return err // not before the person has decided, or they are out
	}
	for w.row.State == store.RoomOpen {
		o, err := w.next(ctx)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.keep.settle(ctx); err != nil || w.row.State != store.RoomOpen {
			return err
		}
		o, err = w.sealed(ctx, o)
		if errors.Is(err, errChanged) {
			continue
		}
		if err != nil {
			return err
		}
		again, err := w.deliver(ctx, o)
		if err != nil {
			return err
		}
		if w.asked() {
			w.wake() // who waits for something goes between two messages
			return nil
		}
		if again {
			if stale++; stale > mostRaces {
				return wire.Refuse(wire.Busy, "others change this room all the time")
			}
		}
	}
	return nil
}

// next returns the first entry of the outbox that can leave: messages whose
// files still go up hold up nobody.
func (w outlet) next(ctx context.Context) (store.Outgoing, error) {
	all, err := w.outbox(ctx)
	if err != nil {
		return store.Outgoing{}, err
	}
	for _, o := range all {
		if ready(o) {
			return o, nil
		}
	}
	return store.Outgoing{}, store.ErrNone
}

func (w outlet) outbox(ctx context.Context) (all []store.Outgoing, err error) {
	err = w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		all, err = store.Outbox(tx, w.id)
		return err
	})
	return all, err
}

func ready(o store.Outgoing) bool {
	return o.Fail == "" && (o.Kind != outFiles || len(o.Blobs) > 0)
}

// upload starts what brings the files of waiting messages to the server, each
// beside the worker, which it wakes when they are there. Sealing works without
// a connection.
func (w outlet) upload(ctx context.Context) error {
	all, err := w.outbox(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		if o.Kind != outFiles || o.Fail != "" || ready(o) || w.startUpload(o.N) {
			continue
		}
		w.uploads.Go(func() {
			defer w.endUpload(o.N)
			if err := w.uploadOne(ctx, o); err != nil && ctx.Err() == nil {
				w.cfg.Log.Info("upload waits", "room", w.id, "err", err)
			}
		})
	}
	return nil
}

// startUpload reports whether an upload of that entry runs already, and notes
// that it does from now on.
func (w outlet) startUpload(n int64) (running bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	running = w.uploading[n]
	w.uploading[n] = true
	return running
}

func (w outlet) endUpload(n int64) {
	w.mu.Lock()
	delete(w.uploading, n)
	w.mu.Unlock()
}

// uploadOne stores what the message has to say about its files once they are on
// the server.
func (w outlet) uploadOne(ctx context.Context, o store.Outgoing) error {
	for wait := firstRetry; ; wait = min(2*wait, mostRetry) {
		content, blobs, err := w.cfg.Files.Upload(ctx, w.id, o.Item)
		if err == nil {
			err = w.uploaded(ctx, o, content, blobs)
			w.wake()
		} else if !errors.Is(err, link.ErrUnreachable) {
			err = w.refused(ctx, o, err)
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrNone) {
			return nil // there, refused, or taken back
		}
		back := w.cfg.Session.Online()
		select {
		case <-back:
			back = nil // it was not for want of a connection: wait in any case
		default:
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-back:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// uploaded notes that the server has what belongs to an entry, which it may have had
// no room for before.
func (w outlet) uploaded(ctx context.Context, o store.Outgoing, content []byte, blobs []wire.BlobID) error {
	o.Content, o.Blobs = content, blobs
	return w.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := store.PutOutgoing(tx, o); err != nil {
			return err
		}
		return timeline.Waits(tx, w.id, o.Item, "", func(ids ...string) { w.cfg.Feed.Items(w.id, ids...) })
	})
}

// errChanged: what was to be sent is not in the outbox any more.
var errChanged = errors.New("room: taken back")

// sealed returns o sealed in the current epoch. Bytes that were sealed in this
// epoch before are kept; otherwise the new ones and the ratchet that made them
// are stored before they are returned.
func (w outlet) sealed(ctx context.Context, o store.Outgoing) (store.Outgoing, error) {
	g, err := w.group(ctx)
	if err != nil {
		return o, err
	}
	if o.Body != nil && o.Epoch == g.Epoch() {
		return o, nil
	}
	err = w.write(ctx, func(tx *store.Tx, row *store.Room) error {
		// The person may have changed it or taken it back since it was read.
		now, err := store.OutgoingByClient(tx, w.id, o.Client)
		if errors.Is(err, store.ErrNone) || err == nil && !ready(now) {
			return errChanged
		}
		if err != nil {
			return err
		}
		o = now
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
func (w outlet) deliver(ctx context.Context, o store.Outgoing) (again bool, err error) {
	receipt, err := session.Call(ctx, w.cfg.Session, wire.RoomSend, wire.SendMessage{
		Room: w.id, Client: o.Client, Epoch: o.Epoch, Body: o.Body, Blobs: o.Blobs,
	})
	switch code := wire.CodeOf(err); {
	case err == nil:
		return false, w.acknowledged(ctx, o, receipt)
	case code == wire.Stale, code == wire.Pending:
		before := w.row.Seq
		if err := w.commits.catchUp(ctx); err != nil {
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

// waits has the person see why an entry waits. It leaves when the server can take
// it, so the error, which makes it wait, is returned.
func (w outlet) waits(ctx context.Context, o store.Outgoing, code api.FailureCode, why error) error {
	if o.Item == "" {
		return why
	}
	return errors.Join(why, w.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return timeline.Waits(tx, w.id, o.Item, code, func(ids ...string) { w.cfg.Feed.Items(w.id, ids...) })
	}))
}

// acknowledged notes that the server has an entry, then takes it as what it
// must be: the next one of the log.
func (w outlet) acknowledged(ctx context.Context, o store.Outgoing, r wire.Receipt) error {
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
	if err := w.book.read(ctx); err != nil || w.row.State != store.RoomOpen {
		return err
	}
	return w.cfg.Store.View(ctx, func(tx *store.Tx) error {
		_, err := store.OutgoingByClient(tx, w.id, o.Client)
		switch {
		case errors.Is(err, store.ErrNone):
			return nil
		case err != nil:
			return err
		}
		// The server contradicts itself: to send at once again would not end.
		return fmt.Errorf("the log of %s does not show entry %d, which was acknowledged", w.id, r.Seq)
	})
}

// refused decides what becomes of an entry that could not be sent: the person
// is asked, or it waits for better times (the error is returned).
func (w outlet) refused(ctx context.Context, o store.Outgoing, why error) error {
	switch wire.CodeOf(why) {
	case wire.NoSpace:
		return w.waits(ctx, o, api.NoSpace, why)
	case wire.Busy:
		return w.waits(ctx, o, api.Busy, why)
	}
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
		return f.Code, f.Code != api.Busy && f.Code != api.Offline
	}
	switch wire.CodeOf(err) {
	case wire.TooLarge:
		return api.TooLarge, true
	case wire.NotFound:
		return api.NotFound, true
	case wire.Damaged:
		return api.ServerHurt, true // until somebody mends it: the person is told, and may try again
	case wire.BadRequest:
		return api.InternalFail, true
	}
	return "", false
}
