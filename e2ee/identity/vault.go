package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// vault is the root's seed, sealed under a key (VK) that each lock holds.
type vault struct {
	Version int            `cbor:"v"`
	Account wire.AccountID `cbor:"account"`
	Root    statement.Key  `cbor:"root"`
	Box     []byte         `cbor:"box"`
	Locks   []lock         `cbor:"locks"`
}

// lock holds VK for whoever has the private half of Pub.
type lock struct {
	Kind  lockKind      `cbor:"kind"`
	ID    wire.DeviceID `cbor:"id,omitzero"`     // device
	Salt  []byte        `cbor:"salt,omitempty"`  // recovery
	Proof []byte        `cbor:"proof,omitempty"` // recovery
	Pub   []byte        `cbor:"pub"`
	Box   []byte        `cbor:"box"`
}

type lockKind string

const (
	deviceLock   lockKind = "device"
	recoveryLock lockKind = "recovery"
)

const (
	vaultLabel = "veche vault v1"
	lockLabel  = "veche vault lock v1"
)

func vaultAD(account wire.AccountID) []byte { return append([]byte(vaultLabel), account[:]...) }

// lockInfo binds a lock to its account and device, which is zero for recovery.
func lockInfo(account wire.AccountID, device wire.DeviceID) []byte {
	return append(append([]byte(lockLabel), account[:]...), device[:]...)
}

// parseVault reads a vault and checks that it is of chain's account and root
// and has exactly the locks that its newest statement names: one for each active
// device in order, then the one for recovery if there is one. Else it is
// ErrVault. That somebody can open it is not said by that.
func parseVault(b []byte, chain *statement.Verified) (*vault, error) {
	if len(b) > wire.MaxVault {
		return nil, fmt.Errorf("%w: %d bytes", ErrVault, len(b))
	}
	var v vault
	if err := wire.Decode(b, &v); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrVault, err)
	}
	if again, err := wire.Encode(v); err != nil || !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: not deterministic", ErrVault)
	}
	if v.Version != 1 {
		return nil, fmt.Errorf("%w: version %d", ErrVault, v.Version)
	}
	if v.Account != chain.Account || v.Root != chain.Root {
		return nil, fmt.Errorf("%w: of another account or root", ErrVault)
	}
	locks := v.Locks
	if chain.Recovery != (wire.Hash{}) {
		if len(locks) == 0 {
			return nil, fmt.Errorf("%w: no recovery lock", ErrVault)
		}
		last := &locks[len(locks)-1]
		if !last.isRecovery(chain.Recovery) {
			return nil, fmt.Errorf("%w: another recovery lock", ErrVault)
		}
		locks = locks[:len(locks)-1]
	}
	active := chain.Active()
	if len(locks) != len(active) {
		return nil, fmt.Errorf("%w: %d locks for %d devices", ErrVault, len(locks), len(active))
	}
	for i := range locks {
		if !locks[i].isDevice(&active[i]) {
			return nil, fmt.Errorf("%w: another lock for device %s", ErrVault, active[i].ID)
		}
	}
	return &v, nil
}

func (l *lock) isDevice(d *statement.Device) bool {
	return l.Kind == deviceLock && l.ID == d.ID && l.Salt == nil && l.Proof == nil && sha256.Sum256(l.Pub) == d.Unlock
}

func (l *lock) isRecovery(pub wire.Hash) bool {
	return l.Kind == recoveryLock && l.ID.IsZero() && len(l.Salt) == saltSize && len(l.Proof) == sha256.Size &&
		sha256.Sum256(l.Pub) == pub
}

// openLock returns the root's seed by way of one lock. Whatever is wrong, it is
// ErrOpen.
func (v *vault) openLock(l *lock, key hpke.PrivateKey) (root, error) {
	vk, err := hpke.Open(key, kdf, aead, lockInfo(v.Account, l.ID), l.Box)
	if err != nil {
		return root{}, ErrOpen
	}
	defer clear(vk)
	box, err := chacha20poly1305.New(vk)
	if err != nil || len(v.Box) < chacha20poly1305.NonceSize {
		return root{}, ErrOpen
	}
	n := chacha20poly1305.NonceSize
	seed, err := box.Open(nil, v.Box[:n], v.Box[n:], vaultAD(v.Account))
	if err != nil || len(seed) != ed25519.SeedSize {
		return root{}, ErrOpen
	}
	defer clear(seed)
	r := root{seal.NewSecret([ed25519.SeedSize]byte(seed))}
	if r.public() != v.Root {
		r.Wipe()
		return root{}, ErrOpen
	}
	return r, nil
}

