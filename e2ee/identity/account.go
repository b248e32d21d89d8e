package identity

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// Change is what device.publish carries: the next statement, and the vault that
// goes with it. Chain is what the statements say then; it counts once the server
// has taken both.
type Change struct {
	Statement wire.SignedStatement
	Vault     []byte
	Chain     *statement.Verified
}

// Found makes the identity of an account whose first device this is. The
// recovery key is to be shown once and kept nowhere.
func Found(account wire.AccountID, device wire.DeviceID, keys *DeviceKeys, now wire.Millis) (Change, RecoveryKey, error) {
	r := newRoot()
	defer r.Wipe()
	key, recovery, err := newRecoveryLock(account, r.public())
	if err != nil {
		return Change{}, RecoveryKey{}, err
	}
	d, l := listing(device, keys.Leaf(), keys.Unlock(), now)
	body := &statement.Body{
		Version: statement.Version, Account: account, Seq: 1, Root: r.public(), Time: now,
		Devices: []statement.Device{d}, Recovery: sha256.Sum256(recovery.Pub),
	}
	a := &Account{root: r, locks: []lock{l, recovery}}
	c, err := a.change(body)
	return c, key, err
}

// listing returns how a statement lists a device, and its lock without Box.
func listing(device wire.DeviceID, key, unlock []byte, now wire.Millis) (statement.Device, lock) {
	return statement.Device{ID: device, Key: statement.Key(key), Unlock: sha256.Sum256(unlock), Added: now},
		lock{Kind: deviceLock, ID: device, Pub: unlock}
}

// Account is an account's root key, taken out of the vault to change its
// devices. Wipe it after that.
type Account struct {
	root  root
	chain *statement.Verified
	locks []lock // of the newest vault, checked against chain
}

// Open takes the root out of the vault with the keys of device. chain is the
// newest statement, verified; it must list the device with these keys, else
// ErrNotListed. A vault that does not fit chain is ErrVault, one that does not
// open ErrOpen. A device that was let in by another trusts chain only after
// this.
func Open(chain *statement.Verified, vault []byte, device wire.DeviceID, keys *DeviceKeys) (*Account, error) {
	d, ok := chain.Device(device)
	if !ok || !chain.Allows(device, keys.Leaf()) || d.Unlock != sha256.Sum256(keys.Unlock()) {
		return nil, ErrNotListed
	}
	v, err := parseVault(vault, chain)
	if err != nil {
		return nil, err
	}
	r, err := v.openDevice(device, keys)
	if err != nil {
		return nil, err
	}
	return &Account{r, chain, v.Locks}, nil
}

// Recover takes the root out of the vault with the recovery key. chain is the
// newest statement, verified. A wrong key is ErrOpen, and so are a vault and a
// chain that the server made up, since the key proves which root it belongs to.
func Recover(chain *statement.Verified, vault []byte, key RecoveryKey) (*Account, error) {
	v, err := parseVault(vault, chain)
	if err != nil {
		return nil, err
	}
	r, err := v.openRecovery(key)
	if err != nil {
		return nil, err
	}
	return &Account{r, chain, v.Locks}, nil
}

// Wipe overwrites the root's seed. The Account is of no use after it.
func (a *Account) Wipe() { a.root.Wipe() }

// Chain returns the newest statement that the Account was opened with.
func (a *Account) Chain() *statement.Verified { return a.chain }

// Add makes the change that takes in a device with these public keys. Compare
// codes (EnrolCode) before.
func (a *Account) Add(device wire.DeviceID, key, unlock []byte, now wire.Millis) (Change, error) {
	if len(key) != len(statement.Key{}) {
		return Change{}, ErrKeys
	}
	if _, err := kem.NewPublicKey(unlock); err != nil {
		return Change{}, ErrKeys
	}
	body := a.next(now)
	d, l := listing(device, key, unlock, body.Time)
	body.Devices = append(body.Devices, d)
	locks, recovery := a.split()
	b := &Account{root: a.root, chain: a.chain, locks: slices.Concat(locks, []lock{l}, recovery)}
	return b.change(body)
}

// Revoke makes the change that shuts out a device. One that is not active is
// ErrNotListed.
func (a *Account) Revoke(device wire.DeviceID, now wire.Millis) (Change, error) {
	body := a.next(now)
	i := slices.IndexFunc(body.Devices, func(d statement.Device) bool { return d.ID == device && d.Active() })
	if i < 0 {
		return Change{}, ErrNotListed
	}
	body.Devices[i].Revoked = body.Time
	locks := slices.DeleteFunc(slices.Clone(a.locks), func(l lock) bool { return l.Kind == deviceLock && l.ID == device })
	b := &Account{root: a.root, chain: a.chain, locks: locks}
	return b.change(body)
}

// NewRecovery makes the change that replaces the recovery key. The new one is
// to be shown once and kept nowhere; it counts once the change is published.
func (a *Account) NewRecovery(now wire.Millis) (Change, RecoveryKey, error) {
	key, recovery, err := newRecoveryLock(a.chain.Account, a.chain.Root)
	if err != nil {
		return Change{}, RecoveryKey{}, err
	}
	body := a.next(now)
	body.Recovery = sha256.Sum256(recovery.Pub)
	locks, _ := a.split()
	b := &Account{root: a.root, chain: a.chain, locks: append(slices.Clone(locks), recovery)}
	c, err := b.change(body)
	return c, key, err
}

// split returns the locks of devices and that for recovery, if there is one.
func (a *Account) split() (devices, recovery []lock) {
	n := len(a.locks)
	if n > 0 && a.locks[n-1].Kind == recoveryLock {
		n--
	}
	return a.locks[:n:n], a.locks[n:]
}

// next returns the body that follows the chain and changes nothing yet. Its
// time does not go back where this device's clock does.
func (a *Account) next(now wire.Millis) *statement.Body {
	b := a.chain.Body
	b.Seq++
	b.Prev = a.chain.Hash
	b.Time = max(now, a.chain.Time)
	b.Devices = slices.Clone(b.Devices)
	return &b
}

// change signs body and seals a vault with the Account's locks. It checks both
// as everybody else will, so that nothing leaves that others refuse.
func (a *Account) change(body *statement.Body) (Change, error) {
	signed, err := a.root.sign(body)
	if err != nil {
		return Change{}, err
	}
	chain, err := statement.Next(a.chain, body.Account, signed)
	if err != nil {
		return Change{}, fmt.Errorf("sign statement %d: %w", body.Seq, err)
	}
	b, err := sealVault(body.Account, a.root, a.locks)
	if err != nil {
		return Change{}, err
	}
	if _, err := parseVault(b, chain); err != nil {
		return Change{}, fmt.Errorf("seal the vault of statement %d: %w", body.Seq, err)
	}
	return Change{signed, b, chain}, nil
}
