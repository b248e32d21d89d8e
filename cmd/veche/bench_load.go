package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/cmd/veche/load/sealed"
	"github.com/veche-im/veche/cmd/veche/load/veche"
)

// loadFlags are what all works have in common.
type loadFlags struct {
	Plain   bool   `help:"Without TLS, over loopback."`
	Dir     string `placeholder:"DIR" help:"Where the server's data goes for the time being: the disk that is measured (default: the system's directory for temporary files)."`
	JSON    bool   `name:"json" help:"Write one JSON object per line."`
	Profile string `placeholder:"FILE" help:"Write a profile of the server's processor there, taken while it is measured."`
	Log     string `placeholder:"FILE" help:"Write what the server logs there."`
}

// site is a server process of this very binary.
type site struct {
	cmd     *exec.Cmd
	metrics string
	veche.Running
}

var siteLines = map[string]*regexp.Regexp{
	"https":   regexp.MustCompile(`for everybody +https://\S+:(\d+)`),
	"http":    regexp.MustCompile(`this machine +http://localhost:(\d+)`),
	"metrics": regexp.MustCompile(`metrics +http://127\.0\.0\.1:(\d+)`),
}

// start has this very binary serve a data directory, and waits until it does.
func (f loadFlags) start(ctx context.Context, data string) (s *site, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s = &site{cmd: exec.Command(self, "serve", "--data", data, "--listen", "127.0.0.1:0", "--local", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--media", "off")}
	s.cmd.SysProcAttr = apartFromUs()
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if f.Log != "" {
		log, err := os.Create(f.Log)
		if err != nil {
			return nil, usageError{err}
		}
		defer log.Close()
		s.cmd.Stderr = log
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.Stop = func() error {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		return s.cmd.Wait()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	s.Processes = []int{s.cmd.Process.Pid}
	ports := map[string]string{}
	for lines := bufio.NewScanner(out); len(ports) < len(siteLines); {
		if !lines.Scan() {
			return nil, errors.Join(errors.New("the server ended without saying its addresses"), lines.Err())
		}
		for name, line := range siteLines {
			if m := line.FindStringSubmatch(lines.Text()); m != nil {
				ports[name] = "127.0.0.1:" + m[1]
			}
		}
	}
	go io.Copy(io.Discard, out) // so that the server never waits for us
	s.HTTPS, s.HTTP, s.metrics = ports["https"], ports["http"], "http://"+ports["metrics"]
	return s, nil
}

// bench is one work's run: a target on a directory of its own.
type bench struct {
	loadFlags
	t      *term
	dir    string
	layout load.Layout
	target load.Target
	light  *veche.Target // the same, unless it is of real clients
	server *site
}

// prepare makes a target and has it serve a layout.
func (f loadFlags) prepare(ctx context.Context, t *term, l load.Layout) (b *bench, err error) {
	b = &bench{loadFlags: f, t: t, layout: l}
	if b.dir, err = os.MkdirTemp(f.Dir, "veche-bench-*"); err != nil {
		return nil, err
	}
	if b.light, err = veche.New(b.config(f.Plain)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.dir))
	}
	b.target = b.light
	return b, b.ready(ctx)
}

// prepared does a work at a target that was made for a layout and is closed after
// it.
func (f loadFlags) prepared(ctx context.Context, r *report, l load.Layout, do func(*bench) error) error {
	b, err := f.prepare(ctx, r.t, l)
	if err != nil {
		return err
	}
	return errors.Join(do(b), b.close())
}

// boarded is prepared, with everybody of the layout connected.
func (f loadFlags) boarded(ctx context.Context, r *report, l load.Layout, do func(*bench, *load.Fleet) error) error {
	return f.prepared(ctx, r, l, func(b *bench) error { return b.board(ctx, do) })
}

// prepareSealed is prepare with real clients.
func (f loadFlags) prepareSealed(ctx context.Context, t *term, l load.Layout) (b *bench, err error) {
	b = &bench{loadFlags: f, t: t, layout: l}
	if b.dir, err = os.MkdirTemp(f.Dir, "veche-bench-*"); err != nil {
		return nil, err
	}
	if b.target, err = sealed.New(b.config(true)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.dir))
	}
	return b, b.ready(ctx)
}

// ready has the target prepare, and closes it if it cannot.
func (b *bench) ready(ctx context.Context) error {
	began := time.Now()
	if err := b.target.Prepare(ctx, b.layout); err != nil {
		return errors.Join(err, b.close())
	}
	b.t.note("%s: %d people in %d rooms made in %.1f s", b.target.Name(), b.layout.People, len(b.layout.Rooms), time.Since(began).Seconds())
	return nil
}

// config has a target start this very binary.
func (b *bench) config(plain bool) veche.Config {
	return veche.Config{Dir: b.dir, TLS: !plain, Start: func(ctx context.Context, data string) (*veche.Running, error) {
		s, err := b.start(ctx, data)
		if err != nil {
			return nil, err
		}
		b.server = s
		return &s.Running, nil
	}}
}

// again stops the server and starts it on the same data.
func (b *bench) again(ctx context.Context, plain bool) error {
	before := b.light
	if err := before.Running.Stop(); err != nil {
		return err
	}
	t, err := veche.New(b.config(plain))
	if err != nil {
		return err
	}
	b.light, b.target = t, t
	return t.Serve(ctx, before.Site, b.layout)
}

// board has everybody connect for a work.
func (b *bench) board(ctx context.Context, do func(*bench, *load.Fleet) error) error {
	began := time.Now()
	f, err := load.Board(ctx, b.target, b.layout)
	if err != nil {
		return err
	}
	defer f.Close()
	b.t.note("%d connected in %.1f s", b.layout.People, time.Since(began).Seconds())
	return do(b, f)
}

func (b *bench) close() error {
	var err error
	if b.target != nil {
		err = b.target.Close()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// profiled measures something, with a profile of the server meanwhile if one is
// wanted.
func profiled[T any](ctx context.Context, b *bench, d time.Duration, measure func() (T, error)) (T, error) {
	if b.Profile == "" {
		return measure()
	}
	done := make(chan error, 1)
	go func() { done <- b.server.profile(ctx, b.Profile, d) }()
	got, err := measure()
	return got, errors.Join(err, <-done)
}

func (s *site) profile(ctx context.Context, file string, d time.Duration) (err error) {
	url := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", s.metrics, max(1, int(d.Seconds())))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("profile of the server: %s", res.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}

// report measures one work or several on this machine, and shows what came of
// it; of those that failed, what they had measured until then.
func (f loadFlags) report(t *term, works ...func(*report) error) error {
	r := &report{t: t, json: f.JSON, whole: len(works) > 1}
	load.Files()
	if err := f.machine(r); err != nil {
		return err
	}
	var errs []error
	for _, work := range works {
		if err := work(r); err != nil {
			t.note("%v", err)
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, r.show())...)
}

// machine says on what is measured.
func (f loadFlags) machine(r *report) error {
	dir, err := os.MkdirTemp(f.Dir, "veche-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sync, err := load.Syncing(dir)
	if err != nil {
		return err
	}
	r.t.note("veche %s, %s, %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	r.add("machine", "", "cores", float64(runtime.NumCPU()), plainNumber, nil)
	r.latency("machine", "", "fsync of 4 KiB", sync, nil)
	return nil
}
