package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/server/age"
	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/call"
	"github.com/veche-im/veche/server/cert"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/httpapi"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/server/session"
	"github.com/veche-im/veche/server/steward"
	"github.com/veche-im/veche/wire"
)

const (
	drainTimeout  = 10 * time.Second
	sweepEvery    = time.Hour
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
)

// schemas lists the tables of all nouns, in order of dependency.
func schemas() []db.Schema {
	return []db.Schema{age.Schema, account.Schema, device.Schema, room.Schema, blob.Schema, call.Schema}
}

// Server is one site.
type Server struct {
	cfg       Config
	data      *dataDir
	listeners listeners
	db        *db.DB
	age       *age.Clock
	hub       *hub.Hub
	audit     *audit.Log
	steward   *steward.Steward
	limit     *limit.Limiter
	blobs     *blob.Store
	rooms     *room.Rooms
	calls     *call.Calls
	certs     *cert.Authority
	api       *httpapi.API
	admin     *admin.Server
	metrics   *metrics
	fatal     chan error
	once      sync.Once    // of close
	damage    atomic.Int64 // how often damage of the database was met
}

type listeners struct {
	https, http, metrics net.Listener // the last two may be nil
}

// New opens a site: its data directory, which is made if missing, and its
// ports. If anything is in the way it returns one sentence that says what, and
// has changed nothing.
func New(ctx context.Context, cfg Config) (s *Server, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s = &Server{cfg: cfg, fatal: make(chan error, 1)}
	defer func(opened *Server) { // s is nil where an error is returned
		if err != nil {
			_ = opened.close()
		}
	}(s)
	// A directory that is there is locked first: that another server runs on it
	// explains a busy port better than the port does.
	exists, err := look(cfg.Data)
	if err != nil {
		return nil, err
	}
	if exists {
		if s.data, err = openData(cfg.Data); err != nil {
			return nil, err
		}
	}
	if s.listeners, err = listen(cfg); err != nil {
		return nil, err
	}
	if s.data == nil {
		if s.data, err = openData(cfg.Data); err != nil {
			return nil, err
		}
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// listen takes the ports.
func listen(cfg Config) (l listeners, err error) {
	if l.https, err = net.Listen("tcp", cfg.HTTPS); err != nil {
		return l, busy(cfg.HTTPS, err)
	}
	if cfg.HTTP != off {
		if l.http, err = net.Listen("tcp", cfg.HTTP); err != nil {
			return l, busy(cfg.HTTP, err)
		}
	}
	if cfg.Metrics == off {
		return l, nil
	}
	address := cfg.Metrics
	if address == "" {
		address = DefaultMetrics
	}
	if l.metrics, err = net.Listen("tcp", address); err != nil {
		if cfg.Metrics != "" {
			return l, busy(address, err)
		}
		cfg.Log.Info("no metrics: their usual port is taken", "address", address, "err", err)
	}
	return l, nil
}

func busy(address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %s is in use by another program; stop it or choose another address: %w", address, err)
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
}

// open opens what is in the data directory and puts the nouns together.
func (s *Server) open(ctx context.Context) (err error) {
	log := s.cfg.Log
	if s.db, err = openDB(ctx, s.data, log, s.die, func(error) { s.damage.Add(1) }); err != nil {
		return err
	}
	if err := s.db.Update(ctx, account.EnsureLife); err != nil {
		return err
	}
	if s.age, err = age.New(ctx, age.Config{DB: s.db, Now: s.cfg.Now, Uptime: s.cfg.Uptime}); err != nil {
		return err
	}
	s.hub = hub.New()
	s.audit = audit.New(log, s.cfg.Ticks)
	s.limit = limit.New(s.cfg.Ticks)
	s.metrics = newMetrics(s.hub, &s.damage)
	if s.blobs, err = blob.New(blob.Config{
		DB: s.db, Dir: s.data.file(blobName), Log: log, Now: s.cfg.Now, Max: s.cfg.Blob, Quota: s.cfg.Quota, Fatal: s.die, Believed: s.age.Sweep,
	}); err != nil {
		return err
	}
	if s.rooms, err = room.New(room.Config{
		DB: s.db, Hub: s.hub, People: device.People{}, Blobs: s.blobs, Log: log, Now: s.cfg.Now, Limit: s.limit, Believed: s.age.Sweep,
		Left: func(r wire.RoomID, a wire.AccountID, d wire.DeviceID) { s.calls.Left(r, a, d) },
	}); err != nil {
		return err
	}
	if s.calls, err = call.New(ctx, call.Config{
		DB: s.db, Hub: s.hub, Rooms: s.rooms, People: device.People{}, Limit: s.limit, Media: s.cfg.Media, Log: log, Now: s.cfg.Now, Size: s.cfg.CallSize,
	}); err != nil {
		return err
	}
	s.hub.OnEnd(s.calls.SessionOver)
	accounts, err := account.New(account.Config{DB: s.db, Now: s.cfg.Now, Cost: s.cfg.Cost})
	if err != nil {
		return err
	}
	names := []string{}
	if s.cfg.Host != "" {
		names = append(names, s.cfg.Host)
	}
	if s.certs, err = cert.Open(cert.Config{Dir: s.data.file(tlsName), Names: names, Now: s.cfg.Now, Log: log}); err != nil {
		return err
	}
	if s.steward, err = steward.New(steward.Config{DB: s.db, Hub: s.hub, Audit: s.audit, Now: s.cfg.Now}); err != nil {
		return err
	}
	sessions, err := s.sessions()
	if err != nil {
		return err
	}
	s.metrics.load(s, sessions)
	if s.api, err = httpapi.New(httpapi.Config{
		DB: s.db, Hub: s.hub, Accounts: accounts, Sessions: sessions, Blobs: s.blobs, Limit: s.limit, Log: log, Now: s.cfg.Now, Age: s.age.Now,
		Version: s.cfg.Version, Contact: s.cfg.Contact, Proxies: s.cfg.proxies, Web: s.cfg.Web, CA: s.certs.CA(), Observe: s.metrics.route,
		SessionMax: s.cfg.SessionMax, Audit: s.audit,
	}); err != nil {
		return err
	}
	s.admin, err = admin.New(admin.Config{Dir: s.data.path, DB: s.db, Log: log, Now: s.cfg.Now, Base: s.URL, State: s.state, Steward: s.steward, Audit: s.audit, Backup: s.backup, Check: s.check})
	return err
}

func openDB(ctx context.Context, d *dataDir, log *slog.Logger, fatal, damage func(error)) (*db.DB, error) {
	return db.Open(ctx, db.Config{Path: d.file(dbName), Schemas: schemas(), Log: log, Fatal: fatal, Damage: damage})
}

// sessions registers the methods of all nouns.
func (s *Server) sessions() (*session.Sessions, error) {
	deps := session.Deps{DB: s.db, Hub: s.hub, Log: s.cfg.Log, Now: s.cfg.Now, Caps: wire.Caps{Blob: s.cfg.Blob, Quota: s.cfg.Quota}, Calls: s.calls.On(), Audit: s.audit, Address: s.URL}
	t := session.NewTable()
	session.SiteMethods(t, deps)
	session.DirectoryMethods(t, deps)
	session.DeviceMethods(t, deps)
	session.KeyMethods(t, deps)
	session.AccountMethods(t, s.steward)
	session.RoomMethods(t, s.rooms)
	session.CallMethods(t, s.calls)
	return session.New(session.Config{
		Table: t, Hub: s.hub, Limit: s.limit, Log: s.cfg.Log, Now: s.cfg.Now,
		RoomsOf: s.rooms.Of, Hello: session.HelloOf(deps), Observe: s.metrics.request, Audit: s.audit,
	})
}

// state is what "veche doctor" examines.
func (s *Server) state() admin.State {
	st := admin.State{Site: s.URL(), Version: s.cfg.Version, CA: s.certs.CA(), Damage: s.damage.Load()}
	if s.cfg.MediaAt != nil {
		m := s.cfg.MediaAt()
		st.Media = &m
	}
	return st
}

// URL is where people reach the site.
func (s *Server) URL() string { return siteURL(s.cfg.Host, s.listeners.https.Addr()) }

// die is what the disk's failure calls.
func (s *Server) die(err error) {
	if s.cfg.Fatal != nil {
		s.cfg.Fatal(err)
	}
	select {
	case s.fatal <- err:
	default: // one is enough
	}
}

// Run serves until ctx ends, then lets what has begun finish and returns nil.
// A disk that failed returns its error at once. A Server runs once.
func (s *Server) Run(ctx context.Context) error {
	defer s.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	info, err := s.info(ctx)
	if err != nil {
		return err
	}
	var tasks sync.WaitGroup
	nouns, stopNouns := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNouns()
	ended := make(chan error, 8)
	run := func(ctx context.Context, name string, f func(context.Context) error) {
		tasks.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				ended <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	run(nouns, "blobs", s.blobs.Run)
	run(nouns, "rooms", s.rooms.Run)
	run(nouns, "calls", s.calls.Run)
	run(nouns, "certificates", func(ctx context.Context) error { s.certs.Run(ctx); return nil })
	run(nouns, "sweep", s.sweep)
	run(nouns, "memory", s.calm)
	run(ctx, "admin socket", s.admin.Run)
	doors, sorter := s.serve(ctx, run)
	s.cfg.Started(info)
	s.cfg.Log.Info("started", "version", s.cfg.Version, "https", info.HTTPS, "data", s.cfg.Data)

	select {
	case <-ctx.Done():
	case err = <-ended:
	case err := <-s.fatal:
		return fmt.Errorf("ended, because the disk cannot be trusted: %w", err)
	}
	s.cfg.Log.Info("draining")
	cancel()
	s.drain(doors)
	sorter.end()
	stopNouns()
	tasks.Wait()
	s.cfg.Log.Info("stopped")
	return err
}

// serve starts the doors. The https port's connections pass the sorter first.
func (s *Server) serve(ctx context.Context, run func(context.Context, string, func(context.Context) error)) ([]*door, *sorter) {
	sorter := newSorter(s.listeners.https, s.certs.TLS(), s.cfg.MediaTCP, s.cfg.MediaTURN)
	https := newDoor(s.api.Handler(httpapi.Door{Strict: usualPort(s.listeners.https.Addr())}), s.cfg.Log)
	https.TLSConfig = sorter.tls
	doors := []*door{https}
	s.metrics.doors(sorter, https)
	run(ctx, "https port", sorter.run)
	run(ctx, "https", serving(func() error { return https.Serve(sorter) }))
	if l := s.listeners.http; l != nil {
		h := newDoor(s.api.Handler(httpapi.Door{Local: true}), s.cfg.Log)
		doors = append(doors, h)
		run(ctx, "http", serving(func() error { return h.Serve(l) }))
	}
	if l := s.listeners.metrics; l != nil {
		m := newDoor(s.metrics.handler(), s.cfg.Log)
		doors = append(doors, m)
		run(ctx, "metrics", serving(func() error { return m.Serve(l) }))
	}
	return doors, sorter
}

// drain takes no more and lets what has begun finish, for a while.
func (s *Server) drain(doors []*door) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(s.api.Drain)
	for _, d := range doors {
		wg.Go(func() { d.drain(ctx) })
	}
	wg.Wait()
}

// info gathers what the administrator is told, with a new set-up link while
// nobody is set up.
func (s *Server) info(ctx context.Context) (Info, error) {
	i := Info{HTTPS: s.URL(), HTTP: localURL(s.listeners.http), Fingerprint: s.certs.Fingerprint()}
	if l := s.listeners.metrics; l != nil {
		i.Metrics = "http://" + l.Addr().String() + "/metrics"
	}
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := account.NewSetupLink(tx, s.cfg.Now())
		if errors.Is(err, authz.ErrDenied) {
			return nil // there is somebody
		}
		i.SetupToken = t.Secret()
		return err
	})
	if err != nil {
		return Info{}, fmt.Errorf("make the set-up link: %w", err)
	}
	return i, nil
}

