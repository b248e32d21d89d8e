package doors

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"testing"

	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// asBefore is what a device shows that says that it was let in before.
func asBefore(k testenv.Keys, account wire.AccountID, device wire.DeviceID) *wire.Again {
	e := k.Enrol()
	return &wire.Again{Device: device, Key: e.Key, Unlock: e.Unlock, Proof: ed25519.Sign(k.Leaf, wire.AgainProof(account, device))}
}

// lost is a site that was restored to the moment before ann let a device in.
type lost struct {
	*testenv.Site
	ann, bob  *testenv.Person
	device    wire.DeviceID
	keys      testenv.Keys
	republish wire.Republish // what ann has of her chain, and the site has not
}

func lose(t *testing.T) *lost {
	t.Helper()
	l := &lost{Site: testenv.Start(t)}
	l.ann, l.bob = l.SetUpPerson("Ann"), l.AddPerson("Bob")
	backup := l.Backup()
	l.device, l.keys = wire.NewDeviceID(), testenv.NewKeys(t)
	d := l.SignIn("Ann")
	l.device = d.Device
	testenv.Call(d.Connect(), wire.DeviceEnrol, l.keys.Enrol())
	p := l.ann.Root.Sign(testenv.Add(l.device, l.keys))
	testenv.Call(l.ann.Socket, wire.DevicePublish, p)
	l.republish = wire.Republish{Statements: []wire.SignedStatement{p.Statement}, Vault: p.Vault, Version: p.Version}
	if _, err := testenv.Try(l.ann.Socket, wire.DeviceRepublish, l.republish); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("on a site that was never restored: %v", err)
	}
	// Nor is an id there for the asking.
	id := wire.NewDeviceID()
	if in := l.in(t, "Ann", asBefore(l.keys, l.ann.Account, id)); in.Device == id || in.State != wire.DevicePending {
		t.Errorf("on a site that was never restored, a device comes back as %+v", in)
	}
	l.Restore(backup)
	l.ann.Socket, l.bob.Socket = l.ann.Connect(), l.bob.Connect()
	return l
}

// in signs somebody in.
func (l *lost) in(t *testing.T, name string, a *wire.Again) (in wire.SignedIn) {
	t.Helper()
	if status, e := l.Post(wire.PathSignin, "", wire.SignIn{Name: name, Password: testenv.Password, Device: "it", Again: a}, &in); e != nil {
		t.Fatalf("%s is not let in: %d %v", name, status, e)
	}
	return in
}

func (l *lost) state(t *testing.T) wire.DeviceState {
	t.Helper()
	for _, d := range testenv.Call(l.ann.Socket, wire.DeviceList, wire.None{}).Devices {
		if d.Device == l.device {
			return d.State
		}
	}
	return ""
}

// Whoever has the password and not the device's key does not come in as it,
// whether the site has heard of it again already or not.
func TestNobodyComesBackAsAnothersDevice(t *testing.T) {
	l := lose(t)
	mine := testenv.NewKeys(t)
	for name, change := range map[string]func(*wire.Again){
		"a proof of another key":     func(a *wire.Again) { a.Proof = asBefore(mine, l.ann.Account, l.device).Proof },
		"a proof of another device":  func(a *wire.Again) { a.Proof = asBefore(l.keys, l.ann.Account, wire.NewDeviceID()).Proof },
		"a proof of another account": func(a *wire.Again) { a.Proof = asBefore(l.keys, l.bob.Account, l.device).Proof },
		"no proof":                   func(a *wire.Again) { a.Proof = nil },
		"a key that is none":         func(a *wire.Again) { a.Key = a.Key[:31] },
		"an unlock key that is none": func(a *wire.Again) { a.Unlock = a.Unlock[:31] },
	} {
		a := asBefore(l.keys, l.ann.Account, l.device)
		change(a)
		if _, e := l.Post(wire.PathSignin, "", wire.SignIn{Name: "Ann", Password: testenv.Password, Device: "it", Again: a}, nil); e == nil || e.Code != wire.BadRequest {
			t.Errorf("%s: %v", name, e)
		}
	}
	// Under the id, with keys of their own, they only wait, and are out when the
	// statement comes that says whose it is.
	squat := l.in(t, "Ann", asBefore(mine, l.ann.Account, l.device))
	if squat.Device != l.device || squat.State != wire.DevicePending {
		t.Fatalf("who squats is %+v", squat)
	}
	there := (&testenv.Session{SignedIn: squat, Site: l.Site}).Connect()
	testenv.Call(l.ann.Socket, wire.DeviceRepublish, l.republish)
	there.Ended()
	if status, e := l.Do("GET", wire.PathSession, squat.Token, "", nil, nil); status != 401 {
		t.Errorf("who squats is told %d %v", status, e)
	}
	if s := l.state(t); s != wire.DeviceActive {
		t.Errorf("the device is %q", s)
	}
	if in := l.in(t, "Ann", asBefore(mine, l.ann.Account, l.device)); in.Device == l.device || in.State != wire.DevicePending {
		t.Errorf("with other keys one comes back as %+v", in)
	}
	a := asBefore(l.keys, l.ann.Account, l.device)
	a.Unlock = mine.Enrol().Unlock
	if in := l.in(t, "Ann", a); in.Device == l.device {
		t.Errorf("with another unlock key one comes back as %+v", in)
	}
	a = asBefore(mine, l.ann.Account, l.device)
	a.Unlock = l.keys.Enrol().Unlock // which stands in the vault
	if in := l.in(t, "Ann", a); in.Device == l.device {
		t.Errorf("with another key one comes back as %+v", in)
	}
	if in := l.in(t, "Bob", asBefore(l.keys, l.bob.Account, l.device)); in.Device == l.device || in.Account != l.bob.Account {
		t.Errorf("of another account one comes back as %+v", in)
	}
	if in := l.in(t, "Ann", asBefore(l.keys, l.ann.Account, l.device)); in.Device != l.device || in.State != wire.DeviceActive {
		t.Errorf("the device itself comes back as %+v", in)
	}
	// Once.
	if in := l.in(t, "Ann", asBefore(l.keys, l.ann.Account, l.device)); in.Device == l.device {
		t.Errorf("the device comes back twice")
	}
	// Nor does one that was always known.
	if in := l.in(t, "Ann", asBefore(l.ann.Keys, l.ann.Account, l.ann.Device)); in.Device == l.ann.Device {
		t.Errorf("a device that the site knows is taken over")
	}
}

