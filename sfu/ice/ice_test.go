package ice_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/veche-im/veche/sfu/ice"
)

// device is the other side of an agent: it checks, and answers checks.
type device struct {
	ice.Credentials
	agent *ice.Agent
}

var deviceCredentials = ice.Credentials{Ufrag: "devi", Password: "thePasswordOfADeviceXXXX"}

// rig is a table under a clock that stands still.
type rig struct {
	*ice.Table
	t   testing.TB
	now time.Time
	x   ice.Exchange
}

func newRig(t testing.TB, cfg ice.Config) *rig {
	r := &rig{t: t, now: time.Unix(1_800_000_000, 0)}
	cfg.Now = func() time.Time { return r.now }
	r.Table = ice.New(cfg)
	return r
}

func (r *rig) add(name string) *device {
	r.t.Helper()
	c := deviceCredentials
	c.Ufrag += name
	a, err := r.Add(c, name)
	if err != nil {
		r.t.Fatal(err)
	}
	return &device{c, a}
}

func udpPath(address string) ice.Path { return ice.Path{Remote: netip.MustParseAddrPort(address)} }

// check is what a device sends.
func (d *device) check(more ...stun.Setter) []byte {
	return checkOf(d.Credentials, d.agent.Local(), more...)
}

func checkOf(from, to ice.Credentials, more ...stun.Setter) []byte {
	setters := []stun.Setter{stun.TransactionID, stun.BindingRequest, stun.NewUsername(to.Ufrag + ":" + from.Ufrag),
		attr(stun.AttrPriority, 0, 0, 1, 0), attr(stun.AttrICEControlling, 1, 2, 3, 4, 5, 6, 7, 8)}
	setters = append(setters, more...)
	return stun.MustBuild(append(setters, stun.NewShortTermIntegrity(to.Password), stun.Fingerprint)...).Raw
}

type raw struct {
	t stun.AttrType
	v []byte
}

func (a raw) AddTo(m *stun.Message) error { m.Add(a.t, a.v); return nil }

func attr(t stun.AttrType, v ...byte) stun.Setter { return raw{t, v} }

func useCandidate() stun.Setter { return attr(stun.AttrUseCandidate) }

func decode(t testing.TB, b []byte) *stun.Message {
	t.Helper()
	m := &stun.Message{Raw: b}
	if err := m.Decode(); err != nil {
		t.Fatal(err)
	}
	return m
}

// replyTo is what a device answers to the check in question.
func replyTo(t testing.TB, question []byte, d ice.Credentials) []byte {
	m := decode(t, question)
	return stun.MustBuild(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
		stun.NewShortTermIntegrity(d.Password), stun.Fingerprint).Raw
}

// question finds our check in what is sent.
func question(t testing.TB, send [][]byte) []byte {
	for _, b := range send {
		if decode(t, b).Type == stun.BindingRequest {
			return append([]byte(nil), b...)
		}
	}
	return nil
}

// prove runs a check and answers the one that comes back.
func (r *rig) prove(d *device, p ice.Path, more ...stun.Setter) ice.Event {
	r.t.Helper()
	r.Handle(p, d.check(more...), &r.x)
	q := question(r.t, r.x.Send)
	if q == nil {
		r.t.Fatal("no check of ours was sent")
	}
	return r.Handle(p, replyTo(r.t, q, d.Credentials), &r.x)
}

