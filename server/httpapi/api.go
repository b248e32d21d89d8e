package httpapi

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/session"
	"github.com/veche-im/veche/wire"
)

const (
	maxRequests  = 512    // at work at a time; more are told to come back
	maxTransfers = 2048   // files on their way at a time, counted apart because slow peers hold them long
	maxSockets   = 50_000 // connected devices of one node

	// networkPages is how many of the places for files of the web app one network
	// has: over HTTP/2 a stranger with a few connections could take them all, and
	// keep them by reading slowly.
	networkPages = maxTransfers / 4

	// Of one device at a time, so that none takes the places of all others. A
	// connection whose network is gone counts until that is noticed.
	deviceSockets   = 20
	deviceTransfers = 64
)

// Config says what an API works with. Everything is required but Web, CA and Observe.
type Config struct {
	DB       *db.DB
	Hub      *hub.Hub
	Accounts *account.Accounts
	Sessions *session.Sessions
	Limit    *limit.Limiter
	Blobs    *blob.Store
	Log      *slog.Logger
	Now      func() time.Time
	Age      func() time.Time // the moment by which sessions that nobody used are over; nil means Now
	Version  string
	Contact  string  // where faults of security are reported, for security.txt; empty: it is not served
	Proxies  Proxies // that are believed for whom they ask; empty: nobody is
	Web      fs.FS   // the web app as built; nil serves a page that says it is missing
	CA       []byte  // DER of the site's certificate authority, for people to install; nil without one

	// SessionMax is how long after the password was shown a session is locked, until
	// it is shown again; 0 for never.
	SessionMax time.Duration
	// Audit hears what happens at the doors; it may be nil.
	Audit *audit.Log

	// Observe is told of each request when it is answered, with the pattern of
	// its route. For metrics: it must not block.
	Observe func(route string, status int, took time.Duration)
}

// API is the plain HTTP of a site.
type API struct {
	cfg                    Config
	routes                 []route
	web                    *web
	requests               chan struct{}
	transfers              chan struct{}
	pages                  chan struct{} // the same for files of the web app, for which nobody signs in
	sockets                atomic.Int64
	ofSockets, ofTransfers crowd[wire.DeviceID]
	ofPages                crowd[netip.Prefix]
	draining               atomic.Bool
	outliving              sync.Mutex     // Drain begins, or serving is added to
	serving                sync.WaitGroup // sockets
}

// New checks cfg.
func New(cfg Config) (*API, error) {
	if cfg.DB == nil || cfg.Hub == nil || cfg.Accounts == nil || cfg.Sessions == nil || cfg.Limit == nil || cfg.Blobs == nil || cfg.Log == nil || cfg.Now == nil {
		return nil, errors.New("httpapi: all but Web, CA and Observe are required")
	}
	if cfg.Age == nil {
		cfg.Age = cfg.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, int, time.Duration) {}
	}
	a := &API{
		cfg: cfg, web: newWeb(cfg.Web), requests: make(chan struct{}, maxRequests), transfers: make(chan struct{}, maxTransfers),
		pages: make(chan struct{}, maxTransfers),
	}
	a.routes = a.table()
	return a, nil
}

// Door says by which way requests come in.
type Door struct {
	// Local is plain http on this machine's loopback. Requests must name it by
	// a loopback host, so that no web site can reach it through a name of its
	// own that resolves to 127.0.0.1.
	Local bool
	// Strict has browsers use https alone for the site's name from now on, on all
	// its ports: for the https port that is the usual one, 443, where that is what
	// everybody means by the name. On another, somebody else may well speak http
	// under the same name.
	Strict bool
}

// Handler returns the handler of a door.
func (a *API) Handler(d Door) http.Handler {
	mux := http.NewServeMux()
	for _, r := range a.routes {
		mux.Handle(r.pattern, a.serve(d, r))
	}
	// The headers are set out here, so that answers of the mux's own (a wrong
	// method, a cleaned path) have them too.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if d.Strict {
			w.Header().Set("Strict-Transport-Security", strict)
		}
		hurry(w)
		mux.ServeHTTP(w, r)
	})
}

