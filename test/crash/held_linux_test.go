package crash

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/test/disk"
	"github.com/veche-im/veche/wire"
)

// What people write, and the files that they send, while the server's disk is full waits with them and says why,
// over a restart of theirs too, and leaves by itself and in its order once there
// is room.
func TestWhatAFullServerRefusesWaitsAndLeavesByItself(t *testing.T) {
	d := disk.New(t, 48)
	w := testenv.New(t, testenv.WithUsers("ann", "bob"), testenv.WithDir(filepath.Join(d.Path, "data")))
	ann, bob := w.Client("ann"), w.Client("bob")
	first := ann.SendTo("bob", "0")
	ann.Sent(first)
	plans := ann.Group("plans", "bob")
	path, data := filepath.Join(t.TempDir(), "plans.bin"), bytes.Repeat([]byte("plans "), 50_000)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(d.Path, "filler")
	texts := []string{"0"}
	var held api.Queued
	for held.ID == "" { // until what the server has at hand is used up
		fill(t, filler)
		q := ann.Send(first.Room, fmt.Sprint(len(texts)))
		texts = append(texts, fmt.Sprint(len(texts)))
		row := ann.Row(q.Room, q.ID, func(i api.Item) bool { return i.State != api.ItemSaved || i.Fail != "" })
		if row.State == api.ItemFailed || row.Fail != "" && row.Fail != api.NoSpace {
			t.Fatalf("it is %s, %q", row.State, row.Fail)
		}
		if row.Fail != "" {
			held = q
		}
	}
	last := ann.Send(first.Room, fmt.Sprint(len(texts)))
	texts = append(texts, fmt.Sprint(len(texts)))
	file := testenv.Do(ann, api.SendMessage, api.Outgoing{Room: &plans, Files: []api.OutgoingFile{{Source: path, Name: "plans.bin"}}})
	ann.Row(plans, file.ID, func(i api.Item) bool { return i.State == api.ItemSaved && i.Fail == api.NoSpace })
	ann.Restart()
	ann.Row(held.Room, held.ID, func(i api.Item) bool { return i.State == api.ItemSaved && i.Fail == api.NoSpace })
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	ann.Row(held.Room, held.ID, func(i api.Item) bool { return i.State != api.ItemSaved && i.Seq > 0 && i.Fail == "" })
	ann.Row(last.Room, last.ID, func(i api.Item) bool { return i.State != api.ItemSaved && i.Seq > 0 && i.Fail == "" })
	bob.Open("ann")
	bob.Open("plans")
	bob.Row(plans, file.ID, func(i api.Item) bool { return len(i.Files) == 1 })
	opened := testenv.Do(bob, api.OpenFile, api.FileRef{Room: plans, ID: file.ID, Sink: filepath.Join(t.TempDir(), "out")})
	if got, err := os.ReadFile(opened.Source); err != nil || !bytes.Equal(got, data) {
		t.Errorf("bob has %d bytes of the file, and should have %d: %v", len(got), len(data), err)
	}
	bob.Sees(first.Room, "ann", texts[len(texts)-1])
	if got := bob.Texts(first.Room); fmt.Sprint(got) != fmt.Sprint(texts) {
		t.Errorf("bob has %q and should have %q", got, texts)
	}
}

// A server that takes nothing more for now says so; what it refused waits, says
// why, and leaves by itself.
func TestWhatABusyServerRefusesWaitsAndLeavesByItself(t *testing.T) {
	d := disk.New(t, 48)
	w := testenv.New(t, testenv.WithUsers("ann", "bob"), testenv.WithDir(filepath.Join(d.Path, "data")))
	ann, bob := w.Client("ann"), w.Client("bob")
	var rooms []wire.RoomID
	for i := range 3 {
		name := fmt.Sprintf("Room %d", i)
		rooms = append(rooms, ann.Group(name, "bob"))
		ann.Sent(ann.Send(rooms[i], "before"))
		bob.Open(name)
		bob.Sees(rooms[i], "ann", "before")
	}
	d.Slow(6 * time.Second) // longer than a request waits for those before it
	var sent []api.Queued
	for _, room := range rooms {
		sent = append(sent, ann.Send(room, "slowly"))
	}
	ann.Until("one is told why it waits", func() bool {
		for _, q := range sent {
			for _, i := range ann.Timeline(q.Room) {
				if i.ID == q.ID && i.State == api.ItemSaved && i.Fail == api.Busy {
					return true
				}
			}
		}
		return false
	})
	d.Heal()
	for i, q := range sent {
		ann.Row(q.Room, q.ID, func(i api.Item) bool { return i.State != api.ItemSaved && i.Seq > 0 && i.Fail == "" })
		bob.Sees(rooms[i], "ann", "slowly")
		if got := bob.Texts(rooms[i]); len(got) != 2 {
			t.Errorf("bob has %q", got)
		}
	}
}