func TestACheckIsAnsweredAndAsked(t *testing.T) {
	for _, from := range []string{"192.0.2.7:40000", "[2001:db8::7]:40000"} {
		r := newRig(t, ice.Config{})
		d, p := r.add("ann"), udpPath(from)
		packet := d.check(useCandidate())
		e := r.Handle(p, packet, &r.x)
		if e.Agent != d.agent || e.Proved || e.Moved {
			t.Errorf("event %+v", e)
		}
		if len(r.x.Send) != 2 {
			t.Fatalf("%d packets sent back", len(r.x.Send))
		}
		q, a := decode(t, r.x.Send[0]), decode(t, r.x.Send[1])
		if q.Type != stun.BindingRequest || a.Type != stun.BindingSuccess {
			t.Fatalf("%v, then %v", q.Type, a.Type)
		}
		if err := a.Check(stun.NewShortTermIntegrity(d.agent.Local().Password), stun.Fingerprint); err != nil {
			t.Errorf("our answer: %v", err)
		}
		if err := q.Check(stun.NewShortTermIntegrity(d.Password), stun.Fingerprint); err != nil {
			t.Errorf("our check: %v", err)
		}
		var u stun.Username
		if _ = u.GetFrom(q); u.String() != d.Ufrag+":"+d.agent.Local().Ufrag {
			t.Errorf("our check is for %q", u)
		}
		var mapped stun.XORMappedAddress
		if err := mapped.GetFrom(a); err != nil || mapped.String() != p.Remote.String() {
			t.Errorf("mapped address %v, %v", mapped, err)
		}
		if a.TransactionID != decode(t, packet).TransactionID {
			t.Error("the answer is to something else")
		}
	}
}

func TestAPathCountsOnceItIsProved(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, p := r.add("ann"), udpPath("192.0.2.7:40000")
	r.Handle(p, d.check(useCandidate()), &r.x)
	q := question(t, r.x.Send)
	if _, ok := d.agent.Path(); ok || r.Agent(p) != nil {
		t.Fatal("an address counts because somebody wrote it on a packet")
	}
	if e := r.Handle(p, replyTo(t, q, ice.Credentials{Password: "somebodyElsesPassword123"}), &r.x); e.Agent != nil {
		t.Error("an answer counts without the password")
	}
	r.now = r.now.Add(40 * time.Millisecond)
	e := r.Handle(p, replyTo(t, q, d.Credentials), &r.x)
	if !e.Proved || !e.Moved || e.Agent != d.agent || e.Path != p {
		t.Errorf("event %+v", e)
	}
	if got, ok := d.agent.Path(); !ok || got != p || r.Agent(p) != d.agent {
		t.Error("the proved path does not count")
	}
	if d.agent.RTT() != 40*time.Millisecond {
		t.Errorf("round trip %v", d.agent.RTT())
	}
}

// A participant forges the address of somebody else, to have media sent there. It
// knows all passwords, but does not see what is sent to that address.
func TestNobodyCanPointMediaAtSomebodyElse(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, own, victim := r.add("mallory"), udpPath("192.0.2.66:1"), udpPath("198.51.100.1:53")
	r.prove(d, own, useCandidate())
	sent, received := 0, 0
	for range 200 {
		packet := d.check(useCandidate())
		r.Handle(victim, packet, &r.x)
		received += len(packet)
		for _, b := range r.x.Send {
			sent += len(b)
		}
		// guesses, and a true answer sent from elsewhere
		if q := question(t, r.x.Send); q != nil {
			forged := replyTo(t, q, d.Credentials)
			r.Handle(own, forged, &r.x)
			guess := replyTo(t, d.check(), d.Credentials)
			r.Handle(victim, guess, &r.x)
		}
	}
	// It sees the number in a check that is sent to an address of its own.
	r.Handle(udpPath("192.0.2.66:2"), d.check(), &r.x)
	seen := replyTo(t, question(t, r.x.Send), d.Credentials)
	if e := r.Handle(victim, seen, &r.x); e.Agent != nil {
		t.Error("an answer counts wherever it comes from")
	}
	if got, _ := d.agent.Path(); got != own || r.Agent(victim) != nil {
		t.Error("media goes where nobody asked for it")
	}
	if sent > received*5/2 {
		t.Errorf("%d bytes to the victim for %d", sent, received)
	}
}

