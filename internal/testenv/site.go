package testenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// Password is everybody's.
const Password = "correct horse battery"

// Site is a running server.
type Site struct {
	TB   testing.TB
	Dir  string // its data directory
	Info server.Info
	// Server is what runs, for what has no other way in. Nobody but the test holds it.
	Server *server.Server
	HTTP   *http.Client // trusts the site's authority, follows no redirects, keeps no cookies

	cfg  server.Config
	stop context.CancelFunc
	done chan error

	mu      sync.Mutex // guards what follows: links ask while the test restarts the site
	address string     // https, empty while it is stopped
	origin  string     // the newest https address
}

// Option changes what Start starts.
type Option func(*server.Config)

// WithWeb has the site serve a web app.
func WithWeb(files fs.FS) Option { return func(c *server.Config) { c.Web = files } }

// WithDir has the site use a data directory that is there already.
func WithDir(dir string) Option { return func(c *server.Config) { c.Data = dir } }

// WithClock gives the site another clock, which is right: time really passes as it
// says.
func WithClock(now func() time.Time) Option {
	began := now()
	return func(c *server.Config) {
		c.Now = now
		c.Uptime = func() time.Duration { return now().Sub(began) }
	}
}

// WithWrongClock gives the site another clock, which may leap: time really passes
// as it always does.
func WithWrongClock(now func() time.Time) Option { return func(c *server.Config) { c.Now = now } }

// WithLog has the site log to l.
func WithLog(l *slog.Logger) Option { return func(c *server.Config) { c.Log = l } }

// WithQuota bounds the bytes of an account.
func WithQuota(bytes int64) Option { return func(c *server.Config) { c.Quota = bytes } }

// WithConfig changes whatever has no option of its own.
func WithConfig(f func(*server.Config)) Option { return f }

// Config returns what a site of a test is made from: ports that are free, a
// directory of its own, cheap password hashes.
func Config(t testing.TB, opts ...Option) server.Config {
	cfg := server.Config{
		HTTPS: "127.0.0.1:0", HTTP: "127.0.0.1:0", Metrics: "127.0.0.1:0",
		Version: "test", Media: NewForwarder(),
		Cost: account.Cost{Memory: 64, Time: 1, Threads: 1},
	}
	for _, o := range opts {
		o(&cfg)
	}
	if cfg.Data == "" {
		cfg.Data = filepath.Join(t.TempDir(), "data")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(errorsOnly{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	return cfg
}

// errorsOnly writes what the server calls an error into the test's log.
type errorsOnly struct{ t testing.TB }

func (w errorsOnly) Write(b []byte) (int, error) {
	if w.t.Context().Err() == nil { // a test that is over must not be logged to
		w.t.Logf("server: %s", strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

// Start starts a site that nobody has set up yet, and stops it at the end of
// the test.
func Start(t testing.TB, opts ...Option) *Site {
	t.Helper()
	s := &Site{TB: t, cfg: Config(t, opts...)}
	s.Dir = s.cfg.Data
	s.start()
	t.Cleanup(s.Stop)
	return s
}

func (s *Site) start() {
	s.TB.Helper()
	started := make(chan server.Info, 1)
	s.cfg.Started = func(i server.Info) { started <- i }
	srv, err := server.New(context.Background(), s.cfg)
	if err != nil {
		s.TB.Fatalf("start the server: %v", err)
	}
	s.Server = srv
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, make(chan error, 1)
	go func() { s.done <- srv.Run(ctx) }()
	select {
	case s.Info = <-started:
	case err := <-s.done:
		stop()
		s.TB.Fatalf("run the server: %v", err)
	}
	s.HTTP = s.client()
	s.moved(s.Info.HTTPS)
}

// moved says where links find the site; empty means nowhere.
func (s *Site) moved(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = address
	if address != "" {
		s.origin = address
	}
}

// whereabouts returns the site's address, empty while it is stopped, and the
// newest one that it had.
func (s *Site) whereabouts() (address, origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address, s.origin
}

// Stop drains the site and waits until it is gone.
func (s *Site) Stop() {
	if s.stop == nil {
		return
	}
	s.moved("")
	s.stop()
	if err := <-s.done; err != nil {
		s.TB.Errorf("the server ended with: %v", err)
	}
	s.stop = nil
	s.HTTP.CloseIdleConnections()
}

// Restart stops the site and starts it again on the same directory. Its
// addresses change.
func (s *Site) Restart() {
	s.TB.Helper()
	s.Stop()
	s.start()
}

// CA returns the certificate of the site's authority, DER.
func (s *Site) CA() []byte {
	s.TB.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, "tls", "ca.pem"))
	if err != nil {
		s.TB.Fatal(err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		s.TB.Fatal("ca.pem holds no certificate")
	}
	return block.Bytes
}

func (s *Site) client() *http.Client {
	ca, err := x509.ParseCertificate(s.CA())
	if err != nil {
		s.TB.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return &http.Client{
		Timeout:       time.Minute,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// SetupToken is the secret part of the set-up link.
func (s *Site) SetupToken() string { return s.Info.SetupToken }

// Invite returns a fresh invite link's token, made by the command line's way.
func (s *Site) Invite() string {
	s.TB.Helper()
	inv, err := admin.MakeInvite(context.Background(), s.Dir)
	if err != nil {
		s.TB.Fatalf("invite: %v", err)
	}
	_, token, ok := strings.Cut(inv.Link, wire.PathJoinUI+"#")
	if !ok {
		s.TB.Fatalf("the invite is %q", inv.Link)
	}
	return token
}

// InviteLink returns a whole invite link.
func (s *Site) InviteLink() string { return s.Info.HTTPS + wire.PathJoinUI + "#" + s.Invite() }
