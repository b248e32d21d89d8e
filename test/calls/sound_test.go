package calls_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	clientmedia "github.com/veche-im/veche/client/media"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/sfu"
	"github.com/veche-im/veche/test/lossy"
)

func TestThreeHearOneAnotherAndTheForwarderHearsNobody(t *testing.T) {
	var mu sync.Mutex
	var seen [][]byte
	w := newWorld(t, func(_ sfu.CallID, _ uint32, _ sfu.Source, payload []byte) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, bytes.Clone(payload))
	}, "ann", "bob", "cat")
	ann, bob, cat := w.Client("ann"), w.Client("bob"), w.Client("cat")
	room := ann.Group("team", "bob", "cat")
	for _, c := range []*testenv.Client{ann, bob, cat} {
		c.Open("team")
	}
	people := []*taking{take(t, ann, room, nil), nil, nil}
	people[0].until("connected", 1)
	people[1], people[2] = take(t, bob, room, nil), take(t, cat, room, nil)
	people[1].until("connected", 1)
	people[2].until("connected", 1)
	names := []string{"ann", "bob", "cat"}
	for i, p := range people {
		for j, speaker := range names {
			if i != j {
				p.hears(speaker, 50)
			}
		}
	}
	var reports []clientmedia.Report
	for _, p := range people {
		reports = append(reports, p.leave())
	}
	for i, hearer := range names {
		if reports[i].Unopened > 0 {
			t.Errorf("%d frames did not open for %s", reports[i].Unopened, hearer)
		}
	}
	// What the forwarder had in hands: no frame that anybody spoke is in it.
	mu.Lock()
	defer mu.Unlock()
	if len(seen) == 0 {
		t.Fatal("the forwarder was not looked at")
	}
	for _, who := range []byte("abc") {
		v := &voice{who: who}
		for range 100 {
			f, _ := v.Next()
			for _, payload := range seen {
				if bytes.Contains(payload, f[2:18]) {
					t.Fatalf("what %c said lies open in the forwarder", who)
				}
			}
		}
	}
	// It is written down how the call was.
	ann.Until("the end of the call in the log", func() bool {
		for _, i := range ann.Timeline(room) {
			if i.Kind == api.ItemCall && i.Call != nil && i.Call.End == api.CallEnded && len(i.Call.People) == 3 {
				return true
			}
		}
		return false
	})
}

func TestWhoIsRemovedHearsNothingMore(t *testing.T) {
	w := newWorld(t, nil, "ann", "bob", "eve")
	ann, bob, eve := w.Client("ann"), w.Client("bob"), w.Client("eve")
	room := ann.Group("team", "bob", "eve")
	for _, c := range []*testenv.Client{ann, bob, eve} {
		c.Open("team")
	}
	a, b, e := take(t, ann, room, nil), take(t, bob, room, nil), take(t, eve, room, nil)
	for _, p := range []*taking{a, b, e} {
		p.until("connected", 1)
	}
	a.hears("eve", 25)
	a.hears("bob", 25)
	testenv.Do(ann, api.RemoveMember, api.RoomPerson{Room: room, Member: ann.Person("eve")})
	a.until("keys", 1)
	b.until("keys", 1)
	r := e.left()
	if r.Why == "stopped" || r.Why == "time" {
		t.Errorf("who was removed is still in the call: %s", r.Why)
	}
	a.hears("bob", 25)
	ra, rb := a.leave(), b.leave()
	last := from(t, ra, "bob").Last
	if gone := from(t, ra, "eve").Last; gone >= last {
		t.Errorf("the removed one was heard as long as the others: %d, %d", gone, last)
	}
	if ra.KeyChanges < 2 || rb.KeyChanges < 2 {
		t.Errorf("keys changed %d and %d times", ra.KeyChanges-1, rb.KeyChanges-1)
	}
}

func TestWhoComesLaterOpensNothingFromBefore(t *testing.T) {
	w := newWorld(t, nil, "ann", "bob", "dan")
	ann, bob, dan := w.Client("ann"), w.Client("bob"), w.Client("dan")
	room := ann.Group("team", "bob")
	ann.Open("team")
	bob.Open("team")
	a, b := take(t, ann, room, nil), take(t, bob, room, nil)
	a.until("connected", 1)
	b.until("connected", 1)
	b.hears("ann", 25)
	testenv.Do(ann, api.AddMembers, api.RoomPeople{Room: room, Members: ann.People("dan")})
	dan.Open("team")
	d := take(t, dan, room, nil)
	d.until("connected", 1)
	d.hears("ann", 25)
	d.hears("bob", 25)
	rd := d.leave()
	a.leave()
	b.leave()
	if rd.KeyChanges != 1 {
		t.Errorf("the newcomer had %d keys, of epochs before its own too", rd.KeyChanges)
	}
}

