package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/veche-im/veche/sfu/load/apart"
)

// A forwarder is a server in a process of its own.
type forwarder interface {
	name() string
	pid() int
	add(ctx context.Context, talks bool, others int, t *tally) (leaver, error)
	ready(ctx context.Context) error // after the last add
	close()
}

// leaver takes a participant out.
type leaver func()

func main() {
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		if err := forward(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	talkers := flag.String("talkers", "10,20,30", "how many talk to one another, a list")
	seconds := flag.Float64("seconds", 8, "how long each is measured")
	servers := flag.String("servers", "veche,janus", "which, a list")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *talkers, *servers, time.Duration(*seconds*float64(time.Second))); err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(1)
	}
}

// starts are the forwarders that there are.
var starts = map[string]func(context.Context) (forwarder, error){
	"veche": func(ctx context.Context) (forwarder, error) { return startOurs(ctx) },
	"janus": func(ctx context.Context) (forwarder, error) { return startJanus(ctx) },
}

func bench(ctx context.Context, list, servers string, d time.Duration) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer w.Flush()
	fmt.Fprintln(w, "talkers\tserver\tpackets/s\tdelivered\tCPU\tpackets per CPU-second\tp50\tp99\tMiB\tMiB each\tjoin\t")
	for _, field := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 2 || n > 32 {
			return fmt.Errorf("%q is no number of talkers from 2 to 32", field)
		}
		for _, name := range strings.Split(servers, ",") {
			start, ok := starts[name]
			if !ok {
				return fmt.Errorf("there is no server %q", name)
			}
			row, err := measure(ctx, start, n, d)
			if errors.Is(err, exec.ErrNotFound) {
				fmt.Fprintln(os.Stderr, "calls: janus is not installed (apt-get install --no-install-recommends janus): not compared")
				continue
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(w, row)
			_ = w.Flush()
		}
	}
	return nil
}

// measure has n talkers talk to one another through a fresh forwarder.
func measure(ctx context.Context, start func(context.Context) (forwarder, error), n int, d time.Duration) (string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f, err := start(ctx)
	if err != nil {
		return "", err
	}
	defer f.close()
	empty, err := apart.Read(f.pid())
	if err != nil {
		return "", err
	}
	var t tally
	joining := time.Now()
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for range n {
		leave, err := f.add(ctx, true, n-1, &t)
		if err != nil {
			return "", fmt.Errorf("%s: join: %w", f.name(), err)
		}
		defer leave()
	}
	if err := f.ready(limit); err != nil {
		return "", fmt.Errorf("%s: %w", f.name(), err)
	}
	join := time.Since(joining) / time.Duration(n)
	time.Sleep(2 * time.Second) // until all run evenly
	before, err := apart.Read(f.pid())
	if err != nil {
		return "", err
	}
	t.reset()
	began := time.Now()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	took := time.Since(began).Seconds()
	heard, sent := t.heard.Load(), t.sent.Load()
	after, err := apart.Read(f.pid())
	if err != nil {
		return "", err
	}
	cpu := (after.CPU - before.CPU).Seconds()
	mib := float64(after.Memory) / (1 << 20)
	return fmt.Sprintf("%d\t%s\t%.0f\t%.1f %%\t%.0f %%\t%.0f\t%.2f ms\t%.2f ms\t%.0f\t%.2f\t%.0f ms\t", n, f.name(),
		float64(heard)/took, 100*float64(heard)/float64(sent*int64(n-1)), 100*cpu/took, float64(heard)/cpu,
		t.quantile(0.5).Seconds()*1e3, t.quantile(0.99).Seconds()*1e3,
		mib, (mib-float64(empty.Memory)/(1<<20))/float64(n), join.Seconds()*1e3), nil
}
