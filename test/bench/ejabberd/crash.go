package main

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
)

// kept says how often each message is in a room's log.
type kept func(ctx context.Context) (map[uint64]int, error)

// A crasher is a target that can die.
type crasher interface {
	load.Target
	// promises is what has become of a message when it is acknowledged.
	promises() string
	// again ends all processes of the server, by SIGKILL or in good order, and has
	// it running again when it returns. What the kernel holds for the disk is not
	// lost, as it would be if the power failed.
	again(ctx context.Context, kill bool) error
	// watch is called before anything is sent; member is not connected otherwise.
	watch(ctx context.Context, room, member int) (kept, error)
}

// witness writes down what one connection hears. It is load.Events.
type witness struct {
	mu    sync.Mutex // guards what follows
	heard map[uint64]int
}

func (w *witness) Delivered(_ int, n uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.heard == nil {
		w.heard = map[uint64]int{}
	}
	w.heard[n]++
}
func (*witness) Acknowledged(uint64)                  {}
func (*witness) Refused(uint64, time.Duration, error) {}
func (*witness) Ended(error)                          {}

func (w *witness) all() map[uint64]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.heard)
}

// talker sends into one room, as soon as there is an answer the next. It is
// load.Events.
type talker struct {
	free    chan struct{} // one value for each message that may be sent
	witness               // here: what was acknowledged
	over    chan struct{}
}

// flight is how many messages of a talker are on their way.
const flight = 4

func newTalker() *talker {
	t := &talker{free: make(chan struct{}, flight), over: make(chan struct{})}
	for range flight {
		t.free <- struct{}{}
	}
	return t
}

func (*talker) Delivered(int, uint64) {}
func (t *talker) Acknowledged(n uint64) {
	t.witness.Delivered(0, n)
	t.free <- struct{}{} // it has room for all that are on their way
}
func (t *talker) Refused(_ uint64, wait time.Duration, _ error) {
	time.AfterFunc(wait, func() { t.free <- struct{}{} })
}
func (t *talker) Ended(error) { close(t.over) }

// talk sends messages, numbered by next, until the connection ends or enough is
// closed; then it waits for the answers.
func (t *talker) talk(c load.Conn, room int, next func() uint64, enough <-chan struct{}) {
	for talking := true; talking; {
		select {
		case <-t.free:
			if c.Send(room, next()) != nil {
				return // it ends, or has ended
			}
		case <-enough:
			talking = false
		case <-t.over:
			return
		}
	}
	for range flight {
		select {
		case <-t.free:
		case <-t.over:
			return
		}
	}
}

// lost is what came of crashes.
type lost struct {
	acknowledged, missing, doubled int
}

// crashes has rooms talk until the server dies, several times, and looks for
// what was acknowledged. Before, it ends once in good order and at rest, so that
// its files are those of a site that has been used.
func crashes(ctx context.Context, target crasher, rooms, times int, loaded time.Duration) (l lost, err error) {
	if err := target.Prepare(ctx, load.Groups(rooms, 2)); err != nil {
		return l, err
	}
	logs := make([]kept, rooms)
	for r := range logs {
		if logs[r], err = target.watch(ctx, r, 2*r); err != nil {
			return l, err
		}
	}
	all := make([]map[uint64]int, rooms) // that were acknowledged
	for r := range all {
		all[r] = map[uint64]int{}
	}
	var mu sync.Mutex
	n := uint64(0)
	next := func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		n++
		return n
	}
	for round := range times + 1 {
		talkers := make([]*talker, rooms)
		var talking sync.WaitGroup
		enough := make(chan struct{})
		for r := range talkers {
			talkers[r] = newTalker()
			c, err := target.Connect(ctx, 2*r+1, talkers[r])
			if err != nil {
				return l, err
			}
			defer c.Close()
			talking.Go(func() { talkers[r].talk(c, r, next, enough) })
		}
		select {
		case <-time.After(loaded):
		case <-ctx.Done():
			return l, ctx.Err()
		}
		if round == 0 {
			close(enough)
			talking.Wait()
		}
		if err := target.again(ctx, round > 0); err != nil {
			return l, err
		}
		talking.Wait()
		for r, t := range talkers {
			<-t.over // what came before the end was heard
			maps.Copy(all[r], t.all())
		}
	}
	for r, log := range logs {
		found, err := log(ctx)
		if err != nil {
			return l, fmt.Errorf("read room %d after the crash: %w", r, err)
		}
		for n := range all[r] {
			l.acknowledged++
			if found[n] == 0 {
				l.missing++
			}
		}
		for _, times := range found {
			l.doubled += times - 1
		}
	}
	return l, nil
}
