//go:build !js

package store_test

import (
	"testing"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/native"
)

// open opens a fresh database on this platform's backend.
func open(t *testing.T) *store.DB {
	t.Helper()
	db, err := native.Open(t.Context(), t.TempDir())
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
