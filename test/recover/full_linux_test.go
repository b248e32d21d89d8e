package recover

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/veche-im/veche/test/disk"
	"github.com/veche-im/veche/test/rig"
)

// fill has a file at path take all that is free but so many bytes.
func fill(t *testing.T, path string, spare int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := int64(0)
	for piece := 1 << 20; piece >= 4096; {
		n, err := f.Write(bytes.Repeat([]byte{1}, piece))
		size += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			piece /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(size - spare); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// below returns what is in a directory, and what it holds.
func below(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A disk that has no room for a backup, or for what a backup holds: the command
// says so and fails, nothing is left of what it began, what was there is as it
// was, and with room it works.
func TestABackupAndARestoreWithoutRoomLeaveNothing(t *testing.T) {
	d := disk.New(t, 32)
	s := rig.New(t, "Full", "ann")
	ann := s.SignIn("ann")
	bob := s.Invite("bob")
	file := filepath.Join(s.Dir, "file")
	content := bytes.Repeat([]byte("veche "), 700_000) // 4 MB
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	ann.Send("@bob", "look", "--file", file)
	bob.Read("@ann")

	filler := filepath.Join(d.Path, "filler")
	refused := func(r rig.Result, words string) {
		t.Helper()
		if r.Code == 0 || r.Out != "" || strings.Count(r.Err, "\n") != 1 || !strings.Contains(r.Err, words) {
			t.Errorf("got %v", r)
		}
		if left := below(t, d.Path); len(left) != 1 {
			t.Errorf("left are %d files: %v", len(left), left)
		}
	}
	there := filepath.Join(d.Path, "there.veche")
	for _, stopped := range []bool{false, true} {
		if stopped {
			s.Stop()
		}
		before := below(t, s.Data)
		for _, spare := range []int64{0, 2 << 20} { // at once, and in the middle
			fill(t, filler, spare)
			refused(s.Run(t.Context(), "backup", there, "--data", s.Data), "there is no room for the backup")
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		}
		if r := s.Run(t.Context(), "backup", there, "--data", s.Data); r.Code != 0 {
			t.Fatalf("with room: %v", r)
		}
		if r := s.Run(t.Context(), "restore", "--dry-run", there, "--data", filepath.Join(d.Path, "never")); r.Code != 0 {
			t.Errorf("what was written is no backup: %v", r)
		}
		after := below(t, s.Data)
		for name, sum := range before {
			if stopped && after[name] != sum && !strings.HasSuffix(name, "-shm") {
				t.Errorf("%s of the site has changed", name)
			}
		}
		if !stopped {
			if err := os.Remove(there); err != nil {
				t.Fatal(err)
			}
		}
	}

	kept := filepath.Join(s.Dir, "kept.veche")
	b, err := os.ReadFile(there)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(kept, b, 0o600), os.Remove(there)); err != nil {
		t.Fatal(err)
	}
	back := filepath.Join(d.Path, "back")
	for _, spare := range []int64{0, 1 << 20, 3 << 20} {
		fill(t, filler, spare)
		refused(s.Run(t.Context(), "restore", kept, "--data", back), "the disk is full; nothing is left behind")
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(kept); err != nil || !bytes.Equal(got, b) {
		t.Errorf("the backup has changed: %v", err)
	}
	if r := s.Run(t.Context(), "restore", kept, "--data", back); r.Code != 0 {
		t.Fatalf("with room: %v", r)
	}
	s.Data = back
	s.Start()
	if got := bob.Read("@ann"); len(got) != 1 || got[0].Text != "look" {
		t.Errorf("bob reads %+v", got)
	}
}
