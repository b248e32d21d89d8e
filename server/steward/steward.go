// Package steward is what administrators do to the accounts of others: links to
// new passwords, shutting and opening, locking sessions, making administrators.
// The rules stand here once, for those who ask over the socket and for the
// command line of the server itself.
//
// Each act is one transaction, in which the asking administrator is looked at
// again: still active, still an administrator, and with a password shown of late.
// What others hear of it waits for the commit. docs/spec/sign-in.md.
package steward

import (
	"context"
	"errors"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/directory"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/wire"
)

// Config says what a Steward works with. All but Audit are required.
type Config struct {
	DB    *db.DB
	Hub   *hub.Hub
	Audit *audit.Log
	Now   func() time.Time
}

// Steward does to accounts what administrators ask for.
type Steward struct{ cfg Config }

// New checks cfg.
func New(cfg Config) (*Steward, error) {
	if cfg.DB == nil || cfg.Hub == nil || cfg.Now == nil {
		return nil, errors.New("steward: DB, Hub and Now are required")
	}
	return &Steward{cfg}, nil
}

// By is who asks: an administrator's device, or, zero, who owns the data directory.
type By struct{ authz.Actor }

func (b By) command() bool { return b.Account.IsZero() }

// errProve is the refusal of an act for which the password is to be shown first.
var errProve = wire.Refuse(wire.ProveFirst, "show the password first")

// may is authz.ErrDenied for who is no administrator (any more), and ProveFirst
// for who has not shown the password of late.
func (s *Steward) may(tx *db.Tx, by By, do authz.Action, to wire.AccountID) error {
	if by.command() {
		return nil
	}
	if err := authz.Check(by.Actor, do, authz.AccountOf(to)); err != nil {
		return err
	}
	active, err := device.Active(tx, by.Account, by.Device)
	if err != nil {
		return err
	}
	a, err := account.Get(tx, by.Account)
	if err != nil {
		return err
	}
	if !active || !a.Admin {
		return authz.ErrDenied
	}
	switch proved, err := device.Proved(tx, by.Device, s.cfg.Now()); {
	case err != nil:
		return err
	case !proved:
		return errProve
	}
	return nil
}

// act does one thing to one account, if the asker may, and writes down that it
// was done. Do reports whether it changed anything.
func (s *Steward) act(ctx context.Context, by By, action authz.Action, to wire.AccountID, e audit.Entry, do func(tx *db.Tx) (bool, error)) error {
	e.Account, e.By, e.Command = to, by.Account, by.command()
	err := s.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		if err := s.may(tx, by, action, to); err != nil {
			return err
		}
		changed, err := do(tx)
		if err == nil && changed {
			tx.OnCommit(func() { s.cfg.Audit.Record(e) })
		}
		return err
	})
	if errors.Is(err, errProve) {
		s.cfg.Audit.Record(audit.Entry{Kind: audit.ProofMissing, Account: by.Account, Device: by.Device, What: string(action)})
	}
	return err
}

// Reset makes the link by which a person gives themselves another password.
func (s *Steward) Reset(ctx context.Context, by By, to wire.AccountID) (link wire.ResetLink, err error) {
	err = s.act(ctx, by, authz.AccountReset, to, audit.Entry{Kind: audit.ResetMade}, func(tx *db.Tx) (bool, error) {
		t, expires, change, err := account.NewReset(tx, to, by.Account, s.cfg.Now())
		if err != nil {
			return false, err
		}
		link = wire.ResetLink{Token: t.Secret(), Expires: expires}
		tx.OnCommit(func() { hub.Tell(s.cfg.Hub, hub.Account(to), wire.OnPassword, change) })
		return true, nil
	})
	return link, err
}

// Shut has nobody sign in to an account any more, and ends its connections.
func (s *Steward) Shut(ctx context.Context, by By, to wire.AccountID) error {
	return s.act(ctx, by, authz.AccountShut, to, audit.Entry{Kind: audit.AccountShut}, func(tx *db.Tx) (bool, error) {
		changed, err := account.Shut(tx, to, s.cfg.Now())
		if err != nil || !changed {
			return false, err
		}
		return true, s.moved(tx, to, true)
	})
}

// Open takes Shut back.
func (s *Steward) Open(ctx context.Context, by By, to wire.AccountID) error {
	return s.act(ctx, by, authz.AccountOpen, to, audit.Entry{Kind: audit.AccountOpened}, func(tx *db.Tx) (bool, error) {
		changed, err := account.Open(tx, to)
		if err != nil || !changed {
			return false, err
		}
		return true, s.moved(tx, to, false)
	})
}

// moved has everybody hear how an account stands that was shut or opened, and
// with end its connections end.
func (s *Steward) moved(tx *db.Tx, to wire.AccountID, end bool) error {
	devices, err := device.Moved(tx, to)
	if err != nil {
		return err
	}
	if end {
		s.end(tx, to, devices, wire.Unauthenticated)
	}
	return s.tell(tx, to)
}

// end closes the connections of devices after the commit.
func (s *Steward) end(tx *db.Tx, of wire.AccountID, devices []wire.DeviceID, why wire.Code) {
	tx.OnCommit(func() {
		for _, d := range devices {
			s.cfg.Hub.End(of, d, why)
		}
	})
}

// tell has everybody hear how an account stands.
func (s *Steward) tell(tx *db.Tx, of wire.AccountID) error {
	p, err := directory.PersonOf(tx, of)
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		p.Online = s.cfg.Hub.Online(of)
		hub.Tell(s.cfg.Hub, hub.Everyone(), wire.OnAccount, wire.AccountChange{Person: p})
	})
	return nil
}

// SignOut has every device of a person show the password before it goes on.
func (s *Steward) SignOut(ctx context.Context, by By, to wire.AccountID) error {
	return s.act(ctx, by, authz.AccountSignOut, to, audit.Entry{Kind: audit.SessionLocked, Why: "administrator"}, func(tx *db.Tx) (bool, error) {
		if _, err := account.Get(tx, to); err != nil {
			return false, err
		}
		devices, err := device.Lock(tx, to)
		if err != nil {
			return false, err
		}
		s.end(tx, to, devices, wire.Unauthenticated)
		return true, nil
	})
}

// SetAdmin makes a person an administrator, or no longer one. Their connections
// end, and come back with the rights that they have then.
func (s *Steward) SetAdmin(ctx context.Context, by By, to wire.AccountID, admin bool) error {
	kind := audit.AdminMade
	if !admin {
		kind = audit.AdminTaken
	}
	return s.act(ctx, by, authz.AccountAdmin, to, audit.Entry{Kind: kind}, func(tx *db.Tx) (bool, error) {
		changed, err := account.SetAdmin(tx, to, admin)
		if err != nil || !changed {
			return false, err
		}
		devices, err := device.Moved(tx, to)
		if err != nil {
			return false, err
		}
		s.end(tx, to, devices, wire.Cancelled)
		return true, s.tell(tx, to)
	})
}

// Named returns the account of a name, for the command line.
func (s *Steward) Named(ctx context.Context, name string) (id wire.AccountID, err error) {
	err = s.cfg.DB.View(ctx, func(tx *db.Tx) error {
		a, err := account.Named(tx, name)
		id = a.ID
		return err
	})
	return id, err
}
