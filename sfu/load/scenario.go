package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Scenario is a call that is measured, or several.
type Scenario struct {
	Name    string
	Callers int
	Each    int // callers of one call, the first of them talk; 0: all are in one
	Talkers int // that speak, and all of them are on air; the first of the callers, with Each all
	Noise   int // that send soft packets besides, next after the talkers
	Slots   int // audio slots of each caller

	Pictures int // packets of 1,100 bytes in each frame of a camera, 25 frames a second; all look at all. 0: the talkers send sound

	Size   int           // bytes of a payload; 0: 76, Opus at 24 kbit/s, sealed
	Frame  time.Duration // 0: 20 ms
	Warm   time.Duration // before it is measured; 0: 1 s
	Length time.Duration // 0: 5 s
}

// Levels of talkers and of noise, -dBov.
const (
	talking = 30
	noise   = 55
)

// Call is the number of the call that a participant is in, from 0.
func (sc Scenario) Call(participant uint32) uint32 {
	if sc.Each == 0 {
		return 0
	}
	return (participant - 1) / uint32(sc.Each)
}

// Server is the forwarder under test. Which call a participant joins is its matter:
// see Scenario.Call.
type Server interface {
	Join(ctx context.Context, participant uint32, offer string) (answer string, err error)
	Usage() (Usage, error)
}

// Usage is what the forwarder's process has used since it began.
type Usage struct {
	CPU     time.Duration // user and system
	Memory  int64         // bytes, resident
	Packets uint64        // forwarded
	Sends   uint64        // system calls that sent
	Workers int
}

// Result is what came of a Scenario.
type Result struct {
	Scenario
	Sent, Received, Expected, Bad uint64
	P50, P99, Max                 time.Duration // from one caller to another
	Took                          time.Duration
	Used                          Usage // while it was measured; Memory at its end
	PerCaller                     int64 // bytes of memory that a caller cost
}

// Forwarded is how many packets the forwarder sent for each second of processor.
func (r Result) Forwarded() float64 { return float64(r.Used.Packets) / r.Used.CPU.Seconds() }

// Cores is how many processors it used.
func (r Result) Cores() float64 { return r.Used.CPU.Seconds() / r.Took.Seconds() }

// String is one line for people.
func (r Result) String() string {
	perSend := 0.0
	if r.Used.Sends > 0 {
		perSend = float64(r.Used.Packets) / float64(r.Used.Sends)
	}
	return fmt.Sprintf("%-22s %7.0f packets/CPU-s  %.2f cores  %6.0f packets/s  %4.1f a send  p50 %s p99 %s max %s  %.2f %% delivered  %d KiB a caller",
		r.Name, r.Forwarded(), r.Cores(), float64(r.Used.Packets)/r.Took.Seconds(), perSend,
		r.P50.Round(10*time.Microsecond), r.P99.Round(10*time.Microsecond), r.Max.Round(10*time.Microsecond),
		100*float64(r.Received)/float64(max(1, r.Expected)), r.PerCaller>>10)
}

// Run joins everybody, lets them talk, and counts.
func Run(ctx context.Context, s Server, sc Scenario) (Result, error) {
	sc.defaults()
	empty, err := s.Usage()
	if err != nil {
		return Result{}, err
	}
	callers, err := dialAll(ctx, s, sc)
	defer func() {
		for _, c := range callers {
			c.Close()
		}
	}()
	if err != nil {
		return Result{}, err
	}
	if sc.Pictures > 0 {
		if err := lookAll(ctx, s, sc); err != nil {
			return Result{}, err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer stop()
	for i, c := range callers[:sc.Talkers+sc.Noise] {
		level := uint8(talking)
		if i >= sc.Talkers {
			level = noise
		}
		offset := sc.Frame * time.Duration(i*7%sc.Callers) / time.Duration(sc.Callers)
		if sc.Pictures > 0 {
			tasks.Go(func() { c.film(ctx, sc.Pictures, offset*2) })
			continue
		}
		tasks.Go(func() { c.talk(ctx, level, sc.Size, sc.Frame, offset) })
	}
	if err := sleep(ctx, sc.Warm); err != nil {
		return Result{}, err
	}
	before, err := s.Usage()
	if err != nil {
		return Result{}, err
	}
	began := time.Now()
	for _, c := range callers {
		c.times.reset()
	}
	sent, onAir, received := count(callers, sc)
	if err := sleep(ctx, sc.Length); err != nil {
		return Result{}, err
	}
	r := Result{Scenario: sc, Took: time.Since(began)}
	sentAfter, onAirAfter, receivedAfter := count(callers, sc)
	r.Sent, r.Received = sentAfter-sent, receivedAfter-received
	others := sc.Callers - 1
	if sc.Each != 0 {
		others = sc.Each - 1
	}
	r.Expected = (onAirAfter - onAir) * uint64(others)
	after, err := s.Usage()
	if err != nil {
		return Result{}, err
	}
	r.Used = Usage{CPU: after.CPU - before.CPU, Memory: after.Memory, Packets: after.Packets - before.Packets, Sends: after.Sends - before.Sends, Workers: after.Workers}
	r.PerCaller = (after.Memory - empty.Memory) / int64(sc.Callers)
	var all histogram
	for _, c := range callers {
		r.Bad += c.Bad.Load()
		all.merge(&c.times)
	}
	r.P50, r.P99, r.Max = all.quantile(0.5), all.quantile(0.99), all.quantile(1)
	return r, nil
}

func (sc *Scenario) defaults() {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&sc.Frame, 20*time.Millisecond)
	set(&sc.Warm, time.Second)
	set(&sc.Length, 5*time.Second)
	if sc.Size == 0 {
		sc.Size = 76
	}
}

// dialAll joins everybody, a few at a time, and returns those who did.
func dialAll(ctx context.Context, s Server, sc Scenario) ([]*Caller, error) {
	callers, errs := make([]*Caller, sc.Callers), make([]error, sc.Callers)
	var tasks sync.WaitGroup
	places := make(chan struct{}, 16)
	for i := range callers {
		places <- struct{}{}
		tasks.Go(func() {
			defer func() { <-places }()
			pictures := 0
			if sc.Pictures > 0 {
				pictures = sc.Callers - 1
			}
			callers[i], errs[i] = dial(ctx, s.Join, uint32(i+1), sc.Slots, pictures)
		})
	}
	tasks.Wait()
	var joined []*Caller
	for _, c := range callers {
		if c != nil {
			joined = append(joined, c)
		}
	}
	return joined, errors.Join(errs...)
}

// talk sends a packet each frame, by the clock.
func (c *Caller) talk(ctx context.Context, level uint8, size int, frame, offset time.Duration) {
	if sleep(ctx, offset) != nil {
		return
	}
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.Say(level, size, frame)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// count sums what was sent, what of it by those on air, and what was received.
func count(callers []*Caller, sc Scenario) (sent, onAir, received uint64) {
	for i, c := range callers {
		n := c.Sent.Load()
		if sent += n; i < sc.Talkers {
			onAir += n
		}
		received += c.Received.Load()
	}
	return sent, onAir, received
}
