package sums

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
)

// release is the public key of who released this program, in base64. The build
// links it in (SIGNING_KEY of the Makefile). A program with one trusts no other.
var release string

// Development is the key for builds of one's own. Everybody knows it: it says
// that nothing changed since the build, and not who built.
var Development = ed25519.NewKeyFromSeed(seed())

func seed() []byte {
	s := sha256.Sum256([]byte("veche: the development key, which everybody knows"))
	return s[:]
}

// Trusted lists whose signature this program takes.
func Trusted() []Signer {
	if release == "" {
		return []Signer{{Name: "the development key, that is, a build of one's own", Key: Development.Public().(ed25519.PublicKey)}}
	}
	key, err := base64.StdEncoding.DecodeString(release)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil // the build was given nonsense: nothing fits, and the start says so
	}
	return []Signer{{Name: "release key " + release[:8], Key: key}}
}
