//go:build !js

package group

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/veche-im/veche/mls"
)

// newP256 returns a fresh private key: the 32-byte scalar.
func newP256() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a signature key: %w", err)
	}
	b, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("generate a signature key: %w", err)
	}
	return b, nil
}

// publicP256 returns the public key of a private one: the uncompressed point.
func publicP256(private []byte) ([]byte, error) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mls.ErrSignatureKey, err)
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mls.ErrSignatureKey, err)
	}
	return public, nil
}

// signP256 returns an ECDSA signature in DER.
func signP256(private, message []byte) ([]byte, error) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mls.ErrSignatureKey, err)
	}
	digest := sha256.Sum256(message)
	return ecdsa.SignASN1(rand.Reader, key, digest[:])
}
