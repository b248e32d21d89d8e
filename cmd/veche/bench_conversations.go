package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
)

type benchConversationsCmd struct {
	loadFlags
	Rooms    int           `default:"200" placeholder:"N" help:"Rooms (default ${default})."`
	Members  int           `default:"10" placeholder:"N" help:"Members of each, all online (default ${default})."`
	InFlight int           `default:"64" placeholder:"N" help:"Messages on their way at a time (default ${default})."`
	Rate     float64       `placeholder:"N" help:"Messages a second for the second part (default: half of what the first reached)."`
	Peak     bool          `help:"No second part."`
	For      time.Duration `default:"10s" help:"How long each part is measured (default ${default})."`
}

func (c benchConversationsCmd) Run(ctx context.Context, t *term) error {
	if c.Rooms < 1 || c.Members < 2 || c.InFlight < 1 || c.For <= 0 || c.Rate < 0 {
		return usageError{errors.New("there must be a room, two members, a message on its way and some time")}
	}
	return c.report(t, func(r *report) error { return c.measure(ctx, r) })
}

func (c benchConversationsCmd) measure(ctx context.Context, r *report) (err error) {
	b, err := c.prepare(ctx, r.t, load.Groups(c.Rooms, c.Members))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	f, err := b.board(ctx)
	if err != nil {
		return err
	}
	defer f.Close()
	done := b.profile(ctx, c.For)
	peak, err := load.Conversations(ctx, f, load.ConversationsConfig{InFlight: c.InFlight, For: c.For})
	if err := errors.Join(err, done()); err != nil {
		return err
	}
	work, server := fmt.Sprintf("%d rooms of %d talk", c.Rooms, c.Members), b.target.Name()
	r.add(work, server, "acknowledged", peak.PerSecond(), perSecond, aimAcknowledged)
	r.add(work, server, "deliveries", peak.DeliveredPerSecond(), perSecond, aimDelivered)
	r.add(work, server, "server's processor for 1,000", peak.PerThousand(), seconds, aimPerThousand)
	r.add(work, server, "driver's processor for 1,000", peak.DriverPerThousand(), seconds, nil)
	r.latency(work, server, "to the acknowledgement", peak.ToAck, nil)
	r.latency(work, server, "to the last member", peak.ToLast, nil)
	r.add(work, server, "server's memory", float64(peak.RSS), size, nil)
	if c.Peak {
		return nil
	}
	rate := c.Rate
	if rate == 0 {
		rate = peak.PerSecond() / 2
	}
	s, err := load.Conversations(ctx, f, load.ConversationsConfig{Rate: rate, For: c.For})
	if err != nil {
		return err
	}
	work = fmt.Sprintf("… %.0f times a second", rate)
	r.add(work, server, "acknowledged", s.PerSecond(), perSecond, nil)
	r.latency(work, server, "to the acknowledgement", s.ToAck, nil)
	r.latency(work, server, "to the last member", s.ToLast, aimToLast)
	return nil
}
