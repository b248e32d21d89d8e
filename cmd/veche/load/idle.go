package load

import (
	"context"
	"fmt"
	"time"
)

// Idled is what came of Idle.
type Idled struct {
	Connections int
	Took        time.Duration // to connect them all
	Each        float64       // bytes of the server's memory for each
	PerMinute   time.Duration // of the server's processor, for all of them
}

// Idle connects everybody of a layout to a target that was prepared with it and
// leaves them alone for a while. Settle is how long the server has to calm down
// after they came; its memory is measured at the end.
func Idle(ctx context.Context, t Target, l Layout, settle, watch time.Duration) (i Idled, err error) {
	pids := t.Processes()
	before, _ := Memory(pids)
	began := time.Now()
	f, err := Board(ctx, t, l)
	if err != nil {
		return i, err
	}
	defer f.Close()
	i.Connections, i.Took = l.People, time.Since(began)
	never := make(chan error)
	if err := rest(ctx, settle, never); err != nil {
		return i, err
	}
	meter := f.meter()
	if err := rest(ctx, watch, never); err != nil {
		return i, err
	}
	c := meter()
	for p, e := range f.ears {
		if err := e.gone(); err != nil {
			return i, fmt.Errorf("idle at %s: the connection of person %d ended: %w", t.Name(), p, err)
		}
	}
	i.Each = float64(c.RSS-before) / float64(i.Connections)
	i.PerMinute = time.Duration(float64(c.Server) * float64(time.Minute) / float64(c.Took))
	return i, nil
}
