package sfu

import (
	"sync"
	"time"
)

// The keeper's clock.
const (
	keepEvery    = 100 * time.Millisecond
	levelEvery   = 200 * time.Millisecond
	reportEvery  = time.Second
	qualityEvery = 2 * time.Second
	probeEvery   = 10 * time.Millisecond
	keeperQueue  = 1024

	// In a call larger than this, news are told at most every keepEvery: whoever
	// makes much of it happen must not make everybody hear each time.
	promptUpTo = 20
)

// A keeper does everything that is not forwarding: it reads reports, writes them,
// notices who fell silent, and tells listeners. It is one goroutine, so that each
// listener hears one thing at a time, and all that it does is off the media path.
type keeper struct {
	s       *Server
	wake    chan struct{}
	reports chan report
	stop    chan struct{}
	free    sync.Pool // of *[maxPacket]byte

	mu      sync.Mutex // guards what follows
	endings []ending

	control *controller
	short   []*participant // to whom more pictures would be sent if they fitted
	fast    *time.Ticker   // for probes; its channel is read while short has somebody
	air     []airing
	ticks   int
}

// report is an RTCP packet, opened.
type report struct {
	from *participant
	buf  *[maxPacket]byte
	n    int
}

// ending says that a participant is over.
type ending struct {
	p   *participant
	why Reason
}

func newKeeper(s *Server, o outlet) *keeper {
	return &keeper{
		s: s, wake: make(chan struct{}, 1), stop: make(chan struct{}),
		reports: make(chan report, keeperQueue),
		free:    sync.Pool{New: func() any { return new([maxPacket]byte) }},
		control: newController(s, o),
	}
}

// nudge has the keeper look for what changed.
func (k *keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// take leaves an RTCP packet to the keeper; false if there are too many.
func (k *keeper) take(p *participant, plain []byte) bool {
	buf := k.free.Get().(*[maxPacket]byte)
	select {
	case k.reports <- report{p, buf, copy(buf[:], plain)}:
		return true
	default:
		k.free.Put(buf)
		return false
	}
}

// end has p's listener hear that it is gone.
func (k *keeper) end(p *participant, why Reason) {
	k.mu.Lock()
	k.endings = append(k.endings, ending{p, why})
	k.mu.Unlock()
	k.nudge()
}

// run works until stop is closed, then ends everybody.
func (k *keeper) run() {
	clock := time.NewTicker(keepEvery)
	defer clock.Stop()
	k.fast = time.NewTicker(probeEvery)
	k.fast.Stop()
	defer k.fast.Stop()
	for {
		select {
		case r := <-k.reports:
			k.read(r)
		case <-k.wake:
			k.tell()
		case <-clock.C:
			k.ticks++
			k.tick()
		case <-k.fast.C:
			k.probe()
		case <-k.stop:
			k.bury()
			return
		}
	}
}

// each calls f for every participant. A panic in it ends that participant alone.
func (k *keeper) each(c *call, f func(*participant)) {
	for _, p := range c.all() {
		k.safely(p, f)
	}
}

func (k *keeper) safely(p *participant, f func(*participant)) {
	defer func() {
		if r := recover(); r != nil {
			k.s.fault(p, r)
		}
	}()
	f(p)
}

// bury tells the listeners of those who are over.
func (k *keeper) bury() {
	k.mu.Lock()
	endings := k.endings
	k.endings = nil
	k.mu.Unlock()
	for _, e := range endings {
		k.safely(e.p, func(p *participant) { p.listener.Gone(e.why) })
	}
}

// tell says who is gone, and who is in which slot where that changed.
func (k *keeper) tell() {
	k.bury()
	now := k.s.now()
	for _, c := range k.s.all() {
		if now-c.toldAt < keepEvery*9/10 && len(*c.receivers.Load()) > promptUpTo || !c.dirty.Swap(false) {
			continue
		}
		c.toldAt = now
		k.air = c.onAir(k.air)
		k.each(c, func(p *participant) {
			p.tellSlots(k.air)
			p.tellPauses()
			if p.owes.Swap(false) {
				k.control.owed(p)
			}
		})
	}
	k.control.flush()
}

// every says whether this tick is one of those that come every d.
func (k *keeper) every(d time.Duration) bool { return k.ticks%int(d/keepEvery) == 0 }

// tick does what the clock asks for.
func (k *keeper) tick() {
	now := k.s.now()
	k.tell() // what a nudge might have missed
	clear(k.short)
	was := len(k.short)
	k.short = k.short[:0]
	for _, c := range k.s.all() {
		var levels []Level
		if k.every(levelEvery) {
			k.air = c.onAir(k.air)
			levels = levelsOf(k.air)
			c.spot(levels)
		}
		k.each(c, func(p *participant) {
			k.watch(p, now)
			if k.pictures(p, now) {
				k.short = append(k.short, p)
			}
			if k.every(levelEvery) {
				p.tellLevels(levels)
			}
			if k.every(reportEvery) {
				k.control.receiverReport(p, now)
				k.control.pictureReports(p)
			}
			if k.every(qualityEvery) {
				p.tellQuality()
			}
		})
	}
	k.control.flush()
	switch {
	case len(k.short) > 0 && was == 0:
		k.fast.Reset(probeEvery)
	case len(k.short) == 0 && was > 0:
		k.fast.Stop()
	}
	if k.every(reportEvery) {
		k.s.grow()
	}
}

// watch notices who fell silent, and who never finished the handshake: checks alone
// keep nobody in a call.
func (k *keeper) watch(p *participant, now time.Duration) {
	last := p.last.Load()
	if p.egress.Load() == nil {
		last = int64(p.joined)
	}
	silent := now - time.Duration(last)
	if silent > goneAfter {
		k.s.remove(p, Silent)
		return
	}
	if p.egress.Load() != nil {
		p.tellAlive(silent < silentAfter)
	}
}

// read handles one RTCP packet.
func (k *keeper) read(r report) {
	defer k.free.Put(r.buf)
	k.safely(r.from, func(p *participant) {
		if !p.gone.Load() {
			k.control.read(p, r.buf[:r.n], k.s.now())
		}
	})
	k.control.flush()
}

// levelsOf are the levels of those on air, loudest of a participant's sources.
func levelsOf(air []airing) []Level {
	levels := make([]Level, 0, len(air))
next:
	for _, o := range air {
		if !o.on {
			continue
		}
		for i := range levels {
			if levels[i].Participant == o.participant {
				levels[i].Level = min(levels[i].Level, o.level)
				continue next
			}
		}
		levels = append(levels, Level{o.participant, o.level})
	}
	return levels
}
