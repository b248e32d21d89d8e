package httpapi

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// policy is the Content-Security-Policy of all but file bytes: scripts, styles
// and workers come from the site's own files alone, nothing is made from
// strings, nobody frames the app.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; " +
	"img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types veche"

// strict is for a year. Other names below the site's are not ours to speak for.
const strict = "max-age=31536000"

// secure sets what every answer carries.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), publickey-credentials-get=(self), "+
		"publickey-credentials-create=(self), geolocation=(), payment=(), usb=(), serial=(), midi=(), browsing-topics=()")
	h.Set("Cache-Control", "no-store")
}

// errForbidden is answered with 403 and no more.
var errForbidden = errors.New("forbidden")

// sameSite refuses what another site has a browser send.
func sameSite(r *http.Request, to route) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if !to.socket {
			return nil // changes nothing, and no other site can read the answer
		}
	} else if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return errForbidden
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Host != r.Host {
			return errForbidden
		}
	}
	if r.Method == http.MethodPost {
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
			return errForbidden
		}
	}
	return nil
}

const (
	jsonTimeout  = 30 * time.Second
	stallTimeout = 60 * time.Second // for file bytes: nothing moved for so long
	slowestBody  = 2 << 10          // bytes a second that a body of file bytes must come with, but for stallTimeout
)

// deadlines bounds how long a peer may take.
func deadlines(c *call, r route) error {
	ctl := http.NewResponseController(c.ResponseWriter)
	if r.bytes {
		c.r.Body = &rollingBody{ReadCloser: c.r.Body, ctl: ctl}
		c.ResponseWriter = &rollingWriter{c.ResponseWriter, ctl}
	}
	if r.socket { // after the upgrade it is the session's
		return errors.Join(ctl.SetReadDeadline(time.Time{}), ctl.SetWriteDeadline(time.Time{}))
	}
	return nil // hurry has set them
}

// hurry bounds how long a request may take unless its route says otherwise. Every
// request begins with it, also one that is refused at once: the deadline that an
// earlier request left on the connection may have passed.
func hurry(w http.ResponseWriter) {
	ctl := http.NewResponseController(w)
	until := time.Now().Add(jsonTimeout)
	_ = errors.Join(ctl.SetReadDeadline(until), ctl.SetWriteDeadline(until)) // of a connection that is gone
}
