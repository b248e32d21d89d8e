package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/cmd/veche/load/sealed"
	"github.com/veche-im/veche/cmd/veche/load/seed"
	"github.com/veche-im/veche/cmd/veche/load/veche"
)

type benchCatchUpCmd struct {
	loadFlags
	Rooms  int  `default:"100" placeholder:"N" help:"Rooms (default ${default})."`
	Last   int  `default:"50" placeholder:"N" help:"Newest messages of each that are read (default ${default})."`
	Times  int  `default:"30" placeholder:"N" help:"How often (default ${default})."`
	Sealed bool `help:"Only a real client that opens and stores all of them."`
	Month  bool `help:"Only somebody who was away for 30 days: 500 rooms, 100,000 messages, 2,000 epochs."`
}

func (c benchCatchUpCmd) Run(ctx context.Context, t *term) error {
	return c.report(t, func(r *report) error { return c.measure(ctx, r) })
}

func (c benchCatchUpCmd) measure(ctx context.Context, r *report) error {
	if c.Rooms < 1 || c.Last < 1 || c.Times < 1 {
		return usageError{errors.New("there must be a room, a message and one time")}
	}
	if c.Sealed {
		return c.opened(ctx, r)
	}
	if !c.Month {
		if err := c.newest(ctx, r); err != nil {
			return err
		}
	}
	return c.month(ctx, r)
}

// newest reads the newest messages of all rooms.
func (c benchCatchUpCmd) newest(ctx context.Context, r *report) error {
	return c.boarded(ctx, r, load.Shared(c.Rooms, 3), func(b *bench, f *load.Fleet) error {
		if err := load.Fill(ctx, f, c.Last); err != nil {
			return err
		}
		got, err := profiled(ctx, b, 5*time.Second, func() (load.CaughtUp, error) { return load.CatchUp(ctx, f, c.Last, c.Times) })
		if err != nil {
			return err
		}
		usual := aimCatchUp
		if c.Rooms != 100 || c.Last != 50 {
			usual = nil
		}
		work, server := fmt.Sprintf("catch up, %d × %d messages", c.Rooms, c.Last), b.target.Name()
		r.add(work, server, "on the wire, median", got.Each.Quantile(0.5).Seconds(), seconds, usual)
		r.add(work, server, "on the wire, p99", got.Each.Quantile(0.99).Seconds(), seconds, nil)
		r.add(work, server, "server's processor each time", got.Server.Seconds()/float64(c.Times), seconds, nil)
		return nil
	})
}

// month reads everything that came in 30 days.
func (c benchCatchUpCmd) month(ctx context.Context, r *report) (err error) {
	const rooms, epochs, each, times = 500, 4, 50, 10
	l := load.Shared(rooms, 3)
	b := &bench{loadFlags: c.loadFlags, t: r.t, layout: l}
	if b.dir, err = os.MkdirTemp(c.Dir, "veche-bench-*"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if b.light, err = veche.New(b.config(c.Plain)); err != nil {
		return err
	}
	b.target = b.light
	data, began := filepath.Join(b.dir, "data"), time.Now()
	s, err := seed.Write(ctx, data, l.People, l.Rooms)
	if err != nil {
		return err
	}
	if err := seed.Epochs(ctx, data, &s, l.Rooms, epochs, each, load.MessageSize); err != nil {
		return err
	}
	r.t.note("%d messages in %d epochs made in %.0f s", rooms*epochs*each, rooms*epochs, time.Since(began).Seconds())
	if err := b.light.Serve(ctx, s, l); err != nil {
		return err
	}
	took := new(load.Histogram)
	cost := load.Meter(b.target)
	for range times {
		began := time.Now()
		n, err := b.light.Return(ctx, 0)
		if err != nil {
			return err
		}
		took.Add(time.Since(began))
		if n != rooms*epochs*(each+1) {
			return fmt.Errorf("%d entries were read, not %d", n, rooms*epochs*(each+1))
		}
	}
	work, server := fmt.Sprintf("30 days away, %d messages", rooms*epochs*each), b.target.Name()
	r.add(work, server, "all on the wire, median", took.Quantile(0.5).Seconds(), seconds, nil)
	r.add(work, server, "server's processor each time", cost().Server.Seconds()/times, seconds, nil)
	return nil
}

// opened is what a real client takes to be up to date: to connect, read, open and
// store. It is alone: who sent it all has nothing to do meanwhile.
func (c benchCatchUpCmd) opened(ctx context.Context, r *report) error {
	b, err := c.prepareSealed(ctx, r.t, load.Shared(c.Rooms, 2))
	if err != nil {
		return err
	}
	back, err := b.target.(*sealed.Target).Return(ctx, c.Last)
	if err := errors.Join(err, b.close()); err != nil {
		return err
	}
	work, server := fmt.Sprintf("come back to %d × %d messages", c.Rooms, c.Last), b.target.Name()
	r.add(work, server, "start of the client until all are opened and stored", back.Took.Seconds(), seconds, nil)
	r.add(work, server, "client's processor", back.Driver.Seconds(), seconds, nil)
	r.add(work, server, "server's processor", back.Server.Seconds(), seconds, nil)
	r.add(work, server, "messages", float64(c.Rooms*c.Last)/back.Took.Seconds(), perSecond, nil)
	return nil
}
