package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/admin"
)

type checkCmd struct {
	dataFlags
	JSON bool `name:"json" help:"Write a JSON object for each fault."`
}

func (c checkCmd) Run(ctx context.Context, t *term) error {
	faults := 0
	var failed error
	tell := func(f admin.Fault) {
		faults++
		if c.JSON {
			failed = errors.Join(failed, t.object(f))
			return
		}
		t.show("%s\n", faultWords(f))
	}
	n, err := admin.AskCheck(ctx, c.Data, tell)
	if errors.Is(err, admin.ErrNotRunning) {
		n, err = server.Check(ctx, c.Data, tell)
	}
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("the check did not come to its end: %w", err)
	}
	t.note("Looked at every page of the database, %d rooms with %d entries, and %d files.", n.Rooms, n.Entries, n.Files)
	switch faults {
	case 0:
		return nil
	case 1:
		return errors.New("the site is damaged in one place; docs/admin/backup.md says what can be done")
	}
	return fmt.Errorf("the site is damaged in %d places; docs/admin/backup.md says what can be done", faults)
}

// faultWords says where it is damaged.
func faultWords(f admin.Fault) string {
	switch {
	case f.Seq > 0:
		return fmt.Sprintf("room %s, entry %d (%s): %s", f.Room, f.Seq, f.Table, f.What)
	case !f.Room.IsZero():
		return fmt.Sprintf("room %s (%s): %s", f.Room, f.Table, f.What)
	case !f.Blob.IsZero():
		return fmt.Sprintf("file %s: %s", f.Blob, f.What)
	}
	return f.Table + ": " + f.What
}
