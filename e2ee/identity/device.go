package identity

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

// kem, kdf and aead are the only HPKE suite of vault locks.
var (
	kem  = hpke.MLKEM768X25519()
	kdf  = hpke.HKDFSHA256()
	aead = hpke.ChaCha20Poly1305()
)

// DeviceKeys are the private keys of one device: the one that signs as its MLS
// leaves, and the one that opens its lock of the vault. They do not print or
// marshal; Export gives their bytes for the device's own store.
type DeviceKeys struct {
	seal.Secret[deviceKeys]
}

type deviceKeys struct {
	leaf   [ed25519.SeedSize]byte
	unlock hpke.PrivateKey
}

// NewDeviceKeys makes the keys of a new device.
func NewDeviceKeys() (*DeviceKeys, error) {
	unlock, err := kem.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make an unlock key: %w", err)
	}
	k := deviceKeys{unlock: unlock}
	rand.Read(k.leaf[:])
	return &DeviceKeys{seal.NewSecret(k)}, nil
}

// storedKeys is what Export encodes.
type storedKeys struct {
	Version int    `cbor:"v"`
	Leaf    []byte `cbor:"leaf"`
	Unlock  []byte `cbor:"unlock"`
}

// Export returns the private keys in the form that ParseDeviceKeys takes.
func (k *DeviceKeys) Export() ([]byte, error) {
	unlock, err := k.Reveal().unlock.Bytes()
	if err != nil {
		return nil, fmt.Errorf("export an unlock key: %w", err)
	}
	return wire.Encode(storedKeys{1, k.Reveal().leaf[:], unlock})
}

// ParseDeviceKeys reads what Export returned; anything else is ErrKeys.
func ParseDeviceKeys(b []byte) (*DeviceKeys, error) {
	var s storedKeys
	if err := wire.Decode(b, &s); err != nil || s.Version != 1 || len(s.Leaf) != ed25519.SeedSize {
		return nil, ErrKeys
	}
	unlock, err := kem.NewPrivateKey(s.Unlock)
	if err != nil {
		return nil, ErrKeys
	}
	return &DeviceKeys{seal.NewSecret(deviceKeys{[ed25519.SeedSize]byte(s.Leaf), unlock})}, nil
}

// Leaf returns the public key of the device's MLS leaves.
func (k *DeviceKeys) Leaf() []byte {
	return ed25519.NewKeyFromSeed(k.Reveal().leaf[:]).Public().(ed25519.PublicKey)
}

// Unlock returns the public key to which the vault is sealed.
func (k *DeviceKeys) Unlock() []byte { return k.Reveal().unlock.PublicKey().Bytes() }

// Prove signs that whoever shows it holds the key of the device's leaves.
func (k *DeviceKeys) Prove(account wire.AccountID, device wire.DeviceID) []byte {
	return ed25519.Sign(ed25519.NewKeyFromSeed(k.Reveal().leaf[:]), wire.AgainProof(account, device))
}

// Signer returns the key that signs as the device's leaves, for a suite that
// signs with Ed25519.
func (k *DeviceKeys) Signer(suite mls.Suite) (group.Signer, error) {
	return group.ParseSigner(suite, k.Reveal().leaf[:])
}

// Credential returns the MLS credential of a device.
func Credential(account wire.AccountID, device wire.DeviceID) mls.Credential {
	return mls.Basic(policy.Identity(account, device))
}

// enrolLabel keeps the code apart from every other use of SHA-256.
const enrolLabel = "veche enrol v1"

// EnrolCode returns what both devices show while one lets the other in: 12
// characters (60 bits) over all that will stand in the statement, as
// 4F7K-0QXM-9ZTA. Whoever swaps a key on the way has to find another with the
// same code before the person has compared it.
func EnrolCode(account wire.AccountID, device wire.DeviceID, key, unlock []byte) string {
	h := sha256.New()
	h.Write([]byte(enrolLabel))
	h.Write(account[:])
	h.Write(device[:])
	h.Write(key)
	h.Write(unlock)
	return grouped(crockford.EncodeToString(h.Sum(nil))[:12], 4)
}
