package store_test

import (
	"errors"
	"testing"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/browser"
	"github.com/veche-im/veche/e2ee/seal"
)

// open opens a fresh database on this platform's backend. testdata/sqlite.mjs
// makes one in Node's memory each time it is asked.
func open(t *testing.T) *store.DB {
	t.Helper()
	db, err := browser.Open(t.Context(), seal.NewKey())
	if errors.Is(err, browser.ErrMissing) {
		t.Skip("NO SQLITE HERE: run with NODE_OPTIONS=--import=…/client/store/testdata/sqlite.mjs")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
