package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/test/disk"
)

// The disk of a device is full: what its person writes is refused in words that
// name that disk, and what others write is not told to the server as delivered,
// over a restart too. When there is room again all of it comes, in its order.
func TestAFullDiskUnderADevice(t *testing.T) {
	d := disk.New(t, 24)
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann, bob := w.Client("ann"), w.Client("bob")
	q := ann.SendTo("bob", "0")
	bob.Sees(q.Room, "ann", "0")
	ann.Row(q.Room, q.ID, func(i api.Item) bool { return i.State == api.ItemDelivered })

	bob.Stop()
	dir := filepath.Join(d.Path, "profile")
	if err := os.CopyFS(dir, os.DirFS(bob.Dir)); err != nil {
		t.Fatal(err)
	}
	bob.Dir = dir
	bob.Start()
	bob.Ready()
	filler := filepath.Join(d.Path, "filler")
	texts := []string{"0"}
	var refused error
	var accepted []api.Queued
	for refused == nil { // until what the database has at hand is used up
		fill(t, filler)
		m, err := testenv.Ask(bob, api.SendMessage, api.Outgoing{Room: &q.Room, Text: strings.Repeat("b", 2000)})
		if refused = err; err == nil {
			accepted = append(accepted, m)
		}
		if len(accepted) > 100 {
			t.Fatal("the disk is full, and everything is said to be stored")
		}
	}
	if f := api.FailureOf(refused); f.Code != api.NoSpace || !strings.Contains(f.Text, dir) {
		t.Errorf("bob is told %v, and not which disk is full", refused)
	}
	var sent []api.Queued
	for range 5 {
		text := fmt.Sprint(len(texts), strings.Repeat("a", 9_000))
		texts = append(texts, text)
		m := ann.Send(q.Room, text)
		ann.Sent(m)
		sent = append(sent, m)
	}
	last := sent[len(sent)-1]
	bob.Restart()
	fill(t, filler)
	bob.Until("bob is online", func() bool { return testenv.Do(bob, api.GetStatus, api.None{}).Connection == api.Online })
	if row := ann.Row(last.Room, last.ID, func(i api.Item) bool { return i.Seq > 0 }); row.State == api.ItemDelivered {
		t.Error("the server was told that bob has what he could not store")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	bob.Link.Drop() // or it takes up to a minute until he tries again
	ann.Row(last.Room, last.ID, func(i api.Item) bool { return i.State == api.ItemDelivered })
	bob.Sees(q.Room, "ann", texts[len(texts)-1])
	var got []string
	for _, text := range bob.Texts(q.Room) {
		if !strings.HasPrefix(text, "b") {
			got = append(got, text)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(texts) {
		t.Errorf("bob has %d messages of ann and should have %d", len(got), len(texts))
	}
	for _, m := range accepted {
		bob.Sent(m)
	}
	bob.Sent(bob.Send(q.Room, "room again"))
	ann.Sees(q.Room, "bob", "room again")
}