func TestWhoDoesNotKnowThePasswordHearsNothing(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, p := r.add("ann"), udpPath("192.0.2.7:40000")
	other := r.add("bob")
	wrong := d.agent.Local()
	wrong.Password = other.agent.Local().Password
	good := d.check()
	for name, packet := range map[string][]byte{
		"wrong password":     checkOf(d.Credentials, wrong),
		"unknown fragment":   checkOf(d.Credentials, ice.Credentials{Ufrag: "nobody", Password: d.agent.Local().Password}),
		"another's fragment": checkOf(other.Credentials, d.agent.Local()),
		"no integrity": stun.MustBuild(stun.TransactionID, stun.BindingRequest,
			stun.NewUsername(d.agent.Local().Ufrag+":"+d.Ufrag), stun.Fingerprint).Raw,
		"no fingerprint": stun.MustBuild(stun.TransactionID, stun.BindingRequest,
			stun.NewUsername(d.agent.Local().Ufrag+":"+d.Ufrag), stun.NewShortTermIntegrity(d.agent.Local().Password)).Raw,
		"a changed bit":   flip(good, 30),
		"a cut":           good[:len(good)-4],
		"an indication":   stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodBinding, stun.ClassIndication)).Raw,
		"another method":  stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest)).Raw,
		"a stray answer":  replyTo(t, good, d.Credentials),
		"a short request": stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw,
		"no message":      {0, 1, 2, 3},
		"nothing":         {},
		"no colon":        stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername("x"), stun.Fingerprint).Raw,
	} {
		if e := r.Handle(p, packet, &r.x); e.Agent != nil || len(r.x.Send) > 0 {
			t.Errorf("%s: %d packets sent, event %+v", name, len(r.x.Send), e)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = append([]byte(nil), b...)
	b[i] ^= 1
	return b
}

// What stands behind the integrity could have been added on the way.
func TestANominationBehindTheIntegrityDoesNotCount(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, a, b := r.add("ann"), udpPath("192.0.2.7:1"), udpPath("192.0.2.8:1")
	r.prove(d, a)
	r.prove(d, b)
	m := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(d.agent.Local().Ufrag+":"+d.Ufrag),
		stun.NewShortTermIntegrity(d.agent.Local().Password), useCandidate(), stun.Fingerprint)
	if e := r.Handle(b, m.Raw, &r.x); e.Moved {
		t.Error("media moved because somebody on the way said so")
	}
	if got, _ := d.agent.Path(); got != a {
		t.Errorf("media takes %v", got)
	}
}

func TestTheNewestNominationIsTaken(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, a, b := r.add("ann"), udpPath("192.0.2.7:1"), udpPath("203.0.113.9:1")
	c := ice.Path{Remote: netip.MustParseAddrPort("192.0.2.7:1"), Stream: 3}
	if e := r.prove(d, a); !e.Moved {
		t.Error("the first proved path is not taken")
	}
	if e := r.prove(d, b); e.Moved || !e.Proved {
		t.Error("a path that nobody nominated is taken")
	}
	if e := r.Handle(b, d.check(useCandidate()), &r.x); !e.Moved {
		t.Error("a nomination is not followed")
	}
	if e := r.Handle(b, d.check(useCandidate()), &r.x); e.Moved {
		t.Error("moved to where it is")
	}
	if e := r.prove(d, c, useCandidate()); !e.Moved || !e.Proved {
		t.Error("a nomination before the proof is forgotten")
	}
	if e := r.Handle(a, d.check(useCandidate()), &r.x); !e.Moved {
		t.Error("the way back is not followed")
	}
}

