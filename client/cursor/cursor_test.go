package cursor_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/client/cursor"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/wire"
)

const (
	wait  = 150 * time.Millisecond
	rest  = 2 * time.Second
	quiet = 500 * time.Millisecond
)

// world is a device that reads rooms, and a server that hears of it.
type world struct {
	*testing.T
	*cursor.Cursors
	began time.Time

	mu    sync.Mutex // guards what follows
	at    map[wire.RoomID]cursor.Standing
	told  []said
	fails error // what the server answers
	asked int   // how often that was
}

type said struct {
	after time.Duration
	set   wire.SetCursor
}

// within has f play in virtual time, with a device that is connected.
func within(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, began: time.Now(), at: map[wire.RoomID]cursor.Standing{}}
		w.Cursors = cursor.New(cursor.Config{
			Log: slog.New(slog.DiscardHandler),
			Standing: func(_ context.Context, r wire.RoomID, told int64) (cursor.Standing, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				return w.at[r], nil
			},
			Tell: func(ctx context.Context, set wire.SetCursor) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				if w.asked++; w.asked > 1000 {
					panic("it asks all the time") // and time stands still
				}
				if w.fails != nil {
					return w.fails
				}
				w.told = append(w.told, said{time.Since(w.began), set})
				return ctx.Err()
			},
		})
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { defer close(over); w.Cursors.Run(ctx) }()
		w.Connected()
		f(w)
		stop()
		<-over
	})
}

// reads has one more entry of somebody else come to a room.
func (w *world) reads(r wire.RoomID) { w.moves(r, 1, 0, true) }

func (w *world) moves(r wire.RoomID, delivered, read int64, owed bool) {
	w.mu.Lock()
	s := w.at[r]
	w.at[r] = cursor.Standing{Delivered: s.Delivered + delivered, Read: s.Read + read, Owed: owed}
	w.mu.Unlock()
	w.Moved(r)
}

func (w *world) answers(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fails = err
}

func (w *world) asks() int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// heard is what the server was told, and when, since it was asked last.
func (w *world) heard() (all []string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.told {
		line := fmt.Sprintf("%v: %d", s.after, s.set.Delivered)
		if s.set.Read > 0 {
			line += fmt.Sprintf(", read %d", s.set.Read)
		}
		all = append(all, line)
	}
	w.told = nil
	return all
}

func (w *world) wants(lines ...string) {
	w.Helper()
	if got := w.heard(); !slices.Equal(got, lines) {
		w.Errorf("the server heard %q, not %q", got, lines)
	}
}

func TestAQuietRoomIsToldAMomentLater(t *testing.T) {
	within(t, func(w *world) {
		r := wire.NewRoomID()
		w.reads(r)
		time.Sleep(100 * time.Millisecond)
		w.reads(r) // together with it
		time.Sleep(wait - 100*time.Millisecond)
		w.wants("150ms: 2")
		time.Sleep(rest)
		w.reads(r)
		time.Sleep(wait)
		w.wants("2.3s: 3")
	})
}

func TestABusyRoomIsToldEveryTwoSeconds(t *testing.T) {
	within(t, func(w *world) {
		r := wire.NewRoomID()
		for range 100 { // for ten seconds
			w.reads(r)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(quiet)
		w.wants("150ms: 2", "2.15s: 22", "4.15s: 42", "6.15s: 62", "8.15s: 82", "10.15s: 100")
	})
}

func TestABusyRoomThatGoesQuietIsTold(t *testing.T) {
	within(t, func(w *world) {
		r := wire.NewRoomID()
		for range 4 {
			w.reads(r)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(quiet)
		w.wants("150ms: 2", "800ms: 4")
		time.Sleep(time.Minute)
		w.wants()
	})
}

func TestRoomsDoNotWaitForOneAnother(t *testing.T) {
	within(t, func(w *world) {
		busy, other := wire.NewRoomID(), wire.NewRoomID()
		for range 10 {
			w.reads(busy)
			time.Sleep(100 * time.Millisecond)
		}
		w.moves(other, 7, 0, true)
		time.Sleep(wait)
		w.wants("150ms: 2", "1.15s: 7")
	})
}

func TestWhoLooksAwayHasToldEverything(t *testing.T) {
	within(t, func(w *world) {
		one, two := wire.NewRoomID(), wire.NewRoomID()
		w.reads(one)
		time.Sleep(wait)
		w.wants("150ms: 1")
		w.moves(one, 1, 2, true)
		time.Sleep(100 * time.Millisecond)
		w.moves(two, 5, 0, true)
		w.Hurry()
		if got := w.heard(); len(got) != 2 || !slices.Contains(got, "250ms: 2, read 2") || !slices.Contains(got, "250ms: 5") {
			t.Errorf("the server heard %q", got)
		}
		time.Sleep(time.Minute)
		w.wants()
	})
}

// The end of the program is heard of, by which Run has ended.
func TestTheLastIsToldAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wire.NewRoomID()
		var told []wire.SetCursor
		q := cursor.New(cursor.Config{
			Log: slog.New(slog.DiscardHandler),
			Standing: func(context.Context, wire.RoomID, int64) (cursor.Standing, error) {
				return cursor.Standing{Delivered: 3, Owed: true}, nil
			},
			Tell: func(ctx context.Context, set wire.SetCursor) error {
				if ctx.Err() == nil {
					told = append(told, set)
				}
				return ctx.Err()
			},
		})
		q.Connected()
		q.Moved(r)
		ended, stop := context.WithCancel(t.Context())
		stop()
		q.Run(ended)
		q.Rest(t.Context())
		if len(told) != 1 || told[0].Delivered != 3 {
			t.Errorf("the server heard %+v", told)
		}
	})
}

