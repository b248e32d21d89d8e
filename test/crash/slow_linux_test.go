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

// A disk of which each flush takes a fifth of a second, and then two seconds, with
// two hundred rooms that talk. Writers wait and are held off, with all that they
// may have on the way; the server's memory stays below a bound, who reads is
// served, nobody's connection breaks, and when the disk is well everything goes on
// by itself. VECHE_SLOW asks for two hundred writers instead of twenty, of which each
// wants twice as much, and for how many seconds.
func TestSlowDisk(t *testing.T) {
	long := time.Duration(asked(t, "VECHE_SLOW", 0)) * time.Second
	// What waits if nobody is held off: 1.3 MB of each writer, and with each refusal
	// as much again.
	size, most, room := crowd.Config{Writers: 20, Readers: 1, Rooms: 200, Window: 64, Size: 20_000, Patient: true}, 300<<20, 512
	if long > 0 {
		size.Writers, size.Size, most, room = 200, 40_000, 900<<20, 1536
	}
	p := onDisk(t, room, size)
	p.Site.Start()
	p.Crowd.Start(p.URL)
	acknowledged := func(more int) {
		t.Helper()
		before := p.Figures().Acknowledged
		until(t, "an acknowledgement", func() bool { return p.Figures().Acknowledged >= before+more })
	}
	acknowledged(len(p.Rooms))
	process, connections := p.PID(), p.Figures().Dialled
	for _, slow := range []time.Duration{200 * time.Millisecond, 2 * time.Second} {
		before := p.Figures()
		p.disk.Slow(slow)
		began, top := time.Now(), 0
		for acknowledged(8); time.Since(began) < long; acknowledged(1) {
			top = max(top, p.memory(t))
		}
		if err := p.Read(t.Context(), p.URL); err != nil {
			t.Errorf("with a slow disk one cannot read: %v", err)
		}
		if top = max(top, p.memory(t)); top > most {
			t.Errorf("the server has %d MB in memory while the disk takes %v", top>>20, slow)
		}
		now := p.Figures()
		t.Logf("figures: %v for a flush: %d MB in memory at most; %d acknowledged and %d told to come back in %v", slow, top>>20,
			now.Acknowledged-before.Acknowledged, now.Refused[wire.Busy]-before.Refused[wire.Busy], time.Since(began).Round(time.Second))
	}
	until(t, "a refusal, to come back later", func() bool { return p.Figures().Refused[wire.Busy] > 0 })
	if n := p.Figures().Dialled; n != connections {
		t.Errorf("%d connections broke while the disk was slow", n-connections)
	}
	p.disk.Heal()
	acknowledged(len(p.Rooms))
	if p.PID() != process || p.Over() {
		t.Error("a slow disk ended the server")
	}
	p.cut()
	p.Site.Start()
	finish(t, p.Crowd, p.Site)
	p.Stop()
	dense(t, p.Site)
	t.Logf("figures: %v", p.Figures())
}
