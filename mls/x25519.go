package mls

import (
	"fmt"
	"slices"
)

const x25519Size = 32 // bytes of a public key

// checkX25519 returns ErrEncryptionKey for what is no public key of X25519, and
// for the points of small order, with which every shared secret is zero (RFC
// 7748 §6.1). Nobody can seal to those: one in a tree would make each path of
// each other member fail.
func checkX25519(key []byte) error {
	if len(key) != x25519Size {
		return fmt.Errorf("%w: %d bytes instead of %d", ErrEncryptionKey, len(key), x25519Size)
	}
	u := [x25519Size]byte(key)
	u[31] &= 0x7f // the top bit does not count
	if slices.Contains(smallPoints[:], u) {
		return fmt.Errorf("%w: a point of small order", ErrEncryptionKey)
	}
	return nil
}

// smallPoints are the points of small order, as u in little endian, those
// included that are not below the prime.
var smallPoints = [...][x25519Size]byte{
	{},
	{1},
	{
		0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
	},
	{
		0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
	},
	nearPrime(0xec),
	nearPrime(0xed),
	nearPrime(0xee),
}

// nearPrime returns the number whose bytes are those of 2^255 - 1 but for the
// lowest; with 0xed it is the prime.
func nearPrime(low byte) (u [x25519Size]byte) {
	for i := range u {
		u[i] = 0xff
	}
	u[0], u[31] = low, 0x7f
	return u
}
