package dtls_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/veche-im/veche/sfu/dtls"
	"github.com/veche-im/veche/sfu/srtp"
)

// device is a DTLS client on one end of a wire; the wire may lose, double and
// reorder.
type device struct {
	cert  tls.Certificate
	print dtls.Fingerprint
}

func newDevice(t testing.TB) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "device"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return &device{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, dtls.Fingerprint{Hash: "sha-256", Sum: sum[:]}}
}

// wire joins a session and a device's client in memory.
type wire struct {
	mu      sync.Mutex
	session *dtls.Session
	toDev   chan []byte
	up      func([]byte) [][]byte // what becomes of a packet to the server
	down    func([]byte) [][]byte
	sent    int // packets of the server
}

func newWire() *wire { return &wire{toDev: make(chan []byte, 256)} }

func (w *wire) send(b []byte) { // of the server
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	out := [][]byte{append([]byte(nil), b...)}
	if w.down != nil {
		out = w.down(out[0])
	}
	for _, p := range out {
		select {
		case w.toDev <- p:
		default:
		}
	}
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// The net.PacketConn of the client.
func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	p, ok := <-w.toDev
	if !ok {
		return 0, nil, net.ErrClosed
	}
	return copy(b, p), addr, nil
}

func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) {
	out := [][]byte{append([]byte(nil), b...)}
	w.mu.Lock()
	if w.up != nil {
		out = w.up(out[0])
	}
	w.mu.Unlock()
	for _, p := range out {
		w.session.Receive(p)
	}
	return len(b), nil
}

var addr = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}

func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.toDev != nil {
		select {
		case w.toDev <- nil: // wakes a reader
		default:
		}
	}
	return nil
}
func (w *wire) LocalAddr() net.Addr              { return addr }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { w.Close(); return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// heard is what a session told.
type heard struct {
	keys chan dtls.Keys
	gone chan error
}

func newHeard() *heard { return &heard{make(chan dtls.Keys, 1), make(chan error, 1)} }

func (h *heard) peer(f dtls.Fingerprint, w *wire) dtls.Peer {
	return dtls.Peer{Fingerprint: f, Send: w.send, Done: func(k dtls.Keys) { h.keys <- k }, Gone: func(err error) { h.gone <- err }}
}

func (d *device) options(more ...pion.ClientOption) []pion.ClientOption {
	return append([]pion.ClientOption{
		pion.WithCertificates(d.cert), pion.WithInsecureSkipVerify(true),
		pion.WithSRTPProtectionProfiles(pion.SRTP_AEAD_AES_128_GCM, pion.SRTP_AES128_CM_HMAC_SHA1_80),
		pion.WithFlightInterval(50 * time.Millisecond), pion.WithExtendedMasterSecret(pion.RequireExtendedMasterSecret),
	}, more...)
}

// dial runs the client's handshake.
func (d *device) dial(t testing.TB, w *wire, more ...pion.ClientOption) (*pion.Conn, error) {
	t.Helper()
	c, err := pion.ClientWithOptions(w, addr, d.options(more...)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return c, c.HandshakeContext(ctx)
}

func newServer(t testing.TB, cfg dtls.Config) *dtls.Server {
	t.Helper()
	s, err := dtls.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func keysOf(t testing.TB, c *pion.Conn) (client, server srtp.Key) {
	t.Helper()
	s, _ := c.ConnectionState()
	b, err := s.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 56)
	if err != nil {
		t.Fatal(err)
	}
	copy(client.Key[:], b)
	copy(server.Key[:], b[16:])
	copy(client.Salt[:], b[32:])
	copy(server.Salt[:], b[44:])
	return client, server
}

func TestBothSidesHaveTheSameKeys(t *testing.T) {
	s, d, w, h := newServer(t, dtls.Config{}), newDevice(t), newWire(), newHeard()
	w.session = s.Session(h.peer(d.print, w))
	c, err := d.dial(t, w, pion.WithVerifyPeerCertificate(func(certs [][]byte, _ [][]*x509.Certificate) error {
		sum := sha256.Sum256(certs[0])
		if got := (dtls.Fingerprint{Hash: "sha-256", Sum: sum[:]}).String(); got != s.Fingerprint().String() {
			return errors.New("the server shows another certificate than it tells")
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	k := <-h.keys
	client, server := keysOf(t, c)
	if k.In != client || k.Out != server {
		t.Error("keys differ")
	}
	if p, _ := c.SelectedSRTPProtectionProfile(); p != pion.SRTP_AEAD_AES_128_GCM {
		t.Errorf("profile %v", p)
	}
	_ = c.Close()
	if err := <-h.gone; err != nil {
		t.Errorf("goodbye of the device: %v", err)
	}
}
