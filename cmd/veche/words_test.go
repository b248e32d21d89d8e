package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/wire"
)

// What a message or a name holds is a stranger's bytes: nothing of it may act
// on the terminal. In JSON the encoder escapes it, so there it stays whole.
func TestNothingFromOutsideActsOnTheTerminal(t *testing.T) {
	const hostile = "\x1b]52;c;cm0gLXJmIH4=\x07 \u009b31m \u202egpj.exe \r overwritten"
	var out, errs bytes.Buffer
	term := &term{out: &out, err: &errs}
	item := api.Item{Kind: api.ItemMessage, Name: hostile, Text: hostile, Files: []api.File{{Name: hostile}}}
	if err := (readCmd{}).show(term, wire.RoomID{}, item); err != nil {
		t.Fatal(err)
	}
	if err := term.table([]string{"NAME"}, [][]string{{hostile}}); err != nil {
		t.Fatal(err)
	}
	term.note("%s", hostile)
	term.fail(errors.New(hostile))
	for _, s := range []string{out.String(), errs.String()} {
		if i := strings.IndexAny(s, "\x1b\x07\u009b\u202e\r"); i >= 0 {
			t.Errorf("%q reaches the terminal", s[i:])
		}
	}
	out.Reset()
	var c readCmd

	c.JSON = true
	if err := c.show(term, wire.RoomID{}, item); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexAny(out.String(), "\x1b\x07\u009b\u202e\r"); i >= 0 {
		t.Errorf("%q reaches the terminal in JSON", out.String()[i:])
	}
	var row messageRow
	if err := json.Unmarshal(out.Bytes(), &row); err != nil || row.Text != hostile {
		t.Errorf("JSON gives %q, %v", row.Text, err)
	}
}

func TestStatusAndSentenceOfAFailure(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
		says string
	}{
		{nil, exitDone, ""},
		{errors.New("no luck"), exitFailed, "no luck"},
		{usageError{errors.New("what?")}, exitUsage, "what?"},
		{api.Fail(api.Offline, ""), exitOffline, "the server cannot be reached"},
		{api.Fail(api.SignedOut, "x"), exitSignedIn, "nobody is signed in here: run veche login first"},
		{api.Fail(api.Offline, "the server cannot be reached: no route"), exitOffline, "the server cannot be reached: no route"},
		{api.Fail(api.NotEnrolled, ""), exitSignedIn, "this device has not been let in yet"},
		{&api.Failure{Code: api.BadInput, Field: "password", Text: "too short"}, exitFailed, "(password: too short)"},
		{&api.Failure{Code: api.Occupied, Field: "name", Text: "what is stored here is that of Bob"}, exitFailed, "what is stored here is that of Bob: sign in under that name, use another --profile, or remove what is stored here with veche logout --forget first"},
		{&api.Failure{Code: api.Attempts, Text: "x", Retry: 179_001}, exitFailed, "too many wrong passwords: try again in 3 min"},
		{&api.Failure{Code: api.Busy, Text: "x", Retry: 1500}, exitFailed, "the server is busy: try again in 2 s"},
		{api.Fail(api.Busy, "the file is on its way"), exitFailed, "the server is busy: try again later (the file is on its way)"},
	} {
		if got := status(tt.err); got != tt.want {
			t.Errorf("status of %v is %d, want %d", tt.err, got, tt.want)
		}
		if tt.err != nil && !strings.Contains(sentence(tt.err), tt.says) {
			t.Errorf("%v is said as %q", tt.err, sentence(tt.err))
		}
	}
	for _, s := range []api.FailureCode{api.BadInput, api.NotFound, api.Distrusted, api.Damaged, api.Unopenable} {
		if sentence(api.Fail(s, "")) == string(s) {
			t.Errorf("no words for %s", s)
		}
	}
}

func TestLinksAreTakenApart(t *testing.T) {
	for _, tt := range []struct{ link, page, token string }{
		{"https://host:8443", "", ""},
		{"https://host:8443/", "", ""},
		{"https://host:8443/join#abc", wire.PathJoinUI, "abc"},
		{"http://localhost:8080/setup#def", wire.PathSetUpUI, "def"},
	} {
		page, token, err := parseLink(tt.link)
		if err != nil || page != tt.page || token != tt.token {
			t.Errorf("%s is %q %q %v", tt.link, page, token, err)
		}
	}
	for _, link := range []string{"https://host/join", "https://host/join#", "https://host/elsewhere#abc", "::"} {
		if _, _, err := parseLink(link); err == nil {
			t.Errorf("%q is taken", link)
		} else if strings.Contains(err.Error(), "abc") {
			t.Errorf("the token is in %q", err)
		}
	}
}

func TestAGroupCannotPassForAPersonOrAnotherGroup(t *testing.T) {
	id := func(b byte) wire.RoomID { return wire.RoomID{b} }
	rooms := []api.Room{
		{ID: id(1), Kind: wire.Direct, Title: "bob"},
		{ID: id(2), Kind: wire.Group, Title: "Council"},
		{ID: id(3), Kind: wire.Group, Title: "council"},
		{ID: id(4), Kind: wire.Group, Title: "Bell"},
		{ID: id(5), Kind: wire.Group, Title: "Twins"},
		{ID: id(6), Kind: wire.Group, Title: "Twins"},
	}
	for name, want := range map[string]wire.RoomID{"Council": id(2), "council": id(3), "bell": id(4)} {
		if r, err := pickRoom(rooms, name); err != nil || r.ID != want {
			t.Errorf("%q is %v, %v", name, r.ID, err)
		}
	}
	for _, name := range []string{"bob", "COUNCIL", "Twins", "none"} {
		if r, err := pickRoom(rooms, name); err == nil {
			t.Errorf("%q is taken for %v", name, r.ID)
		}
	}
}

func TestAFileIsSavedWholeUnderANameOfItsOwnAndNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	save := func(name string) string {
		t.Helper()
		s, err := createSink(t.Context(), dir, client.SinkInfo{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
		path, err := s.Commit()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ name, want string }{
		{"a.txt", "a.txt"},
		{"a.txt", "a (2).txt"},
		{"a.txt", "a (3).txt"},
		{"../../etc/passwd", "passwd"},
		{"/etc/shadow", "shadow"},
		{"..", "file"},
		{".bashrc", "bashrc"},
		{"-rf", "rf"},
		{"line\nbreak", "line break"},
	} {
		path := save(tt.name)
		if path != filepath.Join(dir, tt.want) {
			t.Errorf("%q is saved as %q", tt.name, path)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != tt.name {
			t.Errorf("%q holds %q, %v", path, b, err)
		}
	}
	s, err := createSink(t.Context(), dir, client.SinkInfo{Name: "half"})
	if err != nil {
		t.Fatal(err)
	}
	s.Abort()
	left, err := filepath.Glob(filepath.Join(dir, ".veche-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
