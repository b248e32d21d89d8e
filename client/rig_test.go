package client_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/veche-im/veche/internal/testenv"
)

// snapshot copies the profile of a client that is stopped, and returns what puts
// it back.
func snapshot(t *testing.T, c *testenv.Client) (restore func()) {
	t.Helper()
	files := map[string][]byte{}
	list, err := os.ReadDir(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		b, err := os.ReadFile(filepath.Join(c.Dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name()] = b
	}
	return func() {
		list, err := os.ReadDir(c.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if err := os.Remove(filepath.Join(c.Dir, f.Name())); err != nil {
				t.Fatal(err)
			}
		}
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(c.Dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
