package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// connecting is how many connections are made at a time.
const connecting = 64

// Fleet is people of a target that are connected, with the ledger of what they
// send and hear.
type Fleet struct {
	Target Target
	Layout Layout
	Ledger *Ledger

	roomsOf [][]int
	ears    []*Ear // of each person
	conns   []Conn
	told    atomic.Pointer[func(n uint64, wait time.Duration)] // what is told of answers

	speakers [][]int // who of each room sends; everybody, but in a storm

	turnedAway atomic.Int64 // connections that the server had no room for
}

// Board connects everybody of a layout once to a target that was prepared with
// it, and returns when all are connected.
func Board(ctx context.Context, t Target, l Layout) (*Fleet, error) {
	f := &Fleet{
		Target: t, Layout: l, Ledger: NewLedger(l), roomsOf: l.RoomsOf(),
		ears: make([]*Ear, l.People), conns: make([]Conn, l.People), speakers: l.Rooms,
	}
	f.setAnswered(nil)
	err := each(l.People, connecting, func(p int) error {
		f.ears[p] = f.Ledger.Listen(p, f.roomsOf[p], f.answered)
		if err := f.connect(ctx, p); err != nil {
			return fmt.Errorf("connect person %d of %d: %w", p, l.People, err)
		}
		return nil
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// connect connects a person. Who is told to come later does.
func (f *Fleet) connect(ctx context.Context, p int) error {
	for {
		err := f.try(ctx, p)
		var later *Later
		if !errors.As(err, &later) {
			return err
		}
		f.turnedAway.Add(1)
		if err := rest(ctx, jitter(max(later.Wait, 100*time.Millisecond)), nil); err != nil {
			return err
		}
	}
}

// try connects a person, or has it come back.
func (f *Fleet) try(ctx context.Context, p int) error {
	e := f.ears[p]
	e.up.Store(true) // before it hears anything
	c, err := f.Target.Connect(ctx, p, e)
	if err != nil {
		e.up.Store(false)
		return err
	}
	f.conns[p] = c
	return nil
}

// jitter is what docs/spec/framing.md asks of who comes back.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + rand.Float64()))
}

// Close ends all connections, at once.
func (f *Fleet) Close() {
	_ = each(len(f.conns), connecting, func(p int) error {
		if f.conns[p] != nil {
			f.conns[p].Close()
		}
		return nil
	})
}

// each calls do for 0 ≤ i < n, several at a time, until one fails.
func each(n, atOnce int, do func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Bool
	errs := make([]error, min(n, atOnce))
	var all sync.WaitGroup
	for w := range errs {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !failed.Load(); i = int(next.Add(1)) - 1 {
				if errs[w] = do(i); errs[w] != nil {
					failed.Store(true)
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// send has somebody of a room send a message there.
func (f *Fleet) send(room int) error { return f.sendAs(room, f.pick(room)) }

// pick is one who sends in a room.
func (f *Fleet) pick(room int) int {
	who := f.speakers[room]
	return who[rand.IntN(len(who))]
}

func (f *Fleet) sendAs(room, from int) error {
	n := f.Ledger.begin(room, from, len(f.Layout.Rooms[room])-1)
	if err := f.conns[from].Send(room, n); err != nil {
		return fmt.Errorf("send message %d: %w", n, err)
	}
	return nil
}

// resend sends a message that was refused once more.
func (f *Fleet) resend(n uint64) error {
	m := f.Ledger.message(n)
	f.Ledger.again(n)
	return f.conns[m.from].Send(int(m.room), n)
}

// flow is messages on their way, never more than so many without an answer.
type flow struct {
	*Fleet
	tokens chan struct{}
	failed chan error
}

// newFlow has the place of an answered message given to another.
func (f *Fleet) newFlow(inFlight int) *flow {
	w := &flow{Fleet: f, tokens: make(chan struct{}, inFlight), failed: make(chan error, 1)}
	for range inFlight {
		w.tokens <- struct{}{}
	}
	f.setAnswered(w.answered)
	return w
}

// setAnswered has f be told of answers from now on; nil: nobody.
func (f *Fleet) setAnswered(hears func(n uint64, wait time.Duration)) {
	if hears == nil {
		hears = func(uint64, time.Duration) {}
	}
	f.told.Store(&hears)
}

// answered is told of each answer by whichever connection heard it.
func (f *Fleet) answered(n uint64, wait time.Duration) { (*f.told.Load())(n, wait) }

// answered gives the place of what is settled to another, and sends what was
// refused once more when the server said.
func (w *flow) answered(n uint64, wait time.Duration) {
	if wait == 0 {
		w.give()
		return
	}
	time.AfterFunc(wait, func() {
		if err := w.resend(n); err != nil {
			w.fail(err)
		}
	})
}

// take waits for a place.
func (w *flow) take(ctx context.Context) error {
	select {
	case <-w.tokens:
		return nil
	case err := <-w.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *flow) give() {
	select {
	case w.tokens <- struct{}{}:
	default: // an answer too many, which the ledger has noted
	}
}

func (w *flow) fail(err error) {
	select {
	case w.failed <- err:
	default:
	}
}

// run sends until ctx ends or pace, if there is one, is closed: each message as
// soon as there is a place for it, and no sooner than pace says.
func (w *flow) run(ctx context.Context) error {
	for room := 0; ; room++ {
		select {
		case <-w.tokens:
		case err := <-w.failed:
			return err
		case <-ctx.Done():
			return nil
		}
		if err := w.send(room % len(w.Layout.Rooms)); err != nil {
			return err
		}
	}
}

// settle waits until everything that was sent has an answer and has reached
// everybody, and says what has not after a while without any progress.
func (f *Fleet) settle(ctx context.Context, patience time.Duration) error {
	quiet, best := time.Now(), -1
	for {
		n, example := f.Ledger.missing()
		if n == 0 {
			return f.Ledger.Faults()
		}
		if best < 0 || n < best {
			quiet, best = time.Now(), n
		}
		if time.Since(quiet) > patience {
			return errors.Join(fmt.Errorf("%d are still missing, for example: %w", n, example), f.Ledger.Faults())
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Cost is what was used during a span of time.
type Cost struct {
	Took   time.Duration
	Server time.Duration // of processor, by the server's processes
	Driver time.Duration // likewise, by this one
	RSS    int64         // bytes, at the end
	PSS    int64
}

func (f *Fleet) meter() func() Cost { return Meter(f.Target) }

// Meter measures what is used from now on until what it returns is called.
func Meter(t Target) func() Cost {
	began, pids := time.Now(), t.Processes()
	server, driver := cpu(pids), own()
	return func() (c Cost) {
		c.Took, c.Server, c.Driver = time.Since(began), cpu(pids)-server, own()-driver
		c.RSS, c.PSS = Memory(pids)
		return c
	}
}
