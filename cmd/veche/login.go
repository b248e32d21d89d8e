package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link/ws"
	"github.com/veche-im/veche/wire"
)

type loginCmd struct {
	profileFlags
	Link         string        `arg:"" help:"A set-up link, an invite, a link to a new password, or the server's address to sign in to an account that exists."`
	Name         string        `help:"Your name. A link to a new password knows it."`
	PasswordFile string        `required:"" placeholder:"FILE" help:"File whose first line is the password; - for standard input."`
	Org          string        `help:"With a set-up link: the organisation's name."`
	Device       string        `default:"${device}" help:"What you will call this device."`
	CA           string        `name:"ca" xor:"trust" placeholder:"FILE" help:"The server's certificate authority (tls/ca.pem of its data directory)."`
	Fingerprint  string        `xor:"trust" placeholder:"HEX" help:"Fingerprint of that authority, as the server prints it."`
	RecoveryKey  string        `name:"recovery-key-file" placeholder:"FILE" help:"Let this further device in with the recovery key in FILE."`
	Wait         time.Duration `help:"Stay this long for another device to let this one in."`
}

// enteredRow says what came of signing in.
type enteredRow struct {
	Phase       api.Phase `json:"phase"`
	RecoveryKey string    `json:"recoveryKey,omitempty"`
	Code        string    `json:"code,omitempty"`
}

func (c loginCmd) Run(ctx context.Context, t *term) error {
	kind, token, err := parseLink(c.Link)
	if err != nil {
		return usageError{err}
	}
	if c.Name == "" && kind != wire.PathResetUI {
		return usageError{errors.New("--name is missing: your name")}
	}
	if kind == wire.PathSetUpUI && c.Org == "" {
		return usageError{errors.New("a set-up link needs --org, the organisation's name")}
	}
	password, err := readSecret(t, c.PasswordFile)
	if err != nil {
		return err
	}
	var recovery string
	if c.RecoveryKey != "" {
		if recovery, err = readSecret(t, c.RecoveryKey); err != nil {
			return err
		}
	}
	p, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	defer p.close()

	entered, err := c.enter(ctx, p, kind, token, password)
	if err != nil {
		return err
	}
	if entered.Phase == api.PhaseEnrolling && recovery != "" {
		if entered, err = do(ctx, p, api.Recover, api.RecoveryKey{Key: recovery}); err != nil {
			return err
		}
	}
	return c.say(ctx, t, p, entered)
}

// open opens the profile for the server of the link, unless somebody is signed
// in there.
func (c loginCmd) open(ctx context.Context, t *term) (*profile, error) {
	origin, err := ws.Origin(c.Link)
	if err != nil {
		return nil, usageError{err}
	}
	if s, err := readServer(c.Profile); err == nil {
		p, err := openWith(ctx, t, c.Profile, s)
		if err != nil {
			return nil, err
		}
		// Only the server knows whether the session still stands.
		_ = p.waitOnline(ctx)
		status, err := do(ctx, p, api.GetStatus, api.None{})
		if err != nil || status.Phase == api.PhaseReady || (status.Phase != api.PhaseFresh && s.URL != origin) {
			p.close()
			if err == nil {
				err = fmt.Errorf("%s is %s's at %s already: use another --profile, or remove what is stored here with veche logout --forget first", c.Profile, status.Me.Name, s.URL)
			}
			return nil, err
		}
		p.close()
	}
	s := servedBy{URL: origin}
	if s.CA, err = c.authority(ctx, t); err != nil {
		return nil, err
	}
	if err := s.write(c.Profile); err != nil {
		return nil, fmt.Errorf("write to the profile: %w", err)
	}
	return openWith(ctx, t, c.Profile, s)
}

// authority finds out who vouches for the server, and says so when that rests
// on nothing but this first contact.
func (c loginCmd) authority(ctx context.Context, t *term) ([]byte, error) {
	if c.CA != "" {
		return readCA(c.CA)
	}
	a, err := ws.Meet(ctx, c.Link, c.Fingerprint)
	if err != nil {
		return nil, err
	}
	if a.First {
		t.note("First contact: nothing but this connection says that this is the right server. From now on only the certificate authority with this fingerprint is believed; compare it with what the server printed.\n  %s", colons(a.Fingerprint()))
	}
	return a.CA, nil
}

