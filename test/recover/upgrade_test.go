package recover

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/test/crowd"
	"github.com/veche-im/veche/test/ledger"
	"github.com/veche-im/veche/test/rig"
)

// newer builds the binary of a version to come: its accounts have one additive
// step more. The files of the project stay as they are.
func newer(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "server", "account", "doc.go")
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(src), "`}}", "`, `\nCREATE TABLE account_note (account_id BYTEA PRIMARY KEY, note TEXT NOT NULL);\nALTER TABLE account ADD COLUMN title TEXT NOT NULL DEFAULT ''\n`}}", 1)
	additive := regexp.MustCompile(`Additive: (\d+),`).FindStringSubmatch(changed)
	if additive == nil || changed == string(src) {
		t.Fatal("server/account/doc.go is written otherwise: this test must follow")
	}
	n, err := strconv.Atoi(additive[1])
	if err != nil {
		t.Fatal(err)
	}
	changed = strings.Replace(changed, additive[0], fmt.Sprintf("Additive: %d,", n+1), 1)
	dir := t.TempDir()
	other, overlay, bin := filepath.Join(dir, "doc.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "veche")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {file: other}})
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range map[string][]byte{other: []byte(changed), overlay: list} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// As make builds it, so that all but what is changed is there already.
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-overlay", overlay, "-o", bin, "./cmd/veche")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the newer version: %v: %s", err, out)
	}
	return bin
}

func steps(t *testing.T, data string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(data, "veche.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT version FROM schema_version WHERE noun = 'account'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A site goes to the version to come and back to this one, under load, and all
// that was acknowledged by either stays: as long as the steps are additive. Of
// others this version says one clear sentence, and changes nothing.
func TestAVersionAndTheOneBeforeServeOneSite(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another binary")
	}
	bin := newer(t)
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	c := crowd.Found(t, data, crowd.Config{Writers: 4, Readers: 1, Rooms: 2})
	s := rig.At(t, dir, data)
	was := steps(t, data)
	s.Start()
	c.Start(s.URL)
	for i, with := range []string{bin, rig.Binary(t), bin} {
		for want := c.Ledger.Count(ledger.Ack) + 50; c.Ledger.Count(ledger.Ack) < want; {
			time.Sleep(5 * time.Millisecond)
		}
		if code := s.Stop(); code != 0 {
			t.Errorf("asked to stop, it ended with %d", code)
		}
		s.Bin = with
		s.Start()
		if n := steps(t, data); n != was+1 {
			t.Errorf("at start %d the schema is %d, want %d", i+1, n, was+1)
		}
	}
	if err := c.Finish(t.Context(), s.URL); err != nil {
		t.Fatal(err)
	}
	for _, b := range c.Judge() {
		t.Error(b)
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("asked to stop, it ended with %d", code)
	}

	// The same step, said not to be additive.
	db, err := sql.Open("sqlite", filepath.Join(data, "veche.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE schema_version SET since = version WHERE noun = 'account'`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	s.Bin = rig.Binary(t)
	r := s.Run(t.Context(), "serve", "--data", data, "--listen", "127.0.0.1:0", "--local", "127.0.0.1:0", "--metrics", "off")
	if r.Code != 1 || strings.Count(r.Err, "\n") != 1 || !strings.Contains(r.Err, "written by a newer version") {
		t.Errorf("the older version says %v", r)
	}
	if n := steps(t, data); n != was+1 {
		t.Errorf("and left the schema at %d", n)
	}
}
