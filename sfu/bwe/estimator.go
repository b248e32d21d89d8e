package bwe

import "time"

const (
	decrease  = 0.85 // beta, gcc-02 §5.5
	increase  = 1.08 // eta, in a second
	headroom  = 1.5  // the estimate stays below this times what is really received
	lossHigh  = 0.10 // §6
	lossLow   = 0.02
	lossEvery = 200 * time.Millisecond // between two judgements of loss
	lossFloor = 250_000                // loss alone does not lower the estimate further: where no queue grows it is the air's, and the smallest layer can live with it
	lossLeast = 20                     // packets that one is made of

	longWait     = 120 * time.Millisecond // a queue that must not stand
	longEvery    = time.Second            // between two looks at it
	longPatience = 3                      // of them, in which it must shrink

	blindProbes = 20 // of a receiver that has not told anything yet

	silence = time.Second // without feedback while packets leave: the path is dead or clogged
)

// Config bounds an Estimator: bits per second.
type Config struct {
	Start    int // before anything is known; 0: 1,500,000
	Min, Max int // 0: 40,000 and 50,000,000
}

// An Estimator says what the path to one receiver carries.
type Estimator struct {
	cfg     Config
	history history
	delay   delay
	acked   acked
	probe   probe

	byDelay, byLoss float64
	rtt             time.Duration // smoothed, from feedback; 0 for unknown

	lastUpdate  time.Duration // of byDelay
	lastOver    time.Duration // when byDelay was lowered last
	capacity    float64       // what was received when it was lowered last: near it steps are small
	deviation   float64
	lost, total int // since the last judgement
	judged      time.Duration
	lowered     time.Duration // byLoss was, last
	fraction    float64       // lost, smoothed

	stood     int           // times that a queue was seen to stand
	stoodAt   time.Duration // when it was last looked at, and how long it was
	stoodWait time.Duration

	ref       int64 // reference time of the newest feedback, unwrapped
	began     bool  // feedback came
	heard     time.Duration
	sentSince time.Duration // first packet since feedback came
	unheard   bool
	sent      time.Duration // newest packet
}

// New returns an Estimator.
func New(cfg Config) *Estimator {
	if cfg.Start == 0 {
		cfg.Start = 1_500_000
	}
	if cfg.Min == 0 {
		cfg.Min = 40_000
	}
	if cfg.Max == 0 {
		cfg.Max = 50_000_000
	}
	return &Estimator{cfg: cfg, byDelay: float64(cfg.Start), byLoss: float64(cfg.Start)}
}

// Sent numbers a packet of size bytes, headers of UDP and IP left aside, that
// leaves now.
func (e *Estimator) Sent(now time.Duration, size int) uint16 {
	if !e.unheard {
		e.unheard, e.sentSince = true, now
	}
	e.sent = now
	return e.history.add(now, size, e.probe.sent(now, size))
}

// Target is what may be sent, in bits per second.
func (e *Estimator) Target() int {
	return int(min(max(min(e.byDelay, e.byLoss), float64(e.cfg.Min)), float64(e.cfg.Max)))
}

// RTT is the time from sending a packet to hearing of it, smoothed; 0 if
// unknown. It has in it what the receiver waits before it tells, up to 100 ms.
func (e *Estimator) RTT() time.Duration { return e.rtt }

// Loss is the part of packets that were lost lately, 0 to 1.
func (e *Estimator) Loss() float64 { return e.fraction }

// Known says whether the receiver tells anything at all.
func (e *Estimator) Known() bool { return e.began }

// Feedback takes an RTCP packet, which must be transport-wide feedback.
func (e *Estimator) Feedback(now time.Duration, b []byte) error {
	f, err := parseFeedback(b)
	if err != nil {
		return err
	}
	e.unwrap(f.ref)
	base := time.Duration(e.ref) * baseTick
	var newest time.Duration
	any := false
	for {
		seq, came, at, ok := f.next()
		if !ok {
			break
		}
		p := e.history.get(seq)
		if p == nil || p.state == toldCame {
			continue
		}
		any = true
		if !came {
			if p.state == waiting {
				p.state = toldLost
				e.lost++
				e.total++
			}
			continue
		}
		if p.state == toldLost {
			e.lost = max(0, e.lost-1)
		} else {
			e.total++
		}
		p.state = toldCame
		at += base
		e.acked.add(at, int(p.size))
		e.delay.packet(p.at, at)
		e.probe.came(p, at)
		newest = max(newest, p.at)
	}
	if !any {
		return nil // about packets that are forgotten or were never sent
	}
	if newest > 0 {
		e.measure(now - newest)
	}
	e.began, e.heard, e.unheard = true, now, false
	e.update(now)
	e.judge(now)
	if bits, ok := e.probe.result(now); ok {
		e.probed(now, bits)
	}
	return nil
}

