package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/cmd/veche/doctor"
)

type doctorCmd struct {
	dataFlags
	JSON bool `name:"json" help:"Write a JSON object for each check."`
}

func (c doctorCmd) Run(ctx context.Context, t *term) error {
	var failed error
	well := doctor.Examine(ctx, c.Data, func(r doctor.Check) {
		if c.JSON {
			failed = errors.Join(failed, t.object(r))
			return
		}
		t.show("%-8s %-18s %s\n", string(r.Verdict), r.Name, r.Found)
		if r.Advice != "" {
			t.show("%-8s %-18s → %s\n", "", "", r.Advice)
		}
	})
	if failed != nil {
		return fmt.Errorf("write what was found: %w", failed)
	}
	if !well {
		return errors.New("not all is well")
	}
	return nil
}
