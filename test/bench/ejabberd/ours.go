package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/veche-im/veche/cmd/veche/load/veche"
)

// ours is Veche as an operator runs it, reached without TLS as ejabberd is.
type ours struct {
	*veche.Target
	dir    string
	binary string
	port   int
	server *daemon
}

// newOurs makes an empty directory for a server of a binary.
func newOurs(binary string) (o *ours, err error) {
	o = &ours{binary: binary}
	if o.port, err = freePort(); err != nil {
		return nil, err
	}
	if o.dir, err = os.MkdirTemp("", "veche-bench-"); err != nil {
		return nil, err
	}
	o.Target, err = veche.New(veche.Config{Dir: o.dir, Start: o.start})
	return o, err
}

// Name is load.Target's.
func (*ours) Name() string { return "Veche" }

func (*ours) promises() string { return "synced to disk, all that wait in one sync" }

// Close is load.Target's.
func (o *ours) Close() error { return errors.Join(o.Target.Close(), os.RemoveAll(o.dir)) }

// again is crasher's. The server comes back at the same address.
func (o *ours) again(ctx context.Context, kill bool) (err error) {
	if kill {
		o.server.kill()
	}
	o.server.stop(syscall.SIGTERM)
	o.Running, err = o.start(ctx, filepath.Join(o.dir, "data"))
	return err
}

// watch is what a member of a room finds in its log that went away now.
func (o *ours) watch(ctx context.Context, room, member int) (kept, error) {
	var heard witness
	c, err := o.Connect(ctx, member, &heard)
	if err != nil {
		return nil, err
	}
	c.Close()
	return func(ctx context.Context) (map[uint64]int, error) {
		c, err := o.Connect(ctx, member, &heard)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return heard.all(), nil
	}, nil
}

var localLine = regexp.MustCompile(`this machine +http://localhost:(\d+)`)

// start is veche.Config's.
func (o *ours) start(ctx context.Context, data string) (*veche.Running, error) {
	log := filepath.Join(o.dir, "log")
	if err := os.Remove(log); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	d, err := launch(exec.Command(o.binary, "serve", "--data", data, "--listen", "127.0.0.1:0",
		"--local", fmt.Sprintf("localhost:%d", o.port), "--metrics", "off", "--media", "off"), log)
	if err != nil {
		return nil, err
	}
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var address string
	err = d.until(limit, func() error {
		b, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		m := localLine.FindSubmatch(b)
		if m == nil {
			return fmt.Errorf("veche does not say its address: %s", b[max(0, len(b)-1000):])
		}
		address = "127.0.0.1:" + string(m[1])
		return nil
	})
	if err != nil {
		d.kill()
		return nil, err
	}
	o.server = d
	return &veche.Running{HTTP: address, Processes: []int{d.cmd.Process.Pid}, Stop: func() error {
		d.stop(syscall.SIGTERM)
		return nil
	}}, nil
}

// build makes the binary that is measured, unless one is given, and says what
// it is.
func build(ctx context.Context, given, dir string) (binary, version string, err error) {
	if binary = given; binary == "" {
		binary = filepath.Join(dir, "veche")
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "github.com/veche-im/veche/cmd/veche")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", "", fmt.Errorf("build veche: %w: %s", err, out)
		}
	}
	out, err := exec.CommandContext(ctx, binary, "version").Output()
	if err != nil {
		return "", "", fmt.Errorf("ask veche for its version: %w", err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return binary, first, nil
}
