package crowd

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/veche-im/veche/test/ledger"
	"github.com/veche-im/veche/wire"
)

// again is how long a device waits before it tries once more to connect. A
// client waits longer; here each death of the server would only be drawn out.
const again = 15 * time.Millisecond

// mostRest is how long who is patient waits at most. A client waits for a minute.
const mostRest = 10 * time.Second

// remembered is how many answered messages a writer may still repeat.
const remembered = 32

// writer is a device that writes. All but its name and door belong to its one
// goroutine.
type writer struct {
	*Crowd
	name  string
	door  *door
	fate  *rand.Rand
	rooms []wire.RoomID

	made    int     // tokens so far
	waiting []*sent // not answered, oldest first
	past    []*sent // answered, the newest ones
	rested  time.Time

	refusals int // rests since the last answer
}

// sent is a message on its way.
type sent struct {
	wire.SendMessage
	token string
	id    uint64    // of the request on this connection
	at    time.Time // when that was sent
	tried bool
}

func (w *writer) run(ctx context.Context, url string, finish <-chan struct{}) {
	for ctx.Err() == nil {
		c, err := w.door.dial(ctx, url)
		if err == nil {
			w.dialled.Add(1)
			err = w.write(ctx, c, finish)
			c.close()
		}
		if err == nil {
			return
		}
		w.giveUp()
		pause(ctx, again)
	}
}

// giveUp forgets some of what waits for an answer: whoever closes a window in
// that moment never learns what became of it. It exists once or not at all.
func (w *writer) giveUp() {
	kept := w.waiting[:0]
	for _, s := range w.waiting {
		if w.fate.IntN(8) > 0 {
			kept = append(kept, s)
		}
	}
	w.waiting = kept
}

// write writes until the connection breaks or, nil, until all is answered after
// finish.
func (w *writer) write(ctx context.Context, c *conn, finish <-chan struct{}) error {
	for _, s := range w.waiting {
		if err := w.send(ctx, c, s); err != nil {
			return err
		}
	}
	for {
		for len(w.waiting) < w.cfg.Window && !over(finish) {
			s, err := w.next()
			if err != nil {
				return err
			}
			w.waiting = append(w.waiting, s)
			if err := w.send(ctx, c, s); err != nil {
				return err
			}
		}
		if len(w.waiting) == 0 {
			return nil
		}
		f, err := c.read(ctx)
		if err != nil {
			return err
		}
		if f.ID != 0 {
			if err := w.answered(ctx, c, f); err != nil {
				return err
			}
		}
	}
}

// next makes a message, or takes one that was answered already.
func (w *writer) next() (*sent, error) {
	if len(w.past) > 0 && w.fate.IntN(20) == 0 {
		old := *w.past[w.fate.IntN(len(w.past))]
		return &old, nil
	}
	w.made++
	room := w.rooms[w.fate.IntN(len(w.rooms))]
	s := &sent{token: fmt.Sprintf("%s-%d", w.name, w.made), SendMessage: wire.SendMessage{Room: room, Client: wire.NewClientID(), Epoch: epoch}}
	from := w.fate.IntN(len(w.noise) - w.cfg.Size)
	var err error
	if s.Body, err = message(room, s.Client, s.token, w.noise[from:from+w.cfg.Size]); err != nil {
		return nil, err
	}
	w.Ledger.Add(ledger.Record{Client: w.name, Kind: ledger.Intent, Room: room.String(), Token: s.token})
	return s, nil
}

func (w *writer) send(ctx context.Context, c *conn, s *sent) (err error) {
	if s.tried {
		w.retried.Add(1)
	}
	s.tried, s.at = true, time.Now()
	s.id, err = ask(ctx, c, wire.RoomSend, s.SendMessage)
	return err
}

func (w *writer) answered(ctx context.Context, c *conn, f wire.Frame) error {
	at := -1
	for i, s := range w.waiting {
		if s.id == f.ID {
			at = i
		}
	}
	if at < 0 {
		w.breach("framing", "%s got an answer to %d, which it had not asked or had been answered", w.name, f.ID)
		return nil
	}
	s := w.waiting[at]
	for took := int64(time.Since(s.at)); ; {
		if longest := w.longest.Load(); took <= longest || w.longest.CompareAndSwap(longest, took) {
			break
		}
	}
	if f.Error != nil {
		w.refuse(w.name, f.Error)
		// One rest is for all that was on its way when it began.
		if s.at.After(w.rested) {
			w.rest(ctx, time.Duration(f.Error.RetryAfter)*time.Millisecond)
		}
		return w.send(ctx, c, s)
	}
	w.refusals = 0
	var r wire.Receipt
	if err := wire.Decode(f.Body, &r); err != nil {
		w.breach("framing", "%s got what is no receipt: %v", w.name, err)
		return err
	}
	w.Ledger.Add(ledger.Record{Client: w.name, Kind: ledger.Ack, Room: s.Room.String(), Token: s.token, Seq: r.Seq, Head: short(r.Head)})
	w.waiting = append(w.waiting[:at], w.waiting[at+1:]...)
	if w.past = append(w.past, s); len(w.past) > remembered {
		w.past = w.past[1:]
	}
	return nil
}

// rest waits after a refusal. Who is patient does as a client does: as long as it
// was told, and longer each time it is told again.
func (w *writer) rest(ctx context.Context, told time.Duration) {
	wait := min(max(told, again), 200*time.Millisecond)
	if w.cfg.Patient {
		wait = min(max(told, again)<<min(w.refusals, 8), mostRest)
		w.refusals++
	}
	pause(ctx, wait)
	w.rested = time.Now()
}

func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// short is enough of a head to tell two histories apart.
func short(h wire.Hash) string { return hex.EncodeToString(h[:8]) }
