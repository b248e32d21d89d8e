package crash

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/test/disk"
)

// profileChild says to the child process of the test below what it does when its
// store fails, "die" or "close", and, after a colon, where the profile is.
const profileChild = "VECHE_TEST_PROFILE"

// A write of a device's disk fails, once, to the log or to the database of a
// profile. The store says so and takes nothing more. A process that starts again,
// after one that died or one that closed what it could, has all that was
// acknowledged, and what it acknowledges itself is there after a power cut, be that
// in its middle or after its end.
func TestAWriteToADevicesDiskFails(t *testing.T) {
	if asked := os.Getenv(profileChild); asked != "" {
		end, dir, _ := strings.Cut(asked, ":")
		useProfile(end, dir)
	}
	for _, name := range []string{"veche.db-wal", "veche.db"} {
		for _, end := range []string{"die", "close"} {
			t.Run(name+", then "+end, func(t *testing.T) {
				d := disk.New(t, 128)
				fate := rand.New(rand.NewPCG(seed(t), 1))
				dir := filepath.Join(d.Path, "profile")
				first := startProfile(t, end, dir)
				until(t, "rows", func() bool { return first.rows() >= 5 })
				d.FailWriteTo(filepath.Join(dir, name)).Wait()
				first.wait()
				if !first.said("failed") || first.rows() == 0 {
					t.Errorf("a write failed, and the process said %q", first.last())
				}
				second := startProfile(t, "close", dir)
				more := 100 // enough for the log to be moved
				if end == "die" {
					more = 3
				}
				until(t, "rows", func() bool { return second.rows() >= first.rows()+more || second.said("failed") })
				if end == "die" {
					d.Cut(fate, second.kill, second.wait)
				} else {
					second.stop(t)
					d.Cut(fate, func() {}, func() {})
				}
				if second.said("failed") || second.rows() <= first.rows() {
					t.Errorf("%d rows were acknowledged before it, then the process said %q", first.rows(), second.last())
				}
				db, err := native.Open(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				if n, err := rowsOf(t.Context(), db); err != nil || n < second.rows() {
					t.Errorf("%d rows are there, %d were acknowledged: %v", n, second.rows(), err)
				}
			})
		}
	}
}

// row is what a profile holds under a number, some pages.
func row(n int) (name string, data []byte) {
	return fmt.Sprintf("row %d", n), bytes.Repeat(fmt.Appendf(nil, "%d,", n), 10_000)
}

// rowsOf counts rows, and looks at each.
func rowsOf(ctx context.Context, db *store.DB) (n int, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		for {
			name, want := row(n + 1)
			got, err := store.GetSecret(tx, name)
			if errors.Is(err, store.ErrNone) {
				return nil
			}
			if err != nil || !bytes.Equal(got, want) {
				return fmt.Errorf("row %d has %d bytes: %w", n+1, len(got), err)
			}
			n++
		}
	})
	return n, err
}

// useProfile opens a profile and adds row after row, until the store fails or
// somebody says that it is enough.
func useProfile(end, dir string) {
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	ctx := context.Background()
	fail := func(err error) {
		fmt.Println("failed", err)
		os.Exit(3)
	}
	db, err := native.Open(ctx, dir)
	if err != nil {
		fail(err)
	}
	n, err := rowsOf(ctx, db)
	if err != nil {
		fail(err)
	}
	for n++; ; n++ {
		name, data := row(n)
		err := db.Update(ctx, func(tx *store.Tx) error { return store.PutSecret(tx, name, data) })
		if err != nil {
			if db.Update(ctx, func(*store.Tx) error { return nil }) == nil {
				fmt.Println("goes on")
			}
			if end == "close" {
				_ = db.Close()
			}
			fail(err)
		}
		fmt.Println("row", n)
		select {
		case <-over:
			if err := db.Close(); err != nil {
				fail(err)
			}
			os.Exit(0)
		default:
		}
	}
}

// profileProcess is a process that uses a profile.
type profileProcess struct {
	cmd   *exec.Cmd
	in    io.Closer
	ended chan struct{}

	mu    sync.Mutex // guards what follows
	n     int        // rows acknowledged
	lines []string   // all else that it said
}

func startProfile(t *testing.T, end, dir string) *profileProcess {
	t.Helper()
	p := &profileProcess{cmd: exec.Command(os.Args[0], "-test.run=^TestAWriteToADevicesDiskFails$"), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), profileChild+"="+end+":"+dir)
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.in = in
	go func() {
		defer close(p.ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.mu.Lock()
			if _, err := fmt.Sscanf(s.Text(), "row %d", &p.n); err != nil {
				p.lines = append(p.lines, s.Text())
			}
			p.mu.Unlock()
		}
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		p.wait()
	})
	return p
}

func (p *profileProcess) kill() { _ = p.cmd.Process.Kill() }

func (p *profileProcess) wait() { <-p.ended }

func (p *profileProcess) stop(t *testing.T) {
	t.Helper()
	if err := p.in.Close(); err != nil {
		t.Error(err)
	}
	p.wait()
}

func (p *profileProcess) rows() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

func (p *profileProcess) said(what string) bool {
	return strings.HasPrefix(p.last(), what)
}

// last is what it said last, but for rows.
func (p *profileProcess) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lines) == 0 {
		return ""
	}
	return p.lines[len(p.lines)-1]
}