func (e *Estimator) measure(rtt time.Duration) {
	if rtt <= 0 || rtt > 10*time.Second {
		return
	}
	if e.rtt == 0 {
		e.rtt = rtt
	}
	e.rtt += (rtt - e.rtt) / 8
}

// unwrap gives the 24 bits of a reference time their place in one series.
func (e *Estimator) unwrap(ref int32) {
	if !e.began {
		e.ref = int64(ref)
		return
	}
	step := (ref - int32(e.ref)) << 8 >> 8
	e.ref += int64(step)
}

// update moves the estimate by delay: gcc-02 §5.5.
func (e *Estimator) update(now time.Duration) {
	since := min(now-e.lastUpdate, time.Second)
	if e.lastUpdate == 0 {
		since = 0
	}
	e.lastUpdate = now
	received, ok := e.acked.bits()
	switch e.state(now) {
	case signalOver:
		if now-e.lastOver < max(e.rtt, 100*time.Millisecond)+100*time.Millisecond {
			return // the last decrease has not shown yet
		}
		if e.probe.recent(now) && ok && received < decrease*e.byDelay {
			e.probe.failed(now)
			return // it filled the queue, and what else is sent will let it empty
		}
		e.lastOver = now
		e.probe.failed(now)
		to := e.byDelay * decrease
		if ok {
			to = min(received*decrease, e.byDelay)
			e.near(received)
		}
		e.byDelay = max(to, float64(e.cfg.Min))
	case signalNormal:
		next := e.byDelay
		if e.converging(received) {
			// about half a packet in a response time
			response := 100*time.Millisecond + e.rtt
			next += max(1000*since.Seconds(), 0.5*1200*8*since.Seconds()/response.Seconds())
		} else {
			next *= 1 + (increase-1)*since.Seconds()
		}
		if ok {
			// What is not sent cannot be known to fit; but nothing is taken back for it.
			next = max(min(next, headroom*received+10_000), e.byDelay)
		} else {
			next = e.byDelay
		}
		e.byDelay = min(next, float64(e.cfg.Max))
	case signalUnder:
		// a queue empties: hold
	}
}

// state is what the detector says, or overuse where a queue stands that neither
// grows nor shrinks: it would stay for ever, and everything would be late by it. If
// it does not shrink though less is sent, it is no queue: the path has become longer.
func (e *Estimator) state(now time.Duration) usage {
	wait := e.delay.queue.wait()
	if wait < longWait {
		e.stood, e.stoodAt = 0, 0
		return e.delay.state
	}
	if e.delay.state != signalNormal {
		return e.delay.state
	}
	if e.stoodAt != 0 && now-e.stoodAt < longEvery {
		return signalUnder // what was done last must have time to show
	}
	shrinks := e.stoodAt != 0 && wait < e.stoodWait*9/10
	e.stoodAt, e.stoodWait = now, wait
	if shrinks {
		e.stood = 0
		return signalUnder
	}
	if e.stood++; e.stood > longPatience {
		e.stood, e.delay.queue = 0, queue{}
		return signalNormal
	}
	return signalOver
}

// near notes at which rate the path was full.
func (e *Estimator) near(received float64) {
	if e.capacity == 0 || received > e.capacity+3*e.deviation || received < e.capacity-3*e.deviation {
		e.capacity, e.deviation = received, 0.1*received
		return
	}
	off := received - e.capacity
	e.capacity += 0.05 * off
	if off < 0 {
		off = -off
	}
	e.deviation += 0.05 * (off - e.deviation)
	e.deviation = max(e.deviation, 0.02*e.capacity)
}

