package mls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Suite is the number of a cipher suite (RFC 9420 §17.1).
type Suite uint16

// The suites that are implemented. Suites 4 and 6 of the RFC are not: X448 and
// Ed448 are missing in Go's library.
const (
	// X25519AES128 is MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, the
	// suite that every implementation has.
	X25519AES128 Suite = 1
	// P256AES128 is MLS_128_DHKEMP256_AES128GCM_SHA256_P256.
	P256AES128 Suite = 2
	// X25519ChaCha is MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519.
	X25519ChaCha Suite = 3
	// P521AES256 is MLS_256_DHKEMP521_AES256GCM_SHA512_P521.
	P521AES256 Suite = 5
	// P384AES256 is MLS_256_DHKEMP384_AES256GCM_SHA384_P384.
	P384AES256 Suite = 7
	// HybridX25519MLKEM768 is suite 1 with the KEM replaced by
	// MLKEM768-X25519 (HPKE KEM 0x647a): the first suite of
	// draft-ietf-mls-pq-ciphersuites-06. IANA has not assigned a number, so
	// this one is from the range for private use.
	HybridX25519MLKEM768 Suite = 0xF0B1
)

// SignatureScheme is how the members of a group sign.
type SignatureScheme uint8

// The signature schemes of the suites that are implemented.
const (
	Ed25519   SignatureScheme = iota + 1 // RFC 8032; public key 32 bytes
	ECDSAP256                            // SHA-256, DER signature; public key 65 bytes, uncompressed point
	ECDSAP384                            // SHA-384; 97 bytes
	ECDSAP521                            // SHA-512; 133 bytes
)

// suiteRow is all that differs between two suites. To add one, add a row.
type suiteRow struct {
	suite     Suite
	name      string
	kem       func() hpke.KEM
	kdf       func() hpke.KDF
	hpkeAEAD  func() hpke.AEAD
	newHash   func() hash.Hash
	nh        int // bytes of a hash and of a secret
	nk        int // bytes of an AEAD key
	newAEAD   func(key []byte) (cipher.AEAD, error)
	signature SignatureScheme
}

const nonceSize = 12 // bytes of an AEAD nonce, the same in all suites

var suites = byNumber([]suiteRow{
	{X25519AES128, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", x25519KEM, hpke.HKDFSHA256, hpke.AES128GCM, sha256.New, 32, 16, newGCM, Ed25519},
	{X25519ChaCha, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519", x25519KEM, hpke.HKDFSHA256, hpke.ChaCha20Poly1305, sha256.New, 32, 32, chacha20poly1305.New, Ed25519},
	{HybridX25519MLKEM768, "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519", hpke.MLKEM768X25519, hpke.HKDFSHA256, hpke.AES128GCM, sha256.New, 32, 16, newGCM, Ed25519},
}, nistSuites)

func byNumber(lists ...[]suiteRow) []suiteRow {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b suiteRow) int { return int(a.suite) - int(b.suite) })
	return all
}

