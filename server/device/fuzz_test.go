package device

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// A session's token is what it is, character for character.
func FuzzParseToken(f *testing.F) {
	f.Add(strings.Repeat("A", tokenLength))
	f.Add(strings.Repeat("A", tokenLength-1) + "=")
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, s string) {
		tok, ok := ParseToken(s)
		if ok && (tok.Secret() != s || len(s) != tokenLength || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "") {
			t.Errorf("%q is taken for a token", s)
		}
	})
}

// Whatever a client calls its device, what is shown is a short line of text.
func FuzzName(f *testing.F) {
	f.Add("Firefox on Linux")
	f.Add("a\u202eb\x00\n")
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		got := shown(s)
		if got == "" || !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxName || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q is shown as %q", s, got)
		}
	})
}
