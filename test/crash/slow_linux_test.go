package crash

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/veche-im/veche/test/crowd"
	"github.com/veche-im/veche/wire"
)

// memory returns how many bytes of the server are in memory.
func (p *powered) memory(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	var all, resident int
	if _, err := fmt.Sscan(string(b), &all, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}

// A disk of which each flush takes a fifth of a second, and then two seconds.
// Writers wait and are held off, with all that they may have on the way; the
// server's memory stays as it is, who reads is served, and when the disk is well
// everything is as before.
func TestSlowDisk(t *testing.T) {
	// What waits if nobody is held off: 20 MB, and each round as much again.
	p := onDisk(t, 512, crowd.Config{Window: 64, Size: 20_000})
	p.Site.Start()
	p.Crowd.Start(p.URL)
	acknowledged := func(more int) {
		t.Helper()
		before := p.Figures().Acknowledged
		until(t, "an acknowledgement", func() bool { return p.Figures().Acknowledged >= before+more })
	}
	acknowledged(50)
	for _, slow := range []time.Duration{200 * time.Millisecond, 2 * time.Second} {
		p.disk.Slow(slow)
		acknowledged(8)
		if err := p.Read(t.Context(), p.URL); err != nil {
			t.Errorf("with a slow disk one cannot read: %v", err)
		}
		const most = 300 << 20
		if n := p.memory(t); n > most {
			t.Errorf("the server has %d MB in memory while the disk takes %v", n>>20, slow)
		} else {
			t.Logf("figures: %v for a flush: %d MB in memory", slow, n>>20)
		}
	}
	until(t, "a refusal, to come back later", func() bool { return p.Figures().Refused[wire.Busy] > 0 })
	p.disk.Heal()
	acknowledged(50)
	p.cut()
	p.Site.Start()
	finish(t, p.Crowd, p.Site)
	p.Stop()
	dense(t, p.Site)
	t.Logf("figures: %v", p.Figures())
}
