package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/backup"
)

type restoreCmd struct {
	dataFlags
	File   string `arg:"" help:"Backup to make a site of."`
	DryRun bool   `help:"Verify all of it and say what is in it, and change nothing."`
}

func (c restoreCmd) Run(ctx context.Context, t *term) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	p := &progress{t: t, what: "reading"}
	if st, err := f.Stat(); err == nil {
		p.begin(st.Size())
	}
	rep, err := server.Restore(ctx, server.StoppedConfig{Data: c.Data, Version: version}, io.TeeReader(f, p), c.DryRun)
	p.end()
	if err != nil {
		return fmt.Errorf("nothing was restored: %s: %w", c.File, err)
	}
	t.show("%s", restored(rep, c))
	return nil
}

// restored says in one screen what was done and what people will see.
func restored(rep backup.Report, c restoreCmd) string {
	made := clock(rep.Time)
	text := fmt.Sprintf("%s, as it was %s (backed up by veche %s)\n", orUnnamed(rep.Org), made, rep.Version)
	text += fmt.Sprintf("  %d people, %d rooms with %d entries, %d files (%s)\n", rep.People, rep.Rooms, rep.Entries, rep.Files, amount(rep.Bytes))
	if rep.Missing > 0 {
		text += fmt.Sprintf("  %d files are missing: the disk had lost them before\n", rep.Missing)
	}
	if c.DryRun {
		return text + "All of it is whole. Nothing was restored.\n"
	}
	return text + fmt.Sprintf(`Restored in %s. Start it with: veche serve --data %s

What people will see:
  - A notice that the site was restored, and when.
  - What was written since %s comes back from the devices that have it, as
    they connect. What its sender's device does not send again stays on the
    devices that had read it, marked as being there only.
  - Who was signed in then is signed in. Who signed in since signs in again.
  - Passwords changed since are the old ones again, people who joined since are
    unknown: invite them again.
  - Devices removed since may come in until another device of the same person
    has connected. If one was stolen, have its owner look first.
`, c.Data, c.Data, made)
}

func orUnnamed(org string) string {
	if org == "" {
		return "A site that nobody has set up"
	}
	return org
}
