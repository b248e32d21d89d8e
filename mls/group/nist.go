//go:build !js

package group

import (
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"

	"github.com/veche-im/veche/mls"
)

// newECDSA returns a fresh private key: the scalar.
func newECDSA(s mls.SignatureScheme) ([]byte, error) {
	curve, _ := s.Curve()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a signature key: %w", err)
	}
	b, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("generate a signature key: %w", err)
	}
	return b, nil
}

func parseECDSA(s mls.SignatureScheme, private []byte) (*ecdsa.PrivateKey, error) {
	curve, _ := s.Curve()
	if curve == nil {
		return nil, fmt.Errorf("%w: unknown scheme", mls.ErrSignatureKey)
	}
	key, err := ecdsa.ParseRawPrivateKey(curve, private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mls.ErrSignatureKey, err)
	}
	return key, nil
}

// publicECDSA returns the public key of a private one: the uncompressed point.
func publicECDSA(s mls.SignatureScheme, private []byte) ([]byte, error) {
	key, err := parseECDSA(s, private)
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mls.ErrSignatureKey, err)
	}
	return public, nil
}

// signECDSA returns an ECDSA signature in DER.
func signECDSA(s mls.SignatureScheme, private, message []byte) ([]byte, error) {
	key, err := parseECDSA(s, private)
	if err != nil {
		return nil, err
	}
	_, hash := s.Curve()
	h := hash.New()
	h.Write(message)
	return ecdsa.SignASN1(rand.Reader, key, h.Sum(nil))
}
