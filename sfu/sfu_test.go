package sfu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is the time of day, moved on by tests.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func TestThreeHearOneAnother(t *testing.T) {
	s := newServer(t)
	var peers []*peer
	for id := range uint32(3) {
		peers = append(peers, newPeer(t, s, testCall, id+1, 8).join())
	}
	for i := range 20 {
		for _, p := range peers {
			p.say(uint16(i), uint32(i*960), 30, fmt.Sprintf("%d says %02d, sealed", p.id, i))
		}
	}
	for _, p := range peers {
		p.wait("both others", func() bool { return len(p.texts()) >= 40 })
		var want []string
		for _, q := range peers {
			for i := range 20 {
				if q != p {
					want = append(want, fmt.Sprintf("%d says %02d, sealed", q.id, i))
				}
			}
		}
		if got := slices.Sorted(slices.Values(p.texts())); !slices.Equal(got, want) {
			t.Errorf("%d hears %q", p.id, got)
		}
		p.continuous()
		p.wait("slots of both others", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			var who []uint32
			for _, slot := range p.slots {
				who = append(who, slot.Participant)
			}
			return len(who) == 2 && !slices.Contains(who, p.id)
		})
	}
}

// continuous checks what came in each slot: no number missing, none twice, and
// timestamps that grow.
func (p *peer) continuous() {
	p.t.Helper()
	p.heardMu.Lock()
	defer p.heardMu.Unlock()
	for mid, packets := range p.heard {
		packets = slices.Clone(packets)
		slices.SortStableFunc(packets, func(a, b *packet) int { return int(int16(a.SequenceNumber - b.SequenceNumber)) })
		for i := 1; i < len(packets); i++ {
			a, b := packets[i-1], packets[i]
			if b.SequenceNumber != a.SequenceNumber+1 || b.SSRC != a.SSRC {
				p.t.Errorf("slot %s: %d/%d is followed by %d/%d", mid, a.SSRC, a.SequenceNumber, b.SSRC, b.SequenceNumber)
			}
			if int32(b.Timestamp-a.Timestamp) < 960 {
				p.t.Errorf("slot %s: time moves by %d after packet %d", mid, int32(b.Timestamp-a.Timestamp), a.SequenceNumber)
			}
		}
	}
}

// TestSpeakersFollowOneAnotherInOneStream has three talk in turns where there is one
// stream: each listener gets one stream without a seam.
func TestSpeakersFollowOneAnotherInOneStream(t *testing.T) {
	var c clock
	s := newServer(t, func(cfg *Config) { cfg.Speakers, cfg.Now = 1, c.Now })
	var peers []*peer
	for id := range uint32(4) {
		peers = append(peers, newPeer(t, s, testCall, id+1, 8).join())
	}
	listener := peers[3]
	seq := []int{65_500, 100, 30_000} // one turns over
	sent := 0
	for turn := range 6 {
		speaker := peers[turn%3]
		for range 20 {
			for i, p := range peers[:3] {
				level := uint8(127)
				if p == speaker {
					level = 25
				}
				stamp := uint32(i)*3_000_000_000 + uint32(time.Duration(c.ahead.Load())/time.Millisecond)*48
				p.say(uint16(seq[i]), stamp, level, fmt.Sprintf("%d says %d", p.id, seq[i]))
				seq[i]++
			}
			sent++
			c.advance(20 * time.Millisecond)
		}
		last := fmt.Sprintf("%d says %d", speaker.id, seq[turn%3]-1)
		listener.wait(last, func() bool { return slices.Contains(listener.texts(), last) })
		c.advance(1100 * time.Millisecond) // all fall silent
	}
	listener.continuous()
	listener.heardMu.Lock()
	defer listener.heardMu.Unlock()
	if len(listener.heard) != 1 {
		t.Errorf("%d slots, want one", len(listener.heard))
	}
	for _, packets := range listener.heard {
		if n := len(packets); n < sent || n > 2*sent { // silence of who spoke before may come first
			t.Errorf("%d packets came of %d", n, sent)
		}
		if span := packets[len(packets)-1].Timestamp - packets[0].Timestamp; span < 48*(6*400+5*1100)*9/10 {
			t.Errorf("the stream's time moved by %d ms", span/48)
		}
	}
}

