package crash

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/test/crowd"
)

// A write to the disk fails, once. The kernel tells the next fsync and then
// takes the page for clean, though it is not on the disk: whoever asks again is
// told that all is well. So the server has to end; and what it finds when it is
// started again, by the service manager and without a reboot, is what the
// kernel remembers and not what the disk holds. A power cut later shows the
// difference.
func TestAWriteToTheDiskFails(t *testing.T) {
	n := asked(t, "VECHE_FAILURES", 3)
	p := onDisk(t, 64+3*n, crowd.Config{})
	p.Site.Start()
	p.Crowd.Start(p.URL)
	rebooted := 0
	for range n {
		pause(context.Background(), time.Duration(p.fate.IntN(300))*time.Millisecond)
		p.disk.FailWrites(1)
		if code := p.Ended(); code == 0 {
			t.Error("a disk that failed ended the server with 0")
		}
		p.disk.Heal()
		if p.fate.IntN(4) == 0 || p.readOnly() {
			rebooted++
			p.cut()
		}
		p.Site.Start()
		pause(context.Background(), time.Duration(p.fate.IntN(300))*time.Millisecond)
		p.cut()
		p.Site.Start()
	}
	finish(t, p.Crowd, p.Site)
	p.Stop()
	dense(t, p.Site)
	t.Logf("figures: %d failed writes, %d with a reboot right after; %v", n, rebooted, p.Figures())
	log, err := os.ReadFile(p.Log)
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Count(string(log), "the disk cannot be trusted any more"); said < n {
		t.Errorf("the server ended %d times and said %d times why", n, said)
	}
}

// readOnly reports whether the file system has given up, which it does when it
// was its own journal that failed.
func (p *powered) readOnly() bool {
	probe := filepath.Join(p.disk.Path, "probe")
	defer os.Remove(probe)
	return os.WriteFile(probe, []byte("x"), 0o600) != nil
}
