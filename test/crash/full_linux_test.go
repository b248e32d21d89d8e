package crash

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/veche-im/veche/test/crowd"
	"github.com/veche-im/veche/wire"
)

func (p *powered) fill(t *testing.T) {
	t.Helper()
	fill(t, p.filler())
}

// fill has a file at path take all that is free, to the last block.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 4096; {
		if _, err := f.Write(bytes.Repeat([]byte{1}, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil && !errors.Is(err, io.ErrShortWrite) {
			t.Fatal(err)
		}
	}
}

func (p *powered) filler() string { return filepath.Join(p.disk.Path, "filler") }

// On a full disk what would be written is refused in plain words, reading goes
// on, a server starts or says what it lacks, and nothing needs to be done but to
// make room.
func TestFullDisk(t *testing.T) {
	p := onDisk(t, 40, crowd.Config{})
	p.Site.Start()
	p.Crowd.Start(p.URL)
	refused := func() int { return p.Figures().Refused[wire.NoSpace] }
	working := func() {
		t.Helper()
		before := p.Figures().Acknowledged
		until(t, "an acknowledgement", func() bool { return p.Figures().Acknowledged > before+50 })
	}
	full := func() {
		t.Helper()
		before := refused()
		until(t, "a refusal for want of room", func() bool {
			p.fill(t) // what the server gave back since
			return refused() > before+20
		})
		if err := p.Read(t.Context(), p.URL); err != nil {
			t.Errorf("with a full disk one cannot read: %v", err)
		}
		if err := p.Upload(t.Context(), p.URL, 5<<20); wire.CodeOf(err) != wire.NoSpace {
			t.Errorf("a file that has no room is told %v", err)
		}
	}
	working()
	pid := p.PID()
	full()
	if err := os.Remove(p.filler()); err != nil {
		t.Fatal(err)
	}
	working()
	if err := p.Upload(t.Context(), p.URL, 5<<20); err != nil {
		t.Errorf("with room again a file is told %v", err)
	}
	full()
	if p.PID() != pid || p.Over() {
		t.Error("a full disk ended the server")
	}
	for _, end := range []func(){p.Kill, func() { p.Stop() }} {
		end()
		p.fill(t)
		p.Site.Start()
		full()
	}
	// The log has no index after a power cut, as it is never synced, and making one
	// needs a little room. (It is there if the kernel just happened to write it.)
	p.cut()
	if err := os.Remove(p.database() + "-shm"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	p.fill(t)
	p.Launch()
	if code := p.Ended(); code == 0 {
		t.Error("a server that cannot start ended with 0")
	}
	log, err := os.ReadFile(p.Log)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(string(log)), "\n"); !strings.Contains(lines[len(lines)-1], "the disk is full") {
		t.Errorf("a server that has no room to start says %q", lines[len(lines)-1])
	}
	if err := os.Remove(p.filler()); err != nil {
		t.Fatal(err)
	}
	p.Site.Start()
	working()
	finish(t, p.Crowd, p.Site)
	p.Stop()
	dense(t, p.Site)
	t.Logf("figures: %v", p.Figures())
}