// overBadNetwork has ann speak to bob, whose network loses and delays packets, and
// returns what bob heard of her.
func overBadNetwork(t *testing.T, redundancy int, loss float64, jitter time.Duration) clientmedia.Sender {
	t.Helper()
	w := newWorld(t, nil, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.Group("team", "bob")
	ann.Open("team")
	bob.Open("team")
	n, err := lossy.New(1)
	if err != nil {
		t.Fatal(err)
	}
	a := take(t, ann, room, func(c *clientmedia.Config) { c.Redundancy = redundancy })
	a.until("connected", 1)
	b := take(t, bob, room, func(c *clientmedia.Config) { c.Net, c.Play = n, nil })
	b.until("connected", 1)
	n.Fault(loss, jitter)
	b.hears("ann", 250)
	return from(t, b.leave(), "ann")
}

// All is in real time, since the forwarder and pion keep it. A machine that is busy
// with other things delays packets more than the network does, so that the best of
// three attempts counts.
func TestSoundOverALossyNetwork(t *testing.T) {
	for _, tt := range []struct {
		name       string
		loss       float64
		jitter     time.Duration
		redundancy int
		most       float64 // that may have to be made up
	}{
		{"5 % and 50 ms", 0.05, 50 * time.Millisecond, 1, 0.05},
		{"20 % and 50 ms", 0.20, 50 * time.Millisecond, 2, 0.08},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 3 {
				s := overBadNetwork(t, tt.redundancy, tt.loss, tt.jitter)
				t.Logf("made up %.1f %%, %d frames came in a later packet alone, %d late", 100*madeUp(s), s.Sound.Redundant, s.Sound.Late)
				if s.Sound.Redundant == 0 {
					t.Error("nothing was lost: the network is not as bad as it should be")
				}
				if madeUp(s) <= tt.most {
					return
				}
			}
			t.Errorf("each time more than %.0f %% had to be made up", 100*tt.most)
		})
	}
}

func TestSoundComesBackAfterAnOutage(t *testing.T) {
	var cut, mended time.Time
	w := newWorld(t, nil, "ann", "bob")
	ann, bob := w.Client("ann"), w.Client("bob")
	room := ann.Group("team", "bob")
	ann.Open("team")
	bob.Open("team")
	n, err := lossy.New(1)
	if err != nil {
		t.Fatal(err)
	}
	a := take(t, ann, room, nil)
	a.until("connected", 1)
	heard := make(chan time.Time, 1<<16)
	b := take(t, bob, room, func(c *clientmedia.Config) {
		c.Net, c.Play = n, nil
		c.Heard = func(clientmedia.Sender) { heard <- time.Now() }
	})
	b.until("connected", 1)
	<-heard
	n.Cut()
	cut = time.Now()
	time.Sleep(10 * time.Second)
	for len(heard) > 0 {
		<-heard
	}
	n.Mend()
	mended = time.Now()
	select {
	case at := <-heard:
		t.Logf("heard again %s after the network was back (it was away for %s)", at.Sub(mended).Round(time.Millisecond), mended.Sub(cut).Round(time.Millisecond))
	case <-time.After(patience):
		t.Fatal("nothing is heard again")
	}
}

func TestARoomHasOneCallWhoeverStartsIt(t *testing.T) {
	names := []string{"ann", "bob", "cat", "dan"}
	w := newWorld(t, nil, names...)
	room := w.Client("ann").Group("team", names[1:]...)
	for _, n := range names {
		w.Client(n).Open("team")
	}
	for round := range 2 {
		ids := make(chan string, len(names))
		for _, n := range names {
			go func() {
				v, err := testenv.Ask(w.Client(n), api.BeginCall, api.StartCall{Room: room})
				if err != nil {
					t.Errorf("%s, round %d: %v", n, round, err)
				}
				ids <- v.ID.String()
			}()
		}
		first := <-ids
		for range names[1:] {
			if id := <-ids; id != first {
				t.Fatalf("round %d: calls %s and %s at once", round, first, id)
			}
		}
		p := take(t, w.Client("ann"), room, nil)
		p.until("connected", 1)
		p.leave() // the last to leave ends it
	}
}
