//go:build linux

package canary

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/veche-im/veche/client/media"
	"github.com/veche-im/veche/test/rig"
)

func TestWhatPeopleSayIsNowhereOnTheServer(t *testing.T) {
	s := rig.New(t, "Aviary", "ann")
	ann, bob := s.SignIn("ann"), s.Invite("bob")
	ann.Must("room", "create", "team", "bob")
	bob.Must("rooms")

	// Sound whose every frame is a word, for who can open it.
	c, word := newCanary("what was said")
	path := filepath.Join(s.Dir, "said.ogg")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := media.CreateOgg(f)
	if err != nil {
		t.Fatal(err)
	}
	for range 250 { // five seconds
		if _, err := w.Write(append([]byte{0xfc}, word...)); err != nil { // one frame of 20 ms
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	spoken := make(chan rig.Result, 1)
	go func() { spoken <- ann.Run(ctx, "call", "team", "--play", path, "--repeat", "--seconds", "60") }()
	heard := filepath.Join(s.Dir, "heard")
	bob.Must("call", "team", "--record", heard, "--seconds", "5")

	memory := readMemory(t, s.PID()) // while ann speaks on
	hangUp()
	<-spoken
	places := map[string][]byte{"the server's memory": memory, "the server's log": read(t, s.Log)}
	s.Stop()
	addFiles(t, s.Data, places)

	recordings := map[string][]byte{}
	addFiles(t, heard, recordings)
	arrived := false
	for _, b := range recordings {
		arrived = arrived || bytes.Contains(b, []byte(word))
	}
	if !arrived {
		t.Fatal("what was said did not arrive: there is nothing to search for")
	}
	if !bytes.Contains(memory, []byte("bob")) {
		t.Error("a person's name is not found in the server's memory: the search is blind")
	}
	for place, b := range places {
		for form, word := range c.forms {
			if bytes.Contains(b, word) {
				t.Errorf("found %s, %s, in %s", c.what, form, strings.ToLower(place))
			}
		}
	}
}
