package crash

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/test/crowd"
	"github.com/veche-im/veche/test/rig"
)

// A sync fails at the system call, of the log or of the database, while a crowd
// writes. That is another failure than the disk's: the kernel has all of it, so
// what follows is that the server must not ask again, must not answer and must
// end; and that who starts it finds everything.
func TestASyncFails(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("NOT TESTED: strace is missing (Debian: strace)")
	}
	n := asked(t, "VECHE_SYNCS", 2)
	fate := rand.New(rand.NewPCG(seed(t), 0))
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	c := crowd.Found(t, data, crowd.Config{Seed: fate.Uint64(), Size: 20_000})
	s := rig.At(t, dir, data)
	s.Start()
	c.Start(s.URL)
	var longest time.Duration
	for i := range n {
		work(t, c, fate)
		file, when := filepath.Join(data, "veche.db-wal"), 1+fate.IntN(3)
		if i%2 == 1 {
			file, when = filepath.Join(data, "veche.db"), 1
		}
		out := filepath.Join(dir, fmt.Sprintf("strace%d", i))
		tracer := exec.Command("strace", "-f", "-q", "-tt", "-o", out, "-P", file, "-e", "trace=fsync,fdatasync,pwrite64",
			"-e", fmt.Sprintf("inject=fsync,fdatasync:error=EIO:when=%d", when), "-p", strconv.Itoa(s.PID()))
		said, err := tracer.CombinedOutput() // it ends with the server
		failed, again := injected(t, out)
		if failed.IsZero() && !s.Over() {
			t.Skipf("NOT TESTED: on this machine a process cannot be traced: %v: %s", err, said)
		}
		if code := s.Ended(); failed.IsZero() {
			t.Fatalf("the server ended with %d, and no sync had failed: %s", code, said)
		} else if code == 0 {
			t.Error("a sync that failed ended the server with 0")
		}
		over := time.Now()
		if again > 0 {
			t.Errorf("%s was written to or synced %d times by who had seen a sync of it fail", filepath.Base(file), again)
		}
		longest = max(longest, over.Sub(failed))
		s.Start()
	}
	finish(t, c, s)
	s.Stop()
	dense(t, s)
	t.Logf("figures: %d syncs failed; the server had ended after %v at most; %v", n, longest.Round(time.Millisecond), c.Figures())
	if os.Getenv("VECHE_SYNCS") != "" && longest > 10*time.Second {
		t.Error("which is too long")
	}
}

// injected returns when the first sync was made to fail, and how many calls with
// the same file descriptor, which is one connection's, came after it.
func injected(t *testing.T, trace string) (at time.Time, again int) {
	t.Helper()
	b, err := os.ReadFile(trace)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	// A call during which another thread was heard of stands in two lines.
	call := regexp.MustCompile(`^(\d+) +(\S+) (?:fsync|fdatasync|pwrite64)\((\d+)`)
	resumed := regexp.MustCompile(`^(\d+) +(\S+) <\.\.\. (?:fsync|fdatasync) resumed>`)
	under := map[string]string{} // thread → descriptor of its last call
	var fd string
	for line := range strings.Lines(string(b)) {
		m := call.FindStringSubmatch(line)
		switch {
		case m != nil:
			if under[m[1]] = m[3]; fd == m[3] {
				again++
			}
		case strings.Contains(line, "(INJECTED)"):
			m = resumed.FindStringSubmatch(line)
		}
		if m == nil || fd != "" || !strings.Contains(line, "(INJECTED)") {
			continue
		}
		clock, err := time.Parse("15:04:05.000000", m[2])
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		at = time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), time.Local)
		if at.After(now) { // it was before midnight
			at = at.AddDate(0, 0, -1)
		}
		fd = under[m[1]]
	}
	return at, again
}
