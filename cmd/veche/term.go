package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
)

// term is where a command reads and writes.
type term struct {
	in       io.Reader
	out, err io.Writer
}

// fail says err in one sentence and returns the exit status for it.
func (t *term) fail(err error) int {
	hint := ""
	if status(err) == exitUsage {
		hint = " (see veche help)"
	}
	fmt.Fprintf(t.err, "veche: %s%s\n", clean(strings.ReplaceAll(sentence(err), "\n", "; ")), hint)
	return status(err)
}

// note tells the person something that is no result.
func (t *term) note(format string, args ...any) {
	fmt.Fprintf(t.err, "%s\n", clean(fmt.Sprintf(format, args...)))
}

// object writes v as one line of JSON. What could act on a terminal is written
// as an escape, which means the same to a program.
func (t *term) object(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	var line strings.Builder
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		if acts(r) {
			fmt.Fprintf(&line, `\u%04x`, r)
		} else {
			line.WriteRune(r)
		}
	}
	_, err := fmt.Fprintln(t.out, line.String())
	return err
}

// table writes rows in aligned columns under a header.
func (t *term) table(header []string, rows [][]string) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			if i > 0 {
				io.WriteString(w, "\t")
			}
			io.WriteString(w, clean(strings.ReplaceAll(cell, "\n", " ")))
		}
		io.WriteString(w, "\n")
	}
	return w.Flush()
}

// clean replaces what would act on a terminal instead of being shown: control
// characters but for the newline, and marks that turn the direction of text. A
// message is a stranger's bytes, and an escape sequence in it could rewrite the
// screen or the clipboard.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case acts(r):
			return '\uFFFD'
		default:
			return r
		}
	}, s)
}

// acts reports whether a terminal would do something for r instead of showing it.
func acts(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r")
}

// show writes text for people.
func (t *term) show(format string, args ...any) {
	fmt.Fprint(t.out, clean(fmt.Sprintf(format, args...)))
}

// recoveryKey shows the key that is kept nowhere.
func (t *term) recoveryKey(key string) {
	fmt.Fprintf(t.out, "Recovery key: %s\n", key)
	t.note("Write it down and keep it safe: with it and your password you can let a new device in when all others are lost.\nIt is shown this once and kept nowhere.")
}
