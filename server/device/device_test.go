package device_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/wire"
)

// The device of no id is nobody's, not the first of all.
func TestThereIsNoDeviceWithoutAnID(t *testing.T) {
	d, err := db.Open(t.Context(), db.Config{
		Path: filepath.Join(t.TempDir(), "veche.db"), Schemas: []db.Schema{account.Schema, device.Schema}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ann := wire.NewAccountID()
	err = d.Update(t.Context(), func(tx *db.Tx) error {
		const add = `INSERT INTO account (id, name, name_key, password, admin, created_ms) VALUES ($1, 'ann', 'ann', '', 0, 0)`
		if _, err := tx.Exec(add, ann); err != nil {
			return err
		}
		opened, err := device.Open(tx, ann, "phone", time.Now())
		if err != nil {
			return err
		}
		if _, err := device.Get(tx, ann, opened.Device); err != nil {
			t.Errorf("its own: %v", err)
		}
		if _, err := device.Get(tx, ann, wire.DeviceID{}); wire.CodeOf(err) != wire.NotFound {
			t.Errorf("without an id: %v", err)
		}
		if err := device.Drop(tx, ann, wire.DeviceID{}); wire.CodeOf(err) != wire.NotFound {
			t.Errorf("drop without an id: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
