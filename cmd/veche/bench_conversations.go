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
	Ticks    bool          `help:"What it costs that devices tell how far they have read, as clients do, so that senders see their second tick: without and with it, in turns."`
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
	if c.Sealed && c.Ticks {
		return usageError{errors.New("real clients tell how far they have come in any case")}
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

func (c benchConversationsCmd) measure(ctx context.Context, r *report) error {
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
	work, do := fmt.Sprintf("%d rooms of %d%s talk", c.Rooms, c.Members, among), c.talk
	if c.Ticks {
		do = c.beside
	}
	return errors.Join(b.board(ctx, func(b *bench, f *load.Fleet) error { return do(ctx, r, b, f, work) }), b.close())
}

// talk is what the server takes, and then how long messages are on their way at a
// rate.
func (c benchConversationsCmd) talk(ctx context.Context, r *report, b *bench, f *load.Fleet, work string) error {
	peak, err := profiled(ctx, b, c.For, func() (load.Spoken, error) { return c.spoken(ctx, f, 0, c.For) })
	if err != nil {
		return err
	}
	server := b.target.Name()
	usual := func(a *aim) *aim { // the aims are for this alone
		if c.Rooms != 200 || c.Members != 10 || c.People != 0 || c.Sealed {
			return nil
		}
		return a
	}
	r.add(work, server, "acknowledged", peak.PerSecond(), perSecond, usual(aimAcknowledged))
	r.add(work, server, "deliveries", peak.DeliveredPerSecond(), perSecond, usual(aimDelivered))
	r.add(work, server, "server's processor for 1,000", peak.PerThousand(), seconds, usual(aimPerThousand))
	r.add(work, server, "driver's processor for 1,000", peak.DriverPerThousand(), seconds, nil)
	r.latency(work, server, "to the acknowledgement", peak.ToAck, nil)
	r.latency(work, server, "to the last member", peak.ToLast, nil)
	r.add(work, server, "server's memory", float64(peak.RSS), size, nil)
	if c.Peak {
		return nil
	}
	rate := c.rate(peak)
	s, err := c.spoken(ctx, f, rate, c.For)
	if err != nil {
		return err
	}
	work = fmt.Sprintf("… %.0f times a second", rate)
	r.add(work, server, "acknowledged", s.PerSecond(), perSecond, nil)
	r.add(work, server, "server's processor for 1,000", s.PerThousand(), seconds, nil)
	r.latency(work, server, "to the acknowledgement", s.ToAck, nil)
	r.latency(work, server, "to the last member", s.ToLast, usual(aimToLast))
	return nil
}

// beside is talk without ticks and with them, in turns, for what they cost.
func (c benchConversationsCmd) beside(ctx context.Context, r *report, b *bench, f *load.Fleet, work string) error {
	usual := aimTicks
	if c.Rooms != 200 || c.Members != 10 || c.People != 0 {
		usual = nil
	}
	without, err := c.turns(ctx, r, b, f, work, 0, usual)
	if err != nil || c.Peak {
		return err
	}
	rate := c.rate(without)
	_, err = c.turns(ctx, r, b, f, fmt.Sprintf("… %.0f times a second", rate), rate, nil)
	return err
}

// turns has rooms talk four times, with ticks every second time. A profile is of
// the last.
func (c benchConversationsCmd) turns(ctx context.Context, r *report, b *bench, f *load.Fleet, work string, rate float64, most *aim) (without load.Spoken, err error) {
	var with load.Spoken
	for range 2 {
		for _, ticks := range []bool{false, true} {
			b.light.Tick(ticks)
			sum, speak := &without, func() (load.Spoken, error) { return c.spoken(ctx, f, rate, c.For/2) }
			var s load.Spoken
			if ticks {
				sum = &with
				s, err = profiled(ctx, b, c.For/2, speak)
			} else {
				s, err = speak()
			}
			if err != nil {
				return without, err
			}
			s.Acknowledged += sum.Acknowledged
			s.Took, s.Server = s.Took+sum.Took, s.Server+sum.Server
			*sum = s
		}
	}
	server := b.target.Name()
	for _, one := range []struct {
		name string
		load.Spoken
	}{{server, without}, {server + ", ticks", with}} {
		r.add(work, one.name, "acknowledged", one.PerSecond(), perSecond, nil)
		r.add(work, one.name, "server's processor for 1,000", one.PerThousand(), seconds, nil)
		r.latency(work, one.name, "to the last member", one.ToLast, nil)
	}
	r.add(work, server+", ticks", "server's processor, times that without", with.PerThousand()/without.PerThousand(), times, most)
	return without, nil
}

// spoken is one part; without a rate, as much as the server takes.
func (c benchConversationsCmd) spoken(ctx context.Context, f *load.Fleet, rate float64, d time.Duration) (load.Spoken, error) {
	return load.Conversations(ctx, f, load.ConversationsConfig{InFlight: c.InFlight, Rate: rate, For: d})
}

// rate is how often messages are sent in the second part.
func (c benchConversationsCmd) rate(peak load.Spoken) float64 {
	if c.Rate > 0 {
		return c.Rate
	}
	return peak.PerSecond() / 2
}