func TestADeviceThatBelievesToBeControlledIsToldToSwitch(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, p := r.add("ann"), udpPath("192.0.2.7:40000")
	l := d.agent.Local()
	m := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(l.Ufrag+":"+d.Ufrag),
		attr(stun.AttrICEControlled, 255, 255, 255, 255, 255, 255, 255, 255), stun.NewShortTermIntegrity(l.Password), stun.Fingerprint)
	r.Handle(p, m.Raw, &r.x)
	var code stun.ErrorCodeAttribute
	if len(r.x.Send) != 1 || code.GetFrom(decode(t, r.x.Send[0])) != nil || code.Code != stun.CodeRoleConflict {
		t.Errorf("%d packets, code %v", len(r.x.Send), code)
	}
	r.Handle(p, d.check(attr(0x7123, 1, 2, 3, 4)), &r.x)
	if len(r.x.Send) != 1 || code.GetFrom(decode(t, r.x.Send[0])) != nil || code.Code != stun.CodeUnknownAttribute {
		t.Errorf("an attribute that must be understood: %d packets, code %v", len(r.x.Send), code)
	}
}

func TestARestartKeepsTheOldPathUntilTheNewOneIsNominated(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, a, b := r.add("ann"), udpPath("192.0.2.7:1"), udpPath("203.0.113.9:1")
	r.prove(d, a, useCandidate())
	old := *d
	oldLocal := d.agent.Local()

	d.Credentials = ice.Credentials{Ufrag: "fresh", Password: "abcdefghijklmnopqrstuvwx"}
	local, err := d.agent.Restart(d.Credentials)
	if err != nil || local == oldLocal || local != d.agent.Local() {
		t.Fatalf("new credentials %v, %v", local, err)
	}
	if again, err := d.agent.Restart(d.Credentials); err != nil || again != local {
		t.Error("the same offer again restarts again")
	}
	if e := r.Handle(a, checkOf(old.Credentials, oldLocal), &r.x); e.Agent != d.agent || len(r.x.Send) == 0 {
		t.Error("the old credentials died at once")
	}
	if e := r.prove(d, b); e.Moved || !e.Proved {
		t.Error("moved before the nomination")
	}
	if got, ok := d.agent.Path(); !ok || got != a || r.Agent(a) != d.agent || r.Agent(b) != d.agent {
		t.Error("the old path does not work while the new one is tried")
	}
	if e := r.Handle(b, d.check(useCandidate()), &r.x); !e.Moved {
		t.Error("the nomination under new credentials is not followed")
	}
	if got, _ := d.agent.Path(); got != b || r.Agent(a) != nil {
		t.Error("the old path stays")
	}
	if e := r.Handle(a, checkOf(old.Credentials, oldLocal), &r.x); e.Agent != nil || len(r.x.Send) > 0 {
		t.Error("the old credentials live on")
	}
}

func TestARestartOnTheSameAddress(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, a := r.add("ann"), udpPath("192.0.2.7:1")
	r.prove(d, a, useCandidate())
	for i := range 3 {
		d.Credentials = ice.Credentials{Ufrag: fmt.Sprintf("fresh%d", i), Password: "abcdefghijklmnopqrstuvwx"}
		if _, err := d.agent.Restart(d.Credentials); err != nil {
			t.Fatal(err)
		}
		r.prove(d, a, useCandidate())
		if got, ok := d.agent.Path(); !ok || got != a || r.Agent(a) != d.agent {
			t.Fatal("the path is gone")
		}
	}
	d.agent.Close()
	if r.Agent(a) != nil || r.Len() != 0 || r.Open() != 0 {
		t.Errorf("%d agents and %d open checks remain", r.Len(), r.Open())
	}
	if _, err := d.agent.Restart(deviceCredentials); !errors.Is(err, ice.ErrClosed) {
		t.Errorf("restart after the end: %v", err)
	}
}

