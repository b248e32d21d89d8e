package bwe

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A link is a path of a given capacity with a queue before it, in virtual time.
type link struct {
	t        *testing.T
	r        *rand.Rand
	now      time.Duration
	capacity float64       // bits per second; 0: nothing passes
	latency  time.Duration // one way
	queue    time.Duration // longest wait, beyond which packets are dropped
	loss     float64
	jitter   time.Duration
	skew     time.Duration // of the receiver's clock

	e        *Estimator
	rec      Recorder
	free     time.Duration // when the queue is empty
	air      []inAir
	words    []word
	last     time.Duration // feedback
	longest  time.Duration // wait in the queue since reset
	dropped  int
	passed   int
	received int // bytes
}

type inAir struct {
	seq  uint16
	came time.Duration
	size int
}

type word struct {
	at time.Duration
	b  []byte
}

func newLink(t *testing.T, e *Estimator, capacity float64) *link {
	return &link{t: t, r: rand.New(rand.NewPCG(1, 2)), now: time.Second, capacity: capacity, latency: 25 * time.Millisecond, queue: 300 * time.Millisecond, e: e, skew: 77 * time.Hour}
}

func (l *link) send(size int) {
	seq := l.e.Sent(l.now, size)
	if l.r.Float64() < l.loss || l.capacity == 0 {
		l.dropped++
		return
	}
	l.free = max(l.free, l.now)
	if l.free-l.now > l.queue {
		l.dropped++
		return
	}
	l.free += time.Duration(float64(size*8) / l.capacity * float64(time.Second))
	l.longest = max(l.longest, l.free-l.now)
	came := l.free + l.latency
	if l.jitter > 0 {
		came += time.Duration(l.r.Int64N(int64(l.jitter)))
	}
	l.air = append(l.air, inAir{seq, came, size})
}

// run sends frames 30 times a second at rate(), padding when the estimator asks,
// for a while.
func (l *link) run(d time.Duration, wanted int, rate func() int) {
	end := l.now + d
	next := l.now
	for l.now < end {
		if l.now >= next {
			next += time.Second / 30
			for bytes := rate() / 8 / 30; bytes > 0; bytes -= 1100 {
				l.send(min(bytes, 1100) + 40)
			}
		}
		for n := l.e.Padding(l.now, wanted); n > 0; n -= 1000 {
			l.send(1000)
		}
		l.step(5 * time.Millisecond)
	}
}

func (l *link) step(d time.Duration) {
	l.now += d
	keep := l.air[:0]
	for _, p := range l.air {
		if p.came <= l.now {
			l.rec.Record(p.came+l.skew, p.seq)
			l.passed++
			l.received += p.size
		} else {
			keep = append(keep, p)
		}
	}
	l.air = keep
	if l.now-l.last >= 70*time.Millisecond {
		l.last = l.now
		if b := l.rec.Feedback(nil, 1, 2); b != nil && l.capacity > 0 {
			l.words = append(l.words, word{l.now + l.latency, b})
		}
		l.e.Tick(l.now)
	}
	for len(l.words) > 0 && l.words[0].at <= l.now {
		if err := l.e.Feedback(l.now, l.words[0].b); err != nil {
			l.t.Fatalf("our own feedback is refused: %v", err)
		}
		l.words = l.words[1:]
	}
}

// media is a source that sends what the estimate allows, up to most.
func (l *link) media(most int) func() int { return func() int { return min(most, l.e.Target()) } }

func (l *link) wantTarget(what string, low, high int) {
	l.t.Helper()
	if got := l.e.Target(); got < low || got > high {
		l.t.Errorf("%s: estimate %d, want %d to %d", what, got, low, high)
	}
}

func TestFindsTheCapacityFromBelow(t *testing.T) {
	l := newLink(t, New(Config{}), 3_000_000)
	l.run(10*time.Second, 5_000_000, l.media(5_000_000))
	l.wantTarget("after 10 s", 2_000_000, 3_400_000)
	l.longest, l.dropped, l.passed = 0, 0, 0
	l.run(30*time.Second, 5_000_000, l.media(5_000_000))
	l.wantTarget("after 40 s", 2_000_000, 3_400_000)
	if l.dropped*50 > l.passed {
		t.Errorf("%d packets dropped, %d passed: the queue overflows", l.dropped, l.passed)
	}
}

