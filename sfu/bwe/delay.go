package bwe

import (
	"math"
	"time"
)

const (
	burst = 5 * time.Millisecond // packets sent within it count as one, gcc-02 §5.2

	window    = 20  // groups that the trend line goes through
	smoothing = 0.9 // of the delay
	gain      = 4.0 // of the slope, to compare it with the threshold
	mostTerms = 60

	firstThreshold         = 12.5 // ms, §5.4
	leastThreshold         = 6.0
	highestThreshold       = 600.0
	thresholdUp            = 0.0087 // K_u
	thresholdDown          = 0.039  // K_d
	overuseTime            = 10.0   // ms, gamma_1's companion
	maxThresholdStep       = 15.0   // beyond it a value is an outlier and moves nothing
	outageBetween          = 3 * time.Second
	signalNormal     usage = 0
	signalOver       usage = 1
	signalUnder      usage = -1
)

// usage is what the detector says of a path's queue (gcc-02 §5.4).
type usage int

// group is packets sent in one burst.
type group struct {
	first, sent, came time.Duration
	packets           int
}

// delay tells from when packets were sent and came whether a queue builds up.
type delay struct {
	cur, prev group

	sum, smooth float64 // ms
	points      [window]point
	n           int
	groups      int
	start       time.Duration
	threshold   float64
	thresholdAt time.Duration
	over        float64 // ms of overuse so far
	overCount   int
	lastTrend   float64
	queue       queue
	state       usage
}

type point struct{ at, delay float64 }

// packet takes one that arrived, in the order of sending.
func (d *delay) packet(sent, came time.Duration) {
	if d.threshold == 0 {
		d.threshold = firstThreshold
	}
	d.queue.add(came-sent, came)
	c := &d.cur
	switch {
	case c.packets == 0:
		*c = group{first: sent, sent: sent, came: came, packets: 1}
		return
	case sent < c.first:
		return // told out of order
	case sent-c.first <= burst || d.piled(sent, came):
		c.sent, c.came = max(c.sent, sent), max(c.came, came)
		c.packets++
		return
	}
	if d.prev.packets > 0 {
		d.compare()
	}
	d.prev = d.cur
	d.cur = group{first: sent, sent: sent, came: came, packets: 1}
}

// A queue is what packets wait on their way beyond the least that they took lately.
// The slope does not see one that is full: it is as long now as before.
type queue struct {
	least, next time.Duration // transit times by two clocks, of which only differences mean anything
	since       time.Duration
	smooth      time.Duration
	began       bool
}

// leastFor is how long the least transit time is remembered, at least.
const leastFor = 10 * time.Second

func (q *queue) add(transit, now time.Duration) {
	if !q.began {
		*q = queue{least: transit, next: transit, since: now, smooth: transit, began: true}
	}
	q.smooth += (transit - q.smooth) / 8
	q.least, q.next = min(q.least, transit), min(q.next, transit)
	if now-q.since > leastFor {
		q.least, q.next, q.since = q.next, transit, now
	}
}

// wait is how long the queue is now.
func (q *queue) wait() time.Duration { return q.smooth - q.least }

// piled says whether a packet came right after the group though it was sent
// later: it stood in a queue with it on the way (gcc-02 §5.2, second condition).
func (d *delay) piled(sent, came time.Duration) bool {
	late := came - d.cur.came
	return late <= burst && late < sent-d.cur.sent && came-d.cur.came >= 0 && sent-d.cur.first < 100*time.Millisecond
}

func (d *delay) compare() {
	between := d.cur.sent - d.prev.sent
	arrival := d.cur.came - d.prev.came
	if between < 0 || arrival < 0 || arrival > outageBetween || between > outageBetween {
		d.reset()
		return
	}
	d.groups++
	d.sum += ms(arrival - between)
	if d.groups == 1 {
		d.start = d.cur.came
		d.smooth = d.sum
	}
	d.smooth = smoothing*d.smooth + (1-smoothing)*d.sum
	if d.n == window {
		copy(d.points[:], d.points[1:])
		d.n--
	}
	d.points[d.n] = point{ms(d.cur.came - d.start), d.smooth}
	d.n++
	trend := d.lastTrend
	if d.n == window {
		trend = d.slope(trend)
	}
	d.detect(trend, ms(between), d.cur.came)
}

// reset forgets the queue, after an outage or when a receiver's clock jumped.
func (d *delay) reset() {
	*d = delay{threshold: d.threshold, thresholdAt: d.thresholdAt}
}

// slope is that of the line through the points by least squares.
func (d *delay) slope(otherwise float64) float64 {
	var x, y float64
	for _, p := range d.points[:d.n] {
		x += p.at
		y += p.delay
	}
	x, y = x/float64(d.n), y/float64(d.n)
	var num, den float64
	for _, p := range d.points[:d.n] {
		num += (p.at - x) * (p.delay - y)
		den += (p.at - x) * (p.at - x)
	}
	if den == 0 {
		return otherwise
	}
	return num / den
}

func (d *delay) detect(trend, between float64, now time.Duration) {
	m := float64(min(d.groups, mostTerms)) * trend * gain
	switch {
	case m > d.threshold:
		d.over += between
		d.overCount++
		if d.over > overuseTime && d.overCount > 1 && trend >= d.lastTrend {
			d.over, d.overCount, d.state = 0, 0, signalOver
		}
	case m < -d.threshold:
		d.over, d.overCount, d.state = 0, 0, signalUnder
	default:
		d.over, d.overCount, d.state = 0, 0, signalNormal
	}
	d.lastTrend = trend
	d.adapt(m, now)
}

// adapt moves the threshold so that flows of TCP beside ours do not starve us
// (gcc-02 §5.4).
func (d *delay) adapt(m float64, now time.Duration) {
	last := d.thresholdAt
	d.thresholdAt = now
	size := math.Abs(m)
	if last == 0 || size > d.threshold+maxThresholdStep {
		return
	}
	k := thresholdUp
	if size < d.threshold {
		k = thresholdDown
	}
	step := min(ms(now-last), 100)
	d.threshold += k * (size - d.threshold) * step
	d.threshold = min(max(d.threshold, leastThreshold), highestThreshold)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