// Drain refuses new requests from now on and closes the sockets. It returns
// when nothing runs any more.
func (a *API) Drain() {
	a.outliving.Lock()
	a.draining.Store(true)
	a.outliving.Unlock()
	a.cfg.Sessions.End()
	a.serving.Wait()
}

// outlive has f go on when its request is over; Drain waits for it. A request that
// came when Drain had begun does it itself, and briefly: the sessions have ended.
func (a *API) outlive(f func()) {
	a.outliving.Lock()
	late := a.draining.Load()
	if !late {
		a.serving.Go(f)
	}
	a.outliving.Unlock()
	if late {
		f()
	}
}

// call is one request on its way.
type call struct {
	http.ResponseWriter
	r       *http.Request
	door    Door
	from    netip.Addr     // of the peer, or for whom a proxy asks
	session device.Session // zero without one
	token   device.Token
}

// actor says who asks, for authz.
func (c *call) actor() authz.Actor {
	return authz.Actor{Account: c.session.Account, Device: c.session.Device, State: c.session.State, Admin: c.session.Admin}
}

// serve wraps a route in what all share.
func (a *API) serve(d Door, r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		began := a.cfg.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				a.cfg.Log.Error("request panicked", "route", r.pattern, "err", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					refuse(rec, &wire.Error{Code: wire.Internal})
				}
			}
			a.cfg.Observe(r.pattern, rec.status, a.cfg.Now().Sub(began))
		}()
		c := &call{ResponseWriter: rec, r: req, door: d, from: a.cfg.Proxies.client(req)}
		if err := a.pass(c, r); err != nil {
			a.fail(c, r, err)
		}
	})
}

// pass admits a request and hands it to its route.
func (a *API) pass(c *call, r route) error {
	if c.door.Local && !Loopback(c.r.Host) {
		return errForbidden
	}
	if a.draining.Load() && r.action != authz.SiteRead {
		return &wire.Error{Code: wire.Busy, Text: "the server is going down", RetryAfter: 2000}
	}
	if err := sameSite(c.r, r); err != nil {
		return err
	}
	if err := deadlines(c, r); err != nil {
		return err
	}
	// Before who asks is looked up, which is what a flood would cost.
	if err := a.cfg.Limit.Allow(r.class, limit.Who{From: c.from}); err != nil {
		a.record(c, audit.Entry{Kind: audit.Limited, What: r.class.Name})
		return err
	}
	c.r.Body = http.MaxBytesReader(c.ResponseWriter, c.r.Body, r.max)
	slots := a.transfers
	if authz.Anonymous(r.action) {
		slots = a.pages
		if from := limit.Network(c.from); r.bytes {
			if !a.ofPages.enter(from, networkPages) {
				return &wire.Error{Code: wire.Busy, Text: "too many files at a time", RetryAfter: 2000}
			}
			defer a.ofPages.leave(from)
		}
	}
	if !r.bytes {
		slots = a.requests
		// A slow body is waited for before the request takes anybody's place.
		b, err := io.ReadAll(c.r.Body)
		if err != nil {
			return unread(err)
		}
		c.r.Body = io.NopCloser(bytes.NewReader(b))
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	default:
		return &wire.Error{Code: wire.Busy, RetryAfter: 2000}
	}
	if !authz.Anonymous(r.action) {
		if err := a.authenticate(c, r.locked); err != nil {
			return err
		}
	}
	if !authz.Arrive(c.actor(), r.action) {
		return authz.ErrDenied
	}
	if !authz.Anonymous(r.action) {
		if err := a.cfg.Limit.Allow(r.class, limit.Who{Account: c.session.Account}); err != nil {
			a.record(c, audit.Entry{Kind: audit.Limited, Account: c.session.Account, Device: c.session.Device, What: r.class.Name})
			return err
		}
	}
	defer AtWork(c.r.Context())()
	if r.bytes && !authz.Anonymous(r.action) {
		if !a.ofTransfers.enter(c.session.Device, deviceTransfers) {
			return &wire.Error{Code: wire.Busy, Text: "too many files at a time", RetryAfter: 2000}
		}
		defer a.ofTransfers.leave(c.session.Device)
	}
	return r.handle(c)
}

