package crash

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/veche-im/veche/test/crowd"
	"github.com/veche-im/veche/test/disk"
	"github.com/veche-im/veche/test/rig"
)

// powered is a site that lives on a disk whose power can be cut.
type powered struct {
	*rig.Site
	*crowd.Crowd
	disk *disk.Disk
	fate *rand.Rand
}

func onDisk(t *testing.T, megabytes int, cfg crowd.Config) *powered {
	t.Helper()
	fate := rand.New(rand.NewPCG(seed(t), 1))
	d := disk.New(t, megabytes)
	data := filepath.Join(d.Path, "data")
	cfg.Seed = fate.Uint64()
	return &powered{rig.At(t, t.TempDir(), data), crowd.Found(t, data, cfg), d, fate}
}

// cut takes the power at once and gives it back.
func (p *powered) cut() {
	p.disk.Cut(p.fate, func() { p.Strike(syscall.SIGKILL) }, p.Kill)
}

// live lets the site work, and sometimes only begin, and cuts the power in the
// middle, n times. It is up afterwards.
func (p *powered) live(t *testing.T, n int) {
	t.Helper()
	for range n {
		work(t, p.Crowd, p.fate)
		p.cut()
		for p.fate.IntN(3) == 0 {
			p.Launch()
			pause(context.Background(), time.Duration(p.fate.IntN(150))*time.Millisecond)
			p.cut()
		}
		p.Site.Start()
	}
}

// The power goes under load. Whatever the disk had in its cache then may be
// there, or not, or torn.
func TestPowerCutUnderLoad(t *testing.T) {
	n := asked(t, "VECHE_CUTS", 4)
	p := onDisk(t, 64+3*n, crowd.Config{})
	p.Site.Start()
	p.Crowd.Start(p.URL)
	p.live(t, n)
	finish(t, p.Crowd, p.Site)
	if code := p.Stop(); code != 0 {
		t.Errorf("asked to stop, the server ended with %d", code)
	}
	dense(t, p.Site)
	t.Logf("figures: %d power cuts; %v; %d flushes of the disk", n, p.Figures(), p.disk.Flushes())
}

// The rig must be able to see a loss: on a disk that says it has written and
// has not, acknowledged messages are lost, and the judge says so.
func TestADiskThatLiesIsFoundOut(t *testing.T) {
	p := onDisk(t, 64, crowd.Config{})
	p.disk.Lie()
	p.Site.Start()
	p.Crowd.Start(p.URL)
	const most = 10
	for cuts := 1; cuts <= most; cuts++ {
		p.live(t, 1)
		if err := p.Finish(t.Context(), p.URL); err != nil {
			t.Fatal(err)
		}
		if found := p.Judge(); len(found) > 0 {
			t.Logf("figures: %d power cuts until the loss was seen, %d promises broken: %v", cuts, len(found), found[0])
			return
		}
		p.Crowd.Start(p.URL)
	}
	t.Errorf("%d cuts of a disk that lies, and nothing was lost: this rig would not see a loss", most)
}
