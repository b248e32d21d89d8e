package age_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/veche-im/veche/server/age"
	"github.com/veche-im/veche/server/db"
)

// world is a clock on the wall, time that passes, and a database.
type world struct {
	*testing.T
	db     *db.DB
	wall   time.Time
	uptime time.Duration
}

func newWorld(t *testing.T) *world {
	d, err := db.Open(t.Context(), db.Config{Path: filepath.Join(t.TempDir(), "veche.db"), Schemas: []db.Schema{age.Schema}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return &world{T: t, db: d, wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// start is a start of the server, which counts from nought.
func (w *world) start() *age.Clock {
	w.Helper()
	w.uptime = 0
	c, err := age.New(w.Context(), age.Config{DB: w.db, Now: func() time.Time { return w.wall }, Uptime: func() time.Duration { return w.uptime }})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) pass(d time.Duration) { w.wall, w.uptime = w.wall.Add(d), w.uptime+d }

// behind sweeps and says how far what it believes is behind the clock.
func (w *world) behind(c *age.Clock) time.Duration {
	w.Helper()
	got, err := c.Sweep(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return w.wall.Sub(got)
}

func (w *world) want(c *age.Clock, want time.Duration, when string) {
	w.Helper()
	if got := w.behind(c); got != want {
		w.Errorf("%s: behind by %v, not %v", when, got, want)
	}
}

const day, year = 24 * time.Hour, 365 * 24 * time.Hour

func TestARightClockIsBelieved(t *testing.T) {
	w := newWorld(t)
	c := w.start()
	for range 50 {
		w.want(c, 0, "as time passes")
		w.pass(time.Hour)
	}
	c = w.start()
	w.want(c, 0, "after a start")
}

func TestALeapIsBelievedNoFasterThanTimePasses(t *testing.T) {
	w := newWorld(t)
	c := w.start()
	w.want(c, 0, "at first")
	w.wall = w.wall.Add(year)
	for range 3 {
		w.want(c, year, "however often it is asked")
	}
	for range 24 {
		w.pass(time.Hour)
		w.behind(c)
	}
	w.want(c, year-day, "a day later") // a day has passed, and a day was caught up
	w.wall = w.wall.Add(-year)
	w.want(c, 0, "once the clock is right again")
	w.wall = w.wall.Add(-year)
	w.want(c, 0, "when it is set back")
}

func TestALeapIsNotBelievedAfterAStartEither(t *testing.T) {
	w := newWorld(t)
	w.behind(w.start())
	w.wall = w.wall.Add(year)
	for n := range 3 {
		w.want(w.start(), year-time.Duration(n+1)*time.Hour, "after a start")
	}
}

func TestALongStopIsCaughtUp(t *testing.T) {
	w := newWorld(t)
	w.behind(w.start())
	w.wall = w.wall.Add(10 * day)
	c := w.start()
	for range 10 * 24 {
		w.pass(time.Hour)
		w.behind(c)
	}
	w.want(c, 0, "after as long again")
}