// unread says what became of a body that could not be read.
func unread(err error) error {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return wire.Refuse(wire.TooLarge, "at most %d bytes", tooBig.Limit)
	}
	return wire.Refuse(wire.BadRequest, "the body broke off")
}

// fail answers with what err allows the peer to learn.
func (a *API) fail(c *call, r route, err error) {
	a.note(c, r, err)
	if err == errForbidden {
		http.Error(c, "this request did not come from here", http.StatusForbidden)
		return
	}
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		err = unread(err)
	}
	e := session.Spread(session.ErrorOf(err))
	if e.Code == wire.Internal {
		a.cfg.Log.Error("request failed", "route", r.pattern, "err", err)
	}
	if r.bytes && e.Code == wire.Unauthenticated {
		c.Header().Set("Connection", "close") // else the rest of a slow body would be waited for
	}
	refuse(c, e)
}

// note writes down what was refused for lack of right.
func (a *API) note(c *call, r route, err error) {
	e := audit.Entry{Account: c.session.Account, Device: c.session.Device, What: r.pattern}
	switch {
	case err == errForbidden:
		e.Kind = audit.FromElsewhere
	case errors.Is(err, errNoSession) && shownToken(c) != "":
		e.Kind = audit.SessionRefused
	case !errors.Is(err, authz.ErrDenied), errors.As(err, new(*account.Refusal)): // which is written down where it is known for what
		return
	case r.class == limit.Link || r.class == limit.Enter:
		e.Kind = audit.LinkRefused
	case !authz.Anonymous(r.action):
		e.Kind = audit.Denied
	default:
		return // no such page
	}
	a.record(c, e)
}

// errNoSession is the refusal of who shows no session that stands.
var errNoSession = wire.Refuse(wire.Unauthenticated, "sign in first")

// authenticate finds the session by the token that the request shows; with locked
// also one that waits for the password.
func (a *API) authenticate(c *call, locked bool) error {
	t, ok := device.ParseToken(shownToken(c))
	if !ok {
		return errNoSession
	}
	var found bool
	var session device.Session
	err := a.cfg.DB.View(c.r.Context(), func(tx *db.Tx) (err error) {
		session, found, err = device.SessionOf(tx, t, a.cfg.Now(), device.Term{Age: a.cfg.Age(), Max: a.cfg.SessionMax})
		return err
	})
	if err != nil {
		return err
	}
	if !found || session.State == wire.DeviceRevoked || session.Locked && !locked {
		return errNoSession
	}
	c.session, c.token = session, t
	if c.session.Stale {
		err := a.cfg.DB.Update(c.r.Context(), func(tx *db.Tx) error { return device.Touch(tx, c.session.Device, a.cfg.Now()) })
		if err != nil && !errors.Is(err, db.ErrNoSpace) && !errors.Is(err, db.ErrBusy) {
			return err
		}
		// With a full disk one may still read; it is noted another time.
	}
	return nil
}

func shownToken(c *call) string {
	if h := c.r.Header.Get("Authorization"); h != "" {
		token, ok := strings.CutPrefix(h, "Bearer ")
		if !ok {
			return ""
		}
		return token
	}
	if cookie, err := c.r.Cookie(c.cookieName()); err == nil {
		return cookie.Value
	}
	return ""
}

// Loopback reports whether host, with or without port, names this machine.
func Loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// recorder remembers the status for metrics.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	if h := r.Header(); h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store") // http.Error takes it away, as ServeContent does for a bad range
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is http.ResponseController's.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Unwrap is http.ResponseController's.
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }
