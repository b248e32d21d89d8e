package crash

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/veche-im/veche/test/crowd"
	"github.com/veche-im/veche/test/rig"
)

// asked returns the number in an environment variable, by which the long forms
// are asked for, or else n.
func asked(t *testing.T, name string, n int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return n
	}
	v, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s is %q, which is no number", name, s)
	}
	return v
}

// seed returns what a run's chances come from, and says how to have them again.
func seed(t *testing.T) uint64 {
	t.Helper()
	s, err := strconv.ParseUint(os.Getenv("VECHE_SEED"), 10, 64)
	if err != nil {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("VECHE_SEED=%d", s)
	return s
}

// finish lets the crowd come to an end and has the judge look at it.
func finish(t *testing.T, c *crowd.Crowd, s *rig.Site) {
	t.Helper()
	if err := c.Finish(t.Context(), s.URL); err != nil {
		t.Fatal(err)
	}
	found := c.Judge()
	for _, b := range found[:min(len(found), 10)] { // one fault breaks many promises
		t.Error(b)
	}
	if len(found) > 10 {
		t.Errorf("and %d more", len(found)-10)
	}
	if t.Failed() {
		keep(t, c.Ledger)
	}
}

// A crowd writes while the server is killed without warning, at random moments
// of its work and of its start.
func TestKilledUnderLoad(t *testing.T) {
	n := asked(t, "VECHE_KILLS", 6)
	fate := rand.New(rand.NewPCG(seed(t), 0))
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	c := crowd.Found(t, data, crowd.Config{Seed: fate.Uint64()})
	s := rig.At(t, dir, data)
	s.Start()
	c.Start(s.URL)
	atStart := 0
	for range n {
		work(t, c, fate)
		s.Kill()
		for fate.IntN(3) == 0 { // again, before it is up
			s.Launch()
			pause(context.Background(), time.Duration(fate.IntN(120))*time.Millisecond)
			s.Kill()
			atStart++
		}
		s.Start()
	}
	finish(t, c, s)
	if code := s.Stop(); code != 0 {
		t.Errorf("asked to stop, the server ended with %d", code)
	}
	dense(t, s)
	t.Logf("figures: %d kills at work, %d at start; %v", n, atStart, c.Figures())
}

// work returns after some more answers, and at any moment between two of them.
func work(t *testing.T, c *crowd.Crowd, fate *rand.Rand) {
	t.Helper()
	want := c.Figures().Acknowledged + 10 + fate.IntN(120)
	until(t, "an answer", func() bool { return c.Figures().Acknowledged >= want })
	pause(context.Background(), time.Duration(fate.IntN(10_000))*time.Microsecond)
}

// The server is killed while it moves the write-ahead log into the database:
// the test sees the database's file change, which happens then alone. Large
// messages bring that about soon.
func TestKilledWhileTheLogMoves(t *testing.T) {
	n := asked(t, "VECHE_MOVES", 1)
	fate := rand.New(rand.NewPCG(seed(t), 0))
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	c := crowd.Found(t, data, crowd.Config{Seed: fate.Uint64(), Size: 50_000})
	s := rig.At(t, dir, data)
	s.Start()
	c.Start(s.URL)
	file := filepath.Join(data, "veche.db")
	changed := func() time.Time {
		st, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return st.ModTime()
	}
	for range n {
		before := changed()
		until(t, "a move of the log", func() bool { return changed().After(before) })
		pause(context.Background(), time.Duration(fate.IntN(10))*time.Millisecond)
		s.Kill()
		s.Start()
	}
	finish(t, c, s)
	s.Stop()
	dense(t, s)
	t.Logf("figures: %d kills while the log moved; %v", n, c.Figures())
}

// until waits for what must come.
func until(t *testing.T, what string, come func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !come(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}