func x25519KEM() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (s Suite) row() (*suiteRow, error) {
	for i := range suites {
		if suites[i].suite == s {
			return &suites[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %#04x", ErrSuite, uint16(s))
}

// must is row for a suite that was checked when the object around it was made.
func (s Suite) must() *suiteRow {
	r, err := s.row()
	if err != nil {
		panic(err)
	}
	return r
}

// Suites lists the suites that are implemented, in the order of their numbers.
func Suites() []Suite {
	out := make([]Suite, len(suites))
	for i := range suites {
		out[i] = suites[i].suite
	}
	return out
}

// Supported reports whether s is implemented. All other methods of Suite but
// String panic for a suite that is not.
func (s Suite) Supported() bool {
	_, err := s.row()
	return err == nil
}

// String returns the name of the suite in the manner of the RFC.
func (s Suite) String() string {
	r, err := s.row()
	if err != nil {
		return fmt.Sprintf("Suite(%#04x)", uint16(s))
	}
	return r.name
}

// HPKE returns the three parts of the suite's public key encryption.
func (s Suite) HPKE() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	r := s.must()
	return r.kem(), r.kdf(), r.hpkeAEAD()
}

// AEAD returns the suite's symmetric cipher with the given key of KeySize bytes.
func (s Suite) AEAD(key []byte) (cipher.AEAD, error) { return s.must().newAEAD(key) }

// KeySize is the length of an AEAD key in bytes (AEAD.Nk).
func (s Suite) KeySize() int { return s.must().nk }

// NonceSize is the length of an AEAD nonce in bytes (AEAD.Nn).
func (s Suite) NonceSize() int { return nonceSize }

// HashSize is the length of a hash, and of a secret of the key schedule, in
// bytes (KDF.Nh).
func (s Suite) HashSize() int { return s.must().nh }

// NewHash returns the suite's hash function, which also serves its KDF and MAC.
func (s Suite) NewHash() hash.Hash { return s.must().newHash() }

// Hash returns the hash of the parts, one after the other.
func (s Suite) Hash(parts ...[]byte) []byte {
	h := s.NewHash()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// Signature is the suite's signature scheme.
func (s Suite) Signature() SignatureScheme { return s.must().signature }

// RefHash is the hash by which an object is referred to (RFC 9420 §5.2).
func (s Suite) RefHash(label string, value []byte) []byte {
	var e Encoder
	e.Bytes([]byte(label))
	e.Bytes(value)
	return s.Hash(e.buf)
}

// CheckEncryptionKey returns ErrEncryptionKey unless key is a public key of the
// suite's KEM.
func (s Suite) CheckEncryptionKey(key []byte) error {
	switch s {
	case HybridX25519MLKEM768:
		return checkHybridKey(key)
	case X25519AES128, X25519ChaCha:
		return checkX25519(key)
	}
	if _, err := s.must().kem().NewPublicKey(key); err != nil {
		return fmt.Errorf("%w: %w", ErrEncryptionKey, err)
	}
	return nil
}

// checkKEMOutput returns ErrEncryptionKey for what cannot be opened by anybody:
// a KEM output of the wrong length, or with a part that is no public key.
func (s Suite) checkKEMOutput(b []byte) error {
	if s == HybridX25519MLKEM768 {
		const size = mlkem.CiphertextSize768 + x25519Size
		if len(b) != size {
			return fmt.Errorf("%w: KEM output of %d bytes instead of %d", ErrEncryptionKey, len(b), size)
		}
		return checkX25519(b[mlkem.CiphertextSize768:])
	}
	if err := s.CheckEncryptionKey(b); err != nil { // of DHKEM it is a public key
		return fmt.Errorf("KEM output: %w", err)
	}
	return nil
}

// checkSealedSecret returns ErrPath unless x may hold a secret of the key
// schedule; whether it opens cannot be seen.
func (s Suite) checkSealedSecret(x *HPKECiphertext) error {
	const tag = 16 // bytes that the AEADs of all suites add
	if want := s.HashSize() + tag; len(x.Ciphertext) != want {
		return fmt.Errorf("%w: a sealed secret of %d bytes instead of %d", ErrPath, len(x.Ciphertext), want)
	}
	if err := s.checkKEMOutput(x.KEMOutput); err != nil {
		return fmt.Errorf("%w: %w", ErrPath, err)
	}
	return nil
}

// CheckSignatureKey returns ErrSignatureKey unless key is a public key of the
// suite's signature scheme.
func (s Suite) CheckSignatureKey(key []byte) error { return s.Signature().CheckKey(key) }

// VerifyWithLabel returns ErrSignature unless signature is one over content
// with the given label (without the prefix "MLS 1.0 ") by the holder of key
// (RFC 9420 §5.1.2).
func (s Suite) VerifyWithLabel(key []byte, label string, content, signature []byte) error {
	return s.Signature().Verify(key, SignContent(label, content), signature)
}

// SignContent is what is signed for content under label (RFC 9420 §5.1.2).
func SignContent(label string, content []byte) []byte {
	const prefix = "MLS 1.0 "
	e := encoderFor(len(prefix) + len(label) + len(content) + 8)
	e.Bytes([]byte(prefix + label))
	e.Bytes(content)
	if e.err != nil {
		return nil
	}
	return e.buf
}

// CheckKey returns ErrSignatureKey unless key is a public key of the scheme.
func (s SignatureScheme) CheckKey(key []byte) error {
	switch s {
	case Ed25519:
		if len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("%w: %d bytes", ErrSignatureKey, len(key))
		}
		return nil
	default:
		return s.checkECDSA(key)
	}
}

// Verify returns ErrSignature unless signature is one over message by the
// holder of key.
func (s SignatureScheme) Verify(key, message, signature []byte) error {
	if err := s.CheckKey(key); err != nil {
		return err
	}
	ok := false
	switch s {
	case Ed25519:
		ok = ed25519.Verify(key, message, signature)
	default:
		ok = s.verifyECDSA(key, message, signature)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}