// sweep calls Sweep every hour.
func (s *Server) sweep(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("sweep", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Sweep forgets what is over: devices that never enrolled, unused sessions,
// expired key packages and links. A session that is connected is in use. Run
// calls it at its start and every hour.
func (s *Server) Sweep(ctx context.Context) error {
	if err := s.touch(ctx); err != nil {
		return err
	}
	return s.forget(ctx)
}

func (s *Server) forget(ctx context.Context) error {
	now, err := s.age.Sweep(ctx)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		ended, err := device.Sweep(tx, now)
		if err != nil {
			return err
		}
		if s.cfg.SessionMax > 0 {
			old, err := device.SweepOld(tx, now.Add(-s.cfg.SessionMax))
			if err != nil {
				return err
			}
			ended = append(ended, old...)
		}
		tx.OnCommit(func() {
			for _, e := range ended {
				s.audit.Record(audit.Entry{Kind: kindOf[e.Why], Account: e.Account, Device: e.Device, Why: e.Why})
				s.hub.End(e.Account, e.Device, wire.Unauthenticated)
			}
		})
		return account.SweepLinks(tx, now)
	})
}

// kindOf is what is written down of a session that is over, or locked.
var kindOf = map[string]audit.Kind{"unused": audit.SessionEnded, "never_enrolled": audit.SessionEnded, "too_old": audit.SessionLocked}

