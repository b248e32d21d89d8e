package account

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/data"
	"golang.org/x/text/unicode/norm"

	"github.com/veche-im/veche/wire"
)

// errGuessable is the refusal of a new password that others would try first.
var errGuessable = wire.Refuse(wire.Guessable, "that password is too easy to guess")

const (
	// shortRun is the shortest run of neighbours, or repetition, that counts as one.
	shortRun = 3
	// fewStray is how many characters between runs make them no harder to guess.
	fewStray = 2
	// fewAround is how many characters before and after a known word do.
	fewAround = 4
	// fewLetters is how many letters besides names of the context do.
	fewLetters = 3
	// longest is how long a password is looked into for a known word.
	longest = 64
	// shortGroup is the longest group that, repeated, is a word of nobody's.
	shortGroup = 4
)

// rows are characters that follow one another: on keyboards (from left to right,
// and down a column), in alphabets.
var rows = [][]rune{
	[]rune("1234567890-="), []rune("qwertyuiop[]"), []rune("asdfghjkl;'"), []rune("zxcvbnm,./"),
	[]rune("qwertzuiopü"), []rune("yxcvbnm"), []rune("azertyuiop"), []rune("qsdfghjklm"), []rune("wxcvbn"),
	[]rune("1qaz"), []rune("2wsx"), []rune("3edc"), []rune("4rfv"), []rune("5tgb"), []rune("6yhn"), []rune("7ujm"), []rune("8ik,"), []rune("9ol."),
	[]rune("йцукенгшщзхъ"), []rune("фывапролджэ"), []rune("ячсмитьбю"),
	[]rune("0123456789"), []rune("abcdefghijklmnopqrstuvwxyz"), []rune("абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
}

// ours are words that no list of English ones has.
var ours = []string{
	"veche", "вече", "password", "passwort", "пароль", "gfhjkm", "привет", "любовь", "солнышко", "любимая", "россия", "москва", "админ", "администратор",
}

// lists are those of zxcvbn: common passwords, and words and names that people
// take for one.
var lists = []string{"data/Passwords.json", "data/English.json", "data/FemaleNames.json", "data/MaleNames.json", "data/Surnames.json"}

// checkGuess is errGuessable for a password that others would try first. About is
// what is known of who chooses it: names of the person and the organisation.
// docs/spec/sign-in.md.
func checkGuess(password string, about ...string) error {
	p := folded(password)
	if easyRuns([]rune(p)) || ofContext(p, about) {
		return errGuessable
	}
	unit := period(p)
	if len([]rune(unit)) <= shortGroup {
		return errGuessable
	}
	words := []string{p}
	if unit != p {
		words = append(words, unit)
	}
	for _, word := range words {
		known, err := common(word)
		if err != nil {
			return err
		}
		if known {
			return errGuessable
		}
	}
	return nil
}

// folded is s as guessing programs take it: letter case and forms of characters
// make no difference.
func folded(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

// easyRuns reports whether p is nothing but runs of neighbours and repeated
// characters, and a few strays.
func easyRuns(p []rune) bool {
	strays := 0
	for len(p) > 0 {
		n := longestRun(p)
		if n < shortRun {
			strays++
			n = 1
		}
		p = p[n:]
	}
	return strays <= fewStray
}

// longestRun is how many characters at the beginning of p are the same, or follow
// one another in a row, forwards or backwards.
func longestRun(p []rune) int {
	most := 1
	for most < len(p) && p[most] == p[0] {
		most++
	}
	for _, row := range rows {
		for _, step := range []int{1, -1} {
			at, n := slices.Index(row, p[0]), 0
			for n < len(p) && at >= 0 && at < len(row) && row[at] == p[n] {
				at += step
				n++
			}
			most = max(most, n)
		}
	}
	return most
}

// ofContext reports whether p is little more than names of whom it is to protect.
func ofContext(p string, about []string) bool {
	words := slices.Clone(ours)
	for _, name := range about {
		all := strings.FieldsFunc(folded(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		words = append(words, all...)
		words = append(words, strings.Join(all, ""))
	}
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	rest, found := p, false
	for _, w := range words {
		if len([]rune(w)) >= shortRun && strings.Contains(rest, w) {
			rest, found = strings.ReplaceAll(rest, w, " "), true
		}
	}
	letters := 0
	for _, r := range rest {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return found && letters <= fewLetters
}

// period returns the shortest string of which s is a repetition: s itself for
// most.
func period(s string) string {
	for n := 1; n <= len(s)/2; n++ {
		if len(s)%n == 0 && strings.Repeat(s[:n], len(s)/n) == s {
			return s[:n]
		}
	}
	return s
}

// leet is how people write letters with other characters.
var leet = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// common reports whether p is a known word or password, as it stands or with a
// little around it.
func common(p string) (bool, error) {
	words := make(map[string]bool)
	for _, w := range cores([]rune(p)) {
		words[w] = true
	}
	for i, list := range lists {
		b, err := data.Asset(list) // unpacked each time: it takes a millisecond, and a new password is rare
		if err != nil {
			return false, fmt.Errorf("read the list of common passwords: %w", err)
		}
		for w := range bytes.SplitSeq(b, []byte{'"'}) { // JSON, in which they stand in quotes
			if !words[string(w)] {
				continue
			}
			if n := utf8.RuneCount(w); n > shortGroup || n == shortGroup && i == 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// cores returns p and what is left of it without what is little around it, all
// also with the letters for which other characters stand.
func cores(p []rune) (words []string) {
	add := func(w []rune) { words = append(words, string(w), leet.Replace(string(w))) }
	noLetters := func(s []rune) bool { return !slices.ContainsFunc(s, unicode.IsLetter) }
	little := func(s []rune) bool { return len(s) <= fewAround || easyRuns(s) }
	add(p)
	if len(p) > longest {
		return words
	}
	for a := 1; a < len(p) && noLetters(p[:a]); a++ {
		if little(p[:a]) {
			add(p[a:])
		}
	}
	for b := len(p) - 1; b > 0 && noLetters(p[b:]); b-- {
		if little(p[b:]) {
			add(p[:b])
		}
	}
	for a := 1; a < fewAround; a++ { // some on each side
		for b := len(p) - 1; b > a && a+len(p)-b <= fewAround; b-- {
			if noLetters(p[:a]) && noLetters(p[b:]) {
				add(p[a:b])
			}
		}
	}
	return words
}