// openDevice opens the vault with a device's own keys.
func (v *vault) openDevice(device wire.DeviceID, keys *DeviceKeys) (root, error) {
	for i := range v.Locks {
		if l := &v.Locks[i]; l.Kind == deviceLock && l.ID == device {
			return v.openLock(l, keys.Reveal().unlock)
		}
	}
	return root{}, ErrOpen
}

// openRecovery opens the vault with the recovery key, and checks the key's proof
// that this is the root it was made for.
func (v *vault) openRecovery(key RecoveryKey) (root, error) {
	for i := range v.Locks {
		l := &v.Locks[i]
		if l.Kind != recoveryLock {
			continue
		}
		proof, err := key.proof(l.Salt, v.Account, v.Root)
		if err != nil || !hmac.Equal(proof, l.Proof) {
			return root{}, ErrOpen
		}
		pair, err := key.pair(l.Salt)
		if err != nil {
			return root{}, ErrOpen
		}
		return v.openLock(l, pair)
	}
	return root{}, ErrOpen
}

// sealVault writes a vault with a new VK for locks, of which all but Box is
// set.
func sealVault(account wire.AccountID, r root, locks []lock) ([]byte, error) {
	vk := seal.NewKey()
	defer vk.Wipe()
	raw := vk.Bytes()
	defer clear(raw)
	box, err := chacha20poly1305.New(raw)
	if err != nil {
		return nil, fmt.Errorf("seal the vault: %w", err)
	}
	v := vault{Version: 1, Account: account, Root: r.public()}
	nonce := make([]byte, chacha20poly1305.NonceSize)
	rand.Read(nonce)
	v.Box = box.Seal(nonce, nonce, r.Reveal()[:], vaultAD(account))
	for _, l := range locks {
		pub, err := kem.NewPublicKey(l.Pub)
		if err != nil {
			return nil, fmt.Errorf("%w: lock of device %s: %v", ErrKeys, l.ID, err)
		}
		if l.Box, err = hpke.Seal(pub, kdf, aead, lockInfo(account, l.ID), raw); err != nil {
			return nil, fmt.Errorf("seal a lock: %w", err)
		}
		v.Locks = append(v.Locks, l)
	}
	return wire.Encode(v)
}

// newRecoveryLock makes a recovery key for root and its lock, without Box.
func newRecoveryLock(account wire.AccountID, root statement.Key) (RecoveryKey, lock, error) {
	key := newRecoveryKey()
	salt := make([]byte, saltSize)
	rand.Read(salt)
	pair, err := key.pair(salt)
	if err != nil {
		return RecoveryKey{}, lock{}, err
	}
	proof, err := key.proof(salt, account, root)
	if err != nil {
		return RecoveryKey{}, lock{}, err
	}
	return key, lock{Kind: recoveryLock, Salt: salt, Proof: proof, Pub: pair.PublicKey().Bytes()}, nil
}

// root is the account's root key: its seed.
type root struct {
	seal.Secret[[ed25519.SeedSize]byte]
}

func newRoot() root {
	r := root{seal.NewSecret([ed25519.SeedSize]byte{})}
	rand.Read(r.Reveal()[:])
	return r
}

func (r root) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(r.Reveal()[:]) }

func (r root) public() statement.Key { return statement.Key(r.key().Public().(ed25519.PublicKey)) }

// sign returns body as a signed statement.
func (r root) sign(b *statement.Body) (wire.SignedStatement, error) {
	body, err := b.Encode()
	if err != nil {
		return wire.SignedStatement{}, fmt.Errorf("encode a statement: %w", err)
	}
	return wire.SignedStatement{Body: body, Signature: ed25519.Sign(r.key(), statement.ToSign(body))}, nil
}
