package crash

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/test/crowd"
)

// mutants are servers that break a promise in one place. Each guard that the
// rigs watch over is taken out once, and the rig that should notice has so many
// rounds to do so.
var mutants = []struct {
	name, file, old, new string
	round                func(*testing.T, *powered) error // of a server that does not even start
	most                 int
}{
	{
		"it does not wait for the disk", "server/db/conn.go",
		`"synchronous(FULL)"`, `"synchronous(NORMAL)"`,
		func(t *testing.T, p *powered) error { p.live(t, 1); return nil }, 60,
	},
	{
		"it answers before the commit", "server/db/db.go",
		"j.onCommit = tx.onCommit\n", "j.onCommit = tx.onCommit\n\t\tclose(j.done)\n\t\tj.done = make(chan struct{})\n",
		func(t *testing.T, p *powered) error { p.disk.Slow(20 * time.Millisecond); p.live(t, 1); return nil }, 60,
	},
	{
		"it goes on after a failed sync", "server/db/db.go",
		"case failed, damaged:", "case damaged:",
		func(_ *testing.T, p *powered) error {
			p.failWrite()
			pause(context.Background(), 200*time.Millisecond)
			p.cut()
			return p.TryStart()
		}, 20,
	},
	{
		"it believes what the kernel remembers of a failed write", "server/db/db.go",
		"if err := believeTheDisk(d.cfg.Path); err != nil {", "if err := error(nil); err != nil {",
		func(_ *testing.T, p *powered) error {
			p.failWrite()
			p.Ended()
			cutOff(p)
			return p.TryStart()
		}, 60,
	},
	{
		"it does not know what it has seen before", "server/room/send.go",
		"Client: p.Client, Epoch", "Client: wire.NewClientID(), Epoch",
		func(t *testing.T, p *powered) error { p.live(t, 1); return nil }, 5,
	},
}

// failWrite has one write to the log fail, and waits until it did.
func (p *powered) failWrite() {
	pause(context.Background(), time.Duration(p.fate.IntN(200))*time.Millisecond)
	p.disk.FailWriteTo(p.wal()).Wait()
}

// Building five servers takes longer than all the rest, so this is part of the
// long form.
func TestRigsNoticeBrokenServers(t *testing.T) {
	if asked(t, "VECHE_MUTANTS", 0) == 0 {
		t.Skip("builds five servers: make crash does")
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			p := onDisk(t, 128, crowd.Config{})
			p.Bin = mutant(t, m.file, m.old, m.new)
			for round := 1; round <= m.most; round++ {
				p.Site.Start()
				p.Crowd.Start(p.URL)
				err := m.round(t, p)
				p.disk.Heal()
				if err != nil {
					t.Logf("figures: noticed in round %d: %v", round, err)
					p.Abandon()
					return
				}
				if err := p.Finish(t.Context(), p.URL); err != nil {
					t.Fatal(err)
				}
				if found := p.Judge(); len(found) > 0 {
					t.Logf("figures: noticed in round %d: %v", round, found[0])
					return
				}
				p.Stop()
			}
			t.Errorf("%d rounds, and nobody noticed", m.most)
		})
	}
}

// mutant builds the server with one place changed, which must be there once.
func mutant(t *testing.T, file, old, new string) (bin string) {
	t.Helper()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(top, file)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), old); n != 1 {
		t.Fatalf("%q stands %d times in %s: this guard has moved, so move the mutant", old, n, file)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(b), old, new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	bin = filepath.Join(dir, "veche")
	cmd := exec.Command("go", "build", "-overlay", list, "-o", bin, "./cmd/veche")
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build a server that breaks a promise: %v\n%s", err, out)
	}
	return bin
}
