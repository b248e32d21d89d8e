package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
)

// KeySize is the size of every key of this package in bytes.
const KeySize = 32

// Key is a symmetric key. It does not print, compare or marshal; its bytes
// leave through Bytes.
type Key struct {
	Secret[[KeySize]byte]
}

// NewKey returns a random key.
func NewKey() Key {
	k := Key{NewSecret([KeySize]byte{})}
	rand.Read(k.Reveal()[:])
	return k
}

// ParseKey returns the key with these 32 bytes, which it copies.
func ParseKey(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("seal: a key has %d bytes, not %d", KeySize, len(b))
	}
	return Key{NewSecret([KeySize]byte(b))}, nil
}

// Bytes returns a copy of the key, to be sealed or stored; nil if it was never
// set.
func (k Key) Bytes() []byte {
	if k.IsZero() {
		return nil
	}
	c := *k.Reveal()
	return c[:]
}

// Equal compares in constant time.
func (k Key) Equal(o Key) bool { return subtle.ConstantTimeCompare(k.Bytes(), o.Bytes()) == 1 }
