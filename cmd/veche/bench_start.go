package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/cmd/veche/load/seed"
)

type benchStartCmd struct {
	loadFlags
	Times    int `default:"5" placeholder:"N" help:"How often (default ${default})."`
	Messages int `default:"2000000" placeholder:"N" help:"In the directory that is not empty; 0: leave it out (default ${default})."`
}

func (c benchStartCmd) Run(ctx context.Context, t *term) error {
	return c.report(t, func(r *report) error { return c.measure(ctx, r) })
}

func (c benchStartCmd) measure(ctx context.Context, r *report) error {
	if c.Times < 1 || c.Messages < 0 {
		return usageError{errors.New("at least once")}
	}
	if self, err := os.Executable(); err == nil {
		if info, err := os.Stat(self); err == nil {
			r.add("start", "Veche", "size of the binary", float64(info.Size()), size, nil)
		}
	}
	if err := c.empty(ctx, r); err != nil {
		return err
	}
	if c.Messages == 0 {
		return nil
	}
	return c.full(ctx, r)
}

// empty starts on a new directory each time.
func (c benchStartCmd) empty(ctx context.Context, r *report) error {
	took, rss := new(load.Histogram), int64(0)
	for range c.Times {
		err := c.within(func(dir string) (err error) {
			rss, err = c.once(ctx, filepath.Join(dir, "data"), took)
			return err
		})
		if err != nil {
			return err
		}
	}
	r.add("start", "Veche", "empty directory to the first page, median", took.Quantile(0.5).Seconds(), seconds, aimStart)
	r.add("start", "Veche", "memory then", float64(rss), size, nil)
	return nil
}

// full starts on a directory with many messages. The first start is left out: it
// comes right after they were written, and finds all of them in the system's
// memory or none.
func (c benchStartCmd) full(ctx context.Context, r *report) error {
	return c.within(func(dir string) error {
		const rooms, members = 200, 10
		l, data, began := load.Groups(rooms, members), filepath.Join(dir, "data"), time.Now()
		s, err := seed.Write(ctx, data, l.People, l.Rooms)
		if err != nil {
			return err
		}
		if err := seed.History(ctx, data, s, l.Rooms, c.Messages/rooms, 256); err != nil {
			return err
		}
		r.t.note("%d messages made in %.0f s", c.Messages/rooms*rooms, time.Since(began).Seconds())
		took, rss := new(load.Histogram), int64(0)
		for i := range c.Times + 1 {
			if i == 1 {
				took = new(load.Histogram)
			}
			if rss, err = c.once(ctx, data, took); err != nil {
				return err
			}
		}
		work := fmt.Sprintf("start with %d messages", c.Messages)
		full := aimStartFull
		if c.Messages != 2_000_000 {
			full = nil
		}
		r.add(work, "Veche", "to the first page, median", took.Quantile(0.5).Seconds(), seconds, full)
		r.add(work, "Veche", "to the first page, longest", took.Max().Seconds(), seconds, nil)
		r.add(work, "Veche", "memory then", float64(rss), size, nil)
		return nil
	})
}

// within calls do with a directory for the time being.
func (f loadFlags) within(do func(dir string) error) error {
	dir, err := os.MkdirTemp(f.Dir, "veche-bench-*")
	if err != nil {
		return err
	}
	return errors.Join(do(dir), os.RemoveAll(dir))
}

// once starts this very binary on a directory, asks for the page that a browser
// would, and ends it again. It returns the server's memory after that.
func (c benchStartCmd) once(ctx context.Context, data string, took *load.Histogram) (rss int64, err error) {
	began := time.Now()
	s, err := c.start(ctx, data)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	res, err := http.Get("http://" + s.HTTP)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0, err
	}
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the first page: %s", res.Status)
	}
	took.Add(time.Since(began))
	rss, _ = load.Memory(s.Processes)
	return rss, nil
}