// touch notes that the connected sessions are in use, a few at a time, so that
// nobody's message waits long behind it.
func (s *Server) touch(ctx context.Context) error {
	for part := range slices.Chunk(s.hub.Connected(), 200) {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			for _, d := range part {
				if err := device.Touch(tx, d, s.cfg.Now()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// close gives everything back. It may be called in any state.
func (s *Server) close() error {
	var errs []error
	s.once.Do(func() {
		for _, l := range []net.Listener{s.listeners.https, s.listeners.http, s.listeners.metrics} {
			if l != nil {
				_ = l.Close() // its server may have done it
			}
		}
		if s.admin != nil {
			_ = s.admin.Close()
		}
		if s.db != nil {
			errs = append(errs, s.db.Close())
		}
		if s.data != nil {
			errs = append(errs, s.data.close())
		}
	})
	return errors.Join(errs...)
}

// InitConfig says how a site is set up without a browser.
type InitConfig struct {
	Data     string
	Org      string
	Admin    string // name of the first administrator
	Password string
	Log      *slog.Logger
	Now      func() time.Time
	Cost     account.Cost
}

// Init makes a data directory with the organisation and its first
// administrator, who enrols the first device at the first sign-in. What is
// wrong with the names or the password is said before anything is made.
func Init(ctx context.Context, cfg InitConfig) (err error) {
	c := Config{Data: cfg.Data, Log: cfg.Log, Now: cfg.Now}
	if err := c.check(); err != nil {
		return err
	}
	if err := account.CheckNew(cfg.Org, cfg.Admin, cfg.Password); err != nil {
		return err
	}
	d, err := openData(cfg.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	store, err := openDB(ctx, d, c.Log, nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := cert.Open(cert.Config{Dir: d.file(tlsName), Now: c.Now, Log: c.Log}); err != nil {
		return err
	}
	accounts, err := account.New(account.Config{DB: store, Now: c.Now, Cost: cfg.Cost})
	if err != nil {
		return err
	}
	_, err = accounts.SetUpUnattended(ctx, strings.TrimSpace(cfg.Org), cfg.Admin, cfg.Password)
	if errors.Is(err, authz.ErrDenied) {
		return fmt.Errorf("%s is set up already; nothing was changed", cfg.Data)
	}
	return err
}
