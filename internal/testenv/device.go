package testenv

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// Root signs an account's statements, as its devices would; see e2ee/identity
// for the real one. Its vault is random bytes: the server cannot tell.
type Root struct {
	TB      testing.TB
	Key     ed25519.PrivateKey
	Last    statement.Body // of the newest statement, seq 0 before the first
	Hash    wire.Hash      // of its bytes
	Version int64          // of the vault
}

// NewRoot makes a root key for an account.
func NewRoot(t testing.TB, account wire.AccountID) *Root {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := &Root{TB: t, Key: key, Last: statement.Body{Version: statement.Version, Account: account}}
	copy(r.Last.Root[:], key.Public().(ed25519.PublicKey))
	return r
}

// Keys is what a device is listed with.
type Keys struct {
	Leaf   ed25519.PrivateKey
	Unlock hpke.PrivateKey
}

// NewKeys makes a device's keys.
func NewKeys(t testing.TB) Keys {
	_, leaf, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return Keys{leaf, unlock}
}

// Enrol is what a device asks to be listed with.
func (k Keys) Enrol() wire.Enrol {
	return wire.Enrol{Key: k.Leaf.Public().(ed25519.PublicKey), Unlock: k.Unlock.PublicKey().Bytes()}
}

// Listed is a device as a statement lists it.
func (k Keys) Listed(id wire.DeviceID) statement.Device {
	d := statement.Device{ID: id, Unlock: sha256.Sum256(k.Unlock.PublicKey().Bytes()), Added: wire.Now(time.Now())}
	copy(d.Key[:], k.Leaf.Public().(ed25519.PublicKey))
	return d
}

// Sign makes the statement that follows the newest, after change, and the
// request that publishes it. Took must be called when it was published.
func (r *Root) Sign(change func(*statement.Body)) wire.Publish {
	b := r.Last
	b.Devices = append([]statement.Device{}, b.Devices...)
	b.Prev = r.Hash
	b.Seq++
	b.Time = max(b.Time, wire.Now(time.Now()))
	change(&b)
	body, err := b.Encode()
	if err != nil {
		r.TB.Fatal(err)
	}
	vault := make([]byte, 200)
	rand.Read(vault)
	return wire.Publish{
		Statement: wire.SignedStatement{Body: body, Signature: ed25519.Sign(r.Key, statement.ToSign(body))},
		Vault:     vault, Version: r.Version,
	}
}

// Took notes that p was published.
func (r *Root) Took(p wire.Publish) {
	b, err := statement.Parse(p.Statement.Body)
	if err != nil {
		r.TB.Fatal(err)
	}
	r.Last, r.Hash, r.Version = *b, sha256.Sum256(p.Statement.Body), p.Version+1
}

// Publish signs, publishes over c and notes it.
func (r *Root) Publish(c *Socket, change func(*statement.Body)) wire.Published {
	r.TB.Helper()
	p := r.Sign(change)
	res := Call(c, wire.DevicePublish, p)
	r.Took(p)
	return res
}

// Add lists a device; for Sign and Publish.
func Add(id wire.DeviceID, k Keys) func(*statement.Body) {
	return func(b *statement.Body) { b.Devices = append(b.Devices, k.Listed(id)) }
}

// Revoke revokes a device; for Sign and Publish.
func Revoke(id wire.DeviceID) func(*statement.Body) {
	return func(b *statement.Body) {
		for i := range b.Devices {
			if b.Devices[i].ID == id {
				b.Devices[i].Revoked = b.Time
			}
		}
	}
}

// Person is an account with an active first device, connected.
type Person struct {
	*Session
	*Socket
	Root *Root
	Keys Keys
}

// SetUpPerson is SetUp with the first device enrolled.
func (s *Site) SetUpPerson(name string) *Person { s.TB.Helper(); return s.SetUp(name).Activate() }

// AddPerson is SignUp with the first device enrolled.
func (s *Site) AddPerson(name string) *Person { s.TB.Helper(); return s.SignUp(name).Activate() }

// Activate connects the account's first device and publishes statement 1.
func (ses *Session) Activate() *Person {
	t := ses.Site.TB
	t.Helper()
	p := &Person{Session: ses, Socket: ses.Connect(), Root: NewRoot(t, ses.Account), Keys: NewKeys(t)}
	Call(p.Socket, wire.DeviceEnrol, p.Keys.Enrol())
	p.Root.Publish(p.Socket, Add(ses.Device, p.Keys))
	return p
}

// AddDevice signs a further device in, has p approve it, and connects it.
func (p *Person) AddDevice() *Person {
	p.Session.Site.TB.Helper()
	ses := p.Session.Site.SignIn(p.Session.Name)
	d := &Person{Session: ses, Socket: ses.Connect(), Root: p.Root, Keys: NewKeys(p.Session.Site.TB)}
	Call(d.Socket, wire.DeviceEnrol, d.Keys.Enrol())
	p.Root.Publish(p.Socket, Add(ses.Device, d.Keys))
	return d
}
