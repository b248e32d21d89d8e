package mls

import (
	"crypto/mlkem"
	"fmt"
)

// checkHybridKey is what crypto/hpke checks of a public key of MLKEM768-X25519,
// which has ML-KEM's part first: its length, and that ML-KEM's coefficients of
// twelve bits are below the modulus (FIPS 203 §7.2). It is twenty times as fast,
// since it does not prepare the key for use; a tree has thousands of them. The
// part of X25519 is checked too.
func checkHybridKey(key []byte) error {
	const (
		modulus = 3329
		seed    = 32 // bytes that end ML-KEM's part, and may be anything
		size    = mlkem.EncapsulationKeySize768 + x25519Size
	)
	if len(key) != size {
		return fmt.Errorf("%w: %d bytes instead of %d", ErrEncryptionKey, len(key), size)
	}
	for at := 0; at < mlkem.EncapsulationKeySize768-seed; at += 3 {
		b := key[at : at+3]
		first, second := uint16(b[0])|uint16(b[1]&0x0f)<<8, uint16(b[1]>>4)|uint16(b[2])<<4
		if first >= modulus || second >= modulus {
			return fmt.Errorf("%w: a coefficient that is not below the modulus", ErrEncryptionKey)
		}
	}
	return checkX25519(key[mlkem.EncapsulationKeySize768:])
}