// TestTheFirstSyllableIsHeard sends soft packets and then loud ones: those that came
// just before the voice got on air are there too.
func TestTheFirstSyllableIsHeard(t *testing.T) {
	var c clock
	s := newServer(t, func(cfg *Config) { cfg.Speakers, cfg.Now = 1, c.Now })
	ann, bob, eve := newPeer(t, s, testCall, 1, 8).join(), newPeer(t, s, testCall, 2, 8).join(), newPeer(t, s, testCall, 3, 8).join()
	ann.say(1, 960, 20, "ann")
	bob.wait("ann", func() bool { return len(bob.texts()) == 1 })
	for i := range 10 {
		eve.say(uint16(i), uint32(i*960), 127, fmt.Sprintf("breath %d", i))
		wait(t, "the packet", func() bool { return s.Stats().Dropped.Quiet == uint64(i+1) })
		c.advance(20 * time.Millisecond)
	}
	c.advance(1200*time.Millisecond - 200*time.Millisecond)
	for i := range 3 { // a breath just before speech
		eve.say(uint16(60+i), uint32((60+i)*960), 127, fmt.Sprintf("near %d", i))
		wait(t, "the packet", func() bool { return s.Stats().Dropped.Quiet == uint64(11+i) })
		c.advance(20 * time.Millisecond)
	}
	eve.say(63, 63*960, 20, "word")
	bob.wait("the word", func() bool { return slices.Contains(bob.texts(), "word") })
	if got := bob.texts(); !slices.Equal(got, []string{"ann", "near 0", "near 1", "near 2", "word"}) {
		t.Errorf("bob hears %q", got)
	}
	bob.continuous()
}

// TestSilenceCostsNothing: who sends nothing, or empty frames, makes nobody get a
// packet of sound.
func TestSilenceCostsNothing(t *testing.T) {
	s := newServer(t)
	ann, bob := newPeer(t, s, testCall, 1, 8).join(), newPeer(t, s, testCall, 2, 8).join()
	ann.say(1, 960, 30, "a word")
	bob.wait("a word", func() bool { return len(bob.texts()) == 1 })
	for i := range 10 {
		ann.say(uint16(2+i), uint32(2+i)*960, 127, "")
	}
	ann.say(12, 12*960, 30, "another")
	bob.wait("another word", func() bool { return slices.Contains(bob.texts(), "another") })
	if got := bob.texts(); !slices.Equal(got, []string{"a word", "another"}) {
		t.Errorf("bob got %q", got)
	}
}

// TestWhoComesLateHears: a stream that has turned over looks fresh to a newcomer.
func TestWhoComesLateHears(t *testing.T) {
	s := newServer(t)
	ann := newPeer(t, s, testCall, 1, 8).join()
	ann.say(1, 960, 30, "alone")
	wait(t, "the packet", func() bool { return s.Stats().PacketsIn >= 1 })
	p, err := s.find(testCall, 1)
	if err != nil {
		t.Fatal(err)
	}
	p.call.mu.Lock()
	for i := range uint64(3<<16 - 2) { // just before the third turn
		p.call.streams[0].Map(i, 960, 60, s.now())
	}
	p.call.streams[0].Start(2, 2*960, 2*960, s.now()) // for ann's next packet
	p.call.mu.Unlock()
	bob := newPeer(t, s, testCall, 2, 8).join()
	for i := range 10 {
		ann.say(uint16(i+2), uint32(i+2)*960, 30, fmt.Sprint("word ", i))
	}
	bob.wait("ten words", func() bool { return len(bob.texts()) == 10 })
	bob.continuous()
}

