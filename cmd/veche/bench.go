package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

type benchCmd struct {
	Start         benchStartCmd         `cmd:"" help:"From an empty directory to the first page: time and memory."`
	Conversations benchConversationsCmd `cmd:"" help:"Many rooms talk at once: messages a second, latency, processor."`
	AllHands      benchAllHandsCmd      `cmd:"" help:"One room with thousands online: time until the last one has a message."`
	Idle          benchIdleCmd          `cmd:"" help:"Thousands of connections that say nothing: memory, processor."`
	CatchUp       benchCatchUpCmd       `cmd:"" help:"A device that was away reads what it missed."`
	Calls         benchCallsCmd         `cmd:"" help:"Calls of many shapes: packets, time, memory."`
	Forward       benchForwardCmd       `cmd:"" hidden:""`
}

type benchStartCmd struct {
	Times int `default:"5" help:"How often."`
}

// Run starts this very binary on a new directory, asks for the page that a
// browser would, and ends it again.
func (c benchStartCmd) Run(ctx context.Context, t *term) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if info, err := os.Stat(self); err == nil {
		t.show("binary                                %s\n", bytesText(info.Size()))
	}
	for n := range c.Times {
		r, err := startOnce(ctx, self)
		if err != nil {
			return fmt.Errorf("start %d: %w", n+1, err)
		}
		t.show("empty directory to the first page     %d ms, then %s resident\n", r.took.Milliseconds(), bytesText(r.resident))
	}
	return nil
}

type started struct {
	took     time.Duration
	resident int64 // bytes, 0 where the system does not say
}

func startOnce(ctx context.Context, self string) (r started, err error) {
	dir, err := os.MkdirTemp("", "veche-bench-*")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	begin := time.Now()
	cmd := exec.CommandContext(ctx, self, "serve", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--local", "127.0.0.1:0", "--metrics", "off")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		err = errors.Join(err, cmd.Wait())
	}()
	address, err := localAddress(out)
	if err != nil {
		return r, err
	}
	resp, err := http.Get(address)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return r, err
	}
	if resp.StatusCode != http.StatusOK {
		return r, fmt.Errorf("the first page: %s", resp.Status)
	}
	return started{time.Since(begin), resident(cmd.Process.Pid)}, nil
}

var localLine = regexp.MustCompile(`http://localhost:\d+`)

// localAddress reads the server's first words until its local address, and goes
// on reading so that the server never waits for us.
func localAddress(out io.Reader) (string, error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if a := localLine.FindString(lines.Text()); a != "" {
			go io.Copy(io.Discard, out)
			return a, nil
		}
	}
	return "", errors.Join(errors.New("the server ended without saying its address"), lines.Err())
}

// resident returns how much memory a process has in use.
func resident(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			return kb * 1024
		}
	}
	return 0
}
