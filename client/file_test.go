package client_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// writeFile makes a file of n bytes that repeat nothing.
func writeFile(t *testing.T, name string, n int) (path string, data []byte) {
	t.Helper()
	data = make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

func sendFile(c *testenv.Client, room wire.RoomID, text, path, kind string) api.Queued {
	c.TB.Helper()
	return testenv.Do(c, api.SendMessage, api.Outgoing{Room: &room, Text: text, Files: []api.OutgoingFile{{
		Source: path, Name: filepath.Base(path), Type: kind,
	}}})
}

// opens checks that a file of a message has these bytes.
func opens(t *testing.T, c *testenv.Client, room wire.RoomID, id string, want []byte) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	o := testenv.Do(c, api.OpenFile, api.FileRef{Room: room, ID: id, Sink: out})
	got, err := os.ReadFile(o.Source)
	if err != nil || !bytes.Equal(got, want) || o.Size != int64(len(want)) {
		t.Errorf("%s opened %d bytes of %d, %v", c.Name, len(got), len(want), err)
	}
}

func withFile(c *testenv.Client, room wire.RoomID, name string) (row api.Item) {
	c.TB.Helper()
	c.Until("file "+name, func() bool {
		for _, row = range c.Timeline(room) {
			if len(row.Files) == 1 && row.Files[0].Name == name && row.Seq > 0 {
				return true
			}
		}
		return false
	})
	return row
}

func TestFilesBothWays(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "files follow")
	bob.Sees(q.Room, "ann", "files follow")

	for _, size := range []int{0, 1, 1 << 20, 5<<20 + 7} {
		path, data := writeFile(t, "from-ann.bin", size)
		sent := sendFile(ann, q.Room, "", path, "application/octet-stream")
		ann.Sent(sent)
		row := bob.Row(q.Room, sent.ID, func(i api.Item) bool { return len(i.Files) == 1 })
		if f := row.Files[0]; f.Size != int64(size) || f.Here || f.Name != "from-ann.bin" {
			t.Errorf("bob sees %+v", f)
		}
		opens(t, bob, q.Room, row.ID, data)
		opens(t, bob, q.Room, row.ID, data) // from the cache
		bob.Row(q.Room, sent.ID, func(i api.Item) bool { return i.Files[0].Here && i.Files[0].Transfer == nil })
		opens(t, ann, q.Room, sent.ID, data)
	}
	path, data := writeFile(t, "photo.jpg", 300_000)
	photo := testenv.Do(bob, api.SendMessage, api.Outgoing{Room: &q.Room, Text: "look", Files: []api.OutgoingFile{{
		Source: path, Name: "photo.jpg", Type: "image/jpeg", Width: 640, Height: 480, Thumb: "AQID", Preview: "BAUG", PrevType: "image/webp",
	}}})
	got := ann.Sees(q.Room, "bob", "look")
	if f := got.Files[0]; f.Width != 640 || f.Height != 480 || f.Thumb != "AQID" || f.Preview != "BAUG" || f.PrevType != "image/webp" {
		t.Errorf("the photo is %+v", f)
	}
	opens(t, ann, q.Room, photo.ID, data)
	if m := ann.Room("bob"); m.Last == nil || !m.Last.Photo || m.Last.Files != 1 {
		t.Errorf("the list shows %+v", m.Last)
	}
	noNotices(t, ann, bob)
}

func TestFilesGoOnAfterTheLineBreaks(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "a large one follows")
	bob.Sees(q.Room, "ann", "a large one follows")
	path, data := writeFile(t, "large.bin", 12<<20)

	var puts atomic.Int64
	var offsets []string
	broken := errors.Join(link.ErrUnreachable, errors.New("cut by the test"))
	ann.Link.HTTP(func(r link.Request) error {
		if r.Method == "PUT" {
			offsets = append(offsets, r.Path[strings.Index(r.Path, "=")+1:])
			if puts.Add(1) == 3 {
				ann.Link.Cut()
				return broken
			}
		}
		return nil
	})
	sent := sendFile(ann, q.Room, "", path, "application/octet-stream")
	ann.Until("the line breaks", func() bool { return puts.Load() == 3 })
	if err := os.Remove(path); err != nil { // what was sealed is stored
		t.Fatal(err)
	}
	ann.Restart()
	if row := ann.Row(q.Room, sent.ID, func(api.Item) bool { return true }); row.State != api.ItemSaved {
		t.Errorf("after a restart: %+v", row)
	}
	ann.Link.Mend()
	ann.Sent(sent)
	if len(offsets) != 5 || offsets[3] != offsets[2] || offsets[4] <= offsets[3] {
		t.Errorf("the upload did not go on where it was: %q", offsets)
	}

	// The download, too.
	var gets atomic.Int64
	bob.Link.HTTP(func(r link.Request) error {
		if r.Method == "GET" && gets.Add(1) == 3 {
			return broken
		}
		return nil
	})
	row := withFile(bob, q.Room, "large.bin")
	out := filepath.Join(t.TempDir(), "out")
	ref := api.FileRef{Room: q.Room, ID: row.ID, Sink: out}
	if _, err := testenv.Ask(bob, api.OpenFile, ref); api.FailureOf(err).Code != api.Offline {
		t.Errorf("with a broken line: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a part of the file was shown")
	}
	before := gets.Load()
	opens(t, bob, q.Room, row.ID, data)
	if n := gets.Load() - before; n != 2 {
		t.Errorf("%d requests for the rest of the file", n)
	}
	noNotices(t, ann, bob)
}

