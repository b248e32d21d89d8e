package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// A device takes at most one new life of its site in lifeRest, so that a server
// cannot have it seal the same text again and again. For graceTime after it,
// people's devices have time to publish again what the site has lost.
const (
	lifeRest  = time.Hour
	graceTime = 7 * 24 * time.Hour
)

// healer brings this device over to another life of its site, before anything
// is sent or taken in it. docs/spec/restore.md.
type healer struct {
	c *Client

	one sync.Mutex // one healing at a time

	mu      sync.Mutex // guards what follows
	to      *wire.Life // what the server says that it lives, and we are not over to; nil: we are
	changed chan struct{}
}

// settingLife is the life that this device last saw.
const settingLife = "life"

type lived struct {
	ID    wire.LifeID `cbor:"id"`
	Began wire.Millis `cbor:"began"`
	Taken wire.Millis `cbor:"taken,omitempty"` // when this device began to come over to it, by our clock; 0: it came into it
	Under bool        `cbor:"under,omitempty"` // it is still on its way: some rooms may have gone back, others not
}

func newHealer(c *Client) *healer { return &healer{c: c, changed: make(chan struct{})} }

// greeted hears which life the server lives, before anything can be asked or
// told on the new connection. If it is another than the one that is known, the
// rooms are kept from it until heal is through.
func (h *healer) greeted(hello wire.Hello) {
	known, ok, err := h.known(context.Background())
	switch {
	case err != nil:
		h.c.cfg.Log.Error("read which life is known", "err", err)
	case known.Under && (hello.Life.ID.IsZero() || known.ID == hello.Life.ID): // goes on with it
		h.set(&wire.Life{ID: known.ID, Began: known.Began})
		h.c.people.Grace(known.Taken.Time().Add(graceTime))
	case hello.Life.ID.IsZero(): // says nothing: nothing changes
	case !ok, known.ID == hello.Life.ID:
		h.set(nil)
		h.c.rooms.Resume()
		if known.Taken != 0 {
			h.c.people.Grace(known.Taken.Time().Add(graceTime))
		}
		return
	default:
		h.set(&hello.Life)
		h.c.people.Grace(h.c.cfg.Now().Add(graceTime))
	}
	if h.pending() != nil || err != nil {
		h.c.rooms.Pause()
	}
}

func (h *healer) set(to *wire.Life) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.to = to
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *healer) pending() *wire.Life {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.to
}

