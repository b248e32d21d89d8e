package disk_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/veche-im/veche/test/disk"
)

func nobody() {}

// The rig itself: what was synced survives a cut, what was only written does
// not, and the file system is one that can be mounted again and again.
func TestWhatWasSyncedSurvives(t *testing.T) {
	d := disk.New(t, 64)
	r := rand.New(rand.NewPCG(1, 2))
	content := bytes.Repeat([]byte("veche "), 30_000)
	lost := 0
	for i := range 10 {
		synced, written := filepath.Join(d.Path, "synced"), filepath.Join(d.Path, "written")
		if i > 0 {
			if b, err := os.ReadFile(synced); err != nil || !bytes.Equal(b, append(content, byte(i-1))) {
				t.Fatalf("cut %d: what was synced is not there: %d bytes, %v", i, len(b), err)
			}
			if b, _ := os.ReadFile(written); !bytes.Equal(b, append(content, byte(i-1))) {
				lost++
			}
		}
		for _, path := range []string{synced, written} {
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(append(content, byte(i))); err != nil {
				t.Fatal(err)
			}
			if path == synced {
				if err := f.Sync(); err != nil {
					t.Fatal(err)
				}
			}
			f.Close()
		}
		d.Cut(r, nobody, nobody)
	}
	if lost == 0 {
		t.Error("nothing that was not synced was ever lost: this disk tests nothing")
	}
	if d.Flushes() == 0 {
		t.Error("no flush came to the disk")
	}
}
