package sframe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/veche-im/veche/e2ee/seal"
)

// Key is the base key of an epoch of a call. It does not print, compare or
// marshal; its bytes leave through Bytes.
type Key struct {
	seal.Secret[[KeySize]byte]
}

// ParseKey returns the key with these 16 bytes, which it copies.
func ParseKey(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("sframe: a base key has %d bytes, not %d", KeySize, len(b))
	}
	return Key{seal.NewSecret([KeySize]byte(b))}, nil
}

// Bytes returns a copy of the key, for the worker that seals in a browser; nil
// if it was never set.
func (k Key) Bytes() []byte {
	if k.IsZero() {
		return nil
	}
	c := *k.Reveal()
	return c[:]
}

// frameKey is what one KID is sealed with.
type frameKey struct {
	aead cipher.AEAD
	salt [nonceSz]byte
}

// derive makes the key and salt of kid (RFC 9605 §4.4.2).
func derive(base Key, kid KID) frameKey {
	material := base.Reveal()
	if material == nil {
		panic("sframe: a key that was never set")
	}
	secret, err := hkdf.Extract(sha256.New, material[:], nil)
	if err != nil {
		panic("sframe: " + err.Error()) // fixed sizes: cannot fail, nor can what follows
	}
	key, err := hkdf.Expand(sha256.New, secret, string(label("SFrame 1.0 Secret key ", kid)), KeySize)
	if err != nil {
		panic("sframe: " + err.Error())
	}
	salt, err := hkdf.Expand(sha256.New, secret, string(label("SFrame 1.0 Secret salt ", kid)), nonceSz)
	if err != nil {
		panic("sframe: " + err.Error())
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("sframe: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("sframe: " + err.Error())
	}
	return frameKey{aead, [nonceSz]byte(salt)}
}

func label(text string, kid KID) []byte {
	b := binary.BigEndian.AppendUint64([]byte(text), uint64(kid))
	return binary.BigEndian.AppendUint16(b, suite)
}

// nonce is the salt with the counter added by exclusive or (§4.4.3).
func (f *frameKey) nonce(counter uint64) (n [nonceSz]byte) {
	binary.BigEndian.PutUint64(n[nonceSz-8:], counter)
	for i := range n {
		n[i] ^= f.salt[i]
	}
	return n
}
