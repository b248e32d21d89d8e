package crash

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/veche-im/veche/test/crowd"
)

func (p *powered) database() string { return filepath.Join(p.Data, "veche.db") }
func (p *powered) wal() string      { return p.database() + "-wal" }

// faults are the writes that fail, each by what was under way. All of them end
// the server.
var faults = []struct {
	name string
	meet func(*powered) (failed time.Time)
}{
	{"a message is added to the log", func(p *powered) time.Time { return p.disk.FailWriteTo(p.wal()).Wait() }},
	{"the log moves into the database", func(p *powered) time.Time { return p.disk.FailWriteTo(p.database()).Wait() }},
	{"a start moves the log into the database", func(p *powered) time.Time {
		p.Kill()
		fault := p.disk.FailWriteTo(p.database())
		p.Launch()
		return fault.Wait()
	}},
	{"the file system commits", func(p *powered) time.Time { return p.disk.FailJournal().Wait() }},
}

// afterwards is what becomes of a site that a failed write ended, up to the power
// cut that shows what the disk holds.
var afterwards = []func(*powered){
	cutOff,
	func(p *powered) {
		p.Site.Start()
		pause(context.Background(), time.Duration(p.fate.IntN(300))*time.Millisecond)
		p.cut()
	},
	// In the middle of the start.
	func(p *powered) {
		p.Launch()
		pause(context.Background(), time.Duration(p.fate.IntN(100))*time.Millisecond)
		p.cut()
	},
	rebooted,
}

// cutOff has the power go when a start has moved the log into the database and cut
// it off, of which the disk does not know yet.
func cutOff(p *powered) {
	p.disk.Slow(100 * time.Millisecond)
	long := size(p.wal())
	p.Launch()
	for deadline := time.Now().Add(time.Minute); size(p.wal()) == long && time.Now().Before(deadline); {
		time.Sleep(100 * time.Microsecond)
	}
	p.cut()
	p.disk.Heal()
}

// size is 0 for a file that is not there.
func size(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}

func rebooted(p *powered) { p.cut() }

// A write to the disk fails, once. The kernel tells the next fsync and then
// takes the page for clean, though it is not on the disk: whoever asks again is
// told that all is well. So the server has to end; and what it finds when it is
// started again, by the service manager and without a reboot, is what the
// kernel remembers and not what the disk holds. A power cut later shows the
// difference, and so whether something was acknowledged after the failure.
func TestAWriteToTheDiskFails(t *testing.T) {
	n := asked(t, "VECHE_FAILURES", len(faults))
	p := onDisk(t, 256+24*n, crowd.Config{Size: 20_000})
	p.Site.Start()
	p.Crowd.Start(p.URL)
	said, longest := 0, map[string]time.Duration{}
	for i := range n {
		pause(context.Background(), time.Duration(p.fate.IntN(300))*time.Millisecond)
		f := faults[i%len(faults)]
		failed := f.meet(p)
		if code := p.Ended(); code == 0 {
			t.Errorf("%s, and a disk that failed ended the server with 0", f.name)
		}
		longest[f.name] = max(longest[f.name], time.Since(failed))
		if now := p.complaints(t); now > said {
			said = now
		} else {
			t.Errorf("%s, and the server ended without saying that the disk failed", f.name)
		}
		after := afterwards[(i+i/len(faults))%len(afterwards)]
		if p.readOnly() {
			after = rebooted
		}
		after(p)
		p.Site.Start()
	}
	finish(t, p.Crowd, p.Site)
	p.Stop()
	dense(t, p.Site)
	t.Logf("figures: %d failed writes; %v", n, p.Figures())
	for _, name := range slices.Sorted(maps.Keys(longest)) {
		t.Logf("figures: a write fails while %s: the server had ended after %v at most", name, longest[name].Round(time.Millisecond))
		if os.Getenv("VECHE_FAILURES") != "" && longest[name] > 10*time.Second {
			t.Error("which is too long: somebody may have waited for a disk that cannot be trusted")
		}
	}
}

// complaints counts what the server said of the disk before it ended.
func (p *powered) complaints(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(p.Log)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "veche: ") && (strings.Contains(line, "disk I/O error") || strings.Contains(line, syscall.EIO.Error())) {
			n++
		}
	}
	return n
}

// readOnly reports whether the file system has given up, which it does when it
// was its own journal that failed.
func (p *powered) readOnly() bool {
	probe := filepath.Join(p.disk.Path, "probe")
	defer os.Remove(probe)
	return os.WriteFile(probe, []byte("x"), 0o600) != nil
}