func TestWhatNobodyWaitsForIsNotTold(t *testing.T) {
	within(t, func(w *world) {
		r := wire.NewRoomID()
		w.moves(r, 3, 0, false) // the person's own
		time.Sleep(rest)
		w.wants()
		w.moves(r, 0, 2, false) // but what is read is told
		time.Sleep(wait)
		w.wants("2.15s: 3, read 2")
		w.moves(r, 0, 0, false) // and nothing twice
		time.Sleep(rest)
		w.wants()
		w.Again(r)
		time.Sleep(wait)
		w.wants("4.3s: 3, read 2")
	})
}

// What could not be told without a connection is told with the next, of which
// nothing is known.
func TestWhatCouldNotBeToldIsToldLater(t *testing.T) {
	within(t, func(w *world) {
		r, s := wire.NewRoomID(), wire.NewRoomID()
		w.moves(s, 3, 0, true)
		time.Sleep(wait)
		w.wants("150ms: 3")
		w.answers(session.ErrOffline)
		w.moves(r, 2, 0, true)
		time.Sleep(time.Minute)
		w.answers(nil)
		w.wants()
		w.Connected()
		w.wants("1m0.15s: 2")
		w.Gone()
		w.Connected()
		w.moves(s, 0, 0, true) // lost, for all we know
		time.Sleep(wait)
		w.wants("1m0.3s: 3")
	})
}

// A disk that is full, or a fault, passes while the connection stays: whoever wrote
// is not to wait for another message.
func TestAServerThatCannotIsToldLater(t *testing.T) {
	for _, code := range []wire.Code{wire.NoSpace, wire.Internal, wire.Damaged, wire.Cancelled} {
		within(t, func(w *world) {
			w.answers(&wire.Error{Code: code})
			w.moves(wire.NewRoomID(), 2, 1, true)
			time.Sleep(time.Minute)
			w.wants()
			w.answers(nil)
			time.Sleep(rest)
			if got := w.heard(); len(got) != 1 {
				t.Errorf("after %s the server heard %q", code, got)
			}
		})
	}
}

// A server that names an absurd time is asked again after a sensible one.
func TestAnAbsurdWaitIsNone(t *testing.T) {
	for _, after := range []int64{math.MaxInt64, math.MinInt64, math.MaxInt64/int64(time.Millisecond) + 1, -int64(time.Hour)} {
		within(t, func(w *world) {
			w.answers(&wire.Error{Code: wire.Busy, RetryAfter: after})
			w.moves(wire.NewRoomID(), 2, 0, true)
			time.Sleep(time.Minute)
			if n := w.asks(); n > int(time.Minute/rest)+1 {
				t.Errorf("told to come back after %d ms it asked %d times in a minute", after, n)
			}
			w.answers(nil)
			time.Sleep(time.Hour)
			if got := w.heard(); len(got) != 1 {
				t.Errorf("told to come back after %d ms the server heard %q", after, got)
			}
		})
	}
}

// The end of a connection may be heard of when the next one is there already.
func TestTheEndOfAConnectionThatIsHeardLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told, r := 0, wire.NewRoomID()
		late := make(chan struct{})
		q := cursor.New(cursor.Config{
			Log: slog.New(slog.DiscardHandler),
			Standing: func(context.Context, wire.RoomID, int64) (cursor.Standing, error) {
				return cursor.Standing{Delivered: 3, Owed: true}, nil
			},
			Tell: func(context.Context, wire.SetCursor) error {
				if told++; told == 1 {
					<-late
					return session.ErrOffline
				}
				return nil
			},
		})
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { defer close(over); q.Run(ctx) }()
		q.Connected()
		q.Moved(r)
		time.Sleep(wait)
		synctest.Wait()
		q.Gone()
		q.Connected()
		close(late)
		time.Sleep(rest)
		synctest.Wait()
		stop()
		<-over
		if told != 2 {
			t.Errorf("told %d times", told)
		}
	})
}

func TestABusyServerIsToldLater(t *testing.T) {
	within(t, func(w *world) {
		r := wire.NewRoomID()
		w.answers(&wire.Error{Code: wire.Busy, RetryAfter: 1000})
		w.moves(r, 2, 0, true)
		time.Sleep(wait)
		w.wants()
		w.answers(nil)
		time.Sleep(rest + time.Second)
		w.wants("3.15s: 2")
		w.answers(&wire.Error{Code: wire.NotFound}) // not ours any more
		w.moves(r, 2, 0, true)
		time.Sleep(time.Minute)
		w.answers(nil)
		time.Sleep(time.Minute)
		w.wants()
	})
}
