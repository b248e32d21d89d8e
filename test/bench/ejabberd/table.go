package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// table has a row for each figure and a column for each server.
type table struct {
	servers []string // as the columns are headed; the first is what others are compared with
	rows    []*row
}

type row struct {
	work, figure string
	cells        map[string]cell
}

// cell is one figure of one server, or what stands in its place.
type cell struct {
	value float64
	note  string
}

// set writes a figure down.
func (t *table) set(work, figure, server string, value float64) {
	t.row(work, figure).cells[server] = cell{value: value}
}

// say writes down why there is no figure.
func (t *table) say(work, figure, server, note string) {
	t.row(work, figure).cells[server] = cell{note: note}
}

func (t *table) row(work, figure string) *row {
	for _, r := range t.rows {
		if r.work == work && r.figure == figure {
			return r
		}
	}
	r := &row{work: work, figure: figure, cells: map[string]cell{}}
	t.rows = append(t.rows, r)
	return r
}

// print writes Markdown. After each figure of another server stands how many
// times the first one's it is.
func (t *table) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "| work\t| figure\t| %s\t|\n", strings.Join(t.servers, "\t| "))
	fmt.Fprintf(w, "|---\t|---\t%s|\n", strings.Repeat("|--:\t", len(t.servers)))
	for i, r := range t.rows {
		work := r.work
		if i > 0 && t.rows[i-1].work == work {
			work = ""
		}
		fmt.Fprintf(w, "| %s\t| %s\t", work, r.figure)
		for _, s := range t.servers {
			fmt.Fprintf(w, "| %s\t", r.text(s, t.servers[0]))
		}
		fmt.Fprintln(w, "|")
	}
}

func (r *row) text(server, first string) string {
	c, ok := r.cells[server]
	switch base := r.cells[first]; {
	case !ok:
		return "–"
	case c.note != "":
		return c.note
	case server == first || base.note != "" || base.value == 0 || c.value == 0:
		return short(c.value)
	default:
		return fmt.Sprintf("%s (×%s)", short(c.value), short(c.value/base.value))
	}
}

// short is v with two or three digits that say something.
func short(v float64) string {
	switch {
	case v == math.Trunc(v) || math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	case math.Abs(v) >= 0.095:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.2g", v)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func mib(b int64) float64        { return float64(b) / (1 << 20) }
