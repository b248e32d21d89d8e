package ws

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/veche-im/veche/client/link"
)

// ErrFingerprint is returned when the server's certificate authority is not the
// one that was named.
var ErrFingerprint = errors.New("the server's certificate has another fingerprint")

// An Authority is who may vouch for a server.
type Authority struct {
	CA    []byte // DER; nil: the system's authorities already vouch for it
	First bool   // taken on trust, because nothing was known before
}

// Fingerprint returns SHA-256 of the certificate in hex, as the server prints
// it; empty for the system's authorities.
func (a Authority) Fingerprint() string { return Fingerprint(a.CA) }

// Fingerprint returns SHA-256 of a certificate (DER) in hex, "" of none.
func Fingerprint(der []byte) string {
	if der == nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Meet finds out who vouches for the server at address, before anything secret
// is sent to it. The system's authorities come first. Otherwise the server must
// show a certificate chain that ends in its own authority, which is returned to
// be pinned: with a fingerprint (hex, colons and spaces do not count) it must
// be that one, without it is trusted because it is the first one seen, and the
// caller must say so to the person.
func Meet(ctx context.Context, address, fingerprint string) (Authority, error) {
	origin, err := Origin(address)
	if err != nil {
		return Authority{}, err
	}
	u, err := url.Parse(origin)
	if err != nil {
		return Authority{}, fmt.Errorf("%w: %q", ErrAddress, clip(address))
	}
	if u.Scheme == "http" {
		return Authority{}, nil
	}
	chain, err := peerChain(ctx, u)
	if err != nil {
		return Authority{}, err
	}
	want := strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(fingerprint))
	if want == "" && verify(chain, u.Hostname(), nil) == nil {
		return Authority{}, nil
	}
	ca := chain[len(chain)-1]
	if want != "" && Fingerprint(ca.Raw) != want {
		return Authority{}, fmt.Errorf("%w: %s", ErrFingerprint, Fingerprint(ca.Raw))
	}
	if !ca.IsCA || ca.CheckSignatureFrom(ca) != nil {
		return Authority{}, fmt.Errorf("%w: its certificate is signed by %q, which it did not show", link.ErrUntrusted, ca.Issuer.CommonName)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	if err := verify(chain, u.Hostname(), roots); err != nil {
		return Authority{}, fmt.Errorf("%w: %w", link.ErrUntrusted, err)
	}
	return Authority{CA: ca.Raw, First: want == ""}, nil
}

// peerChain shakes hands and returns what the server showed, judging nothing:
// nothing is sent over that connection.
func peerChain(ctx context.Context, u *url.URL) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = "443"
	}
	d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, ServerName: u.Hostname()}}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, unreachable(err)
	}
	defer c.Close()
	chain := c.(*tls.Conn).ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return nil, fmt.Errorf("%w: it showed no certificate", link.ErrUntrusted)
	}
	return chain, nil
}

// verify checks the chain for host against roots; nil means the system's.
func verify(chain []*x509.Certificate, host string, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		DNSName: host, Roots: roots, Intermediates: between, CurrentTime: time.Now(),
	})
	return err
}
