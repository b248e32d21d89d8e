// Package crowd is a load for rigs: devices that write as fast as they are
// answered and readers that follow, over real sockets, through any number of
// deaths of the server, with a book of it for the judge in test/ledger.
//
// The devices are raw. They are real accounts with statements and stand in real
// MLS groups, so that every check of the server is made; but nothing is sealed
// or opened, since what is judged is delivery: the ciphertext of a message is a
// token that is used once, and noise. So hundreds of messages fit between two
// deaths where a whole client would send a few.
//
// A writer repeats what was not answered under the same client id, repeats at
// random what was answered long ago, and now and then gives a send up that the
// server died over. A reader takes nudges and reads the log for what it missed,
// and checks that numbers are dense and that heads chain.
package crowd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/test/ledger"
	"github.com/veche-im/veche/wire"
)

// Config says how large a crowd is. The zero value serves.
type Config struct {
	Writers int    // devices that write, each in two rooms, or more so that each room has two; 0 means 16
	Readers int    // devices that follow all rooms; 0 means 2
	Rooms   int    // 0 means 4
	Window  int    // messages of a writer that wait for an answer; 0 means 4
	Size    int    // bytes of a sealed message; 0 means 400
	Seed    uint64 // of what the writers choose
	Patient bool   // who is told when to come back does as clients do; else it waits 200 ms at most, so that more happens
}

// Crowd is the devices, which live longer than the server.
type Crowd struct {
	Ledger *ledger.Ledger
	Rooms  []wire.RoomID
	Dir    string // the site's data directory

	cfg     Config
	ca      *x509.CertPool
	writers []*writer
	readers []*reader
	noise   []byte
	running sync.WaitGroup
	cancel  context.CancelFunc
	finish  chan struct{} // closed: writers begin nothing new

	retried atomic.Int64
	dialled atomic.Int64
	longest atomic.Int64 // nanoseconds
	mu      sync.Mutex   // guards what follows
	refused map[wire.Code]int
	found   []ledger.Breach // what only a raw device can see
}

// Found makes a site in dir, with everybody and all rooms. The server that this
// takes runs in this process, and is gone when Found returns.
func Found(tb testing.TB, dir string, cfg Config) *Crowd {
	tb.Helper()
	cfg.Writers, cfg.Readers = orElse(cfg.Writers, 16), orElse(cfg.Readers, 2)
	cfg.Rooms, cfg.Window, cfg.Size = orElse(cfg.Rooms, 4), orElse(cfg.Window, 4), orElse(cfg.Size, 400)
	c := &Crowd{Ledger: &ledger.Ledger{}, Dir: dir, cfg: cfg, refused: map[wire.Code]int{}, noise: make([]byte, 1<<16)}
	source := rand.New(rand.NewPCG(cfg.Seed, 1))
	for i := range c.noise {
		c.noise[i] = byte(source.Uint32())
	}
	site := testenv.Start(tb, testenv.WithDir(dir))
	var people []*testenv.Person
	for i := range cfg.Writers + cfg.Readers {
		if i == 0 {
			people = append(people, site.SetUpPerson("writer 0"))
		} else {
			people = append(people, site.AddPerson(fmt.Sprintf("device %d", i)))
		}
	}
	writers, readers := people[:cfg.Writers], people[cfg.Writers:]
	for room := range cfg.Rooms {
		var members []*testenv.Person
		for i, w := range writers {
			if cfg.writes(i, room) {
				members = append(members, w)
			}
		}
		c.Rooms = append(c.Rooms, found(tb, members, readers))
	}
	site.Stop()
	pem, err := os.ReadFile(filepath.Join(dir, "tls", "ca.pem"))
	if err != nil {
		tb.Fatal(err)
	}
	c.ca = x509.NewCertPool()
	c.ca.AppendCertsFromPEM(pem)
	for i, p := range writers {
		w := &writer{Crowd: c, name: fmt.Sprintf("w%d", i), door: newDoor(c.ca, p.Token, i), fate: rand.New(rand.NewPCG(cfg.Seed, uint64(i+2)))}
		for room := range cfg.Rooms {
			if cfg.writes(i, room) {
				w.rooms = append(w.rooms, c.Rooms[room])
			}
		}
		c.writers = append(c.writers, w)
	}
	for i, p := range readers {
		c.readers = append(c.readers, newReader(c, fmt.Sprintf("r%d", i), newDoor(c.ca, p.Token, cfg.Writers+i), ledger.Seen))
	}
	return c
}

