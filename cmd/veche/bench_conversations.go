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
	People   int           `placeholder:"N" help:"How many people are in all the rooms together, each in several (default: each is in one)."`
	InFlight int           `default:"64" placeholder:"N" help:"Messages on their way at a time (default ${default})."`
	Rate     float64       `placeholder:"N" help:"Messages a second for the second part (default: half of what the first reached)."`
	Peak     bool          `help:"No second part."`
	Ticks    bool          `help:"Devices tell how far they have read, as clients do, so that senders see their second tick."`
	Sealed   bool          `help:"With real clients that seal and open, in five rooms of four with 16 messages on their way unless told otherwise. Their part of the processor is the driver's."`
	For      time.Duration `default:"10s" help:"How long each part is measured (default ${default})."`
}

func (c benchConversationsCmd) Run(ctx context.Context, t *term) error {
	if c.Rooms < 1 || c.Members < 2 || c.InFlight < 1 || c.For <= 0 || c.Rate < 0 {
		return usageError{errors.New("there must be a room, two members, a message on its way and some time")}
	}
	if c.People != 0 && c.People < c.Members {
		return usageError{fmt.Errorf("%d people cannot be %d members", c.People, c.Members)}
	}
	if c.Sealed {
		for _, d := range []struct {
			of             *int
			usual, smaller int
		}{{&c.Rooms, 200, 5}, {&c.Members, 10, 4}, {&c.InFlight, 64, 16}} {
			if *d.of == d.usual {
				*d.of = d.smaller
			}
		}
	}
	return c.report(t, func(r *report) error { return c.measure(ctx, r) })
}

func (c benchConversationsCmd) measure(ctx context.Context, r *report) (err error) {
	c.ticks = c.Ticks
	prepare := c.prepare
	if c.Sealed {
		prepare = c.prepareSealed
	}
	layout, among := load.Groups(c.Rooms, c.Members), ""
	if c.People != 0 {
		layout, among = load.Among(c.People, c.Rooms, c.Members), fmt.Sprintf(" among %d people", c.People)
	}
	b, err := prepare(ctx, r.t, layout)
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
	work, server := fmt.Sprintf("%d rooms of %d%s talk", c.Rooms, c.Members, among), b.target.Name()
	acknowledged, delivered, perThousand, toLast := aimAcknowledged, aimDelivered, aimPerThousand, aimToLast
	if c.Rooms != 200 || c.Members != 10 || c.People != 0 || c.Ticks || c.Sealed { // the aims are for these, and for messages alone
		acknowledged, delivered, perThousand, toLast = nil, nil, nil, nil
	}
	r.add(work, server, "acknowledged", peak.PerSecond(), perSecond, acknowledged)
	r.add(work, server, "deliveries", peak.DeliveredPerSecond(), perSecond, delivered)
	r.add(work, server, "server's processor for 1,000", peak.PerThousand(), seconds, perThousand)
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
	r.latency(work, server, "to the last member", s.ToLast, toLast)
	return nil
}
