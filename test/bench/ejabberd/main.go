package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/wire"
)

func main() {
	servers := flag.String("servers", "veche,ejabberd-postgresql,ejabberd-sqlite,ejabberd-mnesia", "which, a list")
	binary := flag.String("veche", "", "Veche's binary; empty: built now")
	names := flag.String("works", "", "which, a list; empty: all")
	var s sizes
	flag.IntVar(&s.groups, "groups", 200, "rooms of ten in conversations")
	flag.DurationVar(&s.seconds, "for", 10*time.Second, "how long conversations are measured")
	flag.IntVar(&s.inFlight, "in-flight", 64, "messages on their way in conversations")
	flag.IntVar(&s.notices, "notices", 30, "messages in an all-hands")
	flag.IntVar(&s.idle, "idle", 5000, "idle connections")
	flag.DurationVar(&s.still, "still", wire.Heartbeat, "how long they are watched")
	flag.DurationVar(&s.loaded, "loaded", 3*time.Second, "how long the rooms talk before each crash")
	flag.DurationVar(&s.limit, "limit", 150*time.Second, "for one work at one server, after which it is cut off")
	flag.DurationVar(&s.whole, "whole", 10*time.Minute, "for everything, likewise")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, *binary, strings.Split(*servers, ","), *names, s); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "ejabberd:", err)
		os.Exit(1)
	}
}

// open makes a server that was not prepared yet.
func open(name, binary string) (crasher, error) {
	if name == "veche" {
		return newOurs(binary)
	}
	a, ok := archives[name]
	if !ok {
		return nil, fmt.Errorf("there is no server %q", name)
	}
	return newTarget(a), nil
}

// bench does each work at one server after the other.
func bench(ctx context.Context, binary string, servers []string, names string, s sizes) error {
	v, err := version()
	if errors.Is(err, errMissing) {
		fmt.Println("ejabberd is not installed (apt-get install --no-install-recommends ejabberd erlang-p1-sqlite3 erlang-p1-pgsql postgresql): not compared")
		return nil
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "veche-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, ourVersion, err := build(ctx, binary, dir)
	if err != nil {
		return err
	}
	sync, err := load.Syncing(dir)
	if err != nil {
		return err
	}
	fmt.Printf("%s; ejabberd %s; %d cores, %s; fsync takes %.1f ms at the median, %.1f ms at p99\n", ourVersion, v, runtime.NumCPU(),
		time.Now().Format(time.DateOnly), ms(sync.Quantile(0.5)), ms(sync.Quantile(0.99)))
	load.Files()
	end := time.Now().Add(s.whole)
	var t table
	var missing []string
	var failed error
	for _, w := range works {
		if names != "" && !slices.Contains(strings.Split(names, ","), w.name) {
			continue
		}
		others := 0
		for _, name := range servers {
			if slices.Contains(missing, name) || !w.stores && others > 0 {
				continue
			}
			target, err := open(name, binary)
			if err != nil {
				return err
			}
			err = once(ctx, w, s, min(s.limit, time.Until(end)), target, &t)
			if errors.Is(err, errMissing) {
				fmt.Fprintf(os.Stderr, "%v: %s not compared\n", err, target.Name())
				missing = append(missing, name)
				continue
			}
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			if name != "veche" {
				others++
			}
			if !slices.Contains(t.servers, target.Name()) {
				t.servers = append(t.servers, target.Name())
				fmt.Printf("%s: acknowledged is %s\n", target.Name(), target.promises())
			}
			if err != nil {
				t.say(w.name, "failed", target.Name(), "yes")
				failed = errors.Join(failed, fmt.Errorf("%s at %s: %w", w.name, target.Name(), err))
			}
		}
	}
	fmt.Println()
	t.print(os.Stdout)
	return failed
}

// once does one work at one server, for so long at most.
func once(ctx context.Context, w work, s sizes, most time.Duration, target crasher, t *table) (err error) {
	limit, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	began := time.Now()
	err = w.do(limit, s, target, t)
	if limit.Err() != nil && ctx.Err() == nil {
		t.say(w.name, "cut off", target.Name(), fmt.Sprintf("after %.0f s", max(0, most.Seconds())))
		err = nil
	}
	err = errors.Join(err, target.Close())
	fmt.Fprintf(os.Stderr, "%s at %s: %.0f s\n", w.name, target.Name(), time.Since(began).Seconds())
	return err
}
