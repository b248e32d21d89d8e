package session

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
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/steward"
	"github.com/veche-im/veche/wire"
)

// Who asks is looked up before the hub knows of the connection. What is done to the
// session or the account in between nobody tells the connection of, and it holds all
// the same; as does what is done just after.
func TestWhatChangesWhileAConnectionIsMadeHolds(t *testing.T) {
	probe := wire.Method[wire.None, wire.None]{Name: "test.admin", Max: 100}
	nobody := steward.By{} // the command line
	type rig struct {
		db     *db.DB
		hub    *hub.Hub
		s      *steward.Steward
		who    account.Account
		opened device.Opened
	}
	for _, tt := range []struct {
		name  string
		admin bool // before
		do    func(ctx context.Context, r *rig) error
		ends  bool // or else the rights are others
	}{
		{"an administrator's rights are taken", true, func(ctx context.Context, r *rig) error { return r.s.SetAdmin(ctx, nobody, r.who.ID, false) }, false},
		{"somebody is made an administrator", false, func(ctx context.Context, r *rig) error { return r.s.SetAdmin(ctx, nobody, r.who.ID, true) }, false},
		{"the account is shut", false, func(ctx context.Context, r *rig) error { return r.s.Shut(ctx, nobody, r.who.ID) }, true},
		{"the person is signed out everywhere", false, func(ctx context.Context, r *rig) error { return r.s.SignOut(ctx, nobody, r.who.ID) }, true},
		{"the device signs out", false, func(ctx context.Context, r *rig) error {
			return r.db.Update(ctx, func(tx *db.Tx) error {
				tx.OnCommit(func() { r.hub.End(r.who.ID, r.opened.Device, wire.Unauthenticated) })
				return device.Close(tx, r.opened.Device)
			})
		}, true},
	} {
		for _, known := range []bool{false, true} { // whether the hub knows of the connection when it is done
			name := tt.name + " before the hub knows"
			if known {
				name = tt.name + " when the hub knows"
			}
			t.Run(name, func(t *testing.T) {
				store, err := db.Open(t.Context(), db.Config{Path: filepath.Join(t.TempDir(), "veche.db"), Log: slog.New(slog.DiscardHandler),
					Schemas: []db.Schema{account.Schema, device.Schema}})
				if err != nil {
					t.Fatal(err)
				}
				defer store.Close()
				r := &rig{db: store, hub: hub.New()}
				if r.s, err = steward.New(steward.Config{DB: store, Hub: r.hub, Now: time.Now}); err != nil {
					t.Fatal(err)
				}
				err = store.Update(t.Context(), func(tx *db.Tx) error {
					for _, name := range []string{"Olga", "Ann"} { // one stays an administrator
						n, err := account.ParseName(name)
						if err != nil {
							return err
						}
						if r.who, err = account.Create(tx, n, "", name == "Olga" || tt.admin, time.Now()); err != nil {
							return err
						}
					}
					r.opened, err = device.Open(tx, r.who.ID, "phone", time.Now())
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				do := func() {
					if err := tt.do(t.Context(), r); err != nil {
						t.Error(err)
					}
				}
				table := NewTable()
				Reads(table, probe, authz.InviteCreate, limit.Ask, func(context.Context, *Actor, wire.None) (none wire.None, err error) { return none, nil })
				deps := Deps{DB: store, Hub: r.hub, Log: slog.New(slog.DiscardHandler), Now: time.Now}
				s, err := New(Config{
					Table: table, Hub: r.hub, Limit: limit.New(time.Now), Log: deps.Log, Now: time.Now, Hello: HelloOf(deps),
					RoomsOf: func(context.Context, wire.AccountID) ([]wire.RoomID, error) { // which the hub asks once it knows
						if known {
							do()
						}
						return nil, nil
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				// As it stood when the request came; active, as administrators are.
				as := Actor{Actor: authz.Actor{Account: r.who.ID, Device: r.opened.Device, State: wire.DeviceActive, Admin: tt.admin}, Name: r.who.Name}
				if !known {
					do()
				}
				p := newPipe()
				served := make(chan struct{})
				go func() { s.Serve(t.Context(), p, as); close(served) }()
				if tt.ends || known {
					why := Ended
					if !tt.ends {
						why = GoingAway // it comes back, with other rights
					}
					for over := false; !over; {
						select {
						case <-p.out: // a hello, perhaps
						case <-served:
							over = true
						case <-time.After(time.Minute):
							t.Fatal("it goes on")
						}
					}
					if p.reason() != why || r.hub.Len() != 0 {
						t.Errorf("closed with %d, %d are left", p.reason(), r.hub.Len())
					}
					return
				}
				var h wire.Hello
				if err := wire.Decode(p.take(t).Body, &h); err != nil || h.Admin == tt.admin {
					t.Errorf("hello says %t: %v", h.Admin, err)
				}
				r.hub.Become(r.who.ID, r.opened.Device, wire.DeviceActive)
				p.ask(t, 1, probe.Name, wire.None{})
				if f := p.take(t); (f.Error == nil) == tt.admin {
					t.Errorf("what administrators do is answered %v", f.Error)
				}
				p.Close(0, "")
				<-served
			})
		}
	}
}
