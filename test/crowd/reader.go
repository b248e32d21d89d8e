package crowd

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/test/ledger"
	"github.com/veche-im/veche/wire"
)

// reader is a device that follows rooms: by the entry inside a nudge, and by
// the log where it missed one. All but its name and door belong to its one
// goroutine.
type reader struct {
	*Crowd
	name  string
	door  *door
	rooms map[wire.RoomID]*place
	kind  ledger.Kind // what it writes down
}

// place is where a reader stands in a room.
type place struct {
	seq  int64
	head wire.Hash
	told int64 // by a nudge
}

func newReader(c *Crowd, name string, d *door, kind ledger.Kind) *reader {
	r := &reader{Crowd: c, name: name, door: d, kind: kind, rooms: map[wire.RoomID]*place{}}
	for _, room := range c.Rooms {
		r.rooms[room] = &place{}
	}
	return r
}

// errStop ends a reader: it cannot go on from here.
var errStop = errors.New("the log does not fit to what was read")

// run follows until ctx ends, or until finish: what is written later stands in
// the final view.
func (r *reader) run(ctx context.Context, url string, finish <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-finish:
			cancel()
		case <-ctx.Done():
		}
	}()
	for ctx.Err() == nil {
		c, err := r.door.dial(ctx, url)
		if err == nil {
			r.dialled.Add(1)
			err = r.follow(ctx, c)
			c.close()
		}
		if errors.Is(err, errStop) {
			return
		}
		pause(ctx, again)
	}
}

func (r *reader) follow(ctx context.Context, c *conn) error {
	for room := range r.rooms {
		if err := r.catchUp(ctx, c, room); err != nil {
			return err
		}
	}
	for {
		f, err := c.read(ctx)
		if err == nil {
			err = r.hear(f)
		}
		if err != nil {
			return err
		}
		for room, p := range r.rooms {
			if p.told > p.seq {
				if err := r.catchUp(ctx, c, room); err != nil {
					return err
				}
			}
		}
	}
}

// hear takes an event. What it cannot take at once is read later.
func (r *reader) hear(f wire.Frame) error {
	switch f.Method {
	case wire.OnNudge.Name:
		var n wire.Nudge
		if err := wire.Decode(f.Body, &n); err != nil {
			return err
		}
		p := r.rooms[n.Room]
		if n.Entry != nil && n.Seq == p.seq+1 {
			return r.take(n.Room, p, n.Entry)
		}
		p.told = max(p.told, n.Seq)
	case wire.OnCatchUp.Name:
		for _, p := range r.rooms {
			p.told = p.seq + 1
		}
	}
	return nil
}

// catchUp reads the log of a room to its end.
func (r *reader) catchUp(ctx context.Context, c *conn, room wire.RoomID) error {
	p := r.rooms[room]
	for {
		from := p.seq // nudges may overtake the page
		page, err := call(ctx, c, wire.RoomLog, wire.ReadLog{Room: room, After: from}, r.hear)
		if e := refusal(err); e != nil {
			r.refuse(r.name, e)
			if e.Code == wire.Damaged {
				return errStop // it does not mend
			}
			pause(ctx, max(time.Duration(e.RetryAfter)*time.Millisecond, again))
			continue
		}
		if err != nil {
			return err
		}
		if page.Seq < from {
			r.breach("L1", "%s had read %s up to %d, and now its log ends at %d", r.name, room, from, page.Seq)
			return errStop
		}
		for i := range page.Entries {
			if page.Entries[i].Seq <= p.seq {
				continue // a nudge brought it while the page was on its way
			}
			if err := r.take(room, p, &page.Entries[i]); err != nil {
				return err
			}
		}
		if p.seq >= page.Seq {
			p.told = min(p.told, p.seq)
			return nil
		}
	}
}

// take checks an entry against where the reader stands, and writes it down.
func (r *reader) take(room wire.RoomID, p *place, e *wire.Entry) error {
	if e.Seq != p.seq+1 {
		r.breach("L3", "%s was given %d of %s after %d", r.name, e.Seq, room, p.seq)
		return errStop
	}
	if wire.Next(p.head, room, e) != e.Head {
		r.breach("L4", "%s was given %d of %s with a head that does not follow from the one before", r.name, e.Seq, room)
		return errStop
	}
	p.seq, p.head = e.Seq, e.Head
	if e.Kind != wire.MessageEntry {
		return nil
	}
	token, err := tokenOf(e.Body)
	if err != nil {
		r.breach("L1", "%s was given a message at %d of %s that nobody wrote: %v", r.name, e.Seq, room, err)
		return errStop
	}
	r.Ledger.Add(ledger.Record{Client: r.name, Kind: r.kind, Room: room.String(), Token: token, Seq: e.Seq, Head: short(e.Head)})
	return nil
}

func tokenOf(body wire.Sealed) (string, error) {
	m, err := mls.ParsePrivate(body)
	if err != nil {
		return "", err
	}
	token, _, found := bytes.Cut(m.Ciphertext, []byte{0})
	if !found {
		return "", errors.New("no token")
	}
	return string(token), nil
}

// readAll reads rooms to their ends, with a connection of its own. A log that
// does not fit has been written down as a breach.
func (r *reader) readAll(ctx context.Context, url string, rooms []wire.RoomID) error {
	c, err := r.door.dial(ctx, url)
	if err != nil {
		return err
	}
	defer c.close()
	for _, room := range rooms {
		if err := r.catchUp(ctx, c, room); err != nil && !errors.Is(err, errStop) {
			return err
		}
	}
	return nil
}