func TestLeavingIsNoticed(t *testing.T) {
	s := newServer(t)
	ann, bob := newPeer(t, s, testCall, 1, 8).join(), newPeer(t, s, testCall, 2, 8).join()
	ann.say(1, 960, 30, "bye")
	bob.wait("a slot for ann", func() bool { bob.mu.Lock(); defer bob.mu.Unlock(); return len(bob.slots) == 1 })
	s.Leave(testCall, 1)
	ann.wait("the end", func() bool { ann.mu.Lock(); defer ann.mu.Unlock(); return slices.Equal(ann.gone, []Reason{Left}) })
	bob.wait("an empty slot", func() bool { bob.mu.Lock(); defer bob.mu.Unlock(); return len(bob.slots) == 0 })
	if _, err := s.Offer(context.Background(), testCall, 1, ""); !errors.Is(err, ErrNoCall) {
		t.Errorf("an offer of who left: %v", err)
	}
	bob.pc.Close() // says goodbye by DTLS
	bob.wait("the end", func() bool { bob.mu.Lock(); defer bob.mu.Unlock(); return slices.Equal(bob.gone, []Reason{Closed}) })
	if n := s.Stats().Calls; n != 0 {
		t.Errorf("%d calls with nobody in them", n)
	}
	for _, p := range []*peer{ann, bob} {
		if p.late != 0 {
			t.Errorf("%d heard %d things after its end", p.id, p.late)
		}
	}
}

func TestSilenceOfTheNetworkIsNoticed(t *testing.T) {
	var c clock
	s := newServer(t, func(cfg *Config) { cfg.Now = c.Now })
	ann := newPeer(t, s, testCall, 1, 8)
	ann.via = newBadLink(t, s.Addr())
	ann.join()
	alive := func(want ...bool) func() bool {
		return func() bool { ann.mu.Lock(); defer ann.mu.Unlock(); return slices.Equal(ann.alive, want) }
	}
	// quiet lets d pass in which nothing comes; something was on its way, perhaps, and was heard after that.
	quiet := func(d time.Duration, what string, done func() bool) {
		t.Helper()
		ann.via.dead.Store(true)
		c.advance(d)
		late := time.NewTicker(5 * time.Second)
		defer late.Stop()
		ann.wait(what, func() bool {
			select {
			case <-late.C:
				c.advance(d)
			default:
			}
			return done()
		})
	}
	ann.wait("life", alive(true))
	quiet(silentAfter, "silence", alive(true, false))
	ann.via.dead.Store(false)
	ann.say(1, 960, 30, "here")
	ann.wait("life again", alive(true, false, true))
	quiet(goneAfter, "the end", func() bool { ann.mu.Lock(); defer ann.mu.Unlock(); return slices.Equal(ann.gone, []Reason{Silent}) })
}

// TestWhoNeverConnectsIsGone: an offer without anything after it takes no place for
// long, nor do checks without a handshake.
func TestWhoNeverConnectsIsGone(t *testing.T) {
	for name, checks := range map[string]bool{"nothing": false, "checks": true} {
		t.Run(name, func(t *testing.T) {
			var c clock
			s := newServer(t, func(cfg *Config) { cfg.Now = c.Now })
			p := newPeer(t, s, testCall, 1, 1)
			if _, err := s.Join(context.Background(), Join{Call: testCall, Participant: 1, Offer: p.offer(nil), Listener: &p.ear}); err != nil {
				t.Fatal(err)
			}
			q, err := s.find(testCall, 1)
			if err != nil {
				t.Fatal(err)
			}
			c.advance(goneAfter + time.Second)
			if checks {
				q.heard(s.now())
			}
			p.wait("the end", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return slices.Equal(p.gone, []Reason{Silent}) })
			if len(p.alive) != 0 {
				t.Error("one who never connected was said to live")
			}
		})
	}
}

// jumpy is a Listener with a fault.
type jumpy struct{ ear }

func (j *jumpy) Levels([]Level) { panic("a fault in a listener") }

// TestAListenersPanicIsItsOwn: the keeper goes on for all others.
func TestAListenersPanicIsItsOwn(t *testing.T) {
	s := newServer(t)
	ann, bob := newPeer(t, s, testCall, 1, 8).join(), newPeer(t, s, testCall, 2, 8).join()
	eve := newPeer(t, s, testCall, 3, 8)
	var j jumpy
	a, err := s.Join(context.Background(), Join{Call: testCall, Participant: 3, Offer: eve.offer(nil), Listener: &j})
	if err != nil {
		t.Fatal(err)
	}
	eve.answer(a.SDP)
	wait(t, "the handshake", func() bool { q, err := s.find(testCall, 3); return err == nil && q.egress.Load() != nil })
	ann.say(1, 960, 20, "hello") // levels change
	wait(t, "the end of the faulty one", func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return slices.Equal(j.gone, []Reason{Failed})
	})
	bob.wait("ann's level", func() bool { bob.mu.Lock(); defer bob.mu.Unlock(); return len(bob.levels) == 1 })
}

