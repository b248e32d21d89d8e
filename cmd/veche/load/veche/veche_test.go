package veche

import (
	"testing"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/cmd/veche/load/seed"
)

// board has a layout served and everybody connected.
func board(t *testing.T, l load.Layout, tls bool) (*Target, *load.Fleet) {
	t.Helper()
	target, err := New(Config{Start: Here, Dir: t.TempDir(), TLS: tls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := target.Prepare(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	target.Tick(tls)
	f, err := load.Board(t.Context(), target, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return target, f
}

// Each work is run small, so that the driver cannot rot: it checks itself what
// it counts.
func TestTheWorks(t *testing.T) {
	for _, tls := range []bool{false, true} {
		name := "plain"
		if tls {
			name = "TLS"
		}
		t.Run(name, func(t *testing.T) {
			_, f := board(t, load.Groups(3, 3), tls)
			for _, c := range []load.ConversationsConfig{{InFlight: 4}, {Rate: 200}} {
				c.Warm, c.For = 20*time.Millisecond, 100*time.Millisecond
				before := f.Ledger.Acknowledged()
				if _, err := load.Conversations(t.Context(), f, c); err != nil {
					t.Fatal(err)
				}
				if f.Ledger.Acknowledged() == before {
					t.Errorf("%+v: nothing was acknowledged", c)
				}
			}
			a, err := load.AllHands(t.Context(), f, 5)
			if err != nil {
				t.Fatal(err)
			}
			if a.ToLast.Count() != 5 || a.ToEach.Count() != 10 {
				t.Errorf("all hands: %d messages reached the last, %d deliveries", a.ToLast.Count(), a.ToEach.Count())
			}
			s, err := load.Storm(t.Context(), f, 100)
			if err != nil {
				t.Fatal(err)
			}
			if s.Cut != 6 || s.Back.Count() != 6 || s.Sent == 0 {
				t.Errorf("storm: %d cut, %d came back, %d messages meanwhile", s.Cut, s.Back.Count(), s.Sent)
			}
			o, err := load.Overload(t.Context(), f, load.OverloadConfig{
				Peak: 300, Calm: 50 * time.Millisecond, For: 200 * time.Millisecond, After: 100 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			if o.Offered == 0 {
				t.Error("overload: nothing was offered")
			}
			if err := load.Fill(t.Context(), f, 4); err != nil {
				t.Fatal(err)
			}
			c, err := load.CatchUp(t.Context(), f, 4, 2)
			if err != nil {
				t.Fatal(err)
			}
			if c.Messages != 4 || c.Each.Count() != 2 {
				t.Errorf("catch up: %d messages, %d times", c.Messages, c.Each.Count())
			}
		})
	}
}

func TestIdleConnections(t *testing.T) {
	l := load.Groups(1, 3)
	target, err := New(Config{Start: Here, Dir: t.TempDir(), TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if err := target.Prepare(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	i, err := load.Idle(t.Context(), target, l, time.Millisecond, time.Millisecond)
	if err != nil || i.Connections != 3 {
		t.Fatalf("%d connections: %v", i.Connections, err)
	}
}

// Where people share devices, each of their connections hears everything.
func TestPeopleWhoShareDevices(t *testing.T) {
	target, err := New(Config{Start: Here, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	target.most = 2
	l := load.Groups(1, 4)
	if err := target.Prepare(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if n := len(target.Site.People); n != 2 {
		t.Fatalf("%d devices were made", n)
	}
	f, err := load.Board(t.Context(), target, l)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := load.AllHands(t.Context(), f, 3); err != nil {
		t.Fatal(err)
	}
}

// What was written past the server's nouns is what the server would have
// written: it goes on from there, and a device reads all of it.
func TestAHistory(t *testing.T) {
	l := load.Groups(2, 3)
	target, err := New(Config{Start: Here, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	s, err := seed.Write(t.Context(), target.data(), l.People, l.Rooms)
	if err != nil {
		t.Fatal(err)
	}
	if err := seed.History(t.Context(), target.data(), s, l.Rooms, 250, 300); err != nil {
		t.Fatal(err)
	}
	if err := target.Serve(t.Context(), s, l); err != nil {
		t.Fatal(err)
	}
	f, err := load.Board(t.Context(), target, l)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := load.Fill(t.Context(), f, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := load.CatchUp(t.Context(), f, 200, 1); err != nil {
		t.Fatal(err)
	}
}

// A device that was away for several epochs reads all of them.
func TestADeviceThatWasAway(t *testing.T) {
	l := load.Shared(3, 3)
	target, err := New(Config{Start: Here, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	s, err := seed.Write(t.Context(), target.data(), l.People, l.Rooms)
	if err != nil {
		t.Fatal(err)
	}
	if err := seed.Epochs(t.Context(), target.data(), &s, l.Rooms, 3, 70, 300); err != nil {
		t.Fatal(err)
	}
	if err := target.Serve(t.Context(), s, l); err != nil {
		t.Fatal(err)
	}
	if n, err := target.Return(t.Context(), 2); err != nil || n != 3*3*71 {
		t.Fatalf("read %d entries: %v", n, err)
	}
	f, err := load.Board(t.Context(), target, l)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := load.Fill(t.Context(), f, 2); err != nil { // in the newest epoch
		t.Fatal(err)
	}
}
