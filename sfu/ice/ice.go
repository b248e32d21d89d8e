// Package ice is the forwarder's side of ICE (RFC 8445): the lite one (§2.5), which
// has a public address, tells it, and answers. It knows who stands behind an
// address, and that an address is really theirs.
//
// A participant is an Agent, found by the user name in a device's checks. A check
// with the right password makes a path known; the path counts as proved when the
// device has answered a check of ours that was sent there with a random number in it
// (RFC 7675 does the same). Only a proved path is given out by Table.Agent and
// Agent.Path, so that a participant cannot have media, or the long messages of a
// DTLS handshake, sent to the address of somebody else by forging where its packets
// come from. Nothing at all is sent to who does not know the password, but for an
// echo to a plain Binding request that is at least as long as its answer.
//
// The path that media takes is the first proved one, then whichever the device has
// nominated last. A device that moves to another network keeps its DTLS keys: it
// checks from the new address and nominates. After Restart the old credentials go on
// working until a path of the new ones is proved.
//
// Tables are bounded: paths of an agent, agents, and the memory of failing
// addresses, which is of one size whatever comes.
package ice

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limits, docs/spec/calls.md#limits.
const (
	maxPaths      = 16               // of an agent; the one that was silent longest makes room
	defaultAgents = 20_000           // of a table
	failures      = 50               // checks a second from one address that may fail; echoes too
	consent       = 30 * time.Second // for which a proof holds, RFC 7675 §5.1
	reproof       = 5 * time.Second  // after which a path is asked again, at the device's next check
	maxRTT        = 10 * time.Second
)

// Errors that callers may test for.
var (
	ErrFull   = errors.New("too many participants")
	ErrClosed = errors.New("participant is gone")
)

// Path is a way to a device: an address that packets come from and the address of
// ours that they come to, or a connection. It is comparable, and a key.
type Path struct {
	Remote netip.AddrPort
	Local  netip.Addr // zero where the system does not tell
	Stream uint32     // number of an ICE-TCP connection; 0 is UDP
}

func (p Path) String() string {
	if p.Stream != 0 {
		return fmt.Sprintf("tcp %s (%d)", p.Remote, p.Stream)
	}
	return "udp " + p.Remote.String()
}

// Credentials are a user name fragment and a password (RFC 8445 §5.3).
type Credentials struct{ Ufrag, Password string }

// Check refuses what RFC 8839 §5.4 does not allow.
func (c Credentials) Check() error {
	if n := len(c.Ufrag); n < 4 || n > 256 {
		return fmt.Errorf("ICE user name fragment of %d characters: 4 to 256 are allowed", n)
	}
	if n := len(c.Password); n < 22 || n > 256 {
		return fmt.Errorf("ICE password of %d characters: 22 to 256 are allowed", n)
	}
	for _, s := range []string{c.Ufrag, c.Password} {
		for i := range len(s) {
			if !iceChar(s[i]) {
				return errors.New("ICE user name fragments and passwords are of letters, digits, + and / only")
			}
		}
	}
	return nil
}

func iceChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}

// newCredentials have 72 random bits in the name, so that none is met by guessing,
// and 192 in the password.
func newCredentials() Credentials {
	var b [33]byte
	_, _ = rand.Read(b[:]) // never fails
	return Credentials{
		Ufrag:    base64.RawStdEncoding.EncodeToString(b[:9]),
		Password: base64.RawStdEncoding.EncodeToString(b[9:]),
	}
}

// Config says how a Table works. All of it may be left out.
type Config struct {
	Agents int              // at most; 0 means 20,000
	Now    func() time.Time // nil means time.Now
}

// Table knows the agents of one forwarder. It is safe for concurrent use.
type Table struct {
	cfg   Config
	fails *limiter
	byway paths

	mu     sync.RWMutex             // guards what follows
	ufrags map[string]*generation   // by our fragment
	asking map[[12]byte]*generation // by the number of our open checks; at most maxPaths of each generation
	agents int
}

