//go:build !js

package mls

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
)

// The suites with NIST's curves are left out where the program is downloaded
// before it runs (nist_js.go): they are a tenth of the download and no room uses
// them.
var nistSuites = []suiteRow{
	{P256AES128, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256", p256KEM, hpke.HKDFSHA256, hpke.AES128GCM, sha256.New, 32, 16, newGCM, ECDSAP256},
	{P521AES256, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521", p521KEM, hpke.HKDFSHA512, hpke.AES256GCM, sha512.New, 64, 32, newGCM, ECDSAP521},
	{P384AES256, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384", p384KEM, hpke.HKDFSHA384, hpke.AES256GCM, sha512.New384, 48, 32, newGCM, ECDSAP384},
}

func p256KEM() hpke.KEM { return hpke.DHKEM(ecdh.P256()) }
func p384KEM() hpke.KEM { return hpke.DHKEM(ecdh.P384()) }
func p521KEM() hpke.KEM { return hpke.DHKEM(ecdh.P521()) }

// Curve returns the curve of an ECDSA scheme and the hash that is signed, nil
// and 0 for others.
func (s SignatureScheme) Curve() (elliptic.Curve, crypto.Hash) {
	switch s {
	case ECDSAP256:
		return elliptic.P256(), crypto.SHA256
	case ECDSAP384:
		return elliptic.P384(), crypto.SHA384
	case ECDSAP521:
		return elliptic.P521(), crypto.SHA512
	}
	return nil, 0
}

// parseECDSA reads an uncompressed point.
func (s SignatureScheme) parseECDSA(key []byte) (*ecdsa.PublicKey, crypto.Hash, error) {
	curve, hash := s.Curve()
	if curve == nil {
		return nil, 0, fmt.Errorf("%w: unknown scheme", ErrSignatureKey)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, key)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrSignatureKey, err)
	}
	return public, hash, nil
}

func (s SignatureScheme) checkECDSA(key []byte) error {
	_, _, err := s.parseECDSA(key)
	return err
}

// verifyECDSA expects a signature in DER.
func (s SignatureScheme) verifyECDSA(key, message, signature []byte) bool {
	public, hash, err := s.parseECDSA(key)
	if err != nil {
		return false
	}
	h := hash.New()
	h.Write(message)
	return ecdsa.VerifyASN1(public, h.Sum(nil), signature)
}