// wait waits until this device is over to the life that the server lives. Where
// it has to rest before that, the error is busy.
func (h *healer) wait(ctx context.Context) error {
	for {
		h.mu.Lock()
		to, changed := h.to, h.changed
		h.mu.Unlock()
		if to == nil {
			return nil
		}
		if rest, err := h.rest(ctx, to); err != nil || rest > 0 {
			return errors.Join(err, tooOften(rest))
		}
		status := h.c.account.Changed()
		if s := h.c.account.Status(); s.Phase != api.PhaseReady || s.Connection == api.NoServer {
			return fmt.Errorf("come over to the restored site: %w", session.ErrOffline)
		}
		select {
		case <-changed:
		case <-status:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// known returns the life that this device last saw; ok is false before the first.
func (h *healer) known(ctx context.Context) (l lived, ok bool, err error) {
	err = h.c.cfg.Store.View(ctx, func(tx *store.Tx) error {
		b, err := store.GetSetting(tx, settingLife)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		ok = true
		return wire.Decode(b, &l)
	})
	return l, ok, err
}

// rest is how long this device waits before it takes another life.
func (h *healer) rest(ctx context.Context, to *wire.Life) (time.Duration, error) {
	known, _, err := h.known(ctx)
	if err != nil || known.Taken == 0 || known.ID == to.ID {
		return 0, err
	}
	since := h.c.cfg.Now().Sub(known.Taken.Time())
	if since < 0 {
		return 0, nil // the clock was put back: nobody else could
	}
	return max(0, lifeRest-since), nil
}

func tooOften(rest time.Duration) error {
	if rest <= 0 {
		return nil
	}
	return &wire.Error{Code: wire.Busy, Text: "the site was restored again within the hour", RetryAfter: rest.Milliseconds()}
}

// heal brings everything over to the life that the server lives, if it is
// another than the one that is known. Each step is its own transaction and does
// nothing when done again; the life is stored last, so that a crash anywhere
// begins again.
//
// That it has begun is stored first: once rooms have gone back, the life from
// before is another one like any, and has to wait.
func (h *healer) heal(ctx context.Context, life wire.Life) error {
	h.one.Lock()
	defer h.one.Unlock()
	to := h.pending()
	if to == nil {
		return h.adopt(ctx, life)
	}
	if _, ok := h.c.account.Me(); !ok {
		return nil // when it was let in
	}
	if rest, err := h.rest(ctx, to); err != nil || rest > 0 {
		return errors.Join(err, h.tellRest(ctx, rest), tooOften(rest))
	}
	c := h.c
	c.cfg.Log.Warn("the site was restored", "life", to.ID, "began", to.Began)
	taken, err := h.begin(ctx, to)
	if err != nil {
		return err
	}
	// Statements that the server does not take count as before for whoever has
	// pinned them, and it is asked for room for key packages at every connection.
	if err := c.account.Republish(ctx); err != nil {
		return err
	}
	if err := c.rooms.Restored(ctx); err != nil {
		return err
	}
	if err := h.unlessRefused(c.account.Replace(ctx)); err != nil {
		return err
	}
	b, err := wire.Encode(lived{ID: to.ID, Began: to.Began, Taken: taken})
	if err != nil {
		return err
	}
	err = c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := store.PutSetting(tx, settingLife, b); err != nil {
			return err
		}
		return c.feed.Raise(tx, store.Notice{
			ID: string(api.NoticeRestored) + " " + to.ID.String(), Code: string(api.NoticeRestored), Severe: true, Time: to.Began,
			Text: "the site was restored; its life began at " + to.Began.Time().UTC().Format(time.RFC3339),
		})
	})
	if err != nil {
		return err
	}
	if now := h.pending(); now != nil && now.ID != to.ID {
		return fmt.Errorf("the site was restored meanwhile: %w", session.ErrOffline)
	}
	h.set(nil)
	c.rooms.Resume()
	return nil
}

// begin stores that this device is on its way to a life, and returns since when.
func (h *healer) begin(ctx context.Context, to *wire.Life) (taken wire.Millis, err error) {
	known, _, err := h.known(ctx)
	if err != nil || known.ID == to.ID && known.Taken != 0 {
		return known.Taken, err
	}
	taken = wire.Now(h.c.cfg.Now())
	b, err := wire.Encode(lived{ID: to.ID, Began: to.Began, Taken: taken, Under: true})
	if err != nil {
		return 0, err
	}
	return taken, h.c.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.PutSetting(tx, settingLife, b) })
}

// unlessRefused makes of what the server refuses for good a line in the log: it
// keeps nobody from their rooms.
func (h *healer) unlessRefused(err error) error {
	switch wire.CodeOf(err) {
	case wire.BadRequest, wire.NotFound, wire.TooLarge:
		h.c.cfg.Log.Warn("not taken by the restored site", "err", err)
		return nil
	}
	return err
}

// adopt stores the first life that this device hears of.
func (h *healer) adopt(ctx context.Context, life wire.Life) error {
	if life.ID.IsZero() {
		return nil
	}
	return h.c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := store.GetSetting(tx, settingLife)
		if !errors.Is(err, store.ErrNone) {
			return err
		}
		b, err := wire.Encode(lived{ID: life.ID, Began: life.Began})
		if err != nil {
			return err
		}
		return store.PutSetting(tx, settingLife, b)
	})
}

// tellRest tells the person that nothing is sent or taken for a while.
func (h *healer) tellRest(ctx context.Context, rest time.Duration) error {
	now := h.c.cfg.Now()
	return h.c.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return h.c.feed.Raise(tx, store.Notice{
			ID: string(api.NoticeLives) + " " + h.pendingID(), Code: string(api.NoticeLives), Severe: true, Time: wire.Now(now),
			Text: fmt.Sprintf("the site was restored again within the hour; this device goes on at %s", now.Add(rest).UTC().Format(time.RFC3339)),
		})
	})
}

func (h *healer) pendingID() string {
	if to := h.pending(); to != nil {
		return to.ID.String()
	}
	return ""
}