func TestEchoIsForOneAlone(t *testing.T) {
	s := newServer(t)
	p := newPeer(t, s, testCall, 1, 1)
	p.echo = true
	p.join()
	for i := range 5 {
		p.say(uint16(i), uint32(i)*960, 30, fmt.Sprint("test ", i))
	}
	p.wait("the echo", func() bool { return len(p.texts()) == 5 })
	q := newPeer(t, s, testCall, 2, 1)
	if _, err := s.Join(context.Background(), Join{Call: testCall, Participant: 2, Offer: q.offer(nil), Listener: &q.ear}); !errors.Is(err, ErrFull) {
		t.Errorf("a second one joins an echo: %v", err)
	}
}

func TestLimitsOfJoining(t *testing.T) {
	s := newServer(t, func(cfg *Config) { cfg.MaxParticipants = 2 })
	join := func(id uint32, offer string) error {
		_, err := s.Join(context.Background(), Join{Call: testCall, Participant: id, Offer: offer, Listener: nobody{}})
		return err
	}
	offer := newPeer(t, s, testCall, 1, 1).offer(nil)
	for _, tt := range []struct {
		name  string
		id    uint32
		offer string
		want  error
	}{
		{"first", 1, offer, nil},
		{"the same number", 1, offer, ErrTaken},
		{"second", 2, offer, nil},
		{"third of two", 3, offer, ErrFull},
		{"no offer", 4, "", ErrBadOffer},
		{"an offer of 100 KiB", 4, offer + strings.Repeat("a=x:y\r\n", 100<<10/7), ErrBadOffer},
	} {
		if err := join(tt.id, tt.offer); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if n := s.ice.Len(); n != 2 {
		t.Errorf("%d ICE agents for two participants: refused ones left something", n)
	}
}

// TestRestart moves a participant to another address by an ICE restart, with the
// keys it has.
func TestRestart(t *testing.T) {
	s := newServer(t)
	ann, bob := newPeer(t, s, testCall, 1, 8).join(), newPeer(t, s, testCall, 2, 8).join()
	before, _ := s.find(testCall, 1)
	path, _ := before.agent.Path()
	answer, err := s.Offer(context.Background(), testCall, 1, ann.offer(restart))
	if err != nil {
		t.Fatal(err)
	}
	ann.answer(answer)
	ann.wait("another path", func() bool { p, ok := before.agent.Path(); return ok && p != path })
	ann.say(1, 960, 30, "moved")
	bob.wait("ann", func() bool { return slices.Contains(bob.texts(), "moved") })
	bob.say(1, 960, 30, "back")
	ann.wait("bob", func() bool { return slices.Contains(ann.texts(), "back") })
}

// TestNothingIsOpened looks at every payload between opening and sealing: it is what
// the device sent, bit for bit, and what others get.
func TestNothingIsOpened(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	s := newServer(t, func(cfg *Config) {
		cfg.Tap = func(call CallID, from uint32, source Source, payload []byte) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, fmt.Sprint(call, from, source, string(payload)))
		}
	})
	ann, bob := newPeer(t, s, testCall, 1, 8).join(), newPeer(t, s, testCall, 2, 8).join()
	frame := string(bytes.Repeat([]byte{0x1f, 0xa3, 0x00, 0xff}, 19))
	ann.say(1, 960, 30, frame)
	bob.wait("the frame", func() bool { return slices.Equal(bob.texts(), []string{frame}) })
	mu.Lock()
	defer mu.Unlock()
	if want := []string{fmt.Sprint(testCall, 1, Microphone, frame)}; !slices.Equal(seen, want) {
		t.Errorf("seen %q", seen)
	}
}

