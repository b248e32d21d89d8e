package limit

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/veche-im/veche/wire"
)

// queued is a queue of one slot that is taken, and whose turn it became.
type queued struct {
	*Queue
	order  []string
	failed map[string]error
}

func newQueued(waiting int) *queued {
	q := &queued{Queue: NewQueue(1, waiting), failed: make(map[string]error)}
	_ = q.Enter(context.Background(), netip.Addr{})
	return q
}

// wait has somebody wait, and returns when they do, or were told that they cannot.
func (q *queued) wait(ctx context.Context, name, from string) {
	a, _ := netip.ParseAddr(from) // or none
	go func() {
		if err := q.Enter(ctx, a); err != nil {
			q.failed[name] = err
			return
		}
		q.order = append(q.order, name)
	}()
	synctest.Wait()
}

func (q *queued) serve(n int) {
	for range n {
		q.Leave()
		synctest.Wait()
	}
}

func TestNetworksComeInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(100)
		for _, w := range [][2]string{
			{"a1", "192.0.2.1"}, {"a2", "192.0.2.1"}, {"a3", "192.0.2.1"}, {"a4", "192.0.2.1"},
			{"b1", "192.0.2.2"}, // beside it
			{"c1", "198.51.100.1"},
			{"d1", "2001:db8:1:1::1"}, {"d2", "2001:db8:1:2::1"}, {"d3", "2001:db8:1:100::1"},
			{"e1", ""},
		} {
			q.wait(t.Context(), w[0], w[1])
		}
		q.serve(10)
		want := []string{"a1", "c1", "d1", "e1", "b1", "d3", "a2", "d2", "a3", "a4"}
		if !slices.Equal(q.order, want) {
			t.Errorf("served %v, want %v", q.order, want)
		}
		q.serve(1)
		if working, waiting, _ := q.Counts(); working != 0 || waiting != 0 || len(q.all.within) != 0 || q.all.turns.Len() != 0 {
			t.Errorf("%d work, %d wait, and %d networks are left", working, waiting, len(q.all.within))
		}
	})
}

func TestWhoComesFromElsewhereFindsAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(4)
		for _, w := range [][2]string{{"a1", "192.0.2.1"}, {"a2", "192.0.2.1"}, {"a3", "192.0.2.1"}, {"a4", "192.0.2.1"}} {
			q.wait(t.Context(), w[0], w[1])
		}
		q.wait(t.Context(), "a5", "192.0.2.1") // is of those who are too many
		q.wait(t.Context(), "b1", "198.51.100.1")
		q.wait(t.Context(), "c1", "192.0.2.2")    // beside them
		q.wait(t.Context(), "b2", "198.51.100.1") // now both have half of the places
		q.wait(t.Context(), "b3", "198.51.100.1")
		for _, name := range []string{"a5", "a4", "a3", "a2", "b3"} {
			if wire.CodeOf(q.failed[name]) != wire.Busy {
				t.Errorf("%s was told %v", name, q.failed[name])
			}
		}
		q.serve(4)
		if want := []string{"a1", "b1", "c1", "b2"}; !slices.Equal(q.order, want) {
			t.Errorf("served %v, want %v", q.order, want)
		}
	})
}

// Who gives up waits no more and takes nobody's turn.
func TestGivingUpLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(10)
		ctx, cancel := context.WithCancel(t.Context())
		q.wait(ctx, "a1", "192.0.2.1")
		q.wait(t.Context(), "a2", "192.0.2.1")
		cancel()
		synctest.Wait()
		if !errors.Is(q.failed["a1"], context.Canceled) {
			t.Errorf("was told %v", q.failed["a1"])
		}
		q.serve(2)
		working, waiting, _ := q.Counts()
		if want := []string{"a2"}; !slices.Equal(q.order, want) || working != 0 || waiting != 0 {
			t.Errorf("served %v; %d work, %d wait", q.order, working, waiting)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := q.Enter(ended, netip.Addr{}); err != nil {
			t.Errorf("there was no need to wait: %v", err)
		}
		q.serve(1)
	})
}

func TestQueueUnderManyHands(t *testing.T) {
	q := NewQueue(3, 50)
	done := make(chan bool)
	for i := range 200 {
		go func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for j := range 50 {
				if (i+j)%3 == 0 {
					go cancel()
				}
				if q.Enter(ctx, address(i%7)) == nil {
					q.Leave()
				}
			}
			done <- true
		}()
	}
	for range 200 {
		<-done
	}
	if working, waiting, _ := q.Counts(); working != 0 || waiting != 0 || len(q.all.within) != 0 {
		t.Errorf("%d work, %d wait, in %d networks", working, waiting, len(q.all.within))
	}
}
