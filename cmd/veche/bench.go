package main

import (
	"context"
	"time"
)

type benchCmd struct {
	Start         benchStartCmd         `cmd:"" help:"From an empty directory to the first page, and from one with two million messages."`
	Conversations benchConversationsCmd `cmd:"" help:"Many rooms talk at once: messages a second, latency, processor."`
	AllHands      benchAllHandsCmd      `cmd:"" help:"One room with thousands online: time until the last one has a message."`
	Idle          benchIdleCmd          `cmd:"" help:"Thousands of connections that say nothing: memory, processor."`
	CatchUp       benchCatchUpCmd       `cmd:"" help:"A device that was away reads what it missed."`
	Storm         benchStormCmd         `cmd:"" help:"Thousands of connections are cut at once: time until all are back."`
	Overload      benchOverloadCmd      `cmd:"" help:"Three times as much as the server can take: what it still does, and how soon it is well again."`
	All           benchAllCmd           `cmd:"" help:"All of the above, one after the other: a quarter of an hour."`
	Calls         benchCallsCmd         `cmd:"" help:"Calls of many shapes: packets, time, memory."`
	Forward       benchForwardCmd       `cmd:"" hidden:""`
}

type benchAllCmd struct{ loadFlags }

// Run does all works as they are by default, but that idle connections are watched
// for little more than a heartbeat.
func (c benchAllCmd) Run(ctx context.Context, t *term) error {
	talk := benchConversationsCmd{loadFlags: c.loadFlags, Rooms: 200, Members: 10, InFlight: 64, For: 10 * time.Second}
	plain := talk
	plain.Plain = true
	among := plain
	among.People = 200
	ticks := talk
	ticks.Ticks = true
	sealed := benchConversationsCmd{loadFlags: c.loadFlags, Rooms: 5, Members: 4, InFlight: 16, For: 10 * time.Second, Sealed: true}
	works := []interface {
		measure(context.Context, *report) error
	}{
		benchStartCmd{loadFlags: c.loadFlags, Times: 5, Messages: 2_000_000},
		talk, plain, among, ticks, sealed,
		benchCatchUpCmd{loadFlags: c.loadFlags, Rooms: 100, Last: 50, Times: 30},
		benchCatchUpCmd{loadFlags: c.loadFlags, Rooms: 100, Last: 50, Times: 1, Sealed: true},
		benchAllHandsCmd{loadFlags: c.loadFlags, Online: []int{1000, 5000, 10_000}, Messages: 40},
		benchIdleCmd{loadFlags: c.loadFlags, Online: 10_000, Settle: 5 * time.Second, For: 30 * time.Second},
		benchStormCmd{loadFlags: c.loadFlags, Online: 10_000, Rate: 100},
		benchOverloadCmd{loadFlags: c.loadFlags, Rooms: 200, Times: 3, For: 2 * time.Minute},
	}
	var all []func(*report) error
	for _, w := range works {
		all = append(all, func(r *report) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return w.measure(ctx, r)
		})
	}
	return c.report(t, all...)
}
