// Package start looks at the first minute with Veche as an administrator has
// it: what is said, what is made, and what happens when something is in the way.
package start

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/veche-im/veche/test/rig"
)

// server is a server process and what it said.
type server struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	code int           // its exit status, once done

	mu       sync.Mutex // guards what follows
	out, err bytes.Buffer
}

type half struct {
	s *server
	b *bytes.Buffer
}

func (h half) Write(p []byte) (int, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return h.b.Write(p)
}

func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{cmd: exec.Command(rig.Binary(t), args...), done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = half{s, &s.out}, half{s, &s.err}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		s.code = s.cmd.ProcessState.ExitCode()
		close(s.done)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.done
	})
	return s
}

func site(data string) []string {
	return []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--local", "127.0.0.1:0", "--metrics", "off"}
}

func (s *server) said() (out, err string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String(), s.err.String()
}

// await returns the first match of what the server says on standard output.
func (s *server) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		out, errs := s.said()
		if m := re.FindString(out); m != "" {
			return m
		}
		select {
		case <-s.done:
			t.Fatalf("ended with %d without saying %s:\n%s%s", s.code, pattern, out, errs)
		default:
		}
	}
	t.Fatalf("never said %s", pattern)
	return ""
}

func (s *server) stop(t *testing.T) int {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.done
	return s.code
}

func TestFirstAndSecondStart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "a", "data")
	s := serve(t, site(data)...)
	link := s.await(t, `http://localhost:\d+/setup#\S+`)
	s.await(t, `https://127\.0\.0\.1:\d+`)
	s.await(t, `CA fingerprint\s+([0-9A-F]{2}:){31}[0-9A-F]{2}`)
	page, _, _ := strings.Cut(link, "#")
	resp, err := http.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(bytes.ToLower(body), []byte("<!doctype html")) {
		t.Errorf("the set-up page: %s %v %.200s", resp.Status, err, body)
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data directory: %v %v", info.Mode(), err)
	}
	_, token, _ := strings.Cut(link, "#")
	if _, log := s.said(); strings.Contains(log, token) {
		t.Error("the token of the set-up link is in the log")
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("stopped with %d", code)
	}

	again := serve(t, site(data)...)
	if next := again.await(t, `http://localhost:\d+/setup#\S+`); strings.HasSuffix(next, token) {
		t.Error("the second start gave the same set-up link")
	}
}

func TestPlainVecheServes(t *testing.T) {
	s := serve(t, append(site(filepath.Join(t.TempDir(), "data"))[1:], "--host", "bell.example")...)
	s.await(t, `https://bell\.example:\d+/setup#\S+`)
}

// What is in the way is said in one sentence, and nothing is changed.
func TestWhatIsInTheWayIsSaid(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	foreign := filepath.Join(dir, "foreign")
	damaged := filepath.Join(dir, "damaged")
	for _, err := range []error{
		os.WriteFile(file, []byte("x"), 0o600),
		os.Mkdir(foreign, 0o700),
		os.WriteFile(filepath.Join(foreign, "letter.txt"), []byte("dear"), 0o600),
		os.Mkdir(damaged, 0o700),
		os.WriteFile(filepath.Join(damaged, "veche.db"), bytes.Repeat([]byte("not a database "), 1000), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	running := filepath.Join(dir, "running")
	s := serve(t, site(running)...)
	s.await(t, `set-up link`)

	for _, tt := range []struct {
		name  string
		args  []string
		says  string
		fresh string // must not be there afterwards
	}{
		{"a busy port", []string{"serve", "--data", filepath.Join(dir, "new1"), "--listen", busy.Addr().String(), "--local", "127.0.0.1:0", "--metrics", "off"}, "in use", filepath.Join(dir, "new1")},
		{"local means local", []string{"serve", "--data", filepath.Join(dir, "new2"), "--listen", "127.0.0.1:0", "--local", "0.0.0.0:0", "--metrics", "off"}, "loopback", filepath.Join(dir, "new2")},
		{"a file where the directory should be", site(file), "directory", ""},
		{"a directory of somebody else", site(foreign), "other files", filepath.Join(foreign, "veche.db")},
		{"a damaged database", site(damaged), "damaged", ""},
		{"another server", site(running), "another veche", ""},
		{"no server to invite", []string{"invite", "--data", filepath.Join(dir, "new3")}, "no server is running", filepath.Join(dir, "new3")},
		{"nobody is set up to invite", []string{"invite", "--data", running}, "set up", ""},
		{"an unknown command", []string{"sreve"}, "sreve", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := content(t, filepath.Join(damaged, "veche.db"))
			s := serve(t, tt.args...)
			<-s.done
			out, errs := s.said()
			if s.code == 0 || !strings.Contains(errs, tt.says) {
				t.Errorf("status %d, said %q %q", s.code, out, errs)
			}
			if last := lastLine(errs); !strings.HasPrefix(last, "veche: ") {
				t.Errorf("the last line is no sentence of ours: %q", last)
			}
			if strings.Contains(errs, "goroutine ") {
				t.Errorf("a stack trace is no sentence:\n%s", errs)
			}
			if tt.fresh != "" {
				if _, err := os.Stat(tt.fresh); err == nil {
					t.Errorf("%s was made", tt.fresh)
				}
			}
			if !bytes.Equal(before, content(t, filepath.Join(damaged, "veche.db"))) {
				t.Error("the damaged database was changed")
			}
		})
	}
}

func TestUnattended(t *testing.T) {
	dir := t.TempDir()
	data, password := filepath.Join(dir, "data"), filepath.Join(dir, "pw")
	if err := os.WriteFile(password, []byte(rig.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(args ...string) (string, int) {
		s := serve(t, args...)
		<-s.done
		_, errs := s.said()
		return errs, s.code
	}
	for _, bad := range []struct{ name, org, admin string }{{"no name", "Org", " "}, {"no organisation", "", "ann"}, {"a name too long", "Org", strings.Repeat("a", 65)}} {
		if said, code := start("init", "--data", data, "--org", bad.org, "--admin", bad.admin, "--password-file", password); code == 0 {
			t.Errorf("%s is taken: %s", bad.name, said)
		}
		if _, err := os.Stat(data); err == nil {
			t.Fatalf("%s: something was made", bad.name)
		}
	}
	if said, code := start("init", "--data", data, "--org", "Org", "--admin", "ann", "--password-file", password); code != 0 {
		t.Fatal(said)
	}
	if said, code := start("init", "--data", data, "--org", "Other", "--admin", "eve", "--password-file", password); code == 0 || !strings.Contains(said, "set up already") {
		t.Errorf("a second init: %d %s", code, said)
	}
	s := serve(t, site(data)...)
	address := s.await(t, `https://127\.0\.0\.1:\d+`)
	if out, _ := s.said(); strings.Contains(out, "/setup#") {
		t.Errorf("a site that is set up prints a set-up link:\n%s", out)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // who it is is not the question here
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address+"/api/v1/site", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var about struct {
		Org   string
		Ready bool
	}
	if err := json.NewDecoder(resp.Body).Decode(&about); err != nil || about.Org != "Org" || !about.Ready {
		t.Errorf("the site says %+v, %v", about, err)
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
