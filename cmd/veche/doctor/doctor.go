// Package doctor tries everything that people need a site for, from outside of the
// server's process, and says in plain words what does not work and what to do.
//
// It changes nothing and asks no other host. What it cannot see is the network
// between this machine and people's devices: a firewall before the server answers
// the doctor, who is inside, and not them.
package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/veche-im/veche/server/admin"
)

// Verdict is what a check came to.
type Verdict string

// The verdicts.
const (
	Good Verdict = "ok"
	Poor Verdict = "warning" // works, but not for everybody or not for long
	Bad  Verdict = "failed"
)

// Check is one thing that was tried.
type Check struct {
	Name    string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`            // what was seen
	Advice  string  `json:"advice,omitempty"` // what to do about it
}

const (
	patience  = 3 * time.Second
	soon      = 14 * 24 * time.Hour // the server's own certificates are renewed a month ahead
	littleGiB = 2
	leastGiB  = 0.25
)

// Examine tries the site on a data directory and tells each check as soon as it is
// done. It reports whether all is well enough: nothing is Bad.
func Examine(ctx context.Context, dir string, tell func(Check)) bool {
	e := &examination{ctx: ctx, tell: tell, well: true}
	e.directory(dir)
	e.clock()
	state, err := admin.AskState(ctx, dir)
	if err != nil {
		advice := "Start it with: veche serve --data " + dir
		if !errors.Is(err, admin.ErrNotRunning) {
			advice = "Run the doctor as the user that the server runs as."
		}
		e.say("server", Bad, err.Error(), advice)
		return e.well
	}
	e.say("server", Good, "version "+state.Version+" runs at "+state.Site, "")
	e.damage(state)
	e.site(state)
	if state.Media == nil {
		e.say("calls", Poor, "turned off with --media off", "")
		return e.well
	}
	e.calls(state)
	return e.well
}

type examination struct {
	ctx  context.Context
	tell func(Check)
	well bool
}

func (e *examination) say(name string, v Verdict, found, advice string) {
	e.well = e.well && v != Bad
	e.tell(Check{name, v, found, advice})
}

// directory looks at the data directory's disk.
func (e *examination) directory(dir string) {
	free, err := freeSpace(dir)
	gib := float64(free) / (1 << 30)
	found := fmt.Sprintf("%s has %.1f GiB free", dir, gib)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		e.say("disk", Good, dir+" is there; this system does not tell how much is free", "")
	case err != nil:
		e.say("disk", Bad, err.Error(), "Name the data directory with --data.")
	case gib < leastGiB:
		e.say("disk", Bad, found, "Make room: when the disk is full, no message is taken any more.")
	case gib < littleGiB:
		e.say("disk", Poor, found, "Make room soon.")
	default:
		e.say("disk", Good, found, "")
	}
}

// damage says whether the server has met a part of its database that is damaged.
func (e *examination) damage(state admin.State) {
	if state.Damage == 0 {
		e.say("database", Good, "no damage was met since the start", "")
		return
	}
	e.say("database", Bad, fmt.Sprintf("a part of it is damaged, and was asked for %d times since the start", state.Damage),
		"Find out what with: veche check. Then see docs/admin/backup.md, and look at the disk.")
}

// clock asks the system whether it keeps its clock right. Certificates, one-time
// codes and credentials of calls end by it.
func (e *examination) clock() {
	kept, err := clockKept()
	found := "it is " + time.Now().UTC().Format(time.RFC3339)
	switch {
	case time.Now().Year() < 2026:
		e.say("clock", Bad, found, "Set the clock.")
	case err != nil:
		e.say("clock", Good, found+"; whether it is kept right this system does not tell", "")
	case !kept:
		e.say("clock", Poor, found+", but nothing keeps it right", "Turn on time synchronisation (chrony, systemd-timesyncd), to a server in your own network if there is no other.")
	default:
		e.say("clock", Good, found+", and is kept right", "")
	}
}

// site asks for the page that people open.
func (e *examination) site(state admin.State) {
	u, err := url.Parse(state.Site)
	if err != nil {
		e.say("https", Bad, err.Error(), "Start the server with --host.")
		return
	}
	conn, err := dialTLS(e.ctx, u.Host, state.CA)
	if err != nil {
		e.unreachable("https", u.Host, err)
		return
	}
	defer conn.Close()
	if status, err := health(e.ctx, state); err != nil || status != http.StatusOK {
		e.say("https", Bad, fmt.Sprintf("%s takes connections but does not answer (%d, %v)", u.Host, status, err), "Look into the server's log.")
	} else {
		e.say("https", Good, u.Host+" answers", "")
	}
	leaf := conn.ConnectionState().PeerCertificates[0]
	left := time.Until(leaf.NotAfter)
	found := fmt.Sprintf("for %s until %s", u.Hostname(), leaf.NotAfter.UTC().Format(time.DateOnly))
	if left < soon {
		e.say("certificate", Poor, found, "It should have been renewed by now: look for \"certificate was not renewed\" in the server's log.")
	} else {
		e.say("certificate", Good, found, "")
	}
}

func (e *examination) unreachable(name, host string, err error) {
	var wrong *tls.CertificateVerificationError
	switch {
	case errors.As(err, &wrong):
		e.say(name, Bad, fmt.Sprintf("the certificate at %s is not this server's: %v", host, wrong.Err),
			"Something else answers there, or the name is missing in the certificate: start the server with --host.")
	default:
		e.say(name, Bad, fmt.Sprintf("%s cannot be reached: %v", host, err),
			"Check the name's address, and that the firewall lets TCP to this port through. If the address is a router's, this may be the router that lets no one in from inside: try from outside.")
	}
}

// dialTLS connects as a device that trusts the site's authority, or any that this
// machine trusts.
func dialTLS(ctx context.Context, host string, ca []byte) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	host = withPort(host)
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{ServerName: name, RootCAs: roots(ca)}
	conn, err := (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	return conn.(*tls.Conn), nil
}

func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, "443")
}

func roots(ca []byte) *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if c, err := x509.ParseCertificate(ca); err == nil {
		pool.AddCert(c)
	}
	return pool
}

// health asks whether the server can work.
func health(ctx context.Context, state admin.State) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, state.Site+"/readyz", nil)
	if err != nil {
		return 0, err
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots(state.CA)}}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
