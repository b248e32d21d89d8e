package ice

import (
	"crypto/rand"
	"encoding/binary"

	"time"

	"github.com/pion/stun/v4"
)

const (
	minMessage  = 20
	maxMessage  = 1280
	magicCookie = 0x2112A442
	attrHead    = 4
	// echoSize is how long the answer to a plain Binding request is: header, mapped
	// IPv6 address, fingerprint.
	echoSize = minMessage + attrHead + 20 + attrHead + 4
)

// IsSTUN tells a STUN message from DTLS, SRTP and SRTCP (RFC 7983).
func IsSTUN(b []byte) bool {
	return len(b) >= minMessage && b[0] < 4 && binary.BigEndian.Uint32(b[4:]) == magicCookie
}

// Exchange is room for one message that came and what is to be sent because of it.
// Each reader of packets has one; it must not be shared.
type Exchange struct {
	// Send are the packets to be sent back on the path, in this order: valid until
	// the next Handle.
	Send [][]byte

	in, answer, ask stun.Message
	send            [2][]byte
}

// Event is what a message changed.
type Event struct {
	Agent *Agent // whose message it was, proved by the password; nil is nobody's
	Path  Path   // where it came from
	// Proved is set when the path became a proved one: Table.Agent knows it from now.
	Proved bool
	// Moved is set when Path is what Agent's media takes from now.
	Moved bool
}

// Handle takes one STUN message. What it returns in x.Send goes back the same way.
func (t *Table) Handle(p Path, packet []byte, x *Exchange) Event {
	x.Send = x.send[:0]
	if !IsSTUN(packet) || len(packet) > maxMessage {
		return Event{}
	}
	if _, err := x.in.Write(packet); err != nil {
		return Event{}
	}
	switch x.in.Type {
	case stun.BindingRequest:
		return t.check(p, x)
	case stun.BindingSuccess:
		return t.answered(p, x)
	default:
		return Event{}
	}
}

// check answers a check of a device.
func (t *Table) check(p Path, x *Exchange) Event {
	now := t.cfg.Now()
	username, err := x.in.Get(stun.AttrUsername)
	if err != nil {
		t.echo(p, x, now)
		return Event{}
	}
	// Who knows no fragment costs a look into a map and hears nothing; only who
	// knows one can make us compute, and is counted if it was in vain. So a flood
	// takes nothing from others behind the same address.
	g := t.find(username)
	if g == nil || string(username) != g.username || !t.fails.left(p.Remote.Addr(), now) {
		return Event{}
	}
	if !authentic(&x.in, g.local.Password) {
		t.fails.take(p.Remote.Addr(), now)
		return Event{}
	}
	signed := signedAttributes(&x.in)
	if unknown := unknownAttributes(signed); len(unknown) > 0 {
		x.refuse(g, stun.CodeUnknownAttribute, unknown)
		return Event{Agent: g.agent, Path: p}
	}
	// We are the controlled side for ever, being lite (§6.1.1): a device that
	// believes the same is told to switch.
	if has(signed, stun.AttrICEControlled) {
		x.refuse(g, stun.CodeRoleConflict, nil)
		return Event{Agent: g.agent, Path: p}
	}
	return g.agent.checked(g, p, x, has(signed, stun.AttrUseCandidate), now)
}

// checked notes a good check and answers it.
func (a *Agent) checked(g *generation, p Path, x *Exchange, nominate bool, now time.Time) Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || (g != a.current && g != a.next) {
		return Event{}
	}
	a.heard.Store(now.UnixNano())
	e := Event{Agent: a, Path: p}
	w := a.way(g, p, now)
	w.heard = now
	if nominate {
		w.nominated = true
		e.Moved = a.consider(g, p, w, now)
	}
	// Our question goes first, so that its answer is on the way before the
	// device, seeing its own check answered, begins the DTLS handshake.
	if now.Sub(w.proved) > reproof {
		a.ask(g, w, x, now)
	}
	x.succeed(g, p.Remote)
	return e
}

