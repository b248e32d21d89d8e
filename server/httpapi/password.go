package httpapi

import (
	"errors"
	"net/http"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/session"
	"github.com/veche-im/veche/wire"
)

// changePassword gives the account of the session another password.
func (a *API) changePassword(c *call, p wire.ChangePassword) (wire.PasswordChange, error) {
	s := c.session
	done, err := a.cfg.Accounts.Change(c.r.Context(), a.shown(c, p.Old), p.New, func(tx *db.Tx, who account.Account, change wire.PasswordChange) error {
		if err := stillActive(tx, s); err != nil {
			return err
		}
		if err := a.turnAway(c, tx, who.ID, s.Device); err != nil {
			return err
		}
		tx.OnCommit(func() {
			a.record(c, audit.Entry{Kind: audit.PasswordChanged, Account: who.ID, Device: s.Device})
			hub.Tell(a.cfg.Hub, hub.Account(who.ID).ButDevice(s.Device), wire.OnPassword, change)
		})
		return device.Prove(tx, s.Device, a.cfg.Now())
	})
	if err != nil {
		a.refused(c, audit.PasswordRefused, err)
		return done, err
	}
	if c.r.Header.Get("Authorization") == "" { // it came with the cookie
		a.remember(c, s.Account)
	}
	return done, nil
}

// turnAway ends the devices that wait to be let in, whose password is another
// now, but for the one that asks.
func (a *API) turnAway(c *call, tx *db.Tx, of wire.AccountID, but wire.DeviceID) error {
	gone, err := device.TurnAway(tx, of, but)
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		for _, d := range gone {
			session.TurnedAway(a.cfg.Hub, a.cfg.Audit, of, d, c.from)
		}
	})
	return nil
}

// stillActive is authz.ErrDenied when the device was revoked since the request
// arrived.
func stillActive(tx *db.Tx, s device.Session) error {
	ok, err := device.Active(tx, s.Account, s.Device)
	if err == nil && !ok {
		return authz.ErrDenied
	}
	return err
}

// prove notes that who has the session has the password, which unlocks it.
func (a *API) prove(c *call, p wire.Prove) (wire.SignedIn, error) {
	s := c.session
	if !p.Device.IsZero() && p.Device != s.Device {
		return wire.SignedIn{}, errNoSession
	}
	err := a.cfg.Accounts.Prove(c.r.Context(), a.shown(c, p.Password), func(tx *db.Tx, _ account.Account) error {
		switch d, err := device.Get(tx, s.Account, s.Device); {
		case err != nil:
			return err
		case d.State == wire.DeviceRevoked:
			return authz.ErrDenied
		}
		tx.OnCommit(func() { a.record(c, audit.Entry{Kind: audit.Proved, Account: s.Account, Device: s.Device}) })
		return device.Prove(tx, s.Device, a.cfg.Now())
	})
	if err != nil {
		a.refused(c, audit.ProofRefused, err)
		return wire.SignedIn{}, err
	}
	return a.whoami(c)
}

// shown is a password that somebody shows who has a session.
func (a *API) shown(c *call, password string) account.Shown {
	return account.Shown{Account: c.session.Account, Device: c.session.Device, Password: password, From: c.from}
}

// reset gives an account another password by a link, and lets its person in: on
// the device that they have, if they show its session along, or else on a new one.
func (a *API) reset(c *call, p wire.Reset) (wire.SignedIn, error) {
	var has device.Session
	if err := a.authenticate(c, true); err == nil && c.session.Device == p.Keep {
		has = c.session
	}
	var opened device.Opened
	kept := false
	who, change, err := a.cfg.Accounts.Reset(c.r.Context(), p.Token, p.Password, func(tx *db.Tx, who account.Account) (id wire.DeviceID, err error) {
		if kept = has.Account == who.ID; kept {
			tx.OnCommit(func() { a.record(c, audit.Entry{Kind: audit.PasswordReset, Account: who.ID, Device: has.Device}) })
			id, err = has.Device, device.Prove(tx, has.Device, a.cfg.Now())
		} else {
			opened, err = a.open(c, tx, audit.PasswordReset, who, p.Device, nil)
			id = opened.Device
		}
		if err != nil {
			return id, err
		}
		return id, a.turnAway(c, tx, who.ID, id)
	})
	if err != nil {
		return wire.SignedIn{}, err
	}
	hub.Tell(a.cfg.Hub, hub.Account(who.ID).ButDevice(change.Device), wire.OnPassword, change)
	if !kept {
		return a.welcome(c, who, opened, p.Cookie), nil
	}
	if p.Cookie {
		a.remember(c, who.ID)
	}
	return a.whoami(c)
}

// record writes an event down that a request has brought about.
func (a *API) record(c *call, e audit.Entry) {
	e.From = c.from
	a.cfg.Audit.Record(e)
}

// refused writes down that a password or a link was refused, if that is what err
// says.
func (a *API) refused(c *call, kind audit.Kind, err error) {
	var r *account.Refusal
	switch {
	case errors.As(err, &r):
		a.record(c, audit.Entry{Kind: kind, Account: r.Account, Device: c.session.Device, Why: r.Why})
	case wire.CodeOf(err) == wire.Guessable:
		a.record(c, audit.Entry{Kind: kind, Account: c.session.Account, Device: c.session.Device, Why: "guessable"})
	}
}

// remember has a browser keep that somebody was signed in there.
func (a *API) remember(c *call, id wire.AccountID) {
	known, err := a.cfg.Accounts.Remember(c.r.Context(), id)
	if err != nil { // what they asked for is done, which is what counts
		a.cfg.Log.Error("remember a browser", "err", err)
		return
	}
	http.SetCookie(c, c.cookie(wire.CookieKnown, known, cookieAge))
}

// known is what Remember gave the browser, empty for none.
func (c *call) known() string {
	if k, err := c.r.Cookie(c.cookieName() + wire.CookieKnown); err == nil {
		return k.Value
	}
	return ""
}
