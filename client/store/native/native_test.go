//go:build !js

package native

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

func TestAProfileIsTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profile")
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return store.PutSecret(tx, "a", []byte("b")) }); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v (%v)", e.Name(), info.Mode(), err)
		}
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v", info.Mode())
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASecondProcessWaits(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, dir); !errors.Is(err, store.ErrBusy) {
		t.Fatalf("the profile opened twice: %v", err)
	}
	second := make(chan error)
	go func() {
		db, err := Open(t.Context(), dir)
		if err == nil {
			err = db.Close()
		}
		second <- err
	}()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Fatalf("after the first closed: %v", err)
	}
}

func TestTheKeyBelongsToTheDatabase(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	file := filepath.Join(dir, "key")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		key  []byte
		want error
	}{
		"another":  {append([]byte{good[0] ^ 1}, good[1:]...), store.ErrKey},
		"half":     {good[:16], store.ErrDamaged},
		"missing":  {nil, store.ErrKey},
		"the same": {good, nil},
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(file)
			if tt.key != nil {
				if err := os.WriteFile(file, tt.key, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			db, err := Open(t.Context(), dir)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err == nil {
				db.Close()
			}
			if _, err := os.Stat(file); (err == nil) != (tt.key != nil) {
				t.Fatal("a key was made or lost")
			}
		})
	}
}

func TestADamagedDatabaseSaysSo(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	file := filepath.Join(dir, "veche.db")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copy(b, "this is not a database")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	after, _ := os.ReadFile(file)
	if string(after) != string(b) {
		t.Fatal("the damaged database was written to")
	}
}

func TestAnEndedProcessLeavesWhatItCommitted(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	self := store.Self{Account: wire.NewAccountID(), Device: wire.NewDeviceID(), Name: "Ann"}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return store.PutSelf(tx, self) }); err != nil {
		t.Fatal(err)
	}
	// As the disk stands now, with the log beside the database and nothing closed.
	copied := t.TempDir()
	for _, name := range []string{"key", "veche.db", "veche.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	db, err = Open(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(t.Context(), func(tx *store.Tx) error {
		got, err := store.GetSelf(tx)
		if got != self {
			t.Errorf("got %+v", got)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestRemoveLeavesNoKey(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if err := Remove(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"key", "veche.db"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if db, err = Open(t.Context(), dir); err != nil {
		t.Fatalf("a new life: %v", err)
	}
	db.Close()
}

// TestSecretsAreNotOnTheDisk looks for what was stored in the files as they
// stand: secrets must not be there, the text of messages is (the control).
func TestSecretsAreNotOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	const canary = "canary-in-a-box-"
	secret := func(n string) []byte { return []byte(canary + n) }
	room := wire.NewRoomID()
	if err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := store.PutRoom(tx, store.Room{ID: room, Kind: wire.Group, State: store.RoomOpen}); err != nil {
			return err
		}
		_, err := store.Enqueue(tx, store.Outgoing{Room: room, Client: wire.NewClientID(), Content: secret("outbox")})
		return errors.Join(err,
			store.PutSecret(tx, "token", secret("token")),
			store.MLS(tx, room).Put("epoch", secret("mls")),
			store.PutKeyPackage(tx, store.KeyPackage{Ref: []byte{1}, Package: []byte{}, Secrets: secret("package")}),
			store.PutItem(tx, store.Item{Room: room, ID: "1", Text: "text-in-clear", Content: secret("content")}),
			store.PutFile(tx, store.File{Room: room, Item: "1", Key: secret("file")}),
		)
	}); err != nil {
		t.Fatal(err)
	}
	look := func(when string, words map[string]bool) {
		t.Helper()
		var all []byte
		for _, name := range []string{"veche.db", "veche.db-wal", "veche.db-shm", "veche.db-journal"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		for word, want := range words {
			if got := bytes.Contains(all, []byte(word)); got != want {
				t.Errorf("%s: %q on the disk: %v", when, word, got)
			}
		}
	}
	look("while open", map[string]bool{canary: false, "text-in-clear": true})
	if err := db.Update(t.Context(), store.Wipe); err != nil {
		t.Fatal(err)
	}
	// A browser ends the program without closing anything.
	look("after wiping", map[string]bool{canary: false, "text-in-clear": false})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	look("after wiping and closing", map[string]bool{canary: false, "text-in-clear": false})
}
