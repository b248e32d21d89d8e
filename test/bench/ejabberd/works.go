package main

import (
	"context"
	"fmt"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
)

// sizes of the works, from the flags.
type sizes struct {
	groups   int           // rooms of ten in conversations
	seconds  time.Duration // that conversations are measured
	inFlight int
	notices  int           // messages in an all-hands
	idle     int           // connections
	still    time.Duration // that they are watched, a heartbeat of each
	loaded   time.Duration // before each crash
	limit    time.Duration // for one work at one server
	whole    time.Duration // for all of them
}

// work is one thing done at one server that was just made. It writes its figures
// into t.
type work struct {
	name   string
	stores bool // where ejabberd stores plays a part; if not, one ejabberd is enough
	do     func(ctx context.Context, s sizes, target crasher, t *table) error
}

// works are all, in the order in which they are done: those that take ejabberd
// long stand last, because the whole may be cut off.
var works = []work{
	{"conversations", true, conversations},
	{"all-hands-1000", false, allHands(1000)},
	{"idle", false, idle},
	{"catch-up", true, catchUp},
	{"crash", true, crash},
	{"all-hands-5000", false, allHands(5000)},
}

func conversations(ctx context.Context, s sizes, target crasher, t *table) error {
	l := load.Groups(s.groups, 10)
	if err := target.Prepare(ctx, l); err != nil {
		return err
	}
	f, err := load.Board(ctx, target, l)
	if err != nil {
		return err
	}
	defer f.Close()
	spoken, err := load.Conversations(ctx, f, load.ConversationsConfig{InFlight: s.inFlight, For: s.seconds})
	if err != nil {
		return err
	}
	name, server := fmt.Sprintf("conversations, %d rooms of 10", s.groups), target.Name()
	t.set(name, "acknowledged/s", server, spoken.PerSecond())
	t.set(name, "deliveries/s", server, spoken.DeliveredPerSecond())
	t.set(name, "CPU-s per 1,000", server, spoken.PerThousand())
	t.set(name, "acknowledged, p50 ms", server, ms(spoken.ToAck.Quantile(0.5)))
	t.set(name, "acknowledged, p99 ms", server, ms(spoken.ToAck.Quantile(0.99)))
	t.set(name, "last member, p50 ms", server, ms(spoken.ToLast.Quantile(0.5)))
	t.set(name, "last member, p99 ms", server, ms(spoken.ToLast.Quantile(0.99)))
	t.set(name, "memory, MiB (PSS)", server, mib(spoken.PSS))
	t.set(name, "driver's CPU-s per 1,000", server, spoken.Driver.Seconds()*1000/max(1, float64(spoken.Acknowledged)))
	return nil
}

// allHands is the work of a hall of so many people.
func allHands(people int) func(context.Context, sizes, crasher, *table) error {
	return func(ctx context.Context, s sizes, target crasher, t *table) error {
		l := load.Groups(1, people)
		if err := target.Prepare(ctx, l); err != nil {
			return err
		}
		f, err := load.Board(ctx, target, l)
		if err != nil {
			return err
		}
		defer f.Close()
		a, err := load.AllHands(ctx, f, s.notices)
		if err != nil {
			return err
		}
		name, server := fmt.Sprintf("all-hands, %d online", people), target.Name()
		t.set(name, "the last one has it, p50 ms", server, ms(a.ToLast.Quantile(0.5)))
		t.set(name, "the last one has it, p99 ms", server, ms(a.ToLast.Quantile(0.99)))
		t.set(name, "CPU-ms per message", server, ms(a.Server)/float64(a.Messages))
		return nil
	}
}

func idle(ctx context.Context, s sizes, target crasher, t *table) error {
	l := load.Groups((s.idle+9)/10, 10)
	if err := target.Prepare(ctx, l); err != nil {
		return err
	}
	i, err := load.Idle(ctx, target, l, 5*time.Second, s.still)
	if err != nil {
		return err
	}
	name, server := fmt.Sprintf("idle, %d connections", i.Connections), target.Name()
	t.set(name, "KiB for each", server, i.Each/1024)
	t.set(name, "CPU-s per minute", server, i.PerMinute.Seconds())
	t.set(name, "s to connect them all", server, i.Took.Seconds())
	return nil
}

func catchUp(ctx context.Context, s sizes, target crasher, t *table) error {
	l := load.Shared(100, 2)
	if err := target.Prepare(ctx, l); err != nil {
		return err
	}
	f, err := load.Board(ctx, target, l)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := load.Fill(ctx, f, 50); err != nil {
		return err
	}
	c, err := load.CatchUp(ctx, f, 50, 20)
	if err != nil {
		return err
	}
	name, server := "catch-up, 50 messages of 100 rooms", target.Name()
	t.set(name, "p50 ms", server, ms(c.Each.Quantile(0.5)))
	t.set(name, "at most ms", server, ms(c.Each.Max()))
	t.set(name, "CPU-ms each time", server, ms(c.Server)/float64(c.Times))
	return nil
}

func crash(ctx context.Context, s sizes, target crasher, t *table) error {
	const times = 3
	l, err := crashes(ctx, target, 32, times, s.loaded)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("killed %d times under load", times)
	t.set(name, "messages acknowledged", target.Name(), float64(l.acknowledged))
	t.set(name, "of them missing afterwards", target.Name(), float64(l.missing))
	t.set(name, "there twice", target.Name(), float64(l.doubled))
	return nil
}
