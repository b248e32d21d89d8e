package server_test

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// maker makes key packages; change spoils them.
type maker struct {
	account wire.AccountID
	device  wire.DeviceID
	keys    testenv.Keys
}

func (m maker) make(t *testing.T, change func(*group.KeyPackageConfig)) []byte {
	t.Helper()
	signer, err := group.ParseSigner(mls.HybridX25519MLKEM768, m.keys.Leaf.Seed())
	if err != nil {
		t.Fatal(err)
	}
	cfg := group.KeyPackageConfig{
		Suite: mls.HybridX25519MLKEM768, Signer: signer,
		Credential: mls.Credential{Type: mls.CredentialBasic, Identity: policy.Identity(m.account, m.device)},
	}
	if change != nil {
		change(&cfg)
	}
	k, _, err := group.NewKeyPackage(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b, err := mls.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func makerOf(p *testenv.Person) maker { return maker{p.Account, p.Device, p.Keys} }

func last(c *group.KeyPackageConfig) { c.LastResort = true }

func TestKeyPackagesAreGivenOnceAndTheLastResortStays(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	m := makerOf(bob)
	one, two, resort := m.make(t, nil), m.make(t, nil), m.make(t, last)
	c := testenv.Call(bob.Socket, wire.KeyUpload, wire.UploadKeys{Packages: [][]byte{one, two, one}, LastResort: resort})
	if c.Count != 2 || !c.LastResort {
		t.Errorf("after the upload: %+v", c)
	}
	got := map[string]int{}
	for range 4 {
		claimed := testenv.Call(ann.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: []wire.AccountID{bob.Account, bob.Account}})
		if len(claimed.Packages) != 1 || claimed.Packages[0].Device != bob.Device || claimed.Packages[0].Account != bob.Account {
			t.Fatalf("claimed: %d packages", len(claimed.Packages))
		}
		got[string(claimed.Packages[0].Package)]++
	}
	if got[string(one)] != 1 || got[string(two)] != 1 || got[string(resort)] != 2 {
		t.Errorf("claimed %d, %d, %d times", got[string(one)], got[string(two)], got[string(resort)])
	}
	if c := testenv.Call(bob.Socket, wire.KeyCounted, wire.None{}); c.Count != 0 || !c.LastResort {
		t.Errorf("afterwards: %+v", c)
	}
	newer := m.make(t, last)
	testenv.Call(bob.Socket, wire.KeyUpload, wire.UploadKeys{LastResort: newer})
	claimed := testenv.Call(ann.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: []wire.AccountID{bob.Account}})
	if string(claimed.Packages[0].Package) != string(newer) {
		t.Error("the last-resort package was not replaced")
	}
}

// The answer to an upload may be lost, and a package be given before it is
// repeated: a key has one use.
func TestARepeatedUploadDoesNotBringBackWhatWasGiven(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	m := makerOf(bob)
	upload := wire.UploadKeys{Packages: [][]byte{m.make(t, nil), m.make(t, nil)}}
	claim := wire.ClaimKeys{Accounts: []wire.AccountID{bob.Account}}
	testenv.Call(bob.Socket, wire.KeyUpload, upload)
	given := map[string]bool{}
	for range 2 {
		c := testenv.Call(ann.Socket, wire.KeyClaim, claim)
		if len(c.Packages) != 1 || given[string(c.Packages[0].Package)] {
			t.Fatalf("%d packages, or one that was given", len(c.Packages))
		}
		given[string(c.Packages[0].Package)] = true
		testenv.Call(bob.Socket, wire.KeyUpload, upload)
	}
	if c := testenv.Call(bob.Socket, wire.KeyCounted, wire.None{}); c.Count != 0 {
		t.Errorf("%d packages are left", c.Count)
	}
	if c := testenv.Call(ann.Socket, wire.KeyClaim, claim); len(c.Packages) != 0 {
		t.Error("a package was given twice")
	}
}