func TestConsentEndsWhenNobodyAnswers(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, a := r.add("ann"), udpPath("192.0.2.7:1")
	r.prove(d, a, useCandidate())
	for range 20 { // a device that checks and answers
		r.now = r.now.Add(6 * time.Second)
		r.prove(d, a)
	}
	if _, ok := d.agent.Path(); !ok {
		t.Fatal("a path that is proved again and again is lost")
	}
	for range 6 { // checks, but no answers: its address is another's by now, or forged
		r.now = r.now.Add(6 * time.Second)
		r.Handle(a, d.check(), &r.x)
	}
	if _, ok := d.agent.Path(); ok {
		t.Error("media is sent for ever to who does not answer")
	}
	if !d.agent.Heard().Equal(r.now) {
		t.Errorf("heard at %v", d.agent.Heard())
	}
	if e := r.prove(d, a); !e.Moved && !pathIs(d, a) {
		t.Error("the path does not come back")
	}
}

func pathIs(d *device, p ice.Path) bool {
	got, ok := d.agent.Path()
	return ok && got == p
}

func TestTheEndOfAConnectionLeavesTheOtherPath(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, u := r.add("ann"), udpPath("192.0.2.7:1")
	c := ice.Path{Remote: u.Remote, Stream: 9}
	r.prove(d, u)
	r.prove(d, c, useCandidate())
	d.agent.CloseStream(c)
	if got, ok := d.agent.Path(); !ok || got != u || r.Agent(c) != nil {
		t.Errorf("media takes %v", got)
	}
}

func TestTheAddressOfOneWhoLeftIsTheNextOnes(t *testing.T) {
	r := newRig(t, ice.Config{})
	a, b, p := r.add("ann"), r.add("bob"), udpPath("192.0.2.7:1")
	r.prove(a, p, useCandidate())
	r.prove(b, p, useCandidate())
	if r.Agent(p) != b.agent {
		t.Error("the newest proof does not count")
	}
	a.agent.Close()
	if r.Agent(p) != b.agent {
		t.Error("the end of one takes the path of the other")
	}
}

func TestTablesAreBounded(t *testing.T) {
	r := newRig(t, ice.Config{Agents: 3})
	d := r.add("ann")
	used := udpPath("192.0.2.7:1")
	r.prove(d, used, useCandidate())
	for i := range 5_000 { // a participant that checks from everywhere
		r.now = r.now.Add(time.Millisecond)
		p := ice.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 9)}
		r.Handle(p, d.check(), &r.x)
	}
	if n := r.Open(); n > 16 {
		t.Errorf("%d open checks", n)
	}
	if !pathIs(d, used) {
		t.Error("the path in use made room")
	}
	r.add("bob")
	r.add("eve")
	if _, err := r.Add(deviceCredentials, nil); !errors.Is(err, ice.ErrFull) {
		t.Errorf("a fourth agent: %v", err)
	}
	d.agent.Close()
	d.agent.Close()
	r.add("dan")
	if n := r.Fragments(); n != 3 {
		t.Errorf("%d fragments for three agents", n)
	}
}

func TestAFloodOfWrongPasswordsHarmsNobodyElse(t *testing.T) {
	r := newRig(t, ice.Config{})
	d, p := r.add("ann"), udpPath("192.0.2.7:40000")
	r.prove(d, p, useCandidate())
	flood := ice.Credentials{Ufrag: d.agent.Local().Ufrag, Password: "wrongwrongwrongwrong"}
	packet := checkOf(d.Credentials, flood)
	unknown := checkOf(d.Credentials, ice.Credentials{Ufrag: "nobody", Password: flood.Password})
	for i := range 20_000 {
		from := ice.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), uint16(i))}
		r.Handle(from, packet, &r.x)
		if len(r.x.Send) > 0 {
			t.Fatal("answered")
		}
		r.Handle(p, unknown, &r.x) // from the same address as a participant, behind one NAT
	}
	if e := r.Handle(p, d.check(), &r.x); e.Agent == nil || len(r.x.Send) == 0 {
		t.Error("a participant behind the same address is not heard any more")
	}
	// For an address that tries passwords nothing is computed, until a while later.
	flooding := udpPath("198.51.100.1:1")
	if r.Handle(flooding, d.check(), &r.x); len(r.x.Send) > 0 {
		t.Error("the flooding address may go on")
	}
	r.now = r.now.Add(time.Second)
	if r.Handle(flooding, d.check(), &r.x); len(r.x.Send) == 0 {
		t.Error("and never again")
	}
}