func TestFindsTheCapacityFromAbove(t *testing.T) {
	l := newLink(t, New(Config{}), 300_000)
	l.run(6*time.Second, 5_000_000, l.media(5_000_000))
	l.wantTarget("after 6 s", 150_000, 360_000)
}

func TestGivesWayWhenThePathNarrows(t *testing.T) {
	l := newLink(t, New(Config{}), 3_000_000)
	l.run(15*time.Second, 4_000_000, l.media(4_000_000))
	l.capacity = 600_000
	l.run(4*time.Second, 4_000_000, l.media(4_000_000))
	l.wantTarget("4 s after", 250_000, 720_000)
	l.longest = 0
	l.run(3*time.Second, 700_000, l.media(700_000))
	if l.longest > 250*time.Millisecond {
		t.Errorf("the queue is still %v long", l.longest)
	}
	l.capacity = 3_000_000
	l.run(40*time.Second, 4_000_000, l.media(4_000_000))
	l.wantTarget("after it is wide again", 1_800_000, 3_400_000)
}

func TestAQueueDoesNotStand(t *testing.T) {
	l := newLink(t, New(Config{}), 3_000_000)
	l.run(15*time.Second, 4_000_000, l.media(4_000_000))
	l.capacity = 600_000
	l.run(6*time.Second, 4_000_000, l.media(4_000_000))
	l.longest, l.dropped = 0, 0
	l.run(10*time.Second, 4_000_000, l.media(4_000_000))
	if l.longest > 200*time.Millisecond || l.dropped > 0 {
		t.Errorf("packets wait %v, %d are dropped", l.longest, l.dropped)
	}
	l.wantTarget("after 16 s", 350_000, 720_000)
}

// TestAThinPathKeepsTheSmallestLayer: while a queue empties the estimate must not
// follow what little is sent down to nothing.
func TestAThinPathKeepsTheSmallestLayer(t *testing.T) {
	l := newLink(t, New(Config{}), 3_000_000)
	media := func() int { // three layers, chosen as they fit
		switch have := l.e.Target(); {
		case have > 750_000:
			return 600_000
		case have > 400_000:
			return 300_000
		case have > 150_000:
			return 130_000
		}
		return 0
	}
	l.run(10*time.Second, 700_000, media)
	l.capacity = 260_000
	l.run(4*time.Second, 700_000, media)
	for range 40 {
		l.run(500*time.Millisecond, 700_000, media)
		if got := l.e.Target(); got < 150_000 {
			t.Fatalf("the estimate is %d at %v", got, l.now)
		}
	}
}

// TestALongerPathIsNoQueue: a path that changes, to a satellite say, must not be
// taken for one that is clogged, or not for long.
func TestALongerPathIsNoQueue(t *testing.T) {
	l := newLink(t, New(Config{}), 3_000_000)
	l.run(15*time.Second, 2_000_000, l.media(2_000_000))
	l.latency += 250 * time.Millisecond
	l.run(30*time.Second, 2_000_000, l.media(2_000_000))
	l.wantTarget("30 s after the path became longer", 1_400_000, 3_400_000)
}

func TestProbesFindRoomForWhatIsNotYetSent(t *testing.T) {
	l := newLink(t, New(Config{Start: 300_000}), 4_000_000)
	l.run(5*time.Second, 2_000_000, func() int { return 150_000 })
	l.wantTarget("with 150 kbit/s sent", 1_800_000, 3_000_000)
}

func TestProbesDoNotFindRoomThatIsNotThere(t *testing.T) {
	l := newLink(t, New(Config{Start: 300_000}), 400_000)
	l.run(20*time.Second, 2_000_000, func() int { return 150_000 })
	l.wantTarget("with 150 kbit/s sent", 200_000, 440_000)
	if l.dropped > l.passed/20 {
		t.Errorf("%d packets of %d dropped by probing", l.dropped, l.passed)
	}
}