// colons writes a fingerprint as the server prints it.
func colons(hex string) string {
	var b strings.Builder
	for i, c := range strings.ToUpper(hex) {
		if i > 0 && i%2 == 0 {
			b.WriteByte(':')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func readCA(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError{err}
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, usageError{fmt.Errorf("%s holds no certificate (PEM)", name)}
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", name, err)}
	}
	return block.Bytes, nil
}

func (c loginCmd) enter(ctx context.Context, p *profile, kind, token, password string) (api.Entered, error) {
	status, err := do(ctx, p, api.GetStatus, api.None{})
	switch {
	case err != nil:
		return api.Entered{}, err
	case status.Phase == api.PhaseEnrolling && token == "":
		return api.Entered{Phase: api.PhaseEnrolling}, nil // go on where an earlier sign-in stopped
	case kind == wire.PathResetUI:
		return do(ctx, p, api.DoReset, api.ResetPassword{Token: token, Password: password, Device: c.Device})
	case token != "":
		return do(ctx, p, api.DoSignUp, api.SignUp{Token: token, Org: c.Org, Name: c.Name, Password: password, Device: c.Device})
	default:
		return do(ctx, p, api.DoSignIn, api.SignIn{Name: c.Name, Password: password, Device: c.Device})
	}
}

func (c loginCmd) say(ctx context.Context, t *term, p *profile, e api.Entered) error {
	row := enteredRow{Phase: e.Phase, RecoveryKey: e.RecoveryKey}
	if e.Phase == api.PhaseEnrolling {
		status, err := p.awaitCode(ctx)
		if err != nil {
			return err
		}
		row.Phase, row.Code = status.Phase, status.Code
	}
	if row.Phase == api.PhaseReady {
		if err := p.catchUp(ctx); err != nil { // join the account's rooms now rather than at the first read
			return err
		}
	}
	switch {
	case c.JSON:
		if err := t.object(row); err != nil {
			return err
		}
	case row.Phase == api.PhaseEnrolling:
		t.show("This device waits to be let in. On another of your devices, compare and approve this code:\n\n  %s\n\n  veche device approve %s\n\nor run this again with --recovery-key-file.\n", row.Code, row.Code)
	default:
		name := c.Name
		if status, err := do(ctx, p, api.GetStatus, api.None{}); err == nil && status.Me != nil {
			name = status.Me.Name
		}
		t.show("Signed in as %s.\n", name)
		if row.RecoveryKey != "" {
			t.recoveryKey(row.RecoveryKey)
		}
	}
	if row.Phase == api.PhaseEnrolling && c.Wait > 0 {
		return c.await(ctx, t, p)
	}
	return nil
}

// awaitCode waits until an enrolling device has its code, or is in.
func (p *profile) awaitCode(ctx context.Context) (api.Status, error) {
	for {
		changed := p.changed()
		status, err := do(ctx, p, api.GetStatus, api.None{})
		if err != nil || status.Phase != api.PhaseEnrolling || status.Code != "" {
			return status, err
		}
		select {
		case <-ctx.Done():
			return status, ctx.Err()
		case err := <-p.ended():
			return status, err
		case <-changed:
		}
	}
}

// await stays until another device has let this one in.
func (c loginCmd) await(ctx context.Context, t *term, p *profile) error {
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	for {
		changed := p.changed()
		status, err := do(ctx, p, api.GetStatus, api.None{})
		if err != nil {
			return err
		}
		if status.Phase == api.PhaseReady {
			if c.JSON {
				return t.object(enteredRow{Phase: status.Phase})
			}
			t.show("Let in.\n")
			return nil
		}
		select {
		case <-ctx.Done():
			return api.Fail(api.NotEnrolled, "nobody has let this device in yet")
		case err := <-p.ended():
			return err
		case <-changed:
		}
	}
}

// parseLink takes a link apart into its page, "/setup", "/join" or "/reset", and its
// token; a plain address has neither.
func parseLink(link string) (page, token string, err error) {
	u, err := url.Parse(link)
	if err != nil {
		return "", "", errors.New("that is no link: it begins with https:// or is http://localhost")
	}
	switch path := strings.TrimSuffix(u.Path, "/"); {
	case path == wire.PathSetUpUI, path == wire.PathJoinUI, path == wire.PathResetUI:
		if u.Fragment == "" {
			return "", "", errors.New("the link is cut off: the part after # is missing (quote it for the shell)")
		}
		return path, u.Fragment, nil
	case path == "":
		return "", "", nil
	default:
		return "", "", errors.New("that link is neither a set-up link, an invite, a link to a new password, nor just the server's address")
	}
}

// deviceName is what this device is called unless told otherwise.
func deviceName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "command line on " + runtime.GOOS
	}
	return "command line on " + host
}
