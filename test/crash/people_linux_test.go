package crash

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/veche-im/veche/test/disk"
	"github.com/veche-im/veche/test/rig"
)

// The power goes right after a command has said that something is done: the
// site that was set up, the person who came in, the file that was sent are
// there.
func TestWhatCommandsSaidIsDoneSurvivesAPowerCut(t *testing.T) {
	d := disk.New(t, 64)
	fate := rand.New(rand.NewPCG(seed(t), 1))
	p := &powered{Site: rig.At(t, t.TempDir(), filepath.Join(d.Path, "data")), disk: d, fate: fate}
	done := func() {
		p.cut()
		p.Site.Start()
	}
	p.Init("Power", "ann")
	done()
	ann := p.SignIn("ann")
	done()
	bob := p.Invite("bob")
	done()
	content := make([]byte, 2<<20)
	for i := range content {
		content[i] = byte(fate.Uint32())
	}
	file := filepath.Join(p.Site.Dir, "file")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	sent := ann.Send("@bob", "look", "--file", file)
	done()
	got := bob.Read("@ann")
	if len(got) != 1 || got[0].Text != "look" || len(got[0].Files) != 1 || got[0].Seq != sent.Seq {
		t.Fatalf("after the cut bob has %+v", got)
	}
	at := filepath.Join(p.Site.Dir, "fetched")
	bob.Must("fetch", "@ann", strconv.FormatInt(sent.Seq, 10), "--out", at)
	if b, err := os.ReadFile(filepath.Join(at, "file")); err != nil || !bytes.Equal(b, content) {
		t.Errorf("the file that was sent came back with %d bytes: %v", len(b), err)
	}
}