// way returns what g knows of p, making room if need be. a.mu is held.
func (a *Agent) way(g *generation, p Path, now time.Time) *way {
	if w := g.ways[p]; w != nil {
		return w
	}
	if len(g.ways) >= maxPaths {
		a.drop(g, a.stalest(g))
	}
	w := &way{heard: now}
	g.ways[p] = w
	return w
}

// stalest is the path that was silent longest and is not the one in use.
func (a *Agent) stalest(g *generation) (stale Path) {
	var oldest time.Time
	used := a.path.Load()
	for p, w := range g.ways {
		if used != nil && p == *used {
			continue
		}
		if oldest.IsZero() || w.heard.Before(oldest) {
			oldest, stale = w.heard, p
		}
	}
	return stale
}

// ask sends our check. One that is not answered is sent again at the device's next
// check, with the same number, so that a late answer counts.
func (a *Agent) ask(g *generation, w *way, x *Exchange, now time.Time) {
	if w.challenge == [12]byte{} {
		_, _ = rand.Read(w.challenge[:]) // never fails
		w.asked = now
		a.table.mu.Lock()
		a.table.asking[w.challenge] = g
		a.table.mu.Unlock()
	}
	m := &x.ask
	m.Reset()
	m.TransactionID = w.challenge
	m.Type = stun.BindingRequest
	m.WriteHeader()
	m.Add(stun.AttrUsername, []byte(g.outgoing))
	var priority [4]byte
	binary.BigEndian.PutUint32(priority[:], hostPriority)
	m.Add(stun.AttrPriority, priority[:])
	m.Add(stun.AttrICEControlled, make([]byte, 8)) // the lowest tie-breaker: we always give way
	x.seal(m, g.remote.Password)
}

// hostPriority is that of the one candidate there is, RFC 8445 §5.1.2.1.
const hostPriority = 126<<24 | 65535<<8 | 255

// answered takes the answer to a check of ours: the path is proved.
func (t *Table) answered(p Path, x *Exchange) Event {
	t.mu.RLock()
	g := t.asking[x.in.TransactionID] // answers carry no name
	t.mu.RUnlock()
	if g == nil || !authentic(&x.in, g.remote.Password) {
		return Event{}
	}
	now := t.cfg.Now()
	a := g.agent
	a.mu.Lock()
	defer a.mu.Unlock()
	w := g.ways[p] // the answer must come from where the question went
	if w == nil || a.closed || w.challenge != x.in.TransactionID {
		return Event{}
	}
	t.mu.Lock()
	delete(t.asking, w.challenge)
	t.mu.Unlock()
	w.challenge = [12]byte{}
	a.rtt.Store(int64(max(now.Sub(w.asked), time.Microsecond)))
	first := w.proved.IsZero()
	w.proved = now
	if used := a.path.Load(); used != nil && *used == p && g == a.current {
		a.proof.Store(now.UnixNano())
	}
	t.byway.put(p, a)
	return Event{Agent: a, Path: p, Proved: first, Moved: a.consider(g, p, w, now)}
}

// consider has media take p if it should: it is proved, and either nominated or
// there is nothing else. The first nomination under new credentials ends the old
// ones. a.mu is held.
func (a *Agent) consider(g *generation, p Path, w *way, now time.Time) (moved bool) {
	if w.proved.IsZero() || now.Sub(w.proved) > consent {
		return false
	}
	_, works := a.Path()
	if works && !w.nominated {
		return false
	}
	if g == a.next {
		if !w.nominated {
			return false
		}
		old := a.current
		a.current, a.next = g, nil
		a.forget(old)
	}
	w.nominated = false // said and done; the next nomination counts anew
	if used := a.path.Load(); used != nil && *used == p {
		a.proof.Store(w.proved.UnixNano())
		return false
	}
	a.use(p, w)
	return true
}

// use has media take p. a.mu is held.
func (a *Agent) use(p Path, w *way) {
	a.path.Store(&p)
	a.proof.Store(w.proved.UnixNano())
}
