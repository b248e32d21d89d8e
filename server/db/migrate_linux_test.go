package db_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const (
	migrateChild = "VECHE_TEST_MIGRATE"
	migrateDies  = "VECHE_TEST_MIGRATE_DIES"
)

const heavyRows = 3000

// heavy is a step that takes a while: rows of its own, and a change to each row
// that was there. It passes places at which a process can be made to die.
var heavy = db.Schema{Noun: "thing", Steps: append(things.Steps[:2:2], `
	CREATE TABLE heavy (n BIGINT PRIMARY KEY, body BYTEA NOT NULL);
	INSERT INTO heavy WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000) SELECT n, randomblob(100) FROM c WHERE here(n);
	CREATE INDEX heavy_body ON heavy (body);
	UPDATE thing SET note = 'changed' WHERE here('changed');
`)}

// deadly makes here(at) the end of this process; here() of anything else is true.
func deadly(at string) {
	sqlite.MustRegisterScalarFunction("here", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if fmt.Sprint(args[0]) == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return int64(1), nil
	})
}

// Whenever a migration is killed, the file is the old one or the new one, never
// between, and the next start finishes it.
func TestAMigrationThatIsKilledHasHappenedOrNot(t *testing.T) {
	if path := os.Getenv(migrateChild); path != "" {
		deadly(os.Getenv(migrateDies))
		d, err := db.Open(context.Background(), db.Config{Path: path, Schemas: []db.Schema{heavy}, Log: discard})
		if err != nil {
			t.Fatal(err)
		}
		d.Close()
		return
	}
	const rows = 200
	old := filepath.Join(t.TempDir(), "old.db")
	d := open(t, db.Config{Path: old})
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		for n := range rows {
			if err := add(tx, wire.NewRoomID(), int64(n)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	d.Close()
	image, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	// migrate migrates in a process of its own. killed says when it is to die, if at
	// all, and is given the process and when it is over.
	migrate := func(path, dies string, killed func(kill func(), over <-chan struct{})) error {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAMigrationThatIsKilledHasHappenedOrNot$")
		cmd.Env = append(os.Environ(), migrateChild+"="+path, migrateDies+"="+dies)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		over := make(chan struct{})
		var watch sync.WaitGroup
		watch.Go(func() { killed(func() { _ = cmd.Process.Kill() }, over) })
		err := cmd.Wait()
		close(over)
		watch.Wait()
		return err
	}
	spare := func(func(), <-chan struct{}) {}
	for _, tt := range []struct {
		name, dies string
		want       int // 0: either
	}{
		{"while rows are added", "1500", 2},
		{"when all but the commit is done", "changed", 2},
		{"in the commit", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "veche.db")
			if err := os.WriteFile(path, image, 0o600); err != nil {
				t.Fatal(err)
			}
			// Nothing reaches the log before the commit: it fits the writer's cache.
			inCommit := func(kill func(), over <-chan struct{}) {
				for {
					select {
					case <-over:
						return
					case <-time.After(50 * time.Microsecond):
						if st, err := os.Stat(path + "-wal"); err == nil && st.Size() > 100<<10 {
							kill()
						}
					}
				}
			}
			if tt.dies != "" {
				inCommit = spare
			}
			if err := migrate(path, tt.dies, inCommit); err == nil && tt.want != 0 {
				t.Fatal("nothing killed it")
			}
			v := versionOf(t, path, rows)
			if v != tt.want && (tt.want != 0 || v != 2 && v != 3) {
				t.Errorf("the schema is %d", v)
			}
			t.Logf("the schema is %d", v)
			if err := migrate(path, "", spare); err != nil {
				t.Errorf("the next start: %v", err)
			}
			if v := versionOf(t, path, rows); v != 3 {
				t.Errorf("after another start the schema is %d", v)
			}
		})
	}
}

// versionOf returns how far the file is, and fails where it is between.
func versionOf(t *testing.T, path string, rows int) (v int) {
	t.Helper()
	c, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var sound string
	var changed, tables, indices, all int
	const look = `SELECT (SELECT version FROM schema_version WHERE noun = 'thing'), (SELECT count(*) FROM thing WHERE note = 'changed'), (SELECT count(*) FROM thing),
		(SELECT count(*) FROM sqlite_schema WHERE name = 'heavy'), (SELECT count(*) FROM sqlite_schema WHERE name = 'heavy_body')`
	if err := c.QueryRow(look).Scan(&v, &changed, &all, &tables, &indices); err != nil {
		t.Fatal(err)
	}
	if err := c.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
		t.Errorf("the file is not sound: %s %v", sound, err)
	}
	want := [3]int{}
	if v == 3 {
		want = [3]int{rows, 1, 1}
		var n int
		if err := c.QueryRow(`SELECT count(*) FROM heavy`).Scan(&n); err != nil || n != heavyRows {
			t.Errorf("%d heavy rows, %v", n, err)
		}
	}
	if got := [3]int{changed, tables, indices}; got != want || all != rows {
		t.Errorf("in version %d: changed rows, table, index %v of %d rows", v, got, all)
	}
	return v
}
