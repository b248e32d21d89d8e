package client

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

// However much a server says, what waits is bounded, by number and by size, and
// stands for the rest with one catch-up. What this device says to itself is
// always heard.
func TestTheQueueOfEventsIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name string
		body []byte
		most int
	}{
		{"many small", make([]byte, 10), mostEvents},
		{"large", make([]byte, 1<<20), mostEventBytes >> 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := newQueue()
			for range 5 * mostEvents {
				q.heard(event{wire.OnAccount.Name, tt.body}, len(tt.body))
			}
			q.add(refill{})
			q.hello(wire.Hello{Name: "old"})
			q.hello(wire.Hello{Name: "new"})
			events, floods, hellos := 0, 0, 0
			for _, v := range q.take() {
				switch v.(type) {
				case event:
					events++
				case flood:
					floods++
				case greeting:
					hellos++
				}
			}
			if events != tt.most || floods != 1 || hellos != 1 {
				t.Errorf("%d events, %d catch-ups, %d greetings wait", events, floods, hellos)
			}
			q.heard(event{wire.OnAccount.Name, tt.body}, len(tt.body))
			if list := q.take(); len(list) != 1 {
				t.Errorf("after that %d wait", len(list))
			}
		})
	}
}

// However often a server has a catch-up fail, it is tried again once.
func TestWhatIsTriedAgainWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		for range 1000 {
			q.again(t.Context(), time.Second, event{wire.OnCatchUp.Name, nil})
			q.again(t.Context(), time.Second, letIn{})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if list := q.take(); len(list) != 2 {
			t.Errorf("%d wait", len(list))
		}
		q.again(t.Context(), time.Second, letIn{})
		time.Sleep(time.Minute)
		synctest.Wait()
		if list := q.take(); len(list) != 1 {
			t.Errorf("after that %d wait", len(list))
		}
	})
}

// What a connection said that is over is not taken for what is so now.
func TestAnOldGreetingIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		retry := func() {
			for _, v := range q.take() {
				q.again(context.Background(), time.Second, v)
			}
		}
		q.hello(wire.Hello{Name: "old"})
		retry()
		q.hello(wire.Hello{Name: "new"})
		retry() // while the other one waits
		time.Sleep(time.Minute)
		synctest.Wait()
		list := q.take()
		if len(list) != 1 || list[0].(greeting).Name != "new" {
			t.Fatalf("there wait %+v", list)
		}
		q.again(context.Background(), time.Second, list[0])
		time.Sleep(time.Minute)
		synctest.Wait()
		if list := q.take(); len(list) != 1 {
			t.Errorf("of this connection %d wait", len(list))
		}
	})
}

// Which rooms could not be read is not for the time after which one of them may be
// asked for again to hide: front ends say that in place of the text.
func TestRoomsThatCannotBeReadAreNamed(t *testing.T) {
	busy := &wire.Error{Code: wire.Busy, RetryAfter: 1500}
	err := behind([]error{fmt.Errorf("council: %w", busy), fmt.Errorf("garden: %w", busy)})
	f := api.FailureOf(err)
	if f.Code != api.Busy || f.Retry != 0 || !strings.Contains(f.Text, "council") || !strings.Contains(f.Text, "garden") {
		t.Errorf("it is %+v", f)
	}
}
