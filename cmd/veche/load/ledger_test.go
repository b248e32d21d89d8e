package load

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// liar is a chat server in memory that spoils one message.
type liar struct {
	layout Layout
	spoil  func(room int, n uint64, to []*member) // delivers one message; nil: as it should be
	at     uint64                                 // which is spoilt

	mu    sync.Mutex
	rooms [][]*member
	held  map[int]func() // what is done after the next message of a room
}

type member struct {
	l      *liar
	person int
	e      Events
}

func (l *liar) Name() string { return "liar" }

func (l *liar) Prepare(_ context.Context, layout Layout) error {
	l.layout, l.rooms = layout, make([][]*member, len(layout.Rooms))
	return nil
}

func (l *liar) Connect(_ context.Context, person int, e Events) (Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &member{l, person, e}
	for _, r := range l.layout.RoomsOf()[person] {
		l.rooms[r] = append(l.rooms[r], m)
	}
	return m, nil
}

func (l *liar) Processes() []int { return nil }
func (l *liar) Close() error     { return nil }

func (m *member) Send(room int, n uint64) error {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	if n == m.l.at {
		m.l.spoil(room, n, m.l.rooms[room])
		return nil
	}
	deliver(room, n, m.l.rooms[room])
	m.e.Acknowledged(n)
	if f := m.l.held[room]; f != nil {
		f()
		delete(m.l.held, room)
	}
	return nil
}

func deliver(room int, n uint64, to []*member) {
	for _, m := range to {
		m.e.Delivered(room, n)
	}
}

func (m *member) CatchUp(context.Context, []int, int) (int, error) { return 3, nil }
func (m *member) Close()                                           {}

// Whatever a server does to one message, the ledger finds it.
func TestTheLedgerFindsLies(t *testing.T) {
	const at = 7
	acknowledge := func(f **Fleet, room int, n uint64, to []*member) {
		from := (*f).Ledger.message(n).from
		for _, m := range to {
			if m.person == int(from) {
				m.e.Acknowledged(n)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(l *liar, f **Fleet) func(room int, n uint64, to []*member)
		want  string // in the error; empty: there is none
	}{
		{"as it should be", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) { deliver(room, n, to); acknowledge(f, room, n, to) }
		}, ""},
		{"acknowledged and delivered to nobody", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) { acknowledge(f, room, n, to) }
		}, "has not reached 2 connections"},
		{"one member left out", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) { deliver(room, n, to[1:]); acknowledge(f, room, n, to) }
		}, "where others heard"},
		{"delivered twice", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) {
				deliver(room, n, to)
				deliver(room, n, to)
				acknowledge(f, room, n, to)
			}
		}, "too often"},
		{"delivered to one twice", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) {
				deliver(room, n, to)
				deliver(room, n, to[:1])
				acknowledge(f, room, n, to)
			}
		}, "where others heard"},
		{"in another order to one", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) {
				deliver(room, n, to[1:])
				acknowledge(f, room, n, to)
				l.held = map[int]func(){room: func() { deliver(room, n, to[:1]) }}
			}
		}, "where others heard"},
		{"in another room", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) { deliver(room, n, l.rooms[1-room]); acknowledge(f, room, n, to) }
		}, "in which it is not"},
		{"a message that nobody sent", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) {
				deliver(room, n, to)
				deliver(room, n+1000, to)
				acknowledge(f, room, n, to)
			}
		}, "was not sent there"},
		{"acknowledged twice", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) {
				deliver(room, n, to)
				acknowledge(f, room, n, to)
				acknowledge(f, room, n, to)
			}
		}, "acknowledged twice"},
		{"never answered", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) { deliver(room, n, to) }
		}, "has no answer"},
		{"refused for good", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) {
				for _, m := range to {
					if m.person == int((*f).Ledger.message(n).from) {
						m.e.Refused(n, 0, errors.New("no"))
					}
				}
			}
		}, "was refused"},
		{"refused for now", func(l *liar, f **Fleet) func(int, uint64, []*member) {
			return func(room int, n uint64, to []*member) {
				l.at = 0
				for _, m := range to {
					if m.person == int((*f).Ledger.message(n).from) {
						m.e.Refused(n, time.Millisecond, errors.New("later"))
					}
				}
			}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f *Fleet
			l := &liar{at: at}
			l.spoil = tt.spoil(l, &f)
			layout := Groups(2, 3)
			if err := l.Prepare(t.Context(), layout); err != nil {
				t.Fatal(err)
			}
			var err error
			if f, err = Board(t.Context(), l, layout); err != nil {
				t.Fatal(err)
			}
			w := f.newFlow(64)
			for i := range 20 {
				<-w.tokens
				if err := w.send(i % 2); err != nil {
					t.Fatal(err)
				}
			}
			err = f.settle(t.Context(), 50*time.Millisecond)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("found: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("found %v, want %q", err, tt.want)
			}
		})
	}
}

// A page that lacks a message is no catching up.
func TestCatchingUpCounts(t *testing.T) {
	l := &liar{}
	layout := Groups(1, 2)
	if err := l.Prepare(t.Context(), layout); err != nil {
		t.Fatal(err)
	}
	f, err := Board(t.Context(), l, layout)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CatchUp(t.Context(), f, 3, 1); err != nil {
		t.Error(err)
	}
	if _, err := CatchUp(t.Context(), f, 4, 1); err == nil {
		t.Error("three messages were taken for four")
	}
}