func orElse(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

// writes says whether a writer is in a room. The writer with the room's number,
// counted round, always is.
func (c Config) writes(writer, room int) bool {
	if n := c.Writers; n < c.Rooms {
		return room%n == writer || (room+1)%n == writer
	}
	return writer%c.Rooms == room || (writer+1)%c.Rooms == room
}

// Start has everybody connect to the site at url, its https address, and work
// until Finish or Abandon. The server may come and go.
func (c *Crowd) Start(url string) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.finish = cancel, make(chan struct{})
	for _, w := range c.writers {
		c.running.Go(func() { w.run(ctx, url, c.finish) })
	}
	for _, r := range c.readers {
		c.running.Go(func() { r.run(ctx, url, c.finish) })
	}
}

// Finish has the writers begin nothing new, waits until all that they began is
// answered and the readers have it, and writes down what every room holds for
// every reader and for one of its writers. The server must be up. The crowd may
// be started again.
func (c *Crowd) Finish(ctx context.Context, url string) error {
	close(c.finish)
	stopped := make(chan struct{})
	go func() { c.running.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-ctx.Done():
		c.Abandon()
		return fmt.Errorf("the crowd does not come to an end: %w", ctx.Err())
	}
	c.cancel()
	c.Ledger.Drop(ledger.Final)
	if err := c.readAll(ctx, url, ledger.Final); err != nil {
		return err
	}
	for i, room := range c.Rooms {
		from := c.writers[i%len(c.writers)]
		w := newReader(c, from.name, from.door, ledger.Final)
		if err := w.readAll(ctx, url, []wire.RoomID{room}); err != nil {
			return err
		}
	}
	return nil
}

// Read reads all rooms from their beginning, which must work whatever the disk
// does, and checks that nothing is missing within.
func (c *Crowd) Read(ctx context.Context, url string) error { return c.readAll(ctx, url, "read") }

func (c *Crowd) readAll(ctx context.Context, url string, kind ledger.Kind) error {
	for _, r := range c.readers {
		if err := newReader(c, r.name, r.door, kind).readAll(ctx, url, c.Rooms); err != nil {
			return err
		}
	}
	return nil
}

// Abandon ends everything as it stands.
func (c *Crowd) Abandon() {
	c.cancel()
	c.running.Wait()
}

// Judge returns every broken promise, after Finish.
func (c *Crowd) Judge() []ledger.Breach {
	members := map[string][]string{}
	for i, room := range c.Rooms {
		for _, r := range c.readers {
			members[room.String()] = append(members[room.String()], r.name)
		}
		members[room.String()] = append(members[room.String()], c.writers[i%len(c.writers)].name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(ledger.Judge(c.Ledger.Records(), members), c.found...)
}

// Figures says what the crowd did.
type Figures struct {
	Meant, Acknowledged int           // messages; answers, with those to repeats
	Retried             int           // sends that were repeated
	Dialled             int           // connections that were made
	Longest             time.Duration // that an answer took
	Refused             map[wire.Code]int
}

// Figures returns what happened so far.
func (c *Crowd) Figures() Figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := Figures{c.Ledger.Count(ledger.Intent), c.Ledger.Count(ledger.Ack), int(c.retried.Load()), int(c.dialled.Load()), time.Duration(c.longest.Load()), map[wire.Code]int{}}
	for code, n := range c.refused {
		f.Refused[code] = n
	}
	return f
}

func (f Figures) String() string {
	s := fmt.Sprintf("%d messages meant, %d answers, at most after %v, %d sends repeated", f.Meant, f.Acknowledged, f.Longest.Round(time.Millisecond), f.Retried)
	if len(f.Refused) > 0 {
		s += fmt.Sprintf(", refused %v", f.Refused)
	}
	return s
}

func (c *Crowd) breach(rule, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.found) < 50 { // one fault makes many
		c.found = append(c.found, ledger.Breach{Rule: rule, What: fmt.Sprintf(format, args...)})
	}
}

// refuse counts a refusal. Those that say nothing of the message pass.
func (c *Crowd) refuse(who string, e *wire.Error) {
	c.mu.Lock()
	c.refused[e.Code]++
	c.mu.Unlock()
	switch e.Code {
	case wire.Busy:
		if e.RetryAfter <= 0 {
			c.breach("refused", "%s was told %v, and not when to come back", who, e)
		}
	case wire.NoSpace, wire.Cancelled, wire.Internal:
	default:
		c.breach("refused", "%s was told %v", who, e)
	}
}

// refusal returns the server's answer in err, if it is one.
func refusal(err error) *wire.Error {
	var e *wire.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
