package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/veche-im/veche/internal/testenv"
)

// address returns where the site listens, whatever name it tells people.
func address(t *testing.T, site *testenv.Site) string {
	t.Helper()
	return "127.0.0.1:" + site.Info.HTTPS[strings.LastIndex(site.Info.HTTPS, ":")+1:]
}

// shown returns the certificate that the site shows.
func shown(t *testing.T, site *testenv.Site) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", address(t, site), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	chain := c.ConnectionState().PeerCertificates
	if len(chain) != 2 || string(chain[1].Raw) != string(site.CA()) {
		t.Errorf("the server shows %d certificates, and not its authority last", len(chain))
	}
	return chain[0]
}
