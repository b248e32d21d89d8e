package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/cmd/veche/doctor"
)

// said is what a command writes while it runs.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serve runs the command until the test ends.
func serve(t *testing.T, args ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	ctx, stop := context.WithCancel(context.Background())
	out := &said{}
	ended := make(chan int, 1)
	go func() {
		args := append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--local", "off", "--metrics", "off"}, args...)
		ended <- run(ctx, args, &term{in: strings.NewReader(""), out: out, err: out})
	}()
	t.Cleanup(func() {
		stop()
		if status := <-ended; status != exitDone {
			t.Errorf("the server ended with %d:\n%s", status, out)
		}
	})
	for !strings.Contains(out.String(), "Veche is running") {
		select {
		case status := <-ended:
			ended <- status
			t.Fatalf("the server ended with %d:\n%s", status, out)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return dir
}

// examine runs the doctor and returns its exit status and checks by name.
func examine(t *testing.T, dir string) (status int, checks map[string]doctor.Check) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), []string{"doctor", "--json", "--data", dir}, &term{in: strings.NewReader(""), out: &out, err: &errs})
	checks = map[string]doctor.Check{}
	for line := range strings.Lines(out.String()) {
		var c doctor.Check
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		checks[c.Name] = c
	}
	return status, checks
}

func TestTheDoctorFindsAWholeServerWell(t *testing.T) {
	status, checks := examine(t, serve(t))
	if status != exitDone {
		t.Errorf("exit status %d", status)
	}
	for _, name := range []string{"server", "https", "certificate", "calls by UDP", "calls by TCP", "relay inside TLS"} {
		if c := checks[name]; c.Verdict != doctor.Good {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestTheDoctorSaysWhatIsWrong(t *testing.T) {
	t.Run("no server", func(t *testing.T) {
		status, checks := examine(t, t.TempDir())
		if c := checks["server"]; status != exitFailed || c.Verdict != doctor.Bad || !strings.Contains(c.Advice, "veche serve") {
			t.Errorf("exit status %d, %+v", status, c)
		}
	})
	t.Run("no directory", func(t *testing.T) {
		status, checks := examine(t, filepath.Join(t.TempDir(), "none"))
		if c := checks["disk"]; status != exitFailed || c.Verdict != doctor.Bad {
			t.Errorf("exit status %d, %+v", status, c)
		}
	})
	t.Run("no calls", func(t *testing.T) {
		status, checks := examine(t, serve(t, "--media", "off"))
		if c := checks["calls"]; status != exitDone || c.Verdict != doctor.Poor {
			t.Errorf("exit status %d, %+v", status, c)
		}
	})
	t.Run("an address that nobody reaches", func(t *testing.T) {
		// Loopback, where nothing listens: the media port is on another address of it.
		status, checks := examine(t, serve(t, "--public", "127.0.0.99"))
		for _, name := range []string{"calls by UDP", "calls by TCP"} {
			if c := checks[name]; status != exitFailed || c.Verdict != doctor.Bad || c.Advice == "" {
				t.Errorf("%s: exit status %d, %+v", name, status, c)
			}
		}
	})
}

func TestPublicTakesAddressesAlone(t *testing.T) {
	for _, bad := range []string{"example.org", "0.0.0.0", "fe80::1%eth0", "224.0.0.1", "203.0.113.7:443"} {
		var out bytes.Buffer
		args := []string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--public", bad}
		if status := run(t.Context(), args, &term{in: strings.NewReader(""), out: &out, err: &out}); status != exitUsage {
			t.Errorf("%s: exit status %d, %s", bad, status, out.String())
		}
	}
}
