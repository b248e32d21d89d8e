package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/admin"
)

type backupCmd struct {
	dataFlags
	File string `arg:"" help:"File to write; there must be none of that name."`
}

func (c backupCmd) Run(ctx context.Context, t *term) error {
	began := time.Now()
	f, err := newWhole(c.File)
	if err != nil {
		return err
	}
	defer f.drop()
	p := &progress{t: t, what: "backing up"}
	to := io.MultiWriter(f, p)
	sum, err := admin.Backup(ctx, c.Data, to, p.begin)
	if errors.Is(err, admin.ErrNotRunning) {
		sum, err = server.Backup(ctx, server.StoppedConfig{Data: c.Data, Version: version}, to, p.begin)
	}
	p.end()
	if err == nil {
		err = f.finish()
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("there is no room for the backup where %s is to be; nothing is left of it", c.File)
	case err != nil:
		return fmt.Errorf("no backup was made: %w", err)
	}
	t.note("%s: %s, %d files, in %s. Whoever reads it has the server's keys and knows who talks to whom: keep it as you keep the server.", c.File, amount(p.done), sum.Files, time.Since(began).Round(100*time.Millisecond))
	if sum.Missing > 0 {
		t.note("%d files are not in it, because the disk has lost them: see veche check.", sum.Missing)
	}
	t.note("Whether it can be restored says: veche restore --dry-run %s", c.File)
	return nil
}

// whole is a file that appears under its name once it is complete and on disk.
type whole struct {
	*os.File
	name string
}

func newWhole(name string) (*whole, error) {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s is there already; name another file", name)
		}
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.partial") // 0600
	if err != nil {
		return nil, err
	}
	return &whole{f, name}, nil
}

// finish syncs the file and gives it its name, unless that was taken meanwhile.
func (w *whole) finish() error {
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		return err
	}
	err := os.Link(w.File.Name(), w.name)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s has appeared meanwhile", w.name)
	case err != nil: // a file system without links
		if _, err := os.Lstat(w.name); err == nil {
			return fmt.Errorf("%s has appeared meanwhile", w.name)
		}
		if err := os.Rename(w.File.Name(), w.name); err != nil {
			return err
		}
	}
	dir, err := os.Open(filepath.Dir(w.name))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// drop removes what was written under no name yet.
func (w *whole) drop() {
	_ = w.Close() // after finish it is closed
	_ = os.Remove(w.File.Name())
}

// progress counts what is written through it, and shows how far it is on a
// terminal.
type progress struct {
	t     *term
	what  string
	size  int64 // about; 0 if it is unknown
	done  int64
	shown time.Time
}

func (p *progress) begin(size int64) { p.size = size }

func (p *progress) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	if now := time.Now(); now.Sub(p.shown) > 200*time.Millisecond && p.t.live() {
		p.shown = now
		if p.size > 0 {
			fmt.Fprintf(p.t.err, "\r%s: %3d %% of %s ", p.what, min(100, 100*p.done/p.size), amount(p.size))
		} else {
			fmt.Fprintf(p.t.err, "\r%s: %s ", p.what, amount(p.done))
		}
	}
	return len(b), nil
}

func (p *progress) end() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.t.err, "\r\x1b[K")
	}
}

// live reports whether somebody looks at what is said.
func (t *term) live() bool {
	f, ok := t.err.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// amount writes bytes as people say them.
func amount(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for v >= unit && i < 3 {
		v, i = v/unit, i+1
	}
	return fmt.Sprintf("%.1f %s", v, [...]string{"KiB", "MiB", "GiB", "TiB"}[i])
}
