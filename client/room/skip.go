package room

import (
	"context"
	"errors"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/timeline"
	"github.com/veche-im/veche/wire"
)

// skipper walks over entries that this device cannot open.
type skipper struct {
	w        *worker
	seq      int64 // newest entry that was checked
	head     wire.Hash
	mark     int64 // where the server said that the log stood …
	markHead wire.Hash
	passed   []wire.Entry // without bodies but for our own messages
	erased   map[int64]bool
	moved    []wire.Entry // those that are here, whose files may have other places now
}

// walk checks the log up to our own external commit.
func (k *skipper) walk(ctx context.Context, receipt wire.Receipt) error {
	me := k.w.me()
	for k.seq < receipt.Seq {
		page, err := session.Call(ctx, k.w.cfg.Session, wire.RoomLog, wire.ReadLog{Room: k.w.id, After: k.seq})
		if err != nil {
			return err
		}
		if len(page.Entries) == 0 {
			return faultf(api.NoticeForked, "the log ends at %d, our commit is %d", k.seq, receipt.Seq)
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if k.seq >= receipt.Seq {
				break
			}
			if f := k.w.follows(&store.Room{Seq: k.seq, Head: k.head}, e); f != nil {
				return f
			}
			k.seq, k.head = e.Seq, e.Head
			if e.Seq == k.mark && e.Head != k.markHead {
				return faultf(api.NoticeForked, "the head of entry %d does not fit", e.Seq)
			}
			own := e.Account == me.Account && e.Kind == wire.MessageEntry
			if e.Erased != nil {
				k.erased[e.Seq] = true
			}
			if !own {
				sum := e.BodyHash()
				e.Body, e.Erased = nil, &sum
			}
			k.passed = append(k.passed, *e)
		}
	}
	if k.head != receipt.Head {
		return faultf(api.NoticeForked, "our commit is not where the server said")
	}
	return nil
}

// note stores entries that were walked over, and takes those that this device
// (or the one before it, here) has sent itself: the outbox knows what they say.
// Of others' messages it takes those that are here since before the site was
// restored, and returns the others.
func (k *skipper) note(tx *store.Tx, row *store.Room) (lost []wire.Entry, err error) {
	for i := range k.passed {
		e := &k.passed[i]
		if err := store.PutEntry(tx, k.w.id, e); err != nil {
			return lost, faultf(api.NoticeForked, "entry %d is not the one that we have", e.Seq)
		}
		if e.Kind != wire.MessageEntry {
			continue
		}
		if e.Device != k.w.me().Device {
			here, err := k.here(tx, e)
			if err != nil {
				return lost, err
			}
			if here {
				files, err := store.Files(tx, k.w.id, timeline.ID(e.Device, e.Client))
				if err != nil {
					return lost, err
				}
				if len(files) > 0 {
					k.moved = append(k.moved, *e)
				}
			}
			if !here && k.erased[e.Seq] {
				here, err = true, timeline.Erased(tx, k.w.place(e), e.Account)
			}
			if err != nil {
				return lost, err
			}
			if !here {
				lost = append(lost, *e)
			}
		}
		if e.Body == nil {
			continue
		}
		o, err := store.OutgoingByClient(tx, k.w.id, e.Client)
		if errors.Is(err, store.ErrNone) {
			continue
		}
		if err != nil {
			return lost, err
		}
		if sent := (&wire.Entry{Body: o.Body}); sent.BodyHash() == e.BodyHash() {
			if err := k.w.book.ownMessage(tx, row, e); err != nil {
				return lost, err
			}
		}
	}
	return lost, nil
}

// here lets a message that this device cannot open take the place of the row
// that it has of it since before the site was restored.
func (k *skipper) here(tx *store.Tx, e *wire.Entry) (bool, error) {
	switch _, err := store.WasLost(tx, k.w.id, e); {
	case err == nil:
		return true, nil // the server's, not the sender's: the row stays where it is
	case !errors.Is(err, store.ErrNone):
		return false, err
	}
	was, err := timeline.Unstored(tx, k.w.id, timeline.ID(e.Device, e.Client))
	if err != nil {
		return false, err
	}
	if was.ID == "" {
		// An edit, a deletion, a name: it was done then.
		return store.HadLost(tx, k.w.id, e.Device, e.Client)
	}
	if err := timeline.Again(tx, k.w.place(e), was); err != nil {
		return false, err
	}
	return true, k.w.book.readAgain(tx, e, was)
}
