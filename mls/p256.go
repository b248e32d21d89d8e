//go:build !js

package mls

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/sha256"
	"fmt"
)

// The suite with NIST's curve is left out where the program is downloaded before
// it runs (p256_js.go): it is a tenth of the download and no room uses it.
var p256Suites = []suiteRow{
	{P256AES128, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256", p256KEM, hpke.HKDFSHA256, hpke.AES128GCM, sha256.New, 32, 16, newGCM, ECDSAP256},
}

func p256KEM() hpke.KEM { return hpke.DHKEM(ecdh.P256()) }

func checkP256(key []byte) error {
	if _, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), key); err != nil {
		return fmt.Errorf("%w: %w", ErrSignatureKey, err)
	}
	return nil
}

// verifyP256 is called with a key that checkP256 took.
func verifyP256(key, message, signature []byte) bool {
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), key)
	if err != nil {
		return false
	}
	digest := sha256.Sum256(message)
	return ecdsa.VerifyASN1(pub, digest[:], signature)
}
