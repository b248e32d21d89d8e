package client

import (
	"testing"

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
				case wire.Hello:
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
