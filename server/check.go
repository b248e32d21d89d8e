package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/room"
)

// checking is a site that is looked at, running or not.
type checking struct {
	pages func() ([]string, error) // faults that SQLite finds
	view  func(context.Context, func(*db.Tx) error) error
	blobs string // their directory
}

// run looks at everything that a site keeps and tells each fault.
func (c checking) run(ctx context.Context, tell func(admin.Fault)) (n admin.Checked, err error) {
	faults, err := c.pages()
	if err != nil && !errors.Is(err, db.ErrDamaged) {
		return n, err
	}
	if err != nil {
		faults = append(faults, err.Error())
	}
	for _, f := range faults {
		tell(admin.Fault{Table: "database", What: f})
	}
	rooms, err := room.Check(ctx, c.view, func(f room.Fault) {
		tell(admin.Fault{Table: f.Table, Room: f.Room, Seq: f.Seq, What: f.What})
	})
	n.Rooms, n.Entries = rooms.Rooms, rooms.Entries
	if err != nil {
		return n, fmt.Errorf("check the rooms: %w", err)
	}
	n.Files, err = blob.Check(ctx, c.view, c.blobs, func(f blob.Fault) {
		tell(admin.Fault{Table: "blob", Blob: f.Blob, What: f.What})
	})
	if errors.Is(err, db.ErrDamaged) {
		tell(admin.Fault{Table: "blob", What: err.Error()})
		err = nil
	}
	return n, err
}

func (s *Server) check(ctx context.Context, tell func(admin.Fault)) (admin.Checked, error) {
	return checking{
		pages: func() ([]string, error) { return s.db.Check(ctx) },
		view:  s.db.View, blobs: s.data.file(blobName),
	}.run(ctx, tell)
}

// Check looks at all that a site keeps which does not run, and tells each fault.
// It changes nothing.
func Check(ctx context.Context, dir string, tell func(admin.Fault)) (n admin.Checked, err error) {
	d, err := openStopped(dir)
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	snap, err := db.OpenSnapshot(ctx, d.file(dbName))
	if err != nil {
		return n, err
	}
	defer snap.Close()
	return checking{pages: snap.Check, view: snap.View, blobs: d.file(blobName)}.run(ctx, tell)
}
