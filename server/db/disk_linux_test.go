package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const diskChild = "VECHE_TEST_DISK"

// A disk that fails to write ends the process; what was acknowledged before is
// there afterwards, and nothing is acknowledged after. The failure is made by
// the system's limit on the size of files, in a process of its own.
func TestFailedWriteEndsTheProcess(t *testing.T) {
	if path := os.Getenv(diskChild); path != "" {
		failingDisk(path, 300<<10, 5000)
		return
	}
	path := filepath.Join(t.TempDir(), "veche.db")
	cmd := exec.Command(os.Args[0], "-test.run=^TestFailedWriteEndsTheProcess$")
	cmd.Env = append(os.Environ(), diskChild+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged, after := 0, false
	for s := bufio.NewScanner(out); s.Scan(); {
		switch {
		case s.Text() == "ok":
			acknowledged++
			if after {
				t.Error("a write was acknowledged after the failure")
			}
		case strings.HasPrefix(s.Text(), "failed"):
			after = true
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("the process ended with %v", err)
	}
	if acknowledged == 0 || !after {
		t.Fatalf("%d acknowledged, failed: %v", acknowledged, after)
	}
	d := open(t, db.Config{Path: path})
	if n := count(t, d); n != acknowledged {
		t.Errorf("%d rows are there, %d were acknowledged", n, acknowledged)
	}
	if faults, err := d.Check(t.Context()); err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
}

// SQLite would keep to itself that moving the log into the database failed, and
// go on. The limit lets the log grow to a checkpoint and a good deal beyond, but
// the database not to twice of what that moves.
func TestFailedCheckpointEndsTheProcess(t *testing.T) {
	const limit = 26 << 20
	if path := os.Getenv(diskChild); path != "" {
		failingDisk(path, limit, 100_000)
		return
	}
	path := filepath.Join(t.TempDir(), "veche.db")
	cmd := exec.Command(os.Args[0], "-test.run=^TestFailedCheckpointEndsTheProcess$")
	cmd.Env = append(os.Environ(), diskChild+"="+path)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("the process ended with %v", err)
	}
	wal, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if wal.Size() > limit-1<<20 {
		t.Errorf("writing went on after the failure, until the log had %d bytes", wal.Size())
	}
	d := open(t, db.Config{Path: path})
	if n, want := count(t, d), strings.Count(string(out), "ok\n"); n != want {
		t.Errorf("%d rows are there, %d were acknowledged", n, want)
	}
}

func failingDisk(path string, most uint64, row int) {
	signal.Ignore(syscall.SIGXFSZ) // the write fails instead
	fatal := make(chan error, 1)
	d, err := db.Open(context.Background(), db.Config{
		Path: path, Schemas: []db.Schema{things}, Log: slog.New(slog.DiscardHandler),
		Fatal: func(err error) { fatal <- err },
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	limit := syscall.Rlimit{Cur: most, Max: most}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	write := func() error {
		return d.Update(context.Background(), func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO thing (id, n, note) VALUES ($1, 0, $2)`, wire.NewRoomID(), strings.Repeat("x", row))
			return err
		})
	}
	for range 10_000 {
		if err := write(); err != nil {
			fmt.Println("failed:", err)
			break
		}
		fmt.Println("ok")
	}
	if write() == nil {
		fmt.Println("ok")
	}
	select {
	case <-fatal:
		os.Exit(3)
	default:
		os.Exit(1)
	}
}
