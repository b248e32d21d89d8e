package account

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/veche-im/veche/wire"
)

// What is taken for a link's token has one spelling, and anything else is as
// unknown as any other.
func FuzzParseToken(f *testing.F) {
	f.Add(newToken().Secret())
	f.Add("")
	f.Add(strings.Repeat("7", 32))
	f.Add(strings.Repeat("a", 31) + "=")
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ParseToken(s)
		switch {
		case err != nil && wire.CodeOf(err) != wire.NotFound:
			t.Errorf("%q: %v", s, err)
		case err == nil && (tok.Secret() != s || len(s) != 32 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") != ""):
			t.Errorf("%q is taken for a token", s)
		}
	})
}

// Nobody makes the note of a known browser but the server.
func FuzzKnown(f *testing.F) {
	h, err := newHasher(cheap)
	if err != nil {
		f.Fatal(err)
	}
	password := Hash(rand.Text()) // in each of the fuzzer's processes its own, so that none has the notes of another
	made := vouch(password)
	other := vouch("another")
	f.Add(made)
	f.Add(other)
	f.Add(made[:len(made)-1] + "B")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if s == made || s == other {
			return
		}
		if d := h.deviceOf(password, s); d != "" {
			t.Errorf("%q passes for a note", s)
		}
	})
	if h.deviceOf(password, made) == "" || h.deviceOf(password, other) != "" || h.deviceOf("", made) != "" {
		f.Error("a note is not read as what it is")
	}
}

// A stored hash that is damaged is an error and no way in.
func FuzzHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=64,t=0,p=1$$")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		c, _, sum, err := Hash(s).parse()
		if err == nil && (c.Time == 0 || c.Threads == 0 || len(sum) != hashSize) {
			t.Errorf("%q is read as %+v", s, c)
		}
	})
}