func TestEchoIsNoLongerThanItsQuestionAndNotOften(t *testing.T) {
	r := newRig(t, ice.Config{})
	for _, from := range []string{"192.0.2.7:40000", "[2001:db8::7]:40000"} {
		p := udpPath(from)
		ask := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewSoftware(strings.Repeat("x", 40))).Raw
		if e := r.Handle(p, ask, &r.x); e.Agent != nil || len(r.x.Send) != 1 {
			t.Fatalf("%d answers", len(r.x.Send))
		}
		if len(r.x.Send[0]) > len(ask) {
			t.Errorf("%d bytes for %d", len(r.x.Send[0]), len(ask))
		}
		n := 0
		for range 1000 {
			r.Handle(p, ask, &r.x)
			n += len(r.x.Send)
		}
		if n > 50 {
			t.Errorf("%d answers in no time", n)
		}
	}
}

func TestCredentialsOfDevicesAreChecked(t *testing.T) {
	r := newRig(t, ice.Config{})
	good := deviceCredentials
	for name, c := range map[string]ice.Credentials{
		"no fragment":     {"", good.Password},
		"short fragment":  {"abc", good.Password},
		"long fragment":   {strings.Repeat("a", 257), good.Password},
		"short password":  {good.Ufrag, "0123456789"},
		"a colon":         {"ab:cd", good.Password},
		"a line":          {"ab\r\ncd", good.Password},
		"another letter":  {"абвг", good.Password},
		"an odd password": {good.Ufrag, strings.Repeat(" ", 30)},
	} {
		if _, err := r.Add(c, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzHandle looks for messages that crash, or that somebody who does not know the
// password gets an answer to that is longer than what it sent.
func FuzzHandle(f *testing.F) {
	r := newRig(f, ice.Config{})
	d := r.add("ann")
	f.Add(d.check())
	f.Add(checkOf(d.Credentials, ice.Credentials{Ufrag: d.agent.Local().Ufrag, Password: "x"}))
	f.Add(stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewSoftware("someone or other who asks")).Raw)
	known := d.check()
	f.Fuzz(func(t *testing.T, b []byte) {
		r.now = r.now.Add(time.Second)
		e := r.Handle(udpPath("192.0.2.1:1"), b, &r.x)
		n := 0
		for _, s := range r.x.Send {
			n += len(s)
		}
		if e.Agent == nil && n > len(b) {
			t.Errorf("%d bytes for %d to a stranger", n, len(b))
		}
		if e.Agent != nil && len(b) < len(known)/2 {
			t.Errorf("%d bytes pass for a check", len(b))
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	r := newRig(b, ice.Config{})
	d, p := r.add("ann"), udpPath("192.0.2.7:40000")
	r.prove(d, p, useCandidate())
	packet := d.check()
	b.ReportAllocs()
	for b.Loop() {
		r.Handle(p, packet, &r.x)
	}
}

func BenchmarkStranger(b *testing.B) {
	r := newRig(b, ice.Config{})
	d, p := r.add("ann"), udpPath("192.0.2.7:40000")
	packet := checkOf(d.Credentials, ice.Credentials{Ufrag: "nobody", Password: "x"})
	b.ReportAllocs()
	for b.Loop() {
		r.Handle(p, packet, &r.x)
	}
}

func BenchmarkAgentOfPath(b *testing.B) {
	r := newRig(b, ice.Config{})
	d, p := r.add("ann"), udpPath("192.0.2.7:40000")
	r.prove(d, p, useCandidate())
	b.ReportAllocs()
	for b.Loop() {
		if r.Agent(p) == nil {
			b.Fatal("lost")
		}
	}
}
