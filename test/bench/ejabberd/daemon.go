package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemon is a server of others that runs as our child.
type daemon struct {
	cmd  *exec.Cmd
	over chan struct{} // closed when it has ended
}

// launch starts cmd, which says what it has to say in the file called log. It
// lives until it is told to end: stop or kill must be called.
func launch(cmd *exec.Cmd, log string) (*daemon, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // the terminal's ctrl-C is for us
	d := &daemon{cmd: cmd, over: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { defer close(d.over); _ = cmd.Wait() }()
	return d, nil
}

// pids are its processes.
func (d *daemon) pids() []int {
	if d == nil {
		return nil
	}
	return family(d.cmd.Process.Pid)
}

func (d *daemon) signal(s syscall.Signal) {
	for _, pid := range d.pids() {
		_ = syscall.Kill(pid, s)
	}
}

// kill ends it as a crash does.
func (d *daemon) kill() {
	if d == nil || d.ended() {
		return
	}
	pids := d.pids()
	d.signal(syscall.SIGKILL)
	<-d.over
	for _, pid := range pids { // its children are not ours to wait for
		for alive(pid) {
			time.Sleep(time.Millisecond)
		}
	}
}

// alive says whether a process has not ended.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	state := bytes.TrimSpace(b[bytes.LastIndexByte(b, ')')+1:])
	return err == nil && len(state) > 0 && state[0] != 'Z' && state[0] != 'X'
}

// stop ends it in good order by the signal s, and as a crash does after ten
// seconds.
func (d *daemon) stop(s syscall.Signal) {
	if d == nil || d.ended() {
		return
	}
	_ = d.cmd.Process.Signal(s)
	select {
	case <-d.over:
	case <-time.After(10 * time.Second):
	}
	d.kill()
}

func (d *daemon) ended() bool {
	select {
	case <-d.over:
		return true
	default:
		return false
	}
}

// family is a process and all that descend from it.
func family(pid int) []int {
	children := map[int][]int{}
	found, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, name := range found {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1])
			children[parent] = append(children[parent], child)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// until calls try again and again until it succeeds, d has ended or ctx is over,
// and returns try's last error.
func (d *daemon) until(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-d.over:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
