package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// row names one measurement.
type row struct{ suite, size, what string }

// figure is what was measured of it in all rounds.
type figure struct {
	times []float64 // nanoseconds of all cores
	bytes string
}

// table is everything that was measured, by runner.
type table struct {
	rows    []row // in the order in which they came
	figures map[row]map[string]*figure
}

// add reads the output of go test -bench, or what looks the same.
func (t *table) add(runner, out string) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "BenchmarkMLS/") {
			continue
		}
		name := strings.Split(f[0], "/")
		if len(name) != 4 {
			continue
		}
		r := row{name[1], name[2], trimProcs(name[3])}
		if t.figures == nil {
			t.figures = map[row]map[string]*figure{}
		}
		if t.figures[r] == nil {
			t.rows = append(t.rows, r)
			t.figures[r] = map[string]*figure{}
		}
		if t.figures[r][runner] == nil {
			t.figures[r][runner] = new(figure)
		}
		for i := 2; i+1 < len(f); i += 2 {
			switch f[i+1] {
			case "cpu-ns/op":
				if v, err := strconv.ParseFloat(f[i], 64); err == nil {
					t.figures[r][runner].times = append(t.figures[r][runner].times, v)
				}
			case "bytes":
				t.figures[r][runner].bytes = strings.TrimSuffix(f[i], ".0")
			}
		}
	}
}

// trimProcs takes off the number of processors that go test appends to a name.
func trimProcs(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			return name[:i]
		}
	}
	return name
}

// print writes the table as Markdown. Ratios say how many times faster than
// ts-mls; each time is the shortest of its rounds, which others disturbed least.
func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n", machine())
	fmt.Fprintln(w, "| suite | members | | native | wasm | ts-mls | native is faster | wasm is faster | bytes; ts-mls |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	for _, r := range t.rows {
		f := t.figures[r]
		native, wasm, other := timeOf(f["native"]), timeOf(f["wasm"]), timeOf(f["ts-mls"])
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.suite, r.size, r.what,
			duration(native), duration(wasm), duration(other), ratio(other, native), ratio(other, wasm), messageBytes(f))
	}
}

func messageBytes(f map[string]*figure) string {
	ours, theirs := f["native"], f["ts-mls"]
	switch {
	case ours == nil || ours.bytes == "0" || ours.bytes == "":
		return ""
	case theirs == nil || theirs.bytes == ours.bytes:
		return ours.bytes
	}
	return ours.bytes + "; " + theirs.bytes
}

func timeOf(f *figure) float64 {
	if f == nil || len(f.times) == 0 {
		return 0
	}
	return slices.Min(f.times)
}

func ratio(other, own float64) string {
	if other == 0 || own == 0 {
		return ""
	}
	if r := other / own; r < 10 {
		return fmt.Sprintf("%.1f", r)
	}
	return fmt.Sprintf("%.0f", other/own)
}

// duration prints nanoseconds as milliseconds with two digits that count.
func duration(ns float64) string {
	ms := ns / 1e6
	switch {
	case ns == 0:
		return ""
	case ms < 0.1:
		return fmt.Sprintf("%.3f ms", ms)
	case ms < 1:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}