func TestManyClaimAtOnceAndNoPackageIsGivenTwice(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	m := makerOf(ann)
	var up wire.UploadKeys
	for range 20 {
		up.Packages = append(up.Packages, m.make(t, nil))
	}
	testenv.Call(ann.Socket, wire.KeyUpload, up)
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for _, p := range []*testenv.Person{site.AddPerson("Bob"), site.AddPerson("Cid"), site.AddPerson("Dan")} {
		wg.Go(func() {
			for range 10 {
				c, err := testenv.Try(p.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: []wire.AccountID{ann.Account}})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, k := range c.Packages {
					if seen[string(k.Package)] {
						t.Error("a package was given twice")
					}
					seen[string(k.Package)] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 20 {
		t.Errorf("%d packages were given", len(seen))
	}
}

func TestClaimOfSomeDevices(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	second := ann.AddDevice()
	revoked := ann.AddDevice()
	for _, p := range []*testenv.Person{ann, second, revoked} {
		testenv.Call(p.Socket, wire.KeyUpload, wire.UploadKeys{LastResort: makerOf(p).make(t, last)})
	}
	ann.Root.Publish(ann.Socket, testenv.Revoke(revoked.Device))
	all := testenv.Call(ann.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: []wire.AccountID{ann.Account, wire.NewAccountID()}})
	if len(all.Packages) != 2 {
		t.Errorf("%d packages, want those of the two active devices", len(all.Packages))
	}
	some := testenv.Call(ann.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: []wire.AccountID{ann.Account}, Devices: []wire.DeviceID{second.Device, revoked.Device}})
	if len(some.Packages) != 1 || some.Packages[0].Device != second.Device {
		t.Errorf("%d packages of the devices named", len(some.Packages))
	}
}

func TestKeyPackagesThatAreRefused(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	m := makerOf(ann)
	damaged := m.make(t, nil)
	damaged[len(damaged)-1] ^= 1
	otherKey := m
	otherKey.keys = testenv.NewKeys(t)
	otherDevice := m
	otherDevice.device = wire.NewDeviceID()
	for name, up := range map[string]wire.UploadKeys{
		"no key package":       {Packages: [][]byte{[]byte("hello")}},
		"more after its end":   {Packages: [][]byte{append(m.make(t, nil), 0)}},
		"a broken signature":   {Packages: [][]byte{damaged}},
		"another key":          {Packages: [][]byte{otherKey.make(t, nil)}},
		"another device":       {Packages: [][]byte{otherDevice.make(t, nil)}},
		"another account":      {Packages: [][]byte{makerOf(bob).make(t, nil)}},
		"a last resort as one": {Packages: [][]byte{m.make(t, last)}},
		"one as last resort":   {LastResort: m.make(t, nil)},
		"one that has expired": {Packages: [][]byte{m.make(t, func(c *group.KeyPackageConfig) {
			c.Lifetime = mls.LifetimeFrom(time.Now().Add(-48*time.Hour), 24*time.Hour)
		})}},
		"one that is not good yet": {Packages: [][]byte{m.make(t, func(c *group.KeyPackageConfig) {
			c.Lifetime = mls.LifetimeFrom(time.Now().Add(24*time.Hour), 48*time.Hour)
		})}},
		"a good one and a bad one": {Packages: [][]byte{m.make(t, nil), damaged}},
	} {
		_, err := testenv.Try(ann.Socket, wire.KeyUpload, up)
		refused(t, err, wire.BadRequest, name)
	}
	if c := testenv.Call(ann.Socket, wire.KeyCounted, wire.None{}); c.Count != 0 || c.LastResort {
		t.Errorf("something was stored: %+v", c)
	}
	_, err := testenv.Try(ann.Socket, wire.KeyUpload, wire.UploadKeys{Packages: make([][]byte, wire.MaxKeyPackages+1)})
	refused(t, err, wire.TooLarge, "too many at a time")
}

func TestNoMoreKeyPackagesThanTheCap(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	m := makerOf(ann)
	fill := wire.UploadKeys{}
	for range wire.MaxKeyPackages {
		fill.Packages = append(fill.Packages, m.make(t, nil))
	}
	testenv.Call(ann.Socket, wire.KeyUpload, fill)
	_, err := testenv.Try(ann.Socket, wire.KeyUpload, wire.UploadKeys{Packages: [][]byte{m.make(t, nil)}})
	refused(t, err, wire.TooLarge, "one more")
	if c := testenv.Call(ann.Socket, wire.KeyCounted, wire.None{}); c.Count != wire.MaxKeyPackages {
		t.Errorf("%d are kept", c.Count)
	}
}

func TestExpiredKeyPackagesAreNotGiven(t *testing.T) {
	c := newClock()
	site := testenv.Start(t, testenv.WithClock(c.now))
	ann := site.SetUpPerson("Ann")
	m := makerOf(ann)
	soon := func(cfg *group.KeyPackageConfig) {
		cfg.Lifetime = mls.LifetimeFrom(time.Now().Add(-time.Hour), 25*time.Hour)
	}
	testenv.Call(ann.Socket, wire.KeyUpload, wire.UploadKeys{Packages: [][]byte{m.make(t, soon)}, LastResort: m.make(t, last)})
	c.advance(48 * time.Hour)
	claimed := testenv.Call(ann.Socket, wire.KeyClaim, wire.ClaimKeys{Accounts: []wire.AccountID{ann.Account}})
	var k mls.KeyPackage
	if len(claimed.Packages) != 1 || mls.Unmarshal(claimed.Packages[0].Package, &k) != nil || !k.LastResort() {
		t.Errorf("given was not the last resort: %d", len(claimed.Packages))
	}
	if n := testenv.Call(ann.Socket, wire.KeyCounted, wire.None{}); n.Count != 0 {
		t.Errorf("an expired one counts: %+v", n)
	}
}

// Packages that expire at once would otherwise pile up between two sweeps.
func TestExpiredKeyPackagesMakeRoom(t *testing.T) {
	c := newClock()
	site := testenv.Start(t, testenv.WithClock(c.now))
	ann := site.SetUpPerson("Ann")
	m := makerOf(ann)
	for range 3 {
		soon := func(cfg *group.KeyPackageConfig) {
			cfg.Lifetime = mls.LifetimeFrom(c.now().Add(-time.Hour), 25*time.Hour)
		}
		testenv.Call(ann.Socket, wire.KeyUpload, wire.UploadKeys{Packages: [][]byte{m.make(t, soon), m.make(t, soon)}})
		c.advance(48 * time.Hour)
	}
	site.Stop()
	d, err := sql.Open("sqlite", filepath.Join(site.Dir, "veche.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var n int
	if err := d.QueryRow(`SELECT count(*) FROM key_package`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d key packages are on disk, %v", n, err)
	}
}
