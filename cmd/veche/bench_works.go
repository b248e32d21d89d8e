package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
)

type benchAllHandsCmd struct {
	loadFlags
	Online   []int `default:"1000,5000,10000" sep:"," placeholder:"N" help:"Connections in the room (default ${default}). Beyond what a room holds, devices have several."`
	Messages int   `default:"40" placeholder:"N" help:"Messages, one after the other (default ${default})."`
}

func (c benchAllHandsCmd) Run(ctx context.Context, t *term) error {
	return c.report(t, func(r *report) error { return c.measure(ctx, r) })
}

func (c benchAllHandsCmd) measure(ctx context.Context, r *report) error {
	for _, n := range c.Online {
		if n < 2 || c.Messages < 1 {
			return usageError{errors.New("there must be two people and a message")}
		}
		if err := c.one(ctx, r, n); err != nil {
			return err
		}
	}
	return nil
}

func (c benchAllHandsCmd) one(ctx context.Context, r *report, n int) error {
	return c.boarded(ctx, r, load.Groups(1, n), func(b *bench, f *load.Fleet) error {
		a, err := profiled(ctx, b, 10*time.Second, func() (load.Announced, error) { return load.AllHands(ctx, f, c.Messages) })
		if err != nil {
			return err
		}
		work, server := fmt.Sprintf("all hands, %d online", n), b.target.Name()
		r.latency(work, server, "to the acknowledgement", a.ToAck, nil)
		r.add(work, server, "to each member, median", a.ToEach.Quantile(0.5).Seconds(), seconds, nil)
		r.latency(work, server, "to the last member", a.ToLast, map[int]*aim{5000: aimAllHands5000, 10_000: aimAllHands10000}[n])
		deliveries := float64(a.Messages * (n - 1))
		r.add(work, server, "server's processor for 1,000 deliveries", a.Server.Seconds()*1000/deliveries, seconds, nil)
		r.add(work, server, "driver's processor for 1,000 deliveries", a.Driver.Seconds()*1000/deliveries, seconds, nil)
		return nil
	})
}

type benchIdleCmd struct {
	loadFlags
	Online int           `default:"10000" placeholder:"N" help:"Connections (default ${default})."`
	Settle time.Duration `default:"5s" help:"How long the server has to calm down after they came (default ${default})."`
	For    time.Duration `default:"60s" help:"How long they are watched (default ${default})."`
}

func (c benchIdleCmd) Run(ctx context.Context, t *term) error {
	return c.report(t, func(r *report) error { return c.measure(ctx, r) })
}

// measure has the same people connect by TLS and then in plain, to a server that
// was started anew.
func (c benchIdleCmd) measure(ctx context.Context, r *report) error {
	const each = 10
	if c.Online < each {
		return usageError{fmt.Errorf("at least %d connections", each)}
	}
	return c.prepared(ctx, r, load.Groups(c.Online/each, each), func(b *bench) error {
		if !c.Plain {
			if err := c.one(ctx, r, b, aimIdle); err != nil {
				return err
			}
			if err := b.again(ctx, true); err != nil {
				return err
			}
		}
		return c.one(ctx, r, b, nil)
	})
}

func (c benchIdleCmd) one(ctx context.Context, r *report, b *bench, each *aim) error {
	i, err := load.Idle(ctx, b.target, b.layout, c.Settle, c.For)
	if err != nil {
		return err
	}
	work, server := fmt.Sprintf("%d idle", b.layout.People), b.target.Name()
	r.add(work, server, "server's memory for each", i.Each, size, each)
	r.add(work, server, "server's processor in a minute", i.PerMinute.Seconds(), seconds, nil)
	r.add(work, server, "until all were connected", i.Took.Seconds(), seconds, nil)
	return nil
}
