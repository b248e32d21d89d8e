// Package admin is the way in for who owns the data directory: a socket in it,
// readable by that user alone, on which the running server answers the
// administrator's commands. It is JSON over HTTP, and is no network.
package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/server/backup"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/steward"
	"github.com/veche-im/veche/wire"
)

// ErrNotRunning is returned by the commands when no server answers.
var ErrNotRunning = errors.New("no server is running on this data directory; start it first")

const (
	socketName = "admin.sock"
	timeout    = 30 * time.Second
)

// Link is a link for one person.
type Link struct {
	Link    string      `json:"link"`
	Expires wire.Millis `json:"expires"`
}

// State is what a running server says of itself to "veche doctor".
type State struct {
	Site    string `json:"site"` // its address for everybody: https://…
	Version string `json:"version"`
	CA      []byte `json:"ca"`              // certificate of its authority, DER
	Media   *Media `json:"media,omitempty"` // nil: there are no calls
	Damage  int64  `json:"damage"`          // how often damage of the database was met since the start
}

// Media is where devices are told to bring the media of calls.
type Media struct {
	UDP   []netip.AddrPort `json:"udp"`
	TCP   []netip.AddrPort `json:"tcp"`
	Relay *wire.TurnServer `json:"relay,omitempty"` // credentials are for who asks now
}

// Config says what a Server works with. All is required.
type Config struct {
	Dir   string // the data directory
	DB    *db.DB
	Log   *slog.Logger
	Now   func() time.Time
	Base  func() string // the site's address, to make links with: "https://host:8443"
	State func() State

	Steward *steward.Steward
	Audit   *audit.Log // may be nil

	// Backup writes the site into a writer; begin is called first, with about how
	// many bytes that will be. Check looks at everything that the site keeps.
	Backup func(ctx context.Context, w io.Writer, begin func(size int64)) (backup.Summary, error)
	Check  func(ctx context.Context, tell func(Fault)) (Checked, error)
}

// Server answers the administrator's commands.
type Server struct {
	cfg  Config
	l    net.Listener
	http *http.Server
}

// New makes the socket. The caller holds the directory's lock, so one that is
// there is left over and goes.
func New(cfg Config) (*Server, error) {
	path, done, err := short(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the old admin socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("make the admin socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // its short path may be gone by then
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("make the admin socket: %w", err)
	}
	s := &Server{cfg: cfg, l: l}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /invite", s.invite)
	s.people(mux)
	mux.HandleFunc("POST /backup", s.backup)
	mux.HandleFunc("POST /check", s.check)
	mux.HandleFunc("POST /state", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, cfg.State()) })
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout}
	return s, nil
}

// Run answers until ctx ends, and removes the socket.
func (s *Server) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.http.Close() })
	defer stop()
	err := s.http.Serve(s.l)
	_ = os.Remove(filepath.Join(s.cfg.Dir, socketName))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close is for a Server that was never Run.
func (s *Server) Close() error {
	return errors.Join(s.l.Close(), os.Remove(filepath.Join(s.cfg.Dir, socketName)))
}

func (s *Server) invite(w http.ResponseWriter, r *http.Request) {
	var inv Link
	err := s.cfg.DB.Update(r.Context(), func(tx *db.Tx) error {
		switch some, err := account.Anyone(tx); {
		case err != nil:
			return err
		case !some:
			return wire.Refuse(wire.NotFound, "nobody is set up yet: open the set-up link first")
		}
		t, expires, err := account.NewInvite(tx, wire.AccountID{}, s.cfg.Now())
		inv = Link{s.cfg.Base() + wire.PathJoinUI + "#" + t.Secret(), expires}
		tx.OnCommit(func() { s.cfg.Audit.Record(audit.Entry{Kind: audit.InviteMade, Command: true}) })
		return err
	})
	s.answer(w, r, "invite", inv, err)
}

// answer answers a command with v, or err.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, what string, v any, err error) {
	var e *wire.Error
	switch {
	case err == nil:
		reply(w, http.StatusOK, v)
	case errors.As(err, &e):
		reply(w, http.StatusConflict, e)
	case r.Context().Err() != nil: // who asked has gone
		reply(w, http.StatusServiceUnavailable, &wire.Error{Code: wire.Cancelled})
	default:
		s.cfg.Log.Error("command failed", "command", what, "err", err)
		reply(w, http.StatusInternalServerError, &wire.Error{Code: wire.Internal})
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // our own socket: who left does not care
}

// MakeInvite asks the server that runs on dir for a link for one new person.
// ErrNotRunning says that there is none; a *wire.Error is its refusal.
func MakeInvite(ctx context.Context, dir string) (Link, error) {
	var inv Link
	err := ask(ctx, dir, "/invite", nil, &inv)
	return inv, err
}

// AskState asks the server that runs on dir what it is. ErrNotRunning says that
// there is none.
func AskState(ctx context.Context, dir string) (State, error) {
	var st State
	err := ask(ctx, dir, "/state", nil, &st)
	return st, err
}

// post asks the server that runs on dir. The answer's body is good until done is
// called.
func post(ctx context.Context, dir, path string, body []byte) (res *http.Response, done func(), err error) {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		sock, done, err := short(dir)
		if err != nil {
			return nil, err
		}
		defer done()
		return (&net.Dialer{}).DialContext(ctx, "unix", sock)
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://veche"+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	res, err = (&http.Client{Transport: tr}).Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, nil, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	case err != nil:
		return nil, nil, fmt.Errorf("ask the server on %s: %w", dir, err)
	}
	return res, func() {
		res.Body.Close()
		tr.CloseIdleConnections()
	}, nil
}

func ask(ctx context.Context, dir, path string, params, answer any) error {
	var body []byte
	if params != nil {
		var err error
		if body, err = json.Marshal(params); err != nil {
			return fmt.Errorf("encode %s: %w", path, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	res, done, err := post(ctx, dir, path, body)
	if err != nil {
		return err
	}
	defer done()
	b, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxJSON))
	if err != nil {
		return fmt.Errorf("ask the server on %s: %w", dir, err)
	}
	if res.StatusCode != http.StatusOK {
		var e wire.Error
		if err := json.Unmarshal(b, &e); err != nil || e.Code == "" {
			return fmt.Errorf("ask the server on %s: it answered %s", dir, res.Status)
		}
		return &e
	}
	return json.Unmarshal(b, answer)
}
