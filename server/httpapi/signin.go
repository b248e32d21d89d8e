package httpapi

import (
	"net/http"
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

// cookieAge is how long a browser keeps the session's cookie: as long as
// browsers do. The session itself ends earlier when nobody uses it.
const cookieAge = 400 * 24 * time.Hour

func (a *API) site(c *call) (s wire.Site, err error) {
	s.Version = a.cfg.Version
	err = a.cfg.DB.View(c.r.Context(), func(tx *db.Tx) (err error) {
		if s.Ready, err = account.Anyone(tx); err != nil {
			return err
		}
		s.Org, err = account.Org(tx)
		return err
	})
	return s, err
}

func (a *API) link(c *call, p wire.Link) (info wire.LinkInfo, err error) {
	t, err := account.ParseToken(p.Token)
	if err != nil {
		return info, err
	}
	err = a.cfg.DB.View(c.r.Context(), func(tx *db.Tx) error {
		info, err = account.LinkInfoOf(tx, t, a.cfg.Now())
		return err
	})
	return info, err
}

func (a *API) setup(c *call, p wire.SignUp) (wire.SignedIn, error) {
	return a.let(c, audit.SignedUp, p.Device, nil, p.Cookie, func(and account.And) (account.Account, error) {
		return a.cfg.Accounts.SetUp(c.r.Context(), p.Token, p.Org, p.Name, p.Password, a.announced(and))
	})
}

func (a *API) signup(c *call, p wire.SignUp) (wire.SignedIn, error) {
	if p.Org != "" {
		return wire.SignedIn{}, wire.Refuse(wire.BadRequest, "only the first person names the organisation")
	}
	return a.let(c, audit.SignedUp, p.Device, nil, p.Cookie, func(and account.And) (account.Account, error) {
		return a.cfg.Accounts.SignUp(c.r.Context(), p.Token, p.Name, p.Password, a.announced(and))
	})
}

func (a *API) signin(c *call, p wire.SignIn) (wire.SignedIn, error) {
	in, err := a.let(c, audit.SignedIn, p.Device, p.Again, p.Cookie, func(and account.And) (account.Account, error) {
		t := account.Try{Name: p.Name, Password: p.Password, From: c.from, Known: c.known()}
		return a.cfg.Accounts.SignIn(c.r.Context(), t, and)
	})
	a.refused(c, audit.SignInRefused, err)
	return in, err
}

// announced is and, after which everybody hears that somebody new is here.
func (a *API) announced(and account.And) account.And {
	return func(tx *db.Tx, who account.Account) error {
		if err := and(tx, who); err != nil {
			return err
		}
		p, err := directory.PersonOf(tx, who.ID)
		if err != nil {
			return err
		}
		tx.OnCommit(func() {
			hub.Tell(a.cfg.Hub, hub.Everyone(), wire.OnAccount, wire.AccountChange{Person: p})
		})
		return nil
	}
}

// let lets somebody in by enter, with a new device, or the one that a restored
// site has lost, and its session, all in one transaction.
func (a *API) let(c *call, kind audit.Kind, deviceName string, again *wire.Again, cookie bool, enter func(account.And) (account.Account, error)) (wire.SignedIn, error) {
	var opened device.Opened
	who, err := enter(func(tx *db.Tx, who account.Account) (err error) {
		opened, err = a.open(c, tx, kind, who, deviceName, again)
		return err
	})
	if err != nil {
		return wire.SignedIn{}, err
	}
	return a.welcome(c, who, opened, cookie), nil
}

// open makes a device of somebody who comes in, or takes the one that a restored
// site has lost, with its session.
func (a *API) open(c *call, tx *db.Tx, kind audit.Kind, who account.Account, deviceName string, again *wire.Again) (device.Opened, error) {
	opened, err := a.openDevice(tx, who.ID, deviceName, again)
	if err != nil {
		return opened, err
	}
	tx.OnCommit(func() {
		a.record(c, audit.Entry{Kind: kind, Account: who.ID, Device: opened.Device})
		for _, d := range opened.Dropped {
			a.record(c, audit.Entry{Kind: audit.SessionEnded, Account: who.ID, Device: d, Why: "replaced"})
			a.cfg.Hub.End(who.ID, d, wire.Unauthenticated)
		}
	})
	return opened, nil
}

// welcome gives somebody the session that was opened for them.
func (a *API) welcome(c *call, who account.Account, opened device.Opened, cookie bool) wire.SignedIn {
	res := wire.SignedIn{Account: who.ID, Device: opened.Device, State: opened.State, Name: who.Name}
	if !cookie {
		res.Token = opened.Token.Secret()
		return res
	}
	http.SetCookie(c, c.cookie("", opened.Token.Secret(), cookieAge))
	a.remember(c, who.ID)
	return res
}

func (a *API) openDevice(tx *db.Tx, who wire.AccountID, name string, again *wire.Again) (device.Opened, error) {
	if again != nil {
		life, err := account.LifeOf(tx)
		if err != nil {
			return device.Opened{}, err
		}
		if life.Began != 0 {
			if o, ok, err := device.OpenAgain(tx, who, name, *again, a.cfg.Now()); err != nil || ok {
				return o, err
			}
		}
	}
	return device.Open(tx, who, name, a.cfg.Now())
}

func (a *API) whoami(c *call) (wire.SignedIn, error) {
	s := c.session
	return wire.SignedIn{Account: s.Account, Device: s.Device, State: s.State, Name: s.Name}, nil
}

func (a *API) signout(c *call) (nothing, error) {
	s := c.session
	err := a.cfg.DB.Update(c.r.Context(), func(tx *db.Tx) error {
		tx.OnCommit(func() {
			a.record(c, audit.Entry{Kind: audit.SignedOut, Account: s.Account, Device: s.Device})
			a.cfg.Hub.End(s.Account, s.Device, wire.Unauthenticated)
		})
		return device.Close(tx, s.Device)
	})
	if err == nil {
		http.SetCookie(c, c.cookie("", "", -time.Second))
	}
	return nothing{}, err
}

func (c *call) cookieName() string {
	if c.door.Local {
		return wire.CookieLocal
	}
	return wire.CookieName
}

// cookie makes the session's cookie, or with a suffix the other one.
func (c *call) cookie(suffix, value string, age time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: c.cookieName() + suffix, Value: value, Path: "/", MaxAge: int(age.Seconds()),
		Secure: !c.door.Local, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// pathCA is where people's devices get the certificate authority to install.
const pathCA = "/ca.crt"

// authority gives the site's certificate authority. Whoever installs it compares
// the fingerprint first: over a connection that nobody vouches for yet, anybody
// could have answered.
func (a *API) authority(c *call) error {
	if a.cfg.CA == nil {
		return authz.ErrDenied
	}
	c.Header().Set("Content-Type", "application/x-x509-ca-cert")
	c.Header().Set("Content-Disposition", `attachment; filename="veche-ca.crt"`)
	_, _ = c.Write(a.cfg.CA)
	return nil
}

func (a *API) healthy(c *call) error {
	_, _ = c.Write([]byte("ok\n"))
	return nil
}

// ready says whether requests are served: not while going down, and only with a
// database that answers.
func (a *API) ready(c *call) error {
	if a.draining.Load() {
		return &wire.Error{Code: wire.Busy, Text: "the server is going down", RetryAfter: 2000}
	}
	err := a.cfg.DB.View(c.r.Context(), func(tx *db.Tx) error {
		_, err := account.Anyone(tx)
		return err
	})
	if err != nil {
		return err
	}
	_, _ = c.Write([]byte("ready\n"))
	return nil
}
