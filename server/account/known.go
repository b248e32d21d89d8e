package account

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// A browser in which somebody was signed in keeps a note of it: a random number
// and a MAC over it, under a key that follows from the stored hash of that
// person's password. So it needs no table, is good for one name, and ends with
// the password. It lets nobody in: it only has the browser's failures counted
// apart from those of strangers.
const (
	knownNonce = 16
	knownSize  = knownNonce + sha256.Size
)

// vouch makes such a note.
func vouch(password Hash) string {
	b := make([]byte, knownNonce, knownSize)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(append(b, knownMAC(password, b)...))
}

// deviceOf returns which browser shows a note, empty if it is none or somebody
// else's. For a name that nobody has it does the same work.
func (h *hasher) deviceOf(password Hash, known string) string {
	if password == "" {
		password = h.decoy
	}
	if len(known) != base64.RawURLEncoding.EncodedLen(knownSize) {
		return ""
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(known)
	if err != nil || !hmac.Equal(b[knownNonce:], knownMAC(password, b[:knownNonce])) {
		return ""
	}
	return string(b[:knownNonce])
}

func knownMAC(password Hash, nonce []byte) []byte {
	key := sha256.Sum256([]byte("veche known browser v1 " + string(password)))
	m := hmac.New(sha256.New, key[:])
	m.Write(nonce)
	return m.Sum(nil)
}