// A file for which the server has no room waits as a text does, says why, over a
// restart too and when the file itself is gone, and leaves by itself. What is
// behind it does not wait for it.
func TestAFileThatTheServerHasNoRoomForWaits(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"POST", "PUT"} { // at its beginning, and in its middle
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			w := testenv.New(t, testenv.WithUsers("ann", "bob"))
			ann, bob := w.Client("ann"), w.Client("bob")
			q := ann.SendTo("bob", "a file follows")
			bob.Sees(q.Room, "ann", "a file follows")
			path, data := writeFile(t, "plans.bin", 300_000)
			full := func(r link.Request) error {
				if r.Method == when && strings.HasPrefix(r.Path, wire.PathBlobs) {
					return wire.Refuse(wire.NoSpace, "the server's disk is full")
				}
				return nil
			}
			ann.Link.HTTP(full)
			sent := sendFile(ann, q.Room, "look", path, "application/octet-stream")
			waits := func(i api.Item) bool { return i.State == api.ItemFailed || i.Fail != "" }
			if row := ann.Row(q.Room, sent.ID, waits); row.State != api.ItemSaved || row.Fail != api.NoSpace {
				t.Fatalf("it is %s, %q", row.State, row.Fail)
			}
			if err := os.Remove(path); err != nil { // what was sealed is stored
				t.Fatal(err)
			}
			ann.Restart()
			if row := ann.Row(q.Room, sent.ID, waits); row.State != api.ItemSaved || row.Fail != api.NoSpace {
				t.Fatalf("after a restart it is %s, %q", row.State, row.Fail)
			}
			ann.Send(q.Room, "meanwhile")
			bob.Sees(q.Room, "ann", "meanwhile")
			ann.Link.HTTP(nil)
			if row := ann.Sent(sent); row.Fail != "" {
				t.Errorf("it is there and says %q", row.Fail)
			}
			opens(t, bob, q.Room, withFile(bob, q.Room, "plans.bin").ID, data)
			noNotices(t, ann, bob)
		})
	}
}

func TestAFileThatWasChangedOnTheServerDoesNotOpen(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "hi")
	bob.Sees(q.Room, "ann", "hi")
	path, _ := writeFile(t, "secret.pdf", 100_000)
	ann.Sent(sendFile(ann, q.Room, "", path, "application/pdf"))
	row := withFile(bob, q.Room, "secret.pdf")
	changed := 0
	err := filepath.WalkDir(filepath.Join(w.Dir, "blobs"), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		changed++
		b[len(b)/2] ^= 1
		return os.WriteFile(p, b, 0o600)
	})
	if err != nil || changed != 1 {
		t.Fatalf("%d blobs changed: %v", changed, err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := testenv.Ask(bob, api.OpenFile, api.FileRef{Room: q.Room, ID: row.ID, Sink: out}); api.FailureOf(err).Code != api.Unopenable {
		t.Errorf("a changed file: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a changed file was shown")
	}
}

func TestFilesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann := w.Client("ann")
	q := ann.SendTo("bob", "hi")
	ann.Sent(q)
	_, err := testenv.Ask(ann, api.SendMessage, api.Outgoing{Room: &q.Room, Files: []api.OutgoingFile{{Source: "/nowhere/at/all", Name: "x"}}})
	if f := api.FailureOf(err); f.Code != api.BadInput || f.Field != "files" {
		t.Errorf("a file that is not there: %v", err)
	}
	if n := len(ann.Timeline(q.Room)); n > 3 {
		t.Errorf("%d rows", n)
	}

	// Sealed after a restart, when the file is gone.
	path, _ := writeFile(t, "gone.bin", 3<<20)
	ann.Link.Cut()
	sent := sendFile(ann, q.Room, "", path, "")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	ann.Restart()
	ann.Link.Mend()
	row := ann.Row(q.Room, sent.ID, func(i api.Item) bool { return i.State == api.ItemFailed || i.State == api.ItemSent })
	if row.State == api.ItemFailed {
		testenv.Do(ann, api.DropItem, api.ItemRef{Room: q.Room, ID: sent.ID})
	}
	ann.Send(q.Room, "goes on")
	w.Client("bob").Sees(q.Room, "ann", "goes on")
}
