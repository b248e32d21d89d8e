// Package crash hurts a running site and lets the judge of test/ledger decide
// whether a promise was broken.
package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/veche-im/veche/test/ledger"
	"github.com/veche-im/veche/test/rig"
)

// Three people talk in a direct room and a group while the server is killed
// (SIGKILL, no warning) at random moments, and now and then one of their own
// commands too. Whatever happened: L1 to L7. Here the whole client takes part,
// which takes long for each message; TestKilledUnderLoad has the mass.
func TestKilledWhilePeopleTalk(t *testing.T) {
	n := asked(t, "VECHE_TALK_KILLS", 4)
	seed := seed(t)

	s := rig.New(t, "Crash", "ann")
	people := []*rig.Person{s.SignIn("ann"), s.Invite("bob"), s.Invite("cy")}
	talk := prepare(t, people)

	ctx, stop := context.WithCancel(t.Context())
	var talking sync.WaitGroup
	for i, p := range people {
		talking.Go(func() { talk.speak(ctx, p, rand.New(rand.NewPCG(seed, uint64(2*i)))) })
		talking.Go(func() { talk.listen(ctx, p, rand.New(rand.NewPCG(seed, uint64(2*i+1)))) })
	}
	fate := rand.New(rand.NewPCG(seed, 99))
	for range n {
		told := talk.ledger.Count(ledger.Ack)
		pause(ctx, time.Duration(fate.IntN(900))*time.Millisecond)
		if fate.IntN(2) == 0 { // often enough that they get on
			until(t, "an answer", func() bool { return talk.ledger.Count(ledger.Ack) > told })
		}
		s.Kill()
		s.Start()
	}
	stop()
	talking.Wait()
	talk.end(t)

	l := talk.ledger
	t.Logf("figures: %d sends meant, %d acknowledged, %d commands killed, %d rows seen on the way", l.Count(ledger.Intent), l.Count(ledger.Ack), talk.cut.Load(), l.Count(ledger.Seen))
	for _, b := range ledger.Judge(l.Records(), talk.members) {
		t.Error(b)
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("asked to stop, the server ended with %d", code)
	}
	dense(t, s)
	if t.Failed() {
		keep(t, l)
	}
}

// conversation is what the people do, and the book of it.
type conversation struct {
	ledger  *ledger.Ledger
	members map[string][]string          // room → names
	rooms   map[string]map[string]string // name → what they call a room → its id
	next    atomic.Int64                 // numbers tokens
	cut     atomic.Int64                 // commands that were killed
	seen    map[string]map[string]int64  // name → room → last number seen; owned by that person's listener
	people  []*rig.Person
}

// prepare makes the rooms: a direct chat of ann and bob, and a group of all.
func prepare(t *testing.T, people []*rig.Person) *conversation {
	t.Helper()
	c := &conversation{ledger: &ledger.Ledger{}, members: map[string][]string{}, rooms: map[string]map[string]string{}, seen: map[string]map[string]int64{}, people: people}
	ann := people[0]
	var made struct{ Room string }
	if err := json.Unmarshal([]byte(ann.Must("room", "create", "all", "bob", "cy", "--json")), &made); err != nil {
		t.Fatal(err)
	}
	direct := ann.Send("@bob", "hello").Room
	c.members[made.Room] = []string{"ann", "bob", "cy"}
	c.members[direct] = []string{"ann", "bob"}
	c.ledger.Add(ledger.Record{Client: "ann", Kind: ledger.Intent, Room: direct, Token: "hello"})
	for _, p := range people {
		p.Must("rooms")
		c.rooms[p.Name] = map[string]string{made.Room: made.Room}
		c.seen[p.Name] = map[string]int64{}
	}
	c.rooms["ann"][direct] = "@bob"
	c.rooms["bob"][direct] = "@ann"
	return c
}

// speak sends one message after another until ctx ends. Every tenth command is
// killed in the middle.
func (c *conversation) speak(ctx context.Context, p *rig.Person, r *rand.Rand) {
	for ctx.Err() == nil {
		room, name := pick(c.rooms[p.Name], r)
		token := fmt.Sprintf("%s-%d", p.Name, c.next.Add(1))
		c.ledger.Add(ledger.Record{Client: p.Name, Kind: ledger.Intent, Room: room, Token: token})
		life, cancel := context.WithCancel(context.Background()) // the end of the test lets the last one finish
		if r.IntN(10) == 0 {
			time.AfterFunc(time.Duration(r.IntN(400))*time.Millisecond, cancel)
		}
		out := p.Run(life, "send", name, token, "--json", "--wait", "2s")
		if out.Code == -1 {
			c.cut.Add(1)
		}
		cancel()
		if m, err := rig.Messages(out.Out); err == nil && out.Code == 0 && len(m) == 1 && m[0].Seq > 0 {
			c.ledger.Add(ledger.Record{Client: p.Name, Kind: ledger.Ack, Room: room, Token: token, Seq: m[0].Seq})
		}
		pause(ctx, time.Duration(r.IntN(200))*time.Millisecond)
	}
}

// listen reads what is new, room by room, and writes down what it shows.
func (c *conversation) listen(ctx context.Context, p *rig.Person, r *rand.Rand) {
	seen := c.seen[p.Name]
	for ctx.Err() == nil {
		room, name := pick(c.rooms[p.Name], r)
		out := p.Run(context.Background(), "read", name, "--json", "--since", strconv.FormatInt(seen[room], 10))
		m, err := rig.Messages(out.Out)
		if out.Code == 0 && err == nil {
			for _, x := range m {
				c.ledger.Add(ledger.Record{Client: p.Name, Kind: ledger.Seen, Room: room, Token: x.Text, Seq: x.Seq})
				seen[room] = x.Seq
			}
		}
		pause(ctx, time.Duration(r.IntN(400))*time.Millisecond)
	}
}

// end lets everything that waits leave, twice round, as what one sends late the
// others read later, and then writes down what each room holds for each.
func (c *conversation) end(t *testing.T) {
	t.Helper()
	for range 2 {
		for _, p := range c.people {
			p.Must("rooms")
		}
	}
	for _, p := range c.people {
		for room, name := range c.rooms[p.Name] {
			for _, m := range p.Read(name) {
				if m.Kind != "" {
					t.Errorf("%s has a row of kind %q at %d of %s", p.Name, m.Kind, m.Seq, room)
				}
				c.ledger.Add(ledger.Record{Client: p.Name, Kind: ledger.Final, Room: room, Token: m.Text, Seq: m.Seq})
			}
		}
	}
}

// pick returns one of rooms (id → name), the same for the same fate.
func pick(rooms map[string]string, r *rand.Rand) (id, name string) {
	ids := slices.Sorted(maps.Keys(rooms))
	id = ids[r.IntN(len(ids))]
	return id, rooms[id]
}

// pause waits, or until ctx ends: the moments of this test are random, none of
// its claims is about time.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// keep writes the book of a failed run where it can be read afterwards.
func keep(t *testing.T, l *ledger.Ledger) {
	f, err := os.CreateTemp("", "veche-ledger-*.jsonl")
	if err != nil {
		t.Log(err)
		return
	}
	defer f.Close()
	e := json.NewEncoder(f)
	for _, r := range l.Records() {
		if err := e.Encode(r); err != nil {
			t.Log(err)
			return
		}
	}
	t.Logf("all that was written down: %s", f.Name())
}
