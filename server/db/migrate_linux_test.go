package db_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

const migrateChild = "VECHE_TEST_MIGRATE"

// heavy is a step that takes a while: rows of its own, and a change to each row
// that was there.
var heavy = db.Schema{Noun: "thing", Steps: append(things.Steps[:2:2], `
	CREATE TABLE heavy (n BIGINT PRIMARY KEY, body BYTEA NOT NULL);
	INSERT INTO heavy WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 30000) SELECT n, randomblob(100) FROM c;
	UPDATE thing SET note = 'changed';
	CREATE INDEX heavy_body ON heavy (body);
`)}

// Whenever a migration is killed, the file is the old one or the new one, never
// between, and the next start finishes it.
func TestAMigrationThatIsKilledHasHappenedOrNot(t *testing.T) {
	if path := os.Getenv(migrateChild); path != "" {
		fmt.Println("begin")
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
	migrate := func(path string, life time.Duration) time.Duration {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAMigrationThatIsKilledHasHappenedOrNot$")
		cmd.Env = append(os.Environ(), migrateChild+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if life > 0 {
			defer time.AfterFunc(life, func() { _ = cmd.Process.Kill() }).Stop()
		}
		_, _ = io.Copy(io.Discard, lines) // until it ends
		if err := cmd.Wait(); life == 0 && err != nil {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	fresh := func() string {
		path := filepath.Join(t.TempDir(), "veche.db")
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole := migrate(fresh(), 0)
	var before, after, between int
	for range 4 {
		path := fresh()
		migrate(path, whole/10+rand.N(whole))
		if st, err := os.Stat(path + "-wal"); err == nil && st.Size() > 1<<20 {
			between++ // it was at work
		}
		switch v := versionOf(t, path, rows); v {
		case 2:
			before++
		case 3:
			after++
		default:
			t.Errorf("the schema is %d", v)
		}
		migrate(path, 0)
		if v := versionOf(t, path, rows); v != 3 {
			t.Errorf("after another start the schema is %d", v)
		}
	}
	t.Logf("killed in %v: %d before, %d after; %d of them with pages on disk", whole, before, after, between)
	if before == 0 {
		t.Error("no migration was killed before its end: the test tests nothing")
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
		if err := c.QueryRow(`SELECT count(*) FROM heavy`).Scan(&n); err != nil || n != 30000 {
			t.Errorf("%d heavy rows, %v", n, err)
		}
	}
	if got := [3]int{changed, tables, indices}; got != want || all != rows {
		t.Errorf("in version %d: changed rows, table, index %v of %d rows", v, got, all)
	}
	return v
}
