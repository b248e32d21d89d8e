package cert_test

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/veche-im/veche/server/cert"
)

type machine struct {
	names []string
	at    time.Time
}

func (m *machine) open(t *testing.T, dir string) *cert.Authority {
	t.Helper()
	a, err := cert.Open(m.config(dir))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (m *machine) config(dir string) cert.Config {
	return cert.Config{Dir: dir, Names: []string{"veche.example", "veche.example"}, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return m.at }, Own: func() []string { return m.names }}
}

func leaf(t *testing.T, a *cert.Authority) *x509.Certificate {
	t.Helper()
	c, err := a.TLS().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func newMachine() *machine {
	return &machine{names: []string{"box", "localhost", "192.0.2.7"}, at: time.Now()}
}

func TestCertificateIsKeptAndRenewedInTime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	m := newMachine()
	a := m.open(t, dir)
	first := leaf(t, a)
	roots := x509.NewCertPool()
	ca, err := x509.ParseCertificate(a.CA())
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(ca)
	for _, name := range []string{"veche.example", "box", "localhost", "192.0.2.7"} {
		if _, err := first.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: m.at}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	again := m.open(t, dir)
	if again.Fingerprint() != a.Fingerprint() || leaf(t, again).SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("a second start made something anew")
	}
	m.at = first.NotAfter.Add(-31 * 24 * time.Hour)
	if err := a.Look(); err != nil || leaf(t, a).SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Errorf("renewed too early: %v", err)
	}
	m.at = first.NotAfter.Add(-29 * 24 * time.Hour)
	if err := a.Look(); err != nil || leaf(t, a).SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Errorf("not renewed in time: %v", err)
	}
	if leaf(t, a).CheckSignatureFrom(ca) != nil {
		t.Error("the new one is not of the same authority")
	}
}

func TestNewAddressMakesANewCertificate(t *testing.T) {
	m := newMachine()
	a := m.open(t, t.TempDir())
	first := leaf(t, a)
	m.names = append(m.names, "198.51.100.3")
	if err := a.Look(); err != nil {
		t.Fatal(err)
	}
	if got := leaf(t, a); got.SerialNumber.Cmp(first.SerialNumber) == 0 || got.VerifyHostname("198.51.100.3") != nil {
		t.Error("the certificate does not have the new address")
	}
	m.names = m.names[:2]
	second := leaf(t, a)
	if err := a.Look(); err != nil || leaf(t, a).SerialNumber.Cmp(second.SerialNumber) != 0 {
		t.Errorf("an address that went needs no new certificate: %v", err)
	}
}

func TestKeysAreReadableByTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	newMachine().open(t, dir)
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v %v", st, err)
	}
	for _, name := range []string{"ca.pem", "ca.key", "server.pem", "server.key"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, st.Mode(), err)
		}
	}
}

func TestCrashBetweenKeyAndCertificateIsHealed(t *testing.T) {
	for _, gone := range []string{"server.pem", "server.key", "both"} {
		t.Run(gone, func(t *testing.T) {
			dir := t.TempDir()
			m := newMachine()
			a := m.open(t, dir)
			other := t.TempDir()
			m.open(t, other)
			switch gone {
			case "both": // a key of another certificate, as a crash would leave it
				b, err := os.ReadFile(filepath.Join(other, "server.key"))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "server.key"), b, 0o600); err != nil {
					t.Fatal(err)
				}
			default:
				if err := os.Remove(filepath.Join(dir, gone)); err != nil {
					t.Fatal(err)
				}
			}
			again := m.open(t, dir)
			if again.Fingerprint() != a.Fingerprint() {
				t.Error("the authority changed")
			}
			leaf(t, again)
		})
	}
}

func TestLostOrForeignKeyOfTheAuthorityIsNotPassedOver(t *testing.T) {
	dir := t.TempDir()
	m := newMachine()
	m.open(t, dir)
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Open(m.config(dir)); err == nil {
		t.Error("a new authority was made in silence")
	}
	other := t.TempDir()
	m.open(t, other)
	b, err := os.ReadFile(filepath.Join(other, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.key"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Open(m.config(dir)); err == nil {
		t.Error("a key of another authority was taken")
	}
}
