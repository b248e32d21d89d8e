package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/limit"
	"github.com/veche-im/veche/wire"
)

// route is one line of the table.
type route struct {
	pattern string // of http.ServeMux
	action  authz.Action
	class   *limit.Class
	max     int64  // bytes of the body
	types   string // of body and answer
	bytes   bool   // carries file bytes: the deadline moves on with them
	socket  bool
	locked  bool // for sessions that are locked too
	handle  func(*call) error
}

// table lists every route.
func (a *API) table() []route {
	const blobID = wire.PathBlob + "{id}"
	return []route{
		plain("GET", wire.PathSite, authz.SiteRead, limit.Page, a.site),
		posted(wire.PathLink, authz.LinkRead, limit.Link, a.link),
		posted(wire.PathSetup, authz.AccountCreate, limit.Enter, a.setup),
		posted(wire.PathSignup, authz.AccountCreate, limit.Enter, a.signup),
		posted(wire.PathSignin, authz.SessionOpen, limit.Enter, a.signin),
		posted(wire.PathReset, authz.PasswordReset, limit.Enter, a.reset),
		posted(wire.PathPassword, authz.PasswordChange, limit.Password, a.changePassword),
		whileLocked(posted(wire.PathProve, authz.PasswordProve, limit.Password, a.prove)),
		plain("POST", wire.PathSignout, authz.SessionClose, limit.Connect, a.signout),
		plain("GET", wire.PathSession, authz.SessionUse, limit.Connect, a.whoami),
		{pattern: "GET " + wire.PathSocket, action: authz.SessionUse, class: limit.Connect, max: 0, types: "frames", socket: true, handle: a.socket},

		posted(wire.PathBlobs, authz.BlobCreate, limit.File, a.newBlob),
		{pattern: "PUT " + blobID, action: authz.BlobWrite, class: limit.File, max: blob.MaxAppend + 1, types: "bytes → wire.BlobState", bytes: true, handle: a.appendBlob},
		{pattern: "GET " + blobID, action: authz.BlobRead, class: limit.File, max: 0, types: "→ " + wire.MIMEBlob, bytes: true, handle: a.readBlob},
		plain("GET", blobID+"/state", authz.BlobRead, limit.File, a.blobState),
		plain("DELETE", blobID, authz.BlobWrite, limit.File, a.deleteBlob),

		{pattern: "GET " + pathCA, action: authz.SiteRead, class: limit.Page, types: "→ application/x-x509-ca-cert", handle: a.authority},
		{pattern: "GET " + pathSecurity, action: authz.SiteRead, class: limit.Page, types: "→ text", handle: a.security},
		{pattern: "GET /healthz", action: authz.SiteRead, class: limit.Page, types: "→ text", handle: a.healthy},
		{pattern: "GET /readyz", action: authz.SiteRead, class: limit.Page, types: "→ text", handle: a.ready},
		{pattern: "GET /api/", action: authz.SiteRead, class: limit.Page, types: "→ wire.Error", handle: func(*call) error { return authz.ErrDenied }},
		{pattern: "GET /", action: authz.SiteRead, class: limit.Page, types: "→ files of the web app", bytes: true, handle: a.serveWeb},
	}
}

// whileLocked is a route that serves sessions that are locked too.
func whileLocked(r route) route {
	r.locked = true
	return r
}

// plain is a route without a body.
func plain[R any](method, path string, action authz.Action, class *limit.Class, fn func(*call) (R, error)) route {
	return route{
		pattern: method + " " + path, action: action, class: class, max: 1024, types: fmt.Sprintf("→ %T", *new(R)),
		handle: func(c *call) error {
			res, err := fn(c)
			if err != nil {
				return err
			}
			return answer(c, http.StatusOK, res)
		},
	}
}

// posted is a route with JSON in its body.
func posted[P, R any](path string, action authz.Action, class *limit.Class, fn func(*call, P) (R, error)) route {
	return route{
		pattern: "POST " + path, action: action, class: class, max: wire.MaxJSON, types: fmt.Sprintf("%T → %T", *new(P), *new(R)),
		handle: func(c *call) error {
			var p P
			if err := readJSON(c.r.Body, &p); err != nil {
				return err
			}
			res, err := fn(c, p)
			if err != nil {
				return err
			}
			return answer(c, http.StatusOK, res)
		},
	}
}

// readJSON reads one object and nothing after it.
func readJSON(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return wire.Refuse(wire.BadRequest, "the body is not the JSON that belongs here")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wire.Refuse(wire.BadRequest, "the body goes on after its end")
	}
	return nil
}

// nothing is the answer that says no more than that it is done.
type nothing struct{}

func answer(c *call, status int, v any) error {
	if _, none := v.(nothing); none {
		c.WriteHeader(http.StatusNoContent)
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	c.Header().Set("Content-Type", "application/json")
	c.WriteHeader(status)
	_, _ = c.Write(b) // the peer may be gone: there is nobody to tell
	return nil
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, e *wire.Error) { refuseWith(w, e, e) }

// refuseWith answers with body, which says e and perhaps more.
func refuseWith(w http.ResponseWriter, e *wire.Error, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		b = []byte(`{"code":"internal"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt((e.RetryAfter+999)/1000, 10))
	}
	if e.Code == wire.Unauthenticated {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(statusOf(e.Code))
	_, _ = w.Write(b)
}

var statuses = map[wire.Code]int{
	wire.BadRequest:      http.StatusBadRequest,
	wire.Unauthenticated: http.StatusUnauthorized,
	wire.NotFound:        http.StatusNotFound,
	wire.Conflict:        http.StatusConflict,
	wire.Stale:           http.StatusConflict,
	wire.Pending:         http.StatusConflict,
	wire.Exists:          http.StatusConflict,
	wire.Guessable:       http.StatusBadRequest,
	wire.LastAdmin:       http.StatusConflict,
	wire.ProveFirst:      http.StatusForbidden,
	wire.TooLarge:        http.StatusRequestEntityTooLarge,
	wire.NoSpace:         http.StatusInsufficientStorage,
	wire.Attempts:        http.StatusTooManyRequests,
	wire.Busy:            http.StatusServiceUnavailable,
	wire.Cancelled:       http.StatusServiceUnavailable,
}

func statusOf(c wire.Code) int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}