// converging says whether the estimate is about where the path was full before.
func (e *Estimator) converging(received float64) bool {
	if e.capacity == 0 {
		return false
	}
	if received > e.capacity+3*e.deviation {
		e.capacity = 0 // there is more now
		return false
	}
	return e.byDelay > e.capacity-3*e.deviation
}

// judge moves the estimate by loss: gcc-02 §6.
func (e *Estimator) judge(now time.Duration) {
	if now-e.judged < lossEvery || e.total < lossLeast && now-e.judged < 5*lossEvery || e.total == 0 {
		return
	}
	p := float64(e.lost) / float64(e.total)
	e.fraction += (p - e.fraction) / 4
	since := min(now-e.judged, time.Second)
	e.judged, e.lost, e.total = now, 0, 0
	switch {
	case p > lossHigh:
		if now-e.lowered < 300*time.Millisecond+e.rtt {
			return
		}
		e.lowered = now
		e.probe.failed(now)
		e.byLoss = max(min(e.byLoss, e.byDelay)*(1-0.5*p), min(lossFloor, e.byDelay))
	case p < lossLow:
		e.byLoss = min(e.byLoss*(1+0.25*since.Seconds()), max(e.byDelay, e.byLoss), float64(e.cfg.Max))
		if e.fraction < lossLow && now-e.lowered > 2*time.Second {
			e.byLoss = max(e.byLoss, e.byDelay) // loss is no matter: delay alone decides
		}
	}
}

// probed takes what a probe found.
func (e *Estimator) probed(now time.Duration, bits float64) {
	if e.delay.state == signalOver && now-e.lastOver < time.Second {
		return
	}
	if bits > e.byDelay {
		e.byDelay = min(bits, float64(e.cfg.Max))
		e.capacity = 0
	}
	if bits > e.byLoss && now-e.lowered > time.Second {
		e.byLoss = min(bits, float64(e.cfg.Max))
	}
}

// Tick is to be called about every 100 ms: it notices that the path is silent.
func (e *Estimator) Tick(now time.Duration) {
	if !e.began || !e.unheard || now-e.sentSince < silence || now-e.heard < silence {
		return
	}
	// Nothing is heard of what was sent: halve, and again after the same time.
	e.sentSince = now
	e.byDelay = max(e.byDelay/2, float64(e.cfg.Min))
	e.byLoss = e.byDelay
	e.delay.reset()
	e.acked = acked{}
	e.probe.rest(now)
}

// Padding is how many bytes of padding are to leave now so that a probe finds
// out if the path carries wanted, in bits per second; mostly 0. To be called
// about every 10 ms while wanted is above Target.
func (e *Estimator) Padding(now time.Duration, wanted int) int {
	if !e.began && e.probe.tries >= blindProbes {
		return 0 // the receiver tells nothing
	}
	// What the delay said last is old news once nothing was sent: where not even the
	// smallest layer fits it would say so for ever.
	over := (e.delay.state == signalOver || e.delay.queue.wait() > longWait/2) && now-e.sent < 2*time.Second
	calm := !over && now-e.lastOver > 2*time.Second && now-e.lowered > 2*time.Second
	// A path that fell silent has to be asked whether it is back: nothing else is
	// sent when not even the smallest layer fits.
	alive := now-e.heard < silence || now-e.sent > silence
	return e.probe.padding(now, e.Target(), min(wanted, e.cfg.Max), calm && alive)
}

// acked is what arrives at the receiver, by its own clock.
type acked struct {
	since time.Duration
	bytes int
	rate  float64
	began bool
}

// ackedWindow is over how long what arrives is summed up.
const ackedWindow = 250 * time.Millisecond

func (a *acked) add(at time.Duration, size int) {
	if !a.began {
		a.began, a.since = true, at
	}
	if d := at - a.since; d < -time.Second || d > 10*time.Second {
		*a = acked{began: true, since: at}
	}
	for at-a.since >= ackedWindow {
		now := float64(a.bytes) * 8 / ackedWindow.Seconds()
		if a.rate == 0 {
			a.rate = now
		} else {
			a.rate += 0.5 * (now - a.rate)
		}
		a.bytes = 0
		a.since += ackedWindow
	}
	a.bytes += size
}

func (a *acked) bits() (float64, bool) { return a.rate, a.rate > 0 }
