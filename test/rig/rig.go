// Package rig runs the real binary for black-box tests: a site on loopback in a
// directory of its own, and people who use its commands. Nothing of server or
// client is imported: what a test needs beyond the commands, a user could not
// have either.
//
// The binary is VECHE_BIN, or is built once for each test program.
package rig

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a start, a stop or a command may take before the test
// gives up: far more than any needs, as a loaded machine is no fault.
const patience = 2 * time.Minute

var build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("VECHE_BIN"); bin != "" {
		_, err := os.Stat(bin) // also tells go test that its result depends on this file
		return bin, err
	}
	dir, err := os.MkdirTemp("", "veche-bin-*")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "veche")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/veche-im/veche/cmd/veche").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build veche: %w: %s", err, out)
	}
	return bin, nil
})

// Binary returns the path of veche.
func Binary(tb testing.TB) string {
	tb.Helper()
	bin, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	return bin
}

// A Site is one installation and its server process.
type Site struct {
	Dir  string // all of the test's files
	Data string // the server's data directory
	Log  string // what the server printed, all its runs together
	URL  string // https address, the same after each start
	Bin  string // the program; a test may put another build in its place
	// Before stands in front of the server's command line: a tracer, say, that
	// ends by becoming the server.
	Before []string

	tb   testing.TB
	port string

	mu     sync.Mutex // guards what follows
	server *exec.Cmd  // nil while no server runs
	exited chan error // gets the server's end, once
}

// Password is everybody's.
const Password = "correct horse battery"

// New sets up a site with one administrator and starts its server. The server
// is ended with the test.
func New(tb testing.TB, org, admin string) *Site {
	tb.Helper()
	dir := tb.TempDir()
	s := At(tb, dir, filepath.Join(dir, "data"))
	s.Init(org, admin)
	s.Start()
	return s
}

// At is a site whose data directory somebody else has made, or will make. Its
// server is not started. What else there is, logs say, goes into dir.
func At(tb testing.TB, dir, data string) *Site {
	tb.Helper()
	s := &Site{Dir: dir, Data: data, Log: filepath.Join(dir, "server.log"), tb: tb, Bin: Binary(tb), port: freePort(tb)}
	s.URL = "https://127.0.0.1:" + s.port
	if err := os.WriteFile(s.passwordFile(), []byte(Password+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Kill()
		if tb.Failed() {
			log, _ := os.ReadFile(s.Log)
			tb.Logf("the server's last words:\n%s", tail(log, 3000))
		}
	})
	return s
}

func (s *Site) passwordFile() string { return filepath.Join(s.Dir, "password") }

// Init sets the site up, with one administrator.
func (s *Site) Init(org, admin string) {
	s.tb.Helper()
	out := s.Run(s.tb.Context(), "init", "--data", s.Data, "--org", org, "--admin", admin, "--password-file", s.passwordFile())
	if out.Code != 0 {
		s.tb.Fatalf("veche init: %v", out)
	}
}

// Start starts the server and waits until it takes connections.
func (s *Site) Start() {
	s.tb.Helper()
	if err := s.TryStart(); err != nil {
		s.tb.Fatal(err)
	}
}

// TryStart is Start for a server that may end instead; then the error has its last
// words.
func (s *Site) TryStart() error {
	s.tb.Helper()
	s.Launch()
	s.mu.Lock()
	exited := s.exited
	s.mu.Unlock()
	return s.awaitServer(exited)
}

// Launch starts the server and waits for nothing.
func (s *Site) Launch() {
	s.tb.Helper()
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer log.Close()
	line := append(append([]string{}, s.Before...), s.Bin, "serve", "--data", s.Data, "--listen", "127.0.0.1:"+s.port, "--local", "127.0.0.1:0", "--metrics", "off")
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	s.mu.Lock()
	s.server, s.exited = cmd, exited
	s.mu.Unlock()
}

func (s *Site) awaitServer(exited chan error) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-exited:
			exited <- err
			log, _ := os.ReadFile(s.Log)
			return fmt.Errorf("the server ended at its start: %v\n%s", err, tail(log, 3000))
		default:
		}
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // only asks whether somebody listens
		if c, err := d.Dial("tcp", "127.0.0.1:"+s.port); err == nil {
			c.Close()
			return nil
		}
	}
	return errors.New("the server does not listen")
}

// PID returns the server's process id.
func (s *Site) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.Process.Pid
}

// Kill ends the server with SIGKILL, in the middle of whatever it does.
func (s *Site) Kill() { s.end(syscall.SIGKILL) }

// Stop asks the server to end and returns its exit status.
func (s *Site) Stop() int {
	err := s.end(syscall.SIGTERM)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// Strike sends the server a signal and waits for nothing.
func (s *Site) Strike(how syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		_ = s.server.Process.Signal(how)
	}
}

// Over reports whether the server has ended by itself.
func (s *Site) Over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-s.exited:
		s.exited <- err
		return true
	default:
		return false
	}
}

// Ended waits until the server has ended by itself and returns its exit status.
// If it does not end the test fails.
func (s *Site) Ended() int {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-s.exited:
		s.server = nil
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		return 0
	case <-time.After(patience):
		s.tb.Fatal("the server goes on")
		return 0
	}
}

func (s *Site) end(how syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	_ = s.server.Process.Signal(how) // it may have ended by itself: Wait says
	select {
	case err := <-s.exited:
		s.server = nil
		return err
	case <-time.After(patience):
		_ = s.server.Process.Kill()
		return errors.New("the server does not end")
	}
}

// A Result is what a command said.
type Result struct {
	Out, Err string
	Code     int // exit status; -1: it was killed
}

func (r Result) String() string { return fmt.Sprintf("status %d: %s%s", r.Code, r.Out, r.Err) }

// Run runs a command. When ctx ends the process is killed.
func (s *Site) Run(ctx context.Context, args ...string) Result {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Bin, args...)
	cmd.Dir = s.Dir
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	r := Result{Out: out.String(), Err: errs.String()}
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		r.Code = exit.ExitCode()
	default:
		r.Code = -1
	}
	return r
}

// freePort returns a port below those that systems hand out by themselves: a
// server that is killed and started again must find it free, and a connection of
// anybody on this machine could have been given it.
func freePort(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	tb.Fatal("no port is free")
	return ""
}

func tail(b []byte, n int) string { return strings.ToValidUTF8(string(b[max(0, len(b)-n):]), "") }
