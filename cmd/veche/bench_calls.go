package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/veche-im/veche/sfu/load"
	"github.com/veche-im/veche/sfu/load/apart"
)

type benchCallsCmd struct {
	Seconds float64 `default:"5" placeholder:"N" help:"How long each is measured (default ${default})."`
	Only    string  `placeholder:"TEXT" help:"Only those whose name has this in it."`
	JSON    bool    `name:"json" help:"Write one JSON object per line."`
}

// callScenarios are calls of many shapes. Every talker is heard by everybody.
var callScenarios = []load.Scenario{
	{Name: "10 talkers", Callers: 10, Talkers: 10, Slots: 10},
	{Name: "20 talkers", Callers: 20, Talkers: 20, Slots: 20},
	{Name: "30 talkers", Callers: 30, Talkers: 30, Slots: 30},
	{Name: "1 to 200", Callers: 201, Talkers: 1, Slots: 3},
	{Name: "3 to 200", Callers: 203, Talkers: 3, Slots: 3},
	{Name: "200 open microphones", Callers: 200, Talkers: 3, Noise: 197, Slots: 3},
	{Name: "10 cameras to 10", Callers: 10, Talkers: 10, Slots: 1, Pictures: 4, Warm: 10 * time.Second},
	{Name: "1 to 1000", Callers: 1000, Talkers: 1, Slots: 3},
}

// callRow is one scenario in JSON. Times are in milliseconds.
type callRow struct {
	Name      string  `json:"name"`
	PerCPU    float64 `json:"packets_per_cpu_second"`
	Packets   float64 `json:"packets_per_second"`
	Cores     float64 `json:"cores"`
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
	Delivered float64 `json:"delivered"` // part of what was to come
	PerCaller float64 `json:"kib_per_caller"`
	Bad       uint64  `json:"bad"` // packets that did not open
}

// Run lets this very binary forward in a process of its own what light callers
// in this one send.
func (c benchCallsCmd) Run(ctx context.Context, t *term) error {
	if c.Seconds <= 0 {
		return usageError{errors.New("--seconds takes no such number")}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var rows [][]string
	for _, s := range callScenarios {
		if !strings.Contains(s.Name, c.Only) {
			continue
		}
		s.Length = time.Duration(c.Seconds * float64(time.Second))
		p, err := apart.Start(exec.CommandContext(ctx, self, "bench", "forward", strconv.Itoa(s.Slots)))
		if err != nil {
			return err
		}
		r, err := load.Run(ctx, p, s)
		if err := errors.Join(err, p.Close()); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		row := callRow{
			Name: s.Name, PerCPU: r.Forwarded(), Packets: float64(r.Used.Packets) / r.Took.Seconds(), Cores: r.Cores(),
			P50: r.P50.Seconds() * 1e3, P99: r.P99.Seconds() * 1e3, Delivered: float64(r.Received) / float64(max(1, r.Expected)),
			PerCaller: float64(r.PerCaller) / 1024, Bad: r.Bad,
		}
		if c.JSON {
			if err := t.object(row); err != nil {
				return err
			}
			continue
		}
		t.note("%s", s.Name)
		rows = append(rows, []string{
			row.Name, fmt.Sprintf("%.0f", row.PerCPU), fmt.Sprintf("%.0f", row.Packets), fmt.Sprintf("%.2f", row.Cores),
			fmt.Sprintf("%.2f ms", row.P50), fmt.Sprintf("%.2f ms", row.P99), fmt.Sprintf("%.1f %%", 100*row.Delivered), fmt.Sprintf("%.0f KiB", row.PerCaller),
		})
	}
	if c.JSON {
		return nil
	}
	return t.table([]string{"CALL", "PACKETS PER CPU-SECOND", "PACKETS/S", "CORES", "P50", "P99", "DELIVERED", "MEMORY EACH"}, rows)
}

// benchForwardCmd is the process that forwards; "bench calls" starts it.
type benchForwardCmd struct {
	Speakers int `arg:""`
}

func (c benchForwardCmd) Run(t *term) error { return apart.Serve(t.in, t.out, c.Speakers) }
