package account

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/data"

	"github.com/veche-im/veche/wire"
)

func TestWhatOthersTryFirstIsNoPassword(t *testing.T) {
	for _, p := range []string{
		// common ones, as they stand, in other letters, with a little around
		"12345678", "password", "PASSWORD", "iloveyou", "sunshine", "trustno1", "Baseball1", "dragon2024", "!monkey99", "p@ssw0rd", "P4$$word12",
		"ｐａｓｓｗｏｒｄ", "elephant", "samantha1987", "dragondragon", "monkeymonkeymonkey", "letmein123456",
		// repeated
		"aaaaaaaa", "11111111", "abababab", "абвгабвг", "яяяяяяяяя", "xyzwxyzwxyzw",
		// rows of keyboards and alphabets
		"qwertyui", "poiuytrewq", "asdfghjkl", "qwertz123", "azertyuiop", "1qaz2wsx", "qwe123asd", "йцукенгш", "фывапролдж", "ждлорпавыф",
		"abcdefgh", "hgfedcba", "абвгдеёж", "1234567890", "0987654321", "qqqwwweee", "12345678a",
		// names of where it is used
		"vechevecheveche", "veche2026!", "пароль123", "Gfhjkm12", "annabell1", "Annabell!", "annabell-2026", "acmecorp1", "AcmeAcme12", "corp-acme-7",
	} {
		if err := checkGuess(p, "Annabell Lee", "Acme Corp"); wire.CodeOf(err) != wire.Guessable {
			t.Errorf("%q is taken: %v", p, err)
		}
	}
	for _, p := range []string{
		"correct horse battery", "seven lazy badgers", "xk7vq2mz", "снег идёт в июне", "bdfhkmpr", "annabell likes tall ships", "acme has no such thing",
		"f83kd02l", "зелёный чайник 7", "qwerty is a row of keys, not a password", "tr0ub4dor&3x", strings.Repeat("many words ", 40) + "x",
	} {
		if err := checkGuess(p, "Annabell Lee", "Acme Corp"); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
}

// OWASP ASVS 6.2.4 asks for the three thousand most common passwords that are long
// enough. Of a list of seven thousand, those that are count as they stand, and the
// others with digits after them.
func TestThousandsOfCommonPasswordsAreRefused(t *testing.T) {
	b, err := data.Asset("data/Passwords.json")
	if err != nil {
		t.Fatal(err)
	}
	refused, of := 0, 0
	for i, w := range strings.Split(string(b), `"`) {
		if i%2 == 0 || len(w) < 5 || i%41 != 0 { // some of them
			continue
		}
		for utf8.RuneCountInString(w) < wire.MinPassword {
			w += "1"
		}
		of++
		switch err := checkGuess(w); wire.CodeOf(err) {
		case wire.Guessable:
			refused++
		default:
			t.Errorf("%q: %v", w, err)
		}
	}
	if of < 100 || refused != of {
		t.Errorf("%d of %d", refused, of)
	}
}

// Nothing that somebody types makes it fail or take long.
func FuzzGuess(f *testing.F) {
	f.Add("password", "Ann", "Acme")
	f.Add(strings.Repeat("a", wire.MaxPassword), "", "")
	f.Add(`"\`, `"`, `\`)
	f.Fuzz(func(t *testing.T, password, name, org string) {
		p, err := prepare(password)
		if err != nil {
			return
		}
		err = checkGuess(p, name, org)
		if err != nil && wire.CodeOf(err) != wire.Guessable {
			t.Fatal(err)
		}
		if again := checkGuess(strings.ToUpper(p), name, org); folded(strings.ToUpper(p)) == folded(p) && (again == nil) != (err == nil) {
			t.Errorf("%q counts as another password in other letters", p)
		}
	})
}
