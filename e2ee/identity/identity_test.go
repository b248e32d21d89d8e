package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/wire"
)

const now = wire.Millis(1_800_000_000_000)

// person is an account with its first device, as a test needs it.
type person struct {
	account wire.AccountID
	device  wire.DeviceID
	keys    *DeviceKeys
	change  Change
	key     RecoveryKey
}

func found(t *testing.T) person {
	t.Helper()
	p := person{account: wire.NewAccountID(), device: wire.NewDeviceID(), keys: newKeys(t)}
	var err error
	if p.change, p.key, err = Found(p.account, p.device, p.keys, now); err != nil {
		t.Fatal(err)
	}
	return p
}

func newKeys(t *testing.T) *DeviceKeys {
	t.Helper()
	k, err := NewDeviceKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (p *person) open(t *testing.T) *Account {
	t.Helper()
	a, err := Open(p.change.Chain, p.change.Vault, p.device, p.keys)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// vaultOf decodes a vault so that a test can bend it.
func vaultOf(t *testing.T, b []byte) vault {
	t.Helper()
	var v vault
	if err := wire.Decode(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := wire.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestALifeOfDevices goes through what a person does, and checks at each step
// what the server checks.
func TestALifeOfDevices(t *testing.T) {
	p := found(t)
	chain := []wire.SignedStatement{p.change.Statement}
	check := func(c Change) {
		t.Helper()
		chain = append(chain, c.Statement)
		v, err := statement.Verify(p.account, chain)
		if err != nil || v.Hash != c.Chain.Hash {
			t.Fatalf("the chain does not hold: %v", err)
		}
		p.change = c
	}

	// A second device by approval.
	laptop, laptopKeys := wire.NewDeviceID(), newKeys(t)
	c, err := p.open(t).Add(laptop, laptopKeys.Leaf(), laptopKeys.Unlock(), now+1)
	if err != nil {
		t.Fatal(err)
	}
	check(c)
	if _, err := Open(c.Chain, c.Vault, laptop, laptopKeys); err != nil {
		t.Fatalf("the new device: %v", err)
	}

	// A third with the recovery key, which went through a rewrite unknown to the writer.
	key, err := ParseRecoveryKey(p.key.Text())
	if err != nil {
		t.Fatal(err)
	}
	a, err := Recover(c.Chain, c.Vault, key)
	if err != nil {
		t.Fatalf("recovery after a rewrite: %v", err)
	}
	tablet, tabletKeys := wire.NewDeviceID(), newKeys(t)
	c, err = a.Add(tablet, tabletKeys.Leaf(), tabletKeys.Unlock(), now+2)
	if err != nil {
		t.Fatal(err)
	}
	check(c)
	if len(c.Chain.Active()) != 3 {
		t.Fatalf("%d active devices", len(c.Chain.Active()))
	}

	// The tablet shuts the laptop out.
	a, err = Open(c.Chain, c.Vault, tablet, tabletKeys)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = a.Revoke(laptop, now+3); err != nil {
		t.Fatal(err)
	}
	check(c)
	if _, err := Open(c.Chain, c.Vault, laptop, laptopKeys); !errors.Is(err, ErrNotListed) {
		t.Fatalf("the revoked device: %v", err)
	}
	v := vaultOf(t, c.Vault)
	if _, err := v.openDevice(laptop, laptopKeys); !errors.Is(err, ErrOpen) {
		t.Fatalf("the revoked device opens the new vault: %v", err)
	}
	if _, err := a.Revoke(wire.NewDeviceID(), now); !errors.Is(err, ErrNotListed) {
		t.Fatalf("revoking nobody: %v", err)
	}

	// The first device replaces the recovery key.
	c, key2, err := p.open(t).NewRecovery(now + 4)
	if err != nil {
		t.Fatal(err)
	}
	check(c)
	if _, err := Recover(c.Chain, c.Vault, key); !errors.Is(err, ErrOpen) {
		t.Fatalf("the replaced recovery key: %v", err)
	}
	if _, err := Recover(c.Chain, c.Vault, key2); err != nil {
		t.Fatalf("the new recovery key: %v", err)
	}
}

func TestAClockThatGoesBackStillSigns(t *testing.T) {
	p := found(t)
	keys := newKeys(t)
	c, err := p.open(t).Add(wire.NewDeviceID(), keys.Leaf(), keys.Unlock(), now-1000)
	if err != nil || c.Chain.Time != now {
		t.Fatalf("time %d, %v", c.Chain.Time, err)
	}
}

func TestEveryVaultHasANewKey(t *testing.T) {
	p := found(t)
	a := p.open(t)
	c1, _, err1 := a.NewRecovery(now)
	c2, _, err2 := a.NewRecovery(now)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(vaultOf(t, c1.Vault).Box[12:], vaultOf(t, c2.Vault).Box[12:]) {
		t.Fatal("two vaults have the same box")
	}
}

// TestAHostileServersVault bends a vault in the ways that a server could, which
// knows all that is public, and sees each refused before a secret moves.
func TestAHostileServersVault(t *testing.T) {
	p, other := found(t), found(t)
	keys := newKeys(t) // a second device, so that there is an order to change
	c, err := p.open(t).Add(wire.NewDeviceID(), keys.Leaf(), keys.Unlock(), now)
	if err != nil {
		t.Fatal(err)
	}
	old := p.change
	p.change = c
	server := newKeys(t)               // keys whose private half the server has
	invent := func(v *vault, r root) { // what the server can do without VK: a vault of its own
		locks := make([]lock, len(v.Locks))
		copy(locks, v.Locks)
		b, err := sealVault(v.Account, r, locks)
		if err != nil {
			t.Fatal(err)
		}
		made := vaultOf(t, b)
		root := v.Root
		*v = made
		v.Root = root
	}
	for _, tt := range []struct {
		name string
		bend func(v *vault)
		want error
	}{
		{"nothing", func(*vault) {}, nil},
		{"a device's lock has the server's key", func(v *vault) { v.Locks[1].Pub = server.Unlock() }, ErrVault},
		{"the recovery lock has the server's key", func(v *vault) { v.Locks[2].Pub = server.Unlock() }, ErrVault},
		{"one lock more", func(v *vault) {
			v.Locks = slices.Insert(v.Locks, 2, lock{Kind: deviceLock, ID: wire.NewDeviceID(), Pub: server.Unlock(), Box: []byte{1}})
		}, ErrVault},
		{"a lock of a device is missing", func(v *vault) { v.Locks = slices.Delete(v.Locks, 1, 2) }, ErrVault},
		{"the recovery lock is missing", func(v *vault) { v.Locks = v.Locks[:2] }, ErrVault},
		{"two recovery locks", func(v *vault) { v.Locks = append(v.Locks, v.Locks[2]) }, ErrVault},
		{"no locks", func(v *vault) { v.Locks = nil }, ErrVault},
		{"locks reordered", func(v *vault) { v.Locks[0], v.Locks[1] = v.Locks[1], v.Locks[0] }, ErrVault},
		{"a recovery lock in a device's place", func(v *vault) { v.Locks[1] = v.Locks[2] }, ErrVault},
		{"a salt in a device's lock", func(v *vault) { v.Locks[0].Salt = make([]byte, saltSize) }, ErrVault},
		{"a short proof", func(v *vault) { v.Locks[2].Proof = v.Locks[2].Proof[:31] }, ErrVault},
		{"another kind of lock", func(v *vault) { v.Locks[0].Kind = "passkey" }, ErrVault},
		{"another account", func(v *vault) { v.Account = other.account }, ErrVault},
		{"another root", func(v *vault) { v.Root = other.change.Chain.Root }, ErrVault},
		{"another version", func(v *vault) { v.Version = 2 }, ErrVault},
		{"a box of any size", func(v *vault) { v.Box = make([]byte, wire.MaxVault) }, ErrVault},
		{"the vault of another account", func(v *vault) { *v = vaultOf(t, other.change.Vault) }, ErrVault},
		{"an older vault", func(v *vault) { *v = vaultOf(t, old.Vault) }, ErrVault},
		{"a box that was changed", func(v *vault) { v.Box[20] ^= 1 }, ErrOpen},
		{"a box that was cut", func(v *vault) { v.Box = v.Box[:11] }, ErrOpen},
		{"a lock's box that was changed", func(v *vault) { v.Locks[0].Box[5] ^= 1 }, ErrOpen},
		{"another device's box in our lock", func(v *vault) { v.Locks[0].Box = v.Locks[1].Box }, ErrOpen},
		{"a root of the server's, sealed for us", func(v *vault) { invent(v, newRoot()) }, ErrOpen},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := vaultOf(t, c.Vault)
			tt.bend(&v)
			_, err := Open(c.Chain, encode(t, v), p.device, p.keys)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
	for name, b := range map[string][]byte{
		"empty":            nil,
		"cut":              c.Vault[:len(c.Vault)-1],
		"trailing":         append(slices.Clone(c.Vault), 0),
		"a longer integer": bytes.Replace(c.Vault, []byte{0x61, 'v', 1}, []byte{0x61, 'v', 0x18, 1}, 1),
		"too long":         make([]byte, wire.MaxVault+1),
	} {
		if _, err := Open(c.Chain, b, p.device, p.keys); !errors.Is(err, ErrVault) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnInventedAccount: a server knows the public half of the recovery key, so
// it can make a root, a chain and a vault that this key opens. The proof stands
// in the way.
func TestAnInventedAccount(t *testing.T) {
	p := found(t)
	genuine := vaultOf(t, p.change.Vault)
	recovery := genuine.Locks[len(genuine.Locks)-1]

	fake := newRoot()
	keys := newKeys(t)
	d, l := listing(p.device, keys.Leaf(), keys.Unlock(), now)
	body := &statement.Body{
		Version: 1, Account: p.account, Seq: 1, Root: fake.public(), Time: now,
		Devices: []statement.Device{d}, Recovery: sha256.Sum256(recovery.Pub),
	}
	a := &Account{root: fake, locks: []lock{l, recovery}}
	c, err := a.change(body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(c.Chain, c.Vault, p.key); !errors.Is(err, ErrOpen) {
		t.Fatalf("an invented account was taken: %v", err)
	}
}

func TestWrongRecoveryKey(t *testing.T) {
	p, other := found(t), found(t)
	if _, err := Recover(p.change.Chain, p.change.Vault, other.key); !errors.Is(err, ErrOpen) {
		t.Fatalf("got %v", err)
	}
	v := vaultOf(t, p.change.Vault)
	v.Locks[1].Salt[0] ^= 1
	if _, err := Recover(p.change.Chain, encode(t, v), p.key); !errors.Is(err, ErrOpen) {
		t.Fatalf("another salt: %v", err)
	}
}

func TestWhoMayOpen(t *testing.T) {
	p := found(t)
	stranger := newKeys(t)
	if _, err := Open(p.change.Chain, p.change.Vault, p.device, stranger); !errors.Is(err, ErrNotListed) {
		t.Errorf("other keys: %v", err)
	}
	if _, err := Open(p.change.Chain, p.change.Vault, wire.NewDeviceID(), p.keys); !errors.Is(err, ErrNotListed) {
		t.Errorf("another device: %v", err)
	}
	mixed := &DeviceKeys{seal.NewSecret(deviceKeys{p.keys.Reveal().leaf, stranger.Reveal().unlock})}
	if _, err := Open(p.change.Chain, p.change.Vault, p.device, mixed); !errors.Is(err, ErrNotListed) {
		t.Errorf("listed leaf key, other unlock key: %v", err)
	}
}

func TestKeysOfADeviceToAdd(t *testing.T) {
	p := found(t)
	a := p.open(t)
	good := newKeys(t)
	for name, tt := range map[string]struct {
		id          wire.DeviceID
		key, unlock []byte
		want        error
	}{
		"short key":        {wire.NewDeviceID(), good.Leaf()[:31], good.Unlock(), ErrKeys},
		"no key":           {wire.NewDeviceID(), nil, good.Unlock(), ErrKeys},
		"short unlock key": {wire.NewDeviceID(), good.Leaf(), good.Unlock()[:100], ErrKeys},
		"no unlock key":    {wire.NewDeviceID(), good.Leaf(), nil, ErrKeys},
		"an id again":      {p.device, good.Leaf(), good.Unlock(), statement.ErrDevices},
		"a key again":      {wire.NewDeviceID(), p.keys.Leaf(), good.Unlock(), statement.ErrDevices},
	} {
		if _, err := a.Add(tt.id, tt.key, tt.unlock, now); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestDeviceKeysSurviveTheStore(t *testing.T) {
	k := newKeys(t)
	b, err := k.Export()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseDeviceKeys(b)
	if err != nil || !bytes.Equal(again.Leaf(), k.Leaf()) || !bytes.Equal(again.Unlock(), k.Unlock()) {
		t.Fatalf("came back other than they were: %v", err)
	}
	for _, bad := range [][]byte{nil, b[:len(b)-1], encode(t, storedKeys{2, k.Reveal().leaf[:], nil}), encode(t, storedKeys{1, nil, nil})} {
		if _, err := ParseDeviceKeys(bad); !errors.Is(err, ErrKeys) {
			t.Errorf("%x: %v", bad, err)
		}
	}
	signer, err := k.Signer(mls.HybridX25519MLKEM768)
	if err != nil || !bytes.Equal(signer.Public(), k.Leaf()) {
		t.Fatalf("signer: %v", err)
	}
}

func TestARecoveryKeyAsPeopleTypeIt(t *testing.T) {
	b := [recoverySize]byte{0, 1, 2, 0xff, 0x84, 0x08}
	key := RecoveryKey{seal.NewSecret(b)}
	text := key.Text()
	if len(text) != 47 || strings.Count(text, "-") != 7 || strings.ContainsAny(text, "ILOU") {
		t.Fatalf("text is %q", text)
	}
	zero, one := strings.Count(text, "0"), strings.Count(text, "1")
	if zero == 0 || one == 0 {
		t.Fatalf("%q has nothing to confuse", text)
	}
	for _, typed := range []string{
		text,
		strings.ToLower(text),
		strings.ReplaceAll(text, "-", ""),
		strings.ReplaceAll(text, "-", " "),
		strings.ReplaceAll(text, "-", "\u2013"),
		strings.ReplaceAll(text, "-", "\u00a0"),
		" \t" + text + "\r\n",
		strings.ReplaceAll(text, "0", "O"),
		strings.ReplaceAll(text, "0", "o"),
		strings.ReplaceAll(text, "1", "I"),
		strings.ReplaceAll(text, "1", "l"),
	} {
		got, err := ParseRecoveryKey(typed)
		if err != nil || *got.Reveal() != b {
			t.Errorf("%q: %v", typed, err)
		}
	}
	for _, bad := range []string{
		"", text[:len(text)-1], text + "0", "U" + text[1:], "é" + text[1:], strings.ReplaceAll(text, "-", "_"), strings.Repeat(" ", 1025),
	} {
		if _, err := ParseRecoveryKey(bad); !errors.Is(err, ErrRecoveryKey) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestTheEnrolCodeCoversEverything(t *testing.T) {
	account, device, keys, other := wire.NewAccountID(), wire.NewDeviceID(), newKeys(t), newKeys(t)
	code := EnrolCode(account, device, keys.Leaf(), keys.Unlock())
	if len(code) != 14 {
		t.Fatalf("code is %q", code)
	}
	for name, changed := range map[string]string{
		"account": EnrolCode(wire.NewAccountID(), device, keys.Leaf(), keys.Unlock()),
		"device":  EnrolCode(account, wire.NewDeviceID(), keys.Leaf(), keys.Unlock()),
		"key":     EnrolCode(account, device, other.Leaf(), keys.Unlock()),
		"unlock":  EnrolCode(account, device, keys.Leaf(), other.Unlock()),
	} {
		if changed == code {
			t.Errorf("another %s has the same code", name)
		}
	}
}

func TestWipeForgetsTheRoot(t *testing.T) {
	p := found(t)
	a := p.open(t)
	a.Wipe()
	if *a.root.Reveal() != [ed25519.SeedSize]byte{} {
		t.Fatal("the seed is still there")
	}
}
