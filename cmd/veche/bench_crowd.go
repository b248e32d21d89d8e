package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
)

type benchStormCmd struct {
	loadFlags
	Online int     `default:"10000" placeholder:"N" help:"Connections that are cut (default ${default})."`
	Rate   float64 `default:"100" placeholder:"N" help:"Messages a second meanwhile (default ${default})."`
}

func (c benchStormCmd) Run(ctx context.Context, t *term) error {
	return c.report(t, func(r *report) error { return c.measure(ctx, r) })
}

func (c benchStormCmd) measure(ctx context.Context, r *report) error {
	const each = 10 // and one that stays
	if c.Online < each || c.Rate <= 0 {
		return usageError{fmt.Errorf("at least %d connections, and some messages", each)}
	}
	return c.boarded(ctx, r, load.Groups(c.Online/each, each+1), func(b *bench, f *load.Fleet) error {
		s, err := profiled(ctx, b, 10*time.Second, func() (load.Stormed, error) { return load.Storm(ctx, f, c.Rate) })
		if err != nil {
			return err
		}
		work, server := fmt.Sprintf("%d cut at once", s.Cut), b.target.Name()
		if s.Failed != nil {
			r.t.note("attempts failed, for example: %v", s.Failed)
		}
		r.add(work, server, "until all were back", s.Back.Max().Seconds(), seconds, aimStorm)
		r.add(work, server, "until back, median", s.Back.Quantile(0.5).Seconds(), seconds, nil)
		r.add(work, server, "attempts", float64(s.Attempts), plainNumber, nil)
		r.add(work, server, "of them told to come later", float64(s.TurnedAway), plainNumber, nil)
		r.add(work, server, "server's processor", s.Server.Seconds(), seconds, nil)
		r.add(work, server, "driver's processor", s.Driver.Seconds(), seconds, nil)
		r.add(work, server, "messages meanwhile", float64(s.Sent), plainNumber, nil)
		r.add(work, server, "of them lost", 0, plainNumber, aimLost) // or there would be an error
		return nil
	})
}

type benchOverloadCmd struct {
	loadFlags
	Rooms int           `default:"200" placeholder:"N" help:"Rooms of ten (default ${default})."`
	Times float64       `default:"3" placeholder:"N" help:"So many times the measured peak are offered (default ${default})."`
	Peak  float64       `placeholder:"N" help:"The peak in messages a second (default: measured first)."`
	For   time.Duration `default:"2m" help:"How long they are (default ${default})."`
}

func (c benchOverloadCmd) Run(ctx context.Context, t *term) error {
	return c.report(t, func(r *report) error { return c.measure(ctx, r) })
}

func (c benchOverloadCmd) measure(ctx context.Context, r *report) error {
	if c.Rooms < 1 || c.Times <= 0 || c.For <= 0 || c.Peak < 0 {
		return usageError{errors.New("there must be a room, some load and some time")}
	}
	return c.boarded(ctx, r, load.Groups(c.Rooms, 10), func(b *bench, f *load.Fleet) error {
		peak := c.Peak
		if peak == 0 {
			s, err := load.Conversations(ctx, f, load.ConversationsConfig{For: 5 * time.Second})
			if err != nil {
				return err
			}
			peak = s.PerSecond()
		}
		o, err := profiled(ctx, b, min(c.For, 30*time.Second), func() (load.Overloaded, error) {
			return load.Overload(ctx, f, load.OverloadConfig{Peak: peak, Times: c.Times, Calm: 5 * time.Second, For: c.For, After: 20 * time.Second})
		})
		if err != nil {
			return err
		}
		work, server := fmt.Sprintf("%.0f times the peak for %s", c.Times, c.For), b.target.Name()
		r.add(work, server, "peak", peak, perSecond, nil)
		r.add(work, server, "offered", o.Offered, perSecond, nil)
		r.add(work, server, "held back by clients with four on their way", o.Held, perSecond, nil)
		r.add(work, server, "refused", o.Refused, perSecond, nil)
		r.add(work, server, "acknowledged", o.Taken, perSecond, nil)
		r.add(work, server, "acknowledged, of the peak", 100*o.Taken/peak, part, aimGoodput)
		r.latency(work, server, "to the acknowledgement", o.ToAck, nil)
		r.add(work, server, "server's memory, at most", float64(o.RSS), size, nil)
		if o.Normal < 0 {
			return fmt.Errorf("%s was not as before within 20 s after the overload", server)
		}
		r.add(work, server, "until as before", o.Normal.Seconds(), seconds, aimNormal)
		return nil
	})
}