// The device that waits with its own keys is let in by the statement, and stays
// connected.
func TestADeviceThatWaitsIsLetInByWhatIsPublishedAgain(t *testing.T) {
	l := lose(t)
	in := l.in(t, "Ann", asBefore(l.keys, l.ann.Account, l.device))
	if in.Device != l.device || in.State != wire.DevicePending {
		t.Fatalf("it is %+v", in)
	}
	there := (&testenv.Session{SignedIn: in, Site: l.Site}).Connect()
	testenv.Call(l.ann.Socket, wire.DeviceRepublish, l.republish)
	if _, err := testenv.Try(there, wire.DirectoryPeople, wire.ListPeople{}); err != nil {
		t.Errorf("let in, it is told %v", err)
	}
	if _, err := testenv.Try(l.ann.Socket, wire.DeviceRepublish, l.republish); wire.CodeOf(err) != wire.Conflict {
		t.Errorf("published twice: %v", err)
	}
}

// What is published again changes nobody else, and nothing but what the root has
// signed, in the order in which it did.
func TestWhatIsPublishedAgainIsTheRootsWord(t *testing.T) {
	l := lose(t)
	sign := func(last statement.Body, k ed25519.PrivateKey, change func(*statement.Body)) wire.SignedStatement {
		r := *l.ann.Root
		r.Last, r.Key = last, k
		return r.Sign(change).Statement
	}
	_, other, _ := ed25519.GenerateKey(nil)
	good := l.republish.Statements[0]
	forged := wire.SignedStatement{Body: good.Body, Signature: bytes.Repeat([]byte{1}, ed25519.SignatureSize)}
	for name, list := range map[string][]wire.SignedStatement{
		"nothing":                    {},
		"without a signature":        {forged},
		"signed by somebody else":    {sign(l.ann.Root.Last, other, testenv.Add(l.device, l.keys))},
		"somebody else's chain":      {l.bob.Root.Sign(testenv.Add(l.device, l.keys)).Statement},
		"one is missing in between":  {{Body: l.ann.Root.Sign(func(b *statement.Body) { b.Seq++ }).Statement.Body, Signature: good.Signature}},
		"the same twice":             {good, good},
		"somebody else's device":     {sign(l.ann.Root.Last, l.ann.Root.Key, testenv.Add(l.bob.Device, l.bob.Keys))},
		"more than any chain can be": slices.Repeat([]wire.SignedStatement{good}, 2*statement.MaxListed+1),
	} {
		p := l.republish
		p.Statements = list
		_, err := testenv.Try(l.ann.Socket, wire.DeviceRepublish, p)
		if code := wire.CodeOf(err); code != wire.BadRequest && code != wire.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := testenv.Try(l.bob.Socket, wire.DeviceRepublish, l.republish); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("by somebody else: %v", err)
	}
	if s := l.state(t); s != "" {
		t.Errorf("the device is %q", s)
	}
	// A device that the chain does not list publishes nothing.
	waits := l.SignIn("Ann").Connect()
	if _, err := testenv.Try(waits, wire.DeviceRepublish, l.republish); wire.CodeOf(err) != wire.BadRequest {
		t.Errorf("by a device that waits: %v", err)
	}
	testenv.Call(l.bob.Socket, wire.SessionPing, wire.None{})
	testenv.Call(l.ann.Socket, wire.DeviceRepublish, l.republish)
}
