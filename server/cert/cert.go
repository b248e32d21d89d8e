// Package cert keeps the site's own certificate authority and the server's
// certificate, so that https works in a network that knows no other.
//
// The authority is made once and kept for ten years; people compare its
// fingerprint. The server's certificate is made anew by itself: a month before
// it ends, and when the machine's names or addresses are no longer those in it.
// Keys are ECDSA P-256 and readable by the owner of the directory alone.
package cert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

const (
	caYears    = 10
	leafLife   = 90 * 24 * time.Hour
	renewAhead = 30 * 24 * time.Hour
	backdate   = 24 * time.Hour // clocks of other machines may be slow
	lookEvery  = 5 * time.Minute
	// leafBackdate is how far back a server's certificate counts, as far as its
	// authority does: one that is made while this machine's clock is a year ahead
	// works all the same. Apple's systems take no more than 825 days in all.
	leafBackdate = 700 * 24 * time.Hour
)

// Config says what certificates are for. Dir, Now and Log are required.
type Config struct {
	Dir   string   // made with mode 0700
	Names []string // host names and addresses besides the machine's own
	Now   func() time.Time
	Log   *slog.Logger
	// Own returns the machine's own names and addresses; nil asks the system.
	Own func() []string
}

// Authority is the site's certificate authority with the server's certificate.
type Authority struct {
	cfg  Config
	ca   *x509.Certificate
	key  *ecdsa.PrivateKey
	leaf atomic.Pointer[tls.Certificate]
}

// Open reads the authority and the certificate, or makes them.
func Open(cfg Config) (*Authority, error) {
	if cfg.Dir == "" || cfg.Now == nil || cfg.Log == nil {
		return nil, errors.New("cert: Dir, Now and Log are required")
	}
	if cfg.Own == nil {
		cfg.Own = Own
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	a := &Authority{cfg: cfg}
	if err := a.openCA(); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if err := a.Look(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return a, nil
}

// Run looks again from time to time until ctx ends.
func (a *Authority) Run(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := a.Look(); err != nil {
				a.cfg.Log.Error("certificate was not renewed", "err", err)
			}
		}
	}
}

// TLS returns a configuration that always shows the newest certificate, and the
// authority with it, so that a client can pin that.
func (a *Authority) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.leaf.Load(), nil },
	}
}

// Fingerprint returns SHA-256 of the authority's certificate as people compare
// it: AA:BB:…
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.ca.Raw)
	text := strings.ToUpper(hex.EncodeToString(sum[:]))
	var b strings.Builder
	for i := 0; i < len(text); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(text[i : i+2])
	}
	return b.String()
}

// CA returns the authority's certificate, DER.
func (a *Authority) CA() []byte { return a.ca.Raw }

func (a *Authority) path(name string) string { return filepath.Join(a.cfg.Dir, name) }

func (a *Authority) openCA() error {
	c, key, err := readPair(a.path("ca.pem"), a.path("ca.key"))
	if err == nil {
		a.ca, a.key = c, key
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(a.path("ca.pem")); err == nil {
		return fmt.Errorf("%s is there but its key is not: put it back, or move the certificate away to get a new authority", a.path("ca.pem"))
	}
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	now := a.cfg.Now()
	t := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Veche " + now.UTC().Format("2006-01-02"), Organization: []string{"Veche"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.AddDate(caYears, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &a.key.PublicKey, a.key)
	if err != nil {
		return err
	}
	if a.ca, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	return writePair(a.path("ca.pem"), a.path("ca.key"), der, a.key)
}

// Look makes a new certificate if the one in use ends soon or no longer fits.
func (a *Authority) Look() error {
	want := a.names()
	if c := a.leaf.Load(); c != nil && a.fits(c.Leaf, want) {
		return nil
	}
	c, key, err := readPair(a.path("server.pem"), a.path("server.key"))
	if err == nil && a.fits(c, want) {
		a.use(c, key)
		return nil
	}
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	now := a.cfg.Now()
	t := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: want.first()},
		NotBefore:    now.Add(-leafBackdate),
		NotAfter:     now.Add(leafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     want.hosts,
		IPAddresses:  want.ips,
	}
	if t.NotBefore.Before(a.ca.NotBefore) {
		t.NotBefore = a.ca.NotBefore
	}
	if t.NotAfter.After(a.ca.NotAfter) {
		t.NotAfter = a.ca.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.ca, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	if err := writePair(a.path("server.pem"), a.path("server.key"), der, key); err != nil {
		return err
	}
	a.use(c, key)
	a.cfg.Log.Info("made the server's certificate", "names", want.hosts, "addresses", want.ips, "until", c.NotAfter)
	return nil
}

func (a *Authority) use(c *x509.Certificate, key *ecdsa.PrivateKey) {
	a.leaf.Store(&tls.Certificate{Certificate: [][]byte{c.Raw, a.ca.Raw}, PrivateKey: key, Leaf: c})
}

// fits reports whether c is ours, lasts, and has all the names. That it does not
// count yet is no reason against it: devices judge it by their own clocks, and ours
// is the one that is wrong then.
func (a *Authority) fits(c *x509.Certificate, want names) bool {
	if c.CheckSignatureFrom(a.ca) != nil || a.cfg.Now().Add(renewAhead).After(c.NotAfter) {
		return false
	}
	for _, h := range want.hosts {
		if c.VerifyHostname(h) != nil {
			return false
		}
	}
	for _, ip := range want.ips {
		if c.VerifyHostname(ip.String()) != nil {
			return false
		}
	}
	return true
}

// names is what a certificate is for.
type names struct {
	hosts []string
	ips   []net.IP
}

func (n names) first() string {
	if len(n.hosts) > 0 {
		return n.hosts[0]
	}
	return "veche"
}

func (a *Authority) names() (n names) {
	seen := make(map[string]bool)
	for _, name := range append(append([]string{}, a.cfg.Names...), a.cfg.Own()...) {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		if ip := net.ParseIP(name); ip != nil {
			n.ips = append(n.ips, ip)
		} else {
			n.hosts = append(n.hosts, name)
		}
	}
	return n
}

// Own returns the machine's host name and localhost, and the addresses of its
// interfaces.
func Own() []string {
	own := []string{}
	if h, err := os.Hostname(); err == nil {
		own = append(own, h)
	}
	own = append(own, "localhost", "127.0.0.1", "::1")
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return own // a certificate for localhost is better than none
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsMulticast() {
			own = append(own, n.IP.String())
		}
	}
	return own
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}
