package session

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// Between the check of a token and the hello a session may end: the hello looks
// again, when the hub already knows of the connection.
func TestHelloLooksAgainWhetherTheSessionStands(t *testing.T) {
	store, err := db.Open(t.Context(), db.Config{Path: filepath.Join(t.TempDir(), "veche.db"), Log: slog.New(slog.DiscardHandler),
		Schemas: []db.Schema{account.Schema, device.Schema}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var who account.Account
	var opened device.Opened
	update := func(f func(tx *db.Tx) error) {
		t.Helper()
		if err := store.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *db.Tx) error {
		name, err := account.ParseName("Ann")
		if err != nil {
			return err
		}
		if who, err = account.Create(tx, name, "", true, time.Now()); err != nil {
			return err
		}
		opened, err = device.Open(tx, who.ID, "phone", time.Now())
		return err
	})
	hello := HelloOf(Deps{DB: store, Hub: hub.New(), Log: slog.New(slog.DiscardHandler), Now: time.Now, Caps: wire.Caps{Blob: 1, Quota: 2}})
	a := &Actor{Actor: authz.Actor{Account: who.ID, Device: opened.Device, State: wire.DeviceActive}, Name: "Ann"}
	h, err := hello(t.Context(), a)
	if err != nil || h.State != wire.DevicePending || h.Name != "Ann" || h.Max.Quota != 2 {
		t.Errorf("hello: %+v %v", h, err)
	}
	update(func(tx *db.Tx) error { return device.Close(tx, opened.Device) })
	if _, err := hello(t.Context(), a); wire.CodeOf(err) != wire.Unauthenticated {
		t.Errorf("after the end: %v", err)
	}
}
