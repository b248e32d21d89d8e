package doors

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/wire"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew, to be read before they are committed")

// row is one line of the table: something to do, to something.
type row struct {
	do   string // a socket method, or an HTTP method and path as its route has them
	to   string // how that stands
	note string // why what surprises is right
	try  func(w *world, a *actor) string
}

// words are the codes as the table's cells have them.
var words = map[wire.Code]string{
	"": "ok", wire.NotFound: "no", wire.BadRequest: "bad", wire.Unauthenticated: "401", wire.Conflict: "lost", wire.Stale: "stale",
	wire.Pending: "wait", wire.Exists: "exist", wire.TooLarge: "large", wire.NoSpace: "full", wire.Busy: "BUSY", wire.Internal: "ERROR",
	wire.ProveFirst: "prove", wire.LastAdmin: "last",
}

// word is a refusal as a cell has it. What is no refusal of the server is the
// test's own fault.
func word(w *world, err error) string {
	code := wire.CodeOf(err)
	if err != nil && code == "" {
		w.Fatal(err)
	}
	s, ok := words[code]
	if code == wire.NotFound && err.Error() != "not_found: no such thing" {
		return "NO: " + err.Error() // there is one answer, so that nobody can tell which it is
	}
	if !ok {
		w.Fatalf("the table has no word for %s", code)
	}
	return s
}

// Everybody tries every door. What each is told stands in testdata/authz.golden,
// where every line is to be read by somebody who changes it; go test -update
// writes it. A route or a method without a line fails a test.
func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	var b bytes.Buffer
	fmt.Fprint(&b, legend(w))
	for _, part := range []struct {
		title string
		rows  []row
	}{{"Over the socket", socketRows()}, {"Over HTTP, by bearer token and by cookie, on the https port and on the local one", httpRows()},
		{"Methods that a path does not have", nil}, {"At the end, since it ends sessions", lastRows()}} {
		fmt.Fprintf(&b, "\n== %s ==\n", part.title)
		do := ""
		if part.rows == nil {
			fmt.Fprintf(&b, "\n%-78s%s\n%s", "", header(w), wrongMethods(w))
		}
		for i, r := range part.rows {
			if i%15 == 0 {
				fmt.Fprintf(&b, "\n%-78s%s\n", "", header(w))
			}
			name := r.do
			if r.do == do {
				name = ""
			}
			do = r.do
			fmt.Fprintf(&b, "%-32s%-46s%s\n", name, r.to, cells(w, r))
			if r.note != "" {
				fmt.Fprintf(&b, "    # %s\n", r.note)
			}
		}
	}
	golden(t, "authz.golden", b.Bytes())
}

// failed matches the cells that are nobody's due: the server's own fault, a limit
// that this test should not meet, and doors that differ.
var failed = regexp.MustCompile(`^(ERROR|BUSY|IN|NO:.*|5\d\d|.*/.*)$`)

func cells(w *world, r row) string {
	var b strings.Builder
	for _, a := range w.actors {
		w.clock.pass(10 * time.Second) // rates are another test's matter
		s := r.try(w, a)
		if failed.MatchString(s) {
			w.Errorf("%s to %s as %s: %s", r.do, r.to, a.name, s)
		}
		fmt.Fprintf(&b, "%-6s", s)
	}
	return strings.TrimRight(b.String(), " ")
}

func header(w *world) string {
	var b strings.Builder
	for _, a := range w.actors {
		fmt.Fprintf(&b, "%-6s", a.name)
	}
	return strings.TrimRight(b.String(), " ")
}

func legend(w *world) string {
	var b strings.Builder
	b.WriteString(`# Who may do what: what a real server tells everybody at every door.
# Written by go test ./test/doors -update; every line that changes is to be read.
#
# ok      it was done
# no      not_found: there is no such thing, or it is not for you; nobody can tell which
# bad     bad_request: one may ask, but not for this
# 401     there is no session, so no socket either
# lost    conflict        stale   of a past epoch       wait    a proposal waits
# exist   taken already   large   over a cap            full    over a quota
# prove   the password first                             last    it is the last administrator
# 2..4..  the status of HTTP
#
`)
	for _, a := range w.actors {
		fmt.Fprintf(&b, "# %-7s %s\n", a.name, a.what)
	}
	return b.String()
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g, h := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(h)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(h) {
			b = h[i]
		}
		if a != b {
			t.Errorf("%s:%d\n  is        %s\n  should be %s", path, i+1, a, b)
		}
	}
}
