package native

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a statement may have to undo is text, beyond some pages in a file of
// /var/tmp, where anybody with the disk finds it.
func TestNothingIsWrittenOutsideOfTheProfile(t *testing.T) {
	lock, err := os.CreateTemp(t.TempDir(), "lock")
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(t.Context(), filepath.Join(t.TempDir(), "veche.db"), lock)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, query := range []string{
		`CREATE TABLE line (n INTEGER PRIMARY KEY, text TEXT UNIQUE)`,
		`WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000) INSERT INTO line SELECT n, 'line ' || n FROM c`,
		`BEGIN IMMEDIATE`,
		`UPDATE line SET text = 'again ' || n`,
	} {
		if _, err := c.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(links) == 0 {
		t.Fatal("no /proc/self/fd", err)
	}
	for _, link := range links {
		if name, _ := os.Readlink(link); strings.HasSuffix(name, " (deleted)") {
			t.Errorf("%s is open", name)
		}
	}
	if _, err := c.Exec(`COMMIT`); err != nil {
		t.Fatal(err)
	}
}
