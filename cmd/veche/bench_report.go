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
	Met    *bool    `json:"met,omitempty"`

	aim *aim // nil: none
}

type unit string

const (
	plainNumber unit = ""
	perSecond   unit = "/s"
	seconds     unit = "s"
	size        unit = "bytes"
	part        unit = "%" // of a hundred
	times       unit = "×"
)

// aim is what a figure is to reach; docs/PERFORMANCE.md.
type aim struct {
	what  string
	least float64 // 0: there is most
	most  float64
}

// aims are all, as the summary of "bench all" lists them.
var (
	aimAcknowledged  = &aim{what: "2,000 people talk: acknowledged", least: 6000}
	aimDelivered     = &aim{what: "2,000 people talk: deliveries", least: 54_000}
	aimPerThousand   = &aim{what: "2,000 people talk: server's processor for 1,000 messages", most: 0.15}
	aimToLast        = &aim{what: "at half of that: until the last member has it", most: 0.05}
	aimTicks         = &aim{what: "the same with ticks: server's processor, times that without", most: 1.3}
	aimCatchUp       = &aim{what: "catch up: 100 rooms, 50 messages each, on the wire", most: 0.1}
	aimAllHands5000  = &aim{what: "all hands: until the last of 5,000 has it", most: 0.25}
	aimAllHands10000 = &aim{what: "all hands: until the last of 10,000 has it", most: 0.5}
	aimIdle          = &aim{what: "idle: server's memory for each connection, over TLS", most: 30 << 10}
	aimStorm         = &aim{what: "10,000 cut at once: until all are back", most: 30}
	aimLost          = &aim{what: "10,000 cut at once: messages lost"}
	aimGoodput       = &aim{what: "three times the peak: acknowledged, of the peak", least: 80}
	aimNormal        = &aim{what: "three times the peak: until as before", most: 10}
	aimStart         = &aim{what: "start on an empty directory: to the first page", most: 1}
	aimStartFull     = &aim{what: "start with two million messages: to the first page", most: 1}
	aims             = []*aim{
		aimAcknowledged, aimDelivered, aimPerThousand, aimToLast, aimTicks, aimCatchUp, aimAllHands5000, aimAllHands10000,
		aimIdle, aimStorm, aimLost, aimGoodput, aimNormal, aimStart, aimStartFull,
	}
)

func (a *aim) met(v float64) bool {
	if a.least != 0 {
		return v >= a.least
	}
	return v <= a.most
}

func (a *aim) show(u unit) string {
	if a.least != 0 {
		return "≥ " + u.show(a.least)
	}
	return "≤ " + u.show(a.most)
}

// verdict is how a summary ends its lines.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// report collects the figures of one or several works.
type report struct {
	t     *term
	json  bool
	whole bool // every aim is to be measured
	rows  []figure
}

// add takes a figure of a work at a server.
func (r *report) add(work, server, name string, value float64, u unit, a *aim) {
	f := figure{Work: work, Server: server, Name: name, Value: value, Unit: u, aim: a}
	if a != nil {
		met := a.met(value)
		if f.Met = &met; a.least != 0 {
			f.Least = &a.least
		} else {
			f.Most = &a.most
		}
	}
	r.rows = append(r.rows, f)
	r.t.note("  %s: %s %s", work, name, u.show(value))
}

// latency takes the median and the 99th percentile of a histogram; the aim is
// for the latter.
func (r *report) latency(work, server, name string, h *load.Histogram, a *aim) {
	r.add(work, server, name+", median", h.Quantile(0.5).Seconds(), seconds, nil)
	r.add(work, server, name+", p99", h.Quantile(0.99).Seconds(), seconds, a)
}

// show writes what was measured as a table and, of what has an aim, whether it
// was met; or one JSON object per line.
func (r *report) show() error {
	var rows [][]string
	for _, f := range r.rows {
		if r.json {
			if err := r.t.object(f); err != nil {
				return err
			}
			continue
		}
		aim := ""
		if f.aim != nil {
			aim = f.aim.show(f.Unit)
		}
		rows = append(rows, []string{f.Work, f.Server, f.Name, f.Unit.show(f.Value), aim})
	}
	if r.json {
		return nil
	}
	if err := r.t.table([]string{"WORK", "SERVER", "FIGURE", "MEASURED", "AIM"}, rows); err != nil {
		return err
	}
	return r.summary()
}

// summary says of each aim whether it was met.
func (r *report) summary() error {
	var rows [][]string
	for _, a := range aims {
		measured := false
		for _, f := range r.rows {
			if f.aim == a {
				measured = true
				rows = append(rows, []string{a.what, f.Server, f.Unit.show(f.Value), a.show(f.Unit), verdict(*f.Met)})
			}
		}
		if !measured && r.whole {
			rows = append(rows, []string{a.what, "", "", "", "not measured"})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	r.t.show("")
	return r.t.table([]string{"AIM", "SERVER", "MEASURED", "", ""}, rows)
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
	case u == times:
		return fmt.Sprintf("%.2f ×", v)
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