// New makes an empty Table.
func New(cfg Config) *Table {
	if cfg.Agents <= 0 {
		cfg.Agents = defaultAgents
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Table{cfg: cfg, fails: newLimiter(failures), ufrags: map[string]*generation{}, asking: map[[12]byte]*generation{}}
}

// generation is one pair of credentials of an agent: the first, or those of a
// restart.
type generation struct {
	agent         *Agent
	local, remote Credentials
	username      string // of checks that come in
	outgoing      string // of checks that we send

	ways map[Path]*way // guarded by Agent.mu
}

// Agent is one participant. Owner is whatever the caller of Add gave.
type Agent struct {
	Owner any

	table *Table
	path  atomic.Pointer[Path] // what media takes; nil before the first proof and after the end
	rtt   atomic.Int64         // nanoseconds; 0 is unknown
	heard atomic.Int64         // Unix nanoseconds of the last good check
	proof atomic.Int64         // of the last proof on path

	mu      sync.Mutex // guards what follows; taken before Table.mu
	closed  bool
	current *generation
	next    *generation // after a restart, until one of its paths is nominated
}

// way is what a generation knows of one path.
type way struct {
	heard     time.Time // last good check
	asked     time.Time // when our check was sent
	challenge [12]byte  // its transaction id; zero if none is open
	proved    time.Time // zero is never
	nominated bool      // by the device, before or after it was proved
}

// Add makes an agent for a device with these credentials.
func (t *Table) Add(remote Credentials, owner any) (*Agent, error) {
	if err := remote.Check(); err != nil {
		return nil, err
	}
	a := &Agent{Owner: owner, table: t}
	g := newGeneration(a, remote)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.agents >= t.cfg.Agents {
		return nil, fmt.Errorf("%w: %d", ErrFull, t.agents)
	}
	t.agents++
	t.ufrags[g.local.Ufrag] = g
	a.current = g
	return a, nil
}

func newGeneration(a *Agent, remote Credentials) *generation {
	local := newCredentials()
	return &generation{
		agent: a, local: local, remote: remote,
		username: local.Ufrag + ":" + remote.Ufrag, outgoing: remote.Ufrag + ":" + local.Ufrag,
		ways: map[Path]*way{},
	}
}

// Local returns the newest credentials of ours, for the answer's SDP.
func (a *Agent) Local() Credentials { return a.newest().local }

// Remote returns the newest credentials of the device.
func (a *Agent) Remote() Credentials { return a.newest().remote }

func (a *Agent) newest() *generation {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next != nil {
		return a.next
	}
	return a.current
}

// Restart begins an ICE restart and returns our new credentials. With the
// credentials that the device has already it changes nothing.
func (a *Agent) Restart(remote Credentials) (Credentials, error) {
	if err := remote.Check(); err != nil {
		return Credentials{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return Credentials{}, ErrClosed
	}
	newest := a.current
	if a.next != nil {
		newest = a.next
	}
	if newest.remote == remote {
		return newest.local, nil
	}
	if a.next != nil {
		a.forget(a.next) // it never came to anything
	}
	a.next = newGeneration(a, remote)
	a.table.mu.Lock()
	a.table.ufrags[a.next.local.Ufrag] = a.next
	a.table.mu.Unlock()
	return a.next.local, nil
}

// forget removes a generation and its paths. a.mu is held.
func (a *Agent) forget(g *generation) {
	a.table.mu.Lock()
	delete(a.table.ufrags, g.local.Ufrag)
	a.table.mu.Unlock()
	for p := range g.ways {
		a.drop(g, p)
	}
}

// drop forgets what g knows of a path. a.mu is held.
func (a *Agent) drop(g *generation, p Path) {
	w := g.ways[p]
	if w == nil {
		return
	}
	delete(g.ways, p)
	a.table.mu.Lock()
	delete(a.table.asking, w.challenge)
	a.table.mu.Unlock()
	for _, other := range []*generation{a.current, a.next} {
		if other != nil && other != g && !a.closed && other.ways[p] != nil && !other.ways[p].proved.IsZero() {
			return // proved under the other credentials too
		}
	}
	a.table.byway.remove(p, a)
	if used := a.path.Load(); used != nil && *used == p {
		a.path.Store(nil)
	}
}

// Close ends the agent: its credentials and paths are unknown from now on.
func (a *Agent) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	a.closed = true
	a.forget(a.current)
	if a.next != nil {
		a.forget(a.next)
	}
	a.table.mu.Lock()
	a.table.agents--
	a.table.mu.Unlock()
}

// CloseStream forgets the path over an ICE-TCP connection that has ended. If media
// took it, it takes the path that was proved last among the others, if there is one.
func (a *Agent) CloseStream(p Path) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range []*generation{a.current, a.next} {
		if g != nil {
			a.drop(g, p)
		}
	}
	if a.path.Load() != nil || a.closed {
		return
	}
	var best Path
	var last *way
	for p, w := range a.current.ways {
		if !w.proved.IsZero() && (last == nil || w.proved.After(last.proved)) {
			best, last = p, w
		}
	}
	if last != nil {
		a.use(best, last)
	}
}

// Path is where to send now; false before any path is proved, and once its proof is
// too old.
func (a *Agent) Path() (Path, bool) {
	p := a.path.Load()
	if p == nil || a.table.cfg.Now().UnixNano()-a.proof.Load() > int64(consent) {
		return Path{}, false
	}
	return *p, true
}

// RTT is the last time that a check of ours took, 0 if none was answered yet.
func (a *Agent) RTT() time.Duration { return time.Duration(a.rtt.Load()) }

// Heard is when the last good check came; zero if none did.
func (a *Agent) Heard() time.Time {
	if n := a.heard.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Agent returns whose proved path this is, or nil. It takes no lock.
func (t *Table) Agent(p Path) *Agent { return t.byway.find(p) }

// Len is the number of agents.
func (t *Table) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.agents
}

// find returns the generation that a check's user name means.
func (t *Table) find(username []byte) *generation {
	local, _, ok := strings.Cut(string(username), ":")
	if !ok {
		return nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.ufrags[local]
}
