package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"unicode"

	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// crockford is base32 for people: no letter is taken for a digit.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// recoverySize is the size of a recovery key in bytes: 200 bits, 40 characters.
const recoverySize = 25

// RecoveryKey opens an account when no device of it is at hand. It does not
// print or marshal; Text gives what the person writes down.
type RecoveryKey struct {
	seal.Secret[[recoverySize]byte]
}

func newRecoveryKey() RecoveryKey {
	k := RecoveryKey{seal.NewSecret([recoverySize]byte{})}
	rand.Read(k.Reveal()[:])
	return k
}

// Text returns the key as 8 groups of 5 characters.
func (k RecoveryKey) Text() string { return grouped(crockford.EncodeToString(k.Reveal()[:]), 5) }

// ParseRecoveryKey reads what a person typed: case, spaces, hyphens and other
// dashes do not count, O is read as 0, I and L as 1. It is ErrRecoveryKey if
// there are not 40 characters of the alphabet then.
func ParseRecoveryKey(text string) (RecoveryKey, error) {
	if len(text) > 1024 {
		return RecoveryKey{}, ErrRecoveryKey
	}
	plain := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), r == '\u2212': // the last is a minus sign
			return -1
		case r == 'o', r == 'O':
			return '0'
		case r == 'i', r == 'I', r == 'l', r == 'L':
			return '1'
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, text)
	b, err := crockford.DecodeString(plain)
	if err != nil || len(b) != recoverySize || len(plain) != recoverySize*8/5 {
		return RecoveryKey{}, ErrRecoveryKey
	}
	return RecoveryKey{seal.NewSecret([recoverySize]byte(b))}, nil
}

// grouped puts a hyphen after every n characters.
func grouped(s string, n int) string {
	var parts []string
	for ; len(s) > n; s = s[n:] {
		parts = append(parts, s[:n])
	}
	return strings.Join(append(parts, s), "-")
}

// saltSize is the size of a recovery lock's salt in bytes.
const saltSize = 16

// pair derives the key pair of the recovery lock.
func (k RecoveryKey) pair(salt []byte) (hpke.PrivateKey, error) {
	ikm, err := hkdf.Key(sha256.New, k.Reveal()[:], salt, "veche recovery lock v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive a recovery key pair: %w", err)
	}
	return kem.DeriveKeyPair(ikm)
}

// proof says for which root the key was made. Only who has the key can make it.
func (k RecoveryKey) proof(salt []byte, account wire.AccountID, root statement.Key) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, k.Reveal()[:], salt, "veche recovery proof v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive a recovery proof: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(account[:])
	mac.Write(root[:])
	return mac.Sum(nil), nil
}