func TestNoPaddingWhenNothingIsMissing(t *testing.T) {
	e := New(Config{})
	l := newLink(t, e, 4_000_000)
	l.run(2*time.Second, 0, func() int { return 150_000 })
	for range 1000 {
		if n := e.Padding(l.now, e.Target()); n != 0 {
			t.Fatalf("%d bytes of padding", n)
		}
		l.now += 10 * time.Millisecond
	}
}

func TestLoss(t *testing.T) {
	for _, tt := range []struct {
		name      string
		loss      float64
		low, high int
	}{
		{"1 % does no harm", 0.01, 1_500_000, 4_400_000},
		{"5 % neither", 0.05, 800_000, 4_400_000},
		{"20 % is taken for a queue that is full", 0.20, 200_000, 800_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLink(t, New(Config{}), 4_000_000)
			l.run(10*time.Second, 2_500_000, l.media(2_500_000))
			l.loss = tt.loss
			l.run(15*time.Second, 2_500_000, l.media(2_500_000))
			l.wantTarget("with loss", tt.low, tt.high)
			l.loss = 0
			l.run(15*time.Second, 2_500_000, l.media(2_500_000))
			l.wantTarget("after it", 1_800_000, 4_400_000)
		})
	}
}

func TestOutageOfTenSeconds(t *testing.T) {
	l := newLink(t, New(Config{}), 3_000_000)
	l.run(10*time.Second, 2_500_000, l.media(2_500_000))
	was := l.capacity
	l.capacity = 0
	l.run(10*time.Second, 2_500_000, l.media(2_500_000))
	l.wantTarget("in the outage", 40_000, 100_000)
	l.capacity = was
	l.run(8*time.Second, 2_500_000, l.media(2_500_000))
	l.wantTarget("8 s after", 1_200_000, 4_200_000)
}

func TestBeginsThoughTheFirstLayerIsMoreThanTheStart(t *testing.T) {
	e := New(Config{Start: 500_000})
	l := newLink(t, e, 3_000_000)
	l.run(5*time.Second, 1_000_000, func() int {
		if e.Target() < 1_000_000 {
			return 0
		}
		return 1_000_000
	})
	l.wantTarget("5 s after", 1_000_000, 3_300_000)
	deaf, sent := New(Config{Start: 500_000}), 0
	for now := time.Second; now < time.Hour; now += 10 * time.Millisecond {
		if n := deaf.Padding(now, 1_000_000); n > 0 {
			deaf.Sent(now, n)
			sent += n
		}
	}
	if sent == 0 || sent > 400_000 {
		t.Errorf("%d bytes of padding in an hour for who tells nothing", sent)
	}
}

// TestAfterAnOutageTheSmallestLayerNeedNotFit stops sending when the estimate is
// below what there is to send, as a viewer whose places are all paused.
func TestAfterAnOutageTheSmallestLayerNeedNotFit(t *testing.T) {
	l := newLink(t, New(Config{}), 3_000_000)
	media := func() int {
		if l.e.Target() < 100_000 {
			return 0
		}
		return min(l.e.Target(), 2_500_000)
	}
	l.run(10*time.Second, 2_500_000, media)
	l.capacity = 0
	l.run(10*time.Second, 2_500_000, media)
	l.wantTarget("in the outage", 40_000, 99_999)
	l.capacity = 3_000_000
	l.run(5*time.Second, 2_500_000, media)
	l.wantTarget("5 s after", 1_200_000, 4_200_000)
}

func TestJitterIsNoQueue(t *testing.T) {
	l := newLink(t, New(Config{}), 10_000_000)
	l.jitter = 8 * time.Millisecond
	l.run(30*time.Second, 2_500_000, l.media(2_500_000))
	l.wantTarget("with 8 ms of jitter", 1_500_000, 6_000_000)
}

func TestReceiverThatTellsNothingKeepsTheStart(t *testing.T) {
	e := New(Config{Start: 500_000})
	for i := range 10_000 {
		e.Sent(time.Duration(i)*time.Millisecond, 1200)
		e.Tick(time.Duration(i) * time.Millisecond)
	}
	if e.Target() != 500_000 || e.Known() {
		t.Errorf("estimate %d", e.Target())
	}
}
