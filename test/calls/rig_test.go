package calls_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	clientmedia "github.com/veche-im/veche/client/media"
	"github.com/veche-im/veche/cmd/veche/media"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/sfu"
	"github.com/veche-im/veche/wire"
)

// patience is how long anything may take that is waited for.
const patience = time.Minute

// newWorld starts a site whose calls go through the real forwarder.
func newWorld(t *testing.T, tap sfu.Tap, names ...string) *testenv.World {
	t.Helper()
	m, err := media.New(media.Config{UDP: "127.0.0.1:0", Public: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Tap: tap, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close the forwarder: %v", err)
		}
	})
	return testenv.New(t, testenv.WithUsers(names...), testenv.WithMedia(m))
}

// core lets a participant ask a client as another process would: by JSON.
type core struct{ *testenv.Client }

func (c core) Call(ctx context.Context, name string, params, result any) error {
	b, err := json.Marshal(params)
	if err != nil {
		return err
	}
	r, f := c.Mux().Call(ctx, name, b)
	if f != nil {
		return f
	}
	return json.Unmarshal(r, result)
}

// voice is somebody who speaks without end: frames of 20 ms that tell whose
// they are and which.
type voice struct {
	who byte
	n   uint32
}

func (v *voice) Next() ([]byte, error) {
	v.n++
	b := make([]byte, 60)
	b[0], b[1] = 0xfc, v.who // CELT, one frame of 20 ms
	for i := 2; i < len(b); i++ {
		b[i] = byte(v.n) + byte(i)
	}
	return b, nil
}

// taking is a participant that takes part.
type taking struct {
	t    *testing.T
	c    *testenv.Client
	stop context.CancelFunc
	done chan struct{}

	mu     sync.Mutex // guards what follows
	report clientmedia.Report
	err    error
	told   []string
	frames map[wire.AccountID]int // of sound, by whose they are
	more   chan struct{}          // closed and replaced when told or frames grow
}

// take has a client take part in a room's call until leave.
func take(t *testing.T, c *testenv.Client, room wire.RoomID, change func(*clientmedia.Config)) *taking {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &taking{t: t, c: c, stop: stop, done: make(chan struct{}), frames: map[wire.AccountID]int{}, more: make(chan struct{})}
	cfg := clientmedia.Config{
		Core: core{c}, Room: room, Play: &voice{who: c.Name[0]}, Redundancy: 1, Path: clientmedia.UDP, Told: p.tell, Heard: p.hear,
	}
	if change != nil {
		change(&cfg)
	}
	m, err := clientmedia.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		r, err := m.Run(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.report, p.err = r, err
	}()
	t.Cleanup(func() { stop(); <-p.done })
	return p
}

func (p *taking) tell(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, what)
	p.grown()
}

func (p *taking) hear(s clientmedia.Sender) {
	if s.Source != api.Microphone {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames[s.Account]++
	p.grown()
}

func (p *taking) grown() {
	close(p.more)
	p.more = make(chan struct{})
}

// until waits until something was told for the nth time.
func (p *taking) until(what string, n int) {
	p.t.Helper()
	p.wait(what, n, func() (seen int) {
		for _, w := range p.told {
			if w == what {
				seen++
			}
		}
		return seen
	})
}

// hears waits for n more frames of somebody.
func (p *taking) hears(name string, n int) {
	p.t.Helper()
	who := p.c.Person(name)
	p.mu.Lock()
	n += p.frames[who]
	p.mu.Unlock()
	p.wait("a frame of "+name, n, func() int { return p.frames[who] })
}

// wait waits until what is counted has come n times.
func (p *taking) wait(what string, n int, count func() int) {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		seen, more := count(), p.more
		p.mu.Unlock()
		if seen >= n {
			return
		}
		select {
		case <-more:
		case <-p.done:
			p.t.Fatalf("it ended before %q came %d times: %v, %+v", what, n, p.err, p.report)
		case <-deadline:
			p.t.Fatalf("%q did not come %d times but %d", what, n, seen)
		}
	}
}

// leave ends it and returns what became of it.
func (p *taking) leave() clientmedia.Report {
	p.t.Helper()
	p.stop()
	return p.left()
}

// left waits until it has ended by itself.
func (p *taking) left() clientmedia.Report {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatal("it does not end")
	}
	if p.err != nil && !errors.Is(p.err, io.EOF) {
		p.t.Fatal(p.err)
	}
	return p.report
}

// from is what was heard of somebody.
func from(t *testing.T, r clientmedia.Report, name string) clientmedia.Sender {
	t.Helper()
	for _, s := range r.Heard {
		if s.Name == name && s.Source == api.Microphone {
			return s
		}
	}
	t.Fatalf("%s was not heard: %+v", name, r.Heard)
	return clientmedia.Sender{}
}

// madeUp is the part of what was played that a decoder has to make up.
func madeUp(s clientmedia.Sender) float64 {
	if s.Sound == nil || s.Sound.Played+s.Sound.Concealed == 0 {
		return 1
	}
	return float64(s.Sound.Concealed) / float64(s.Sound.Played+s.Sound.Concealed)
}
