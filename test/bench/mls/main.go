// Command mls measures the MLS packages three times over in the same rooms, on
// this machine, as a program in the browser's form under Node, and ts-mls under
// Node, in turns, and prints one table (BenchmarkMLS in mls/group says what the
// rows mean). It is run from the root of the project: make bench-mls.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

var (
	suites = []string{"1", "3", "hybrid"}
	sizes  = []string{"2", "100", "1000"}
)

func main() {
	rounds := flag.Int("rounds", 1, "times that everything is measured; the shortest time counts")
	each := flag.Duration("time", 200*time.Millisecond, "time for each measurement, which is done at least once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *rounds, *each); err != nil {
		fmt.Fprintln(os.Stderr, "bench-mls:", err)
		os.Exit(1)
	}
}

// runner is one of the three that do the work.
type runner struct {
	name string
	cmd  func(ctx context.Context, suite, size string) *exec.Cmd
}

func run(ctx context.Context, rounds int, each time.Duration) error {
	dir, err := os.MkdirTemp("", "bench-mls-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	runners, err := build(ctx, dir, each)
	if err != nil {
		return err
	}
	t := table{}
	for round := range rounds {
		for _, suite := range suites {
			for _, size := range sizes {
				fmt.Fprintf(os.Stderr, "round %d of %d: suite %s, %s members\n", round+1, rounds, suite, size)
				for _, r := range runners {
					out, err := output(r.cmd(ctx, suite, size))
					if err != nil {
						return fmt.Errorf("%s, suite %s, %s members: %w", r.name, suite, size, err)
					}
					t.add(r.name, out)
				}
			}
		}
	}
	t.print(os.Stdout)
	return nil
}

// build makes the programs and the rooms that they work in.
func build(ctx context.Context, dir string, each time.Duration) ([]runner, error) {
	const pkg = "./mls/group"
	native, wasm := filepath.Join(dir, "mls.test"), filepath.Join(dir, "mls.wasm")
	compile := func(out string, env ...string) error {
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", out, pkg)
		cmd.Env = append(os.Environ(), env...)
		_, err := output(cmd)
		return err
	}
	if err := errors.Join(compile(native), compile(wasm, "GOOS=js", "GOARCH=wasm")); err != nil {
		return nil, err
	}
	// The environment of a program in wasm may only have a few kilobytes.
	env := []string{"VECHE_BENCH_ROOMS=" + dir, "PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	rooms := exec.CommandContext(ctx, native, "-test.run=^TestBenchRooms$")
	rooms.Env = env
	if _, err := output(rooms); err != nil {
		return nil, err
	}
	goroot, err := output(exec.CommandContext(ctx, "go", "env", "GOROOT"))
	if err != nil {
		return nil, err
	}
	inNode := filepath.Join(strings.TrimSpace(goroot), "lib", "wasm", "go_js_wasm_exec")
	benchmarks := func(ctx context.Context, suite, size string, program ...string) *exec.Cmd {
		args := append(program, "-test.run=^$", "-test.bench=^BenchmarkMLS/^"+suite+"$/^"+size+"$", "-test.benchtime="+each.String())
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = env
		return cmd
	}
	return []runner{
		{"native", func(ctx context.Context, suite, size string) *exec.Cmd { return benchmarks(ctx, suite, size, native) }},
		{"wasm", func(ctx context.Context, suite, size string) *exec.Cmd {
			return benchmarks(ctx, suite, size, inNode, wasm)
		}},
		{"ts-mls", func(ctx context.Context, suite, size string) *exec.Cmd {
			return exec.CommandContext(ctx, "node", filepath.Join("test", "interop", "bench.mjs"), dir, suite, size, fmt.Sprint(each.Milliseconds()))
		}},
	}, nil
}

// output runs a command and returns what it prints; what goes wrong is in the error.
func output(cmd *exec.Cmd) (string, error) {
	var failed strings.Builder
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", filepath.Base(cmd.Path), err, out, failed.String())
	}
	return string(out), nil
}

// machine says what the figures were measured on.
func machine() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	name := runtime.GOARCH
	if err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s", name, runtime.NumCPU(), runtime.Version())
}