// TestAPanicEndsOneParticipant: a fault in one participant's path is nobody else's.
func TestAPanicEndsOneParticipant(t *testing.T) {
	s := newServer(t, func(cfg *Config) {
		cfg.Tap = func(_ CallID, from uint32, _ Source, payload []byte) {
			if string(payload) == "break" {
				panic("a fault that a packet found")
			}
		}
	})
	ann, bob, eve := newPeer(t, s, testCall, 1, 8).join(), newPeer(t, s, testCall, 2, 8).join(), newPeer(t, s, testCall, 3, 8).join()
	eve.say(1, 960, 30, "break")
	eve.wait("the end", func() bool { eve.mu.Lock(); defer eve.mu.Unlock(); return slices.Equal(eve.gone, []Reason{Failed}) })
	ann.say(1, 960, 30, "unharmed")
	bob.wait("ann", func() bool { return slices.Contains(bob.texts(), "unharmed") })
}

// TestCloseEndsEverything counts goroutines.
func TestCloseEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	s := newServer(t)
	var peers []*peer
	for id := range uint32(3) {
		peers = append(peers, newPeer(t, s, testCall, id+1, 2).join())
	}
	unconnected := newPeer(t, s, testCall, 4, 2)
	offer := unconnected.offer(nil)
	if _, err := s.Join(context.Background(), Join{Call: testCall, Participant: 4, Offer: offer, Listener: &unconnected.ear}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, p := range append(peers, unconnected) {
		if !slices.Equal(p.gone, []Reason{Closed}) {
			t.Errorf("%d heard %v", p.id, p.gone)
		}
		_ = p.pc.Close()
	}
	if _, err := s.Join(context.Background(), Join{Call: testCall, Participant: 5, Offer: offer, Listener: nobody{}}); !errors.Is(err, ErrClosed) {
		t.Errorf("joining a closed server: %v", err)
	}
	wait(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// TestASecondWorkerChangesNothing opens another socket on the port in the middle of a
// call: the system then spreads packets over both.
func TestASecondWorkerChangesNothing(t *testing.T) {
	s := newServer(t, func(cfg *Config) { cfg.Workers = 2 })
	if s.cfg.Workers != 2 {
		t.Skip("one socket alone on this system")
	}
	var peers []*peer
	for id := range uint32(4) {
		peers = append(peers, newPeer(t, s, testCall, id+1, 8).join())
	}
	say := func(from int) {
		for i := range 20 {
			for _, p := range peers {
				p.say(uint16(from+i), uint32((from+i)*960), 30, fmt.Sprintf("%d says %d", p.id, from+i))
			}
		}
	}
	say(0)
	for range 2 {
		s.workers[0].busy.part.Store(math.Float64bits(0.99))
		s.grow()
	}
	if n := s.Stats().Workers; n != 2 {
		t.Fatalf("%d workers", n)
	}
	for id := range uint32(4) { // some of these come to the new socket
		peers = append(peers, newPeer(t, s, testCall, id+5, 8).join())
	}
	say(20)
	for _, p := range peers {
		want := 20 * 7
		if p.id <= 4 {
			want += 20 * 3
		}
		p.wait(fmt.Sprint(want, " packets"), func() bool { return len(p.texts()) >= want })
		p.continuous()
	}
	if n := s.workers[1].sock.Stats().Received; n == 0 {
		t.Error("the second socket received nothing")
	}
}

func TestQualityAndLevelsAreTold(t *testing.T) {
	s := newServer(t)
	ann, bob := newPeer(t, s, testCall, 1, 8).join(), newPeer(t, s, testCall, 2, 8).join()
	for i := range 100 {
		if i%4 != 0 { // a quarter is lost
			ann.say(uint16(i), uint32(i)*960, 20, "talk")
		}
	}
	bob.wait("ann's level", func() bool {
		bob.mu.Lock()
		defer bob.mu.Unlock()
		return len(bob.levels) == 1 && bob.levels[0].Participant == 1 && bob.levels[0].Level < 40
	})
	ann.wait("the loss", func() bool {
		ann.mu.Lock()
		defer ann.mu.Unlock()
		return slices.ContainsFunc(ann.quality, func(q Quality) bool { return q.Up > 0.2 && q.Up < 0.3 && q.RTT > 0 })
	})
}
