package sfu

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/veche-im/veche/sfu/load"
)

// childEnv makes the test binary serve instead of testing: the forwarder's processor
// time is its own process's then, without that of the callers.
const childEnv = "SFU_BENCH_CHILD"

// profileEnv names a folder for the profiles of that process.
const profileEnv = "SFU_BENCH_PROFILE"

func TestMain(m *testing.M) {
	if speakers := os.Getenv(childEnv); speakers != "" {
		if err := serveChild(speakers); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A request and a response are each one line of JSON on standard input and output.
type request struct {
	Join  uint32            `json:",omitempty"`
	Offer string            `json:",omitempty"`
	Trim  bool              `json:",omitempty"` // collect garbage first
	View  uint32            `json:",omitempty"` // who looks
	At    map[string]uint32 `json:",omitempty"` // in which slot at whom
}

type response struct {
	Answer string `json:",omitempty"`
	Error  string `json:",omitempty"`
	Usage  load.Usage
}

// nobody is a Listener that does not care.
type nobody struct{}

func (nobody) Slots([]Slot)    {}
func (nobody) Quality(Quality) {}
func (nobody) Levels([]Level)  {}
func (nobody) Pause([]Layer)   {}
func (nobody) Alive(bool)      {}
func (nobody) Gone(Reason)     {}

func serveChild(speakers string) error {
	var n int
	var sc load.Scenario
	if _, err := fmt.Sscan(speakers, &n, &sc.Each); err != nil {
		return err
	}
	call := func(participant uint32) CallID { return CallID{1, byte(sc.Call(participant))} }
	s, err := New(Config{UDP: "127.0.0.1:0", Speakers: n, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	defer s.Close()
	stop, err := profile(os.Getenv(profileEnv))
	if err != nil {
		return err
	}
	defer stop()
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var q request
		if err := json.Unmarshal(line, &q); err != nil {
			return err
		}
		var r response
		if q.Join != 0 {
			a, err := s.Join(context.Background(), Join{Call: call(q.Join), Participant: q.Join, Offer: q.Offer, Listener: nobody{}})
			if r.Answer = a.SDP; err != nil {
				r.Error = err.Error()
			}
		}
		if q.View != 0 {
			s.View(call(q.View), q.View, views(q.At))
		}
		if q.Trim {
			debug.FreeOSMemory()
		}
		st := s.Stats()
		r.Usage = load.Usage{CPU: processor(), Memory: resident(), Packets: st.PacketsOut, Sends: st.Sends, Workers: st.Workers}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// views are those of large places.
func views(at map[string]uint32) (list []View) {
	for mid, who := range at {
		list = append(list, View{MID: mid, Participant: who, Source: Camera, Height: 720})
	}
	return list
}

// profile writes processor and heap profiles into a folder until stop, if one is
// given.
func profile(folder string) (stop func(), err error) {
	if folder == "" {
		return func() {}, nil
	}
	runtime.MemProfileRate = 4096
	cpu, err := os.Create(filepath.Join(folder, "cpu"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = cpu.Close()
		if heap, err := os.Create(filepath.Join(folder, "heap")); err == nil {
			runtime.GC()
			_ = pprof.WriteHeapProfile(heap)
			_ = heap.Close()
		}
	}, nil
}

// processor is the time this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory this process holds, without what the runtime could return.
func resident() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse + m.MSpanInuse + m.MCacheInuse)
}

// child is a forwarder in a process of its own.
type child struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func newChild(b testing.TB, sc load.Scenario) *child {
	b.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", childEnv, sc.Slots, sc.Each))
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	c.out = bufio.NewReaderSize(out, 1<<20)
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = c.in.Close()
		_ = c.cmd.Wait()
	})
	return c
}

func (c *child) ask(q request) (r response, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line, err := json.Marshal(q)
	if err != nil {
		return r, err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return r, err
	}
	line, err = c.out.ReadBytes('\n')
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, err
	}
	if r.Error != "" {
		return r, fmt.Errorf("child: %s", r.Error)
	}
	return r, nil
}

func (c *child) Join(_ context.Context, id uint32, offer string) (string, error) {
	r, err := c.ask(request{Join: id, Offer: offer})
	return r.Answer, err
}

func (c *child) View(_ context.Context, id uint32, at map[string]uint32) error {
	_, err := c.ask(request{View: id, At: at})
	return err
}

func (c *child) Usage() (load.Usage, error) {
	r, err := c.ask(request{Trim: true})
	return r.Usage, err
}

// BenchmarkCalls prints what the forwarder's process does in calls of many shapes.
// One run of each is enough: -benchtime 1x.
func BenchmarkCalls(b *testing.B) {
	for _, sc := range []load.Scenario{
		{Name: "2 talkers", Callers: 2, Talkers: 2, Slots: 8},
		{Name: "10 talkers", Callers: 10, Talkers: 10, Slots: 10},
		{Name: "20 talkers", Callers: 20, Talkers: 20, Slots: 20},
		{Name: "30 talkers", Callers: 30, Talkers: 30, Slots: 30},
		{Name: "1 to 200", Callers: 201, Talkers: 1, Slots: 3},
		{Name: "3 to 200", Callers: 203, Talkers: 3, Slots: 3},
		{Name: "3 to 997", Callers: 1000, Talkers: 3, Slots: 3},
		{Name: "20 calls of 5", Callers: 100, Each: 5, Talkers: 100, Slots: 5},
		{Name: "200 open microphones", Callers: 200, Talkers: 3, Noise: 197, Slots: 3},
		{Name: "10 cameras to 10", Callers: 10, Talkers: 10, Slots: 1, Pictures: 4, Warm: 15 * time.Second},
	} {
		b.Run(sc.Name, func(b *testing.B) {
			for range b.N {
				r, err := load.Run(context.Background(), newChild(b, sc), sc)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(r.Forwarded(), "packets/CPU-s")
				b.ReportMetric(r.Cores(), "cores")
				b.ReportMetric(float64(r.P99.Microseconds()), "p99-µs")
				b.ReportMetric(float64(r.PerCaller), "B/caller")
				b.Log(r)
				if r.Bad > 0 {
					b.Errorf("%d packets did not open", r.Bad)
				}
			}
		})
	}
}
