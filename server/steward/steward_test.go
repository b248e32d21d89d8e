package steward_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/steward"
	"github.com/veche-im/veche/wire"
)

// A request that came while somebody was an administrator, active and open, is
// judged by how they stand when it is carried out; and whoever was shut does
// nothing more in rooms, whatever the writer remembers of their devices.
func TestWhoAsksIsLookedAtAgain(t *testing.T) {
	d, err := db.Open(t.Context(), db.Config{
		Path: filepath.Join(t.TempDir(), "veche.db"), Schemas: []db.Schema{account.Schema, device.Schema}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s, err := steward.New(steward.Config{DB: d, Hub: hub.New(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	update := func(f func(tx *db.Tx) error) {
		t.Helper()
		if err := d.Update(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
	var by steward.By
	people := map[string]wire.AccountID{}
	update(func(tx *db.Tx) error {
		for _, name := range []string{"Ann", "Bob", "Cid"} {
			n, err := account.ParseName(name)
			if err != nil {
				return err
			}
			a, err := account.Create(tx, n, "", name != "Cid", time.Now())
			if err != nil {
				return err
			}
			people[name] = a.ID
		}
		opened, err := device.Open(tx, people["Bob"], "phone", time.Now())
		if err != nil {
			return err
		}
		by = steward.By{Actor: authz.Actor{Account: people["Bob"], Device: opened.Device, State: wire.DeviceActive, Admin: true}}
		_, err = tx.Exec(`UPDATE device SET state = 'active', leaf_key = $1 WHERE id = $2`, []byte("key"), opened.Device)
		return err
	})
	reset := func() wire.Code {
		_, err := s.Reset(t.Context(), by, people["Cid"])
		return wire.CodeOf(err)
	}
	listed := func() (state wire.DeviceState) {
		update(func(tx *db.Tx) (err error) {
			_, state, err = device.People{}.Listed(tx, by.Account, by.Device)
			return err
		})
		return state
	}
	stands := func(when string, code wire.Code, state wire.DeviceState) {
		t.Helper()
		if got := reset(); got != code {
			t.Errorf("%s: %q, want %q", when, got, code)
		}
		if got := listed(); got != state {
			t.Errorf("%s: the device is listed as %q, want %q", when, got, state)
		}
	}
	command := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	nobody := steward.By{} // but who owns the data directory
	stands("an administrator", "", wire.DeviceActive)
	command(s.SetAdmin(t.Context(), nobody, by.Account, false))
	stands("no longer one", wire.NotFound, wire.DeviceActive)
	command(s.SetAdmin(t.Context(), nobody, by.Account, true))
	stands("one again", "", wire.DeviceActive)
	command(s.Shut(t.Context(), nobody, by.Account))
	stands("shut", wire.NotFound, "")
	command(s.Open(t.Context(), nobody, by.Account))
	stands("opened", "", wire.DeviceActive)
}
