package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
)

// KeySize is the size of every key of this package in bytes.
const KeySize = 32

// Key is a symmetric key. It does not print, compare or marshal; its bytes
// leave through Bytes alone.
type Key struct {
	Opaque
	b *[KeySize]byte
}

// NewKey returns a random key.
func NewKey() Key {
	var b [KeySize]byte
	rand.Read(b[:])
	return Key{b: &b}
}

// ParseKey returns the key with these 32 bytes, which it copies.
func ParseKey(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("seal: a key has %d bytes, not %d", KeySize, len(b))
	}
	c := [KeySize]byte(b)
	return Key{b: &c}, nil
}

// IsZero reports whether k was never set.
func (k Key) IsZero() bool { return k.b == nil }

// Bytes returns a copy of the key, to be sealed or stored.
func (k Key) Bytes() []byte {
	if k.b == nil {
		return nil
	}
	c := *k.b
	return c[:]
}

// Equal compares in constant time.
func (k Key) Equal(o Key) bool { return subtle.ConstantTimeCompare(k.Bytes(), o.Bytes()) == 1 }

// Wipe overwrites the key, also for all copies of k. Copies of the bytes that
// Go has made stay.
func (k Key) Wipe() {
	if k.b != nil {
		clear(k.b[:])
	}
}
