package db_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// SQLite notes what a job may have to undo, beyond some pages in a file of
// /var/tmp, where a server under systemd or in a container may not write.
func TestNothingIsWrittenOutsideOfTheDatabase(t *testing.T) {
	d := open(t, db.Config{})
	many := func(tx *db.Tx) error {
		for range 3000 {
			if err := add(tx, wire.NewRoomID(), 1); err != nil {
				return err
			}
		}
		return nil
	}
	update(t, d, many)
	update(t, d, func(tx *db.Tx) error { // changes pages that are there
		if err := many(tx); err != nil {
			return err
		}
		for _, name := range openFiles(t) {
			if strings.HasSuffix(name, " (deleted)") {
				t.Errorf("%s is open", name)
			}
		}
		return nil
	})
}

func openFiles(t *testing.T) (names []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(links) == 0 {
		t.Fatal("no /proc/self/fd", err)
	}
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil {
			names = append(names, name)
		}
	}
	return names
}
