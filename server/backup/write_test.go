package backup_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/server/backup"
)

// slow is a place for a backup that takes nothing until it is let go.
type slow struct {
	taken     bytes.Buffer
	begun, on chan struct{}
}

func newSlow() *slow { return &slow{begun: make(chan struct{}), on: make(chan struct{})} }

func (s *slow) Write(p []byte) (int, error) {
	select {
	case <-s.begun:
	default:
		close(s.begun)
	}
	<-s.on
	return s.taken.Write(p)
}

// However slow the place is to which a backup goes, people write on, and what they
// write is not in it.
func TestNobodyWaitsForABackup(t *testing.T) {
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann := w.Client("ann")
	q := ann.SendTo("bob", "before")
	ann.Sent(q)
	for range 8 { // so that the database is more than what is written at once
		ann.Sent(ann.Send(q.Room, strings.Repeat("long ", 3000)))
	}
	to, done := newSlow(), make(chan error)
	go func() {
		_, err := backup.Write(context.Background(), backup.Source{Dir: w.Dir, Log: slog.New(slog.DiscardHandler), Now: time.Now}, to)
		done <- err
	}()
	<-to.begun
	last := ann.Sent(q).Seq
	for range 20 {
		last = max(last, ann.Sent(ann.Send(q.Room, "meanwhile")).Seq)
	}
	select {
	case <-done:
		t.Fatal("the backup was over before: the test tests nothing")
	default:
	}
	close(to.on)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	rep, _, err := restore(t, to.taken.Bytes(), true)
	if err != nil || rep.Entries >= last || rep.Entries < 9 {
		t.Errorf("%d entries of %d are in it, %v", rep.Entries, last, err)
	}
}

// A file that is deleted while a backup runs is in it, and goes afterwards.
func TestFilesStayUntilABackupIsOver(t *testing.T) {
	w := testenv.New(t, testenv.WithUsers("ann", "bob"))
	ann := w.Client("ann")
	q := ann.SendTo("bob", "hello")
	ann.Sent(q)
	path := filepath.Join(t.TempDir(), "film")
	if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	var sent []api.Item
	for range 2 {
		sent = append(sent, ann.Sent(testenv.Do(ann, api.SendMessage, api.Outgoing{Room: &q.Room, Files: []api.OutgoingFile{{Source: path, Name: "film"}}})))
	}
	to, done := newSlow(), make(chan error)
	var sum backup.Summary
	go func() {
		var err error
		sum, err = admin.Backup(context.Background(), w.Dir, to, func(int64) {})
		done <- err
	}()
	<-to.begun
	for _, i := range sent {
		testenv.Do(ann, api.DeleteMessage, api.ItemRef{Room: q.Room, ID: i.ID})
		ann.Row(q.Room, i.ID, func(i api.Item) bool { return i.Kind == api.ItemDeleted })
	}
	ann.Sent(ann.Send(q.Room, "after")) // the server has carried out what came before
	if n := files(t, w.Dir); n != 2 {
		t.Errorf("%d files are there while the backup runs", n)
	}
	close(to.on)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if rep, _, err := restore(t, to.taken.Bytes(), true); err != nil || rep.Files != 2 || rep.Missing != 0 || sum.Files != 2 {
		t.Errorf("%+v %+v %v", rep, sum, err)
	}
	ann.Until("the files are gone", func() bool { return files(t, w.Dir) == 0 })
}

func files(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return n
}

// Who stops listening half way, and a server that stops, leave no half backup
// that passes for one.
func TestABackupThatBreaksOffIsAnError(t *testing.T) {
	w := testenv.New(t, testenv.WithUsers("ann"))
	ann := w.Client("ann")
	q := ann.SendTo("ann", "to myself")
	for range 40 {
		ann.Sent(ann.Send(q.Room, strings.Repeat("long ", 3000)))
	}
	to, done := newSlow(), make(chan error)
	go func() {
		_, err := admin.Backup(context.Background(), w.Dir, to, func(int64) {})
		done <- err
	}()
	<-to.begun
	ann.Stop()
	stopped := make(chan struct{})
	go func() { w.Stop(); close(stopped) }()
	<-stopped
	close(to.on)
	if err := <-done; err == nil {
		t.Error("half a backup passed")
	}
	if _, left, err := restore(t, to.taken.Bytes(), false); !errors.Is(err, backup.ErrArchive) || len(left) > 0 {
		t.Errorf("it was restored: %v, %q", err, left)
	}
	if list, _ := filepath.Glob(filepath.Join(w.Dir, ".veche-list-*")); len(list) > 0 {
		t.Errorf("%q is left", list)
	}
}
