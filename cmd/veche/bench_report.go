package main

import (
	"fmt"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
)

// figure is one thing that was measured. In JSON, times are in seconds and sizes
// in bytes.
type figure struct {
	Work   string   `json:"work"`
	Server string   `json:"server"`
	Name   string   `json:"figure"`
	Value  float64  `json:"value"`
	Unit   unit     `json:"unit"`
	Least  *float64 `json:"aim_at_least,omitempty"`
	Most   *float64 `json:"aim_at_most,omitempty"`
}

type unit string

const (
	plainNumber unit = ""
	perSecond   unit = "/s"
	seconds     unit = "s"
	size        unit = "bytes"
	part        unit = "%" // of a hundred
)

// aims are what docs/PERFORMANCE.md promises to reach, by work and figure.
var (
	aimAcknowledged = atLeast(6000)
	aimDelivered    = atLeast(54_000)
	aimPerThousand  = atMost(0.15)
	aimToLast       = atMost(0.05)
	aimAllHands     = map[int]aim{5000: atMost(0.25), 10_000: atMost(0.5)}
	aimCatchUp      = atMost(0.1)
	aimIdle         = atMost(30 << 10)
	aimStorm        = atMost(30)
	aimGoodput      = atLeast(80)
	aimNormal       = atMost(10)
	aimStart        = atMost(1)
)

// aim sets a figure's aim; nil sets none.
type aim func(*figure)

func atLeast(v float64) aim { return func(f *figure) { f.Least = &v } }
func atMost(v float64) aim  { return func(f *figure) { f.Most = &v } }

// report collects the figures of one or several works.
type report struct {
	t    *term
	json bool
	rows []figure
}

// add takes a figure of a work at a server.
func (r *report) add(work, server, name string, value float64, u unit, a aim) {
	f := figure{Work: work, Server: server, Name: name, Value: value, Unit: u}
	if a != nil {
		a(&f)
	}
	r.rows = append(r.rows, f)
	r.t.note("  %s: %s %s", work, name, u.show(value))
}

// latency takes the median and the 99th percentile of a histogram; the aim is
// for the latter.
func (r *report) latency(work, server, name string, h *load.Histogram, a aim) {
	r.add(work, server, name+", median", h.Quantile(0.5).Seconds(), seconds, nil)
	r.add(work, server, name+", p99", h.Quantile(0.99).Seconds(), seconds, a)
}

// show writes what was measured as a table, or as one JSON object per line.
func (r *report) show() error {
	var rows [][]string
	for _, f := range r.rows {
		if r.json {
			if err := r.t.object(f); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{f.Work, f.Server, f.Name, f.Unit.show(f.Value), f.aim()})
	}
	if r.json {
		return nil
	}
	return r.t.table([]string{"WORK", "SERVER", "FIGURE", "MEASURED", "AIM"}, rows)
}

// aim is what is to be reached, and whether it was.
func (f figure) aim() string {
	switch {
	case f.Least != nil:
		return "≥ " + f.Unit.show(*f.Least) + reached(f.Value >= *f.Least)
	case f.Most != nil:
		return "≤ " + f.Unit.show(*f.Most) + reached(f.Value <= *f.Most)
	default:
		return ""
	}
}

func reached(yes bool) string {
	if yes {
		return ""
	}
	return "  missed"
}

func (u unit) show(v float64) string {
	switch {
	case u == seconds && v < 10:
		return ms(time.Duration(v * float64(time.Second)))
	case u == seconds:
		return fmt.Sprintf("%.1f s", v)
	case u == size && v >= 1<<20:
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	case u == size:
		return fmt.Sprintf("%.1f KiB", v/1024)
	case u == part:
		return fmt.Sprintf("%.0f %%", v)
	case u == perSecond:
		return fmt.Sprintf("%.0f/s", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

func ms(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
	case d < 10*time.Second:
		return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000)
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
