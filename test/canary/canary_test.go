//go:build linux

// Package canary looks for what must not be on the server: it has people write
// words that occur nowhere else, and then searches all that somebody could get
// who takes the server's disk, a backup of it, its logs, or the memory of its
// process.
package canary

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/veche-im/veche/test/rig"
)

// A canary is a word that occurs once in the world, in each of the forms in
// which it might lie around.
type canary struct {
	what  string
	forms map[string][]byte
}

func newCanary(what string) (canary, string) {
	word := "canary" + strings.ToLower(rand.Text())
	return known(what, word), word
}

func known(what, word string) canary {
	utf16 := make([]byte, 0, 2*len(word))
	for _, b := range []byte(word) {
		utf16 = append(utf16, b, 0)
	}
	return canary{what, map[string][]byte{
		"as it is":      []byte(word),
		"in UTF-16":     utf16,
		"in hex":        fmt.Appendf(nil, "%x", word),
		"in upper case": []byte(strings.ToUpper(word)),
		// base64 at each of the three offsets, without the ends that depend on
		// what stands beside it
		"in base64":    base64Middle(word, 0),
		"in base64, 1": base64Middle(word, 1),
		"in base64, 2": base64Middle(word, 2),
	}}
}

func TestWhatPeopleWriteIsNowhereOnTheServer(t *testing.T) {
	s := rig.New(t, "Aviary", "ann")
	// A person's name is known to the server: if the search does not find it,
	// the search is blind and its silence means nothing.
	control, name := newCanary("a person's name")
	ann, bob := s.SignIn("ann"), s.Invite(name)

	var secrets []canary
	secret := func(what string) string {
		c, word := newCanary(what)
		secrets = append(secrets, c)
		return word
	}
	text := secret("the text of a message")
	content, file := secret("the content of a file"), secret("the name of a file")
	group, said := secret("the name of a group"), secret("a text in a group")
	secrets = append(secrets, known("a password", rig.Password))

	path := filepath.Join(s.Dir, file+".txt")
	if err := os.WriteFile(path, bytes.Repeat([]byte(content+"\n"), 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	ann.Send("@"+name, text)
	sent := ann.Send("@"+name, "see the file", "--file", path)
	bob.Must("fetch", "@ann", strconv.FormatInt(sent.Seq, 10), "--out", filepath.Join(s.Dir, "fetched"))
	ann.Must("room", "create", group, name)
	bob.Must("rooms")
	ann.Send(group, said)
	for what, word := range map[string]string{"text": text, "group": said} {
		room := "@ann"
		if what == "group" {
			room = group
		}
		if !strings.Contains(bob.Must("read", room), word) {
			t.Fatalf("the %s did not arrive: there is nothing to search for", what)
		}
	}

	memory := readMemory(t, s.PID()) // while it runs, with all that it has just carried
	backup := filepath.Join(s.Dir, "backup")
	if r := s.Run(t.Context(), "backup", backup, "--data", s.Data); r.Code != 0 {
		t.Fatalf("veche backup: %v", r)
	}
	places := map[string][]byte{"the server's memory": memory, "the server's log": read(t, s.Log), "a backup": read(t, backup)}
	addFiles(t, s.Data, places)
	s.Stop()
	addFiles(t, s.Data, places) // and again after it closed its files

	for _, where := range []string{"the server's memory", "the data directory", "a backup"} {
		if !found(places, control.forms["as it is"], where) {
			t.Errorf("%s is not found in %s: the search is blind", control.what, where)
		}
	}
	for _, c := range secrets {
		t.Run(c.what, func(t *testing.T) {
			for place, b := range places {
				for form, word := range c.forms {
					if bytes.Contains(b, word) {
						if c.what == "a password" && place == "the server's memory" {
							continue // it has just been typed in; the disk and the log are what counts
						}
						t.Errorf("found %s in %s", form, place)
					}
				}
			}
		})
	}
}

func found(places map[string][]byte, word []byte, where string) bool {
	for place, b := range places {
		if strings.HasPrefix(place, where) && bytes.Contains(b, word) {
			return true
		}
	}
	return false
}

// addFiles adds every file under dir. Certificates and keys are searched too.
func addFiles(t *testing.T, dir string, places map[string][]byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		place := "the data directory: " + rel
		places[place] = append(places[place], read(t, path)...)
		places["names in the data directory"] = append(places["names in the data directory"], rel+"\n"...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
