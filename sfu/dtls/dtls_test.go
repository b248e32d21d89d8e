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
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
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
}

func newWire() *wire { return &wire{toDev: make(chan []byte, 256)} }

func (w *wire) send(b []byte) { // of the server
	w.mu.Lock()
	defer w.mu.Unlock()
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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

func TestAnotherCertificateThanOfferedIsRefused(t *testing.T) {
	s, d, w, h := newServer(t, dtls.Config{}), newDevice(t), newWire(), newHeard()
	w.session = s.Session(h.peer(newDevice(t).print, w))
	c, err := d.dial(t, w)
	if err == nil {
		_, err = c.Read(make([]byte, 10)) // the refusal may come behind the last flight
	}
	if err == nil {
		t.Error("the device thinks that all is well")
	}
	if err := <-h.gone; !errors.Is(err, dtls.ErrFingerprint) {
		t.Errorf("gone: %v", err)
	}
	select {
	case <-h.keys:
		t.Error("there are keys")
	default:
	}
}

func TestOnlyTheOneProfileIsTaken(t *testing.T) {
	s, d, w, h := newServer(t, dtls.Config{}), newDevice(t), newWire(), newHeard()
	w.session = s.Session(h.peer(d.print, w))
	if _, err := d.dial(t, w, pion.WithSRTPProtectionProfiles(pion.SRTP_AES128_CM_HMAC_SHA1_80)); err == nil {
		t.Error("a device without GCM got through")
	}
	if err := <-h.gone; err == nil {
		t.Error("gone without a reason")
	}
}

func TestADeviceWithoutMediaIsRefused(t *testing.T) {
	s, d, w, h := newServer(t, dtls.Config{}), newDevice(t), newWire(), newHeard()
	w.session = s.Session(h.peer(d.print, w))
	c, err := pion.ClientWithOptions(w, addr, pion.WithCertificates(d.cert), pion.WithInsecureSkipVerify(true))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.HandshakeContext(t.Context()) // it may have been done when it is refused
	if err := <-h.gone; err == nil {
		t.Error("gone without a reason")
	}
}

func TestHandshakeSurvivesLossDoublingAndDisorder(t *testing.T) {
	for seed := range 6 {
		s, d, w, h := newServer(t, dtls.Config{}), newDevice(t), newWire(), newHeard()
		n, held := seed, [2][]byte{}
		spoil := func(way int) func([]byte) [][]byte {
			return func(b []byte) [][]byte {
				n++
				switch n % 5 {
				case 0:
					return nil
				case 1:
					return [][]byte{b, b}
				case 2:
					held[way] = b
					return nil
				case 3:
					if old := held[way]; old != nil {
						held[way] = nil
						return [][]byte{b, old}
					}
				}
				return [][]byte{b}
			}
		}
		w.up, w.down = spoil(0), spoil(1)
		w.session = s.Session(h.peer(d.print, w))
		if _, err := d.dial(t, w, pion.WithMTU(300)); err != nil { // in many fragments
			t.Fatalf("seed %d: %v", seed, err)
		}
		<-h.keys
		w.session.Close()
	}
}

// The device's last flight may arrive while our answer to it is lost: it must get
// another.
func TestTheLastFlightIsSentAgain(t *testing.T) {
	s, d, w, h := newServer(t, dtls.Config{}), newDevice(t), newWire(), newHeard()
	var done sync.Once
	lost := 0
	keys := make(chan dtls.Keys, 1)
	p := h.peer(d.print, w)
	p.Done = func(k dtls.Keys) { keys <- k }
	w.down = func(b []byte) [][]byte {
		const finished, changeCipherSpec = 22, 20
		if b[0] == changeCipherSpec || b[0] == finished && b[4] == 1 { // epoch 1
			lost++
			if lost == 1 {
				done.Do(func() {})
				return nil
			}
		}
		return [][]byte{b}
	}
	w.session = s.Session(p)
	if _, err := d.dial(t, w); err != nil {
		t.Fatal(err)
	}
	<-keys
	if lost < 2 {
		t.Errorf("sent %d times", lost)
	}
}

// Hellos without number: each session asks for a cookie in its own handshake, and no
// more than so many handshakes are under way.
func TestAFloodOfHellosTakesNoMoreThanItsPlaces(t *testing.T) {
	const places, sessions = 4, 300
	s := newServer(t, dtls.Config{Handshakes: places, Timeout: time.Hour})
	hello := helloOf(t)
	var open []*dtls.Session
	sent := 0
	var mu sync.Mutex
	for range sessions {
		x := s.Session(dtls.Peer{Fingerprint: newDevicePrint, Send: func(b []byte) { mu.Lock(); sent += len(b); mu.Unlock() }})
		for range 10 {
			x.Receive(hello)
		}
		open = append(open, x)
	}
	if n := s.Busy(); n != places {
		t.Errorf("%d handshakes at once", n)
	}
	for _, x := range open {
		x.Close()
	}
	// A place is given back, so that an honest device gets through.
	d, w, h := newDevice(t), newWire(), newHeard()
	w.session = s.Session(h.peer(d.print, w))
	if _, err := d.dial(t, w); err != nil {
		t.Fatal(err)
	}
	<-h.keys
}

var newDevicePrint, _ = dtls.ParseFingerprint("sha-256 " + "AB" + repeat(":AB", 31))

func repeat(s string, n int) (r string) {
	for range n {
		r += s
	}
	return r
}

// helloOf records the first packet of a device.
func helloOf(t testing.TB) []byte {
	t.Helper()
	s, d, w, h := newServer(t, dtls.Config{}), newDevice(t), newWire(), newHeard()
	first := make(chan []byte, 1)
	w.up = func(b []byte) [][]byte {
		select {
		case first <- b:
		default:
		}
		return [][]byte{b}
	}
	w.session = s.Session(h.peer(d.print, w))
	if _, err := d.dial(t, w); err != nil {
		t.Fatal(err)
	}
	<-h.keys
	w.session.Close()
	return <-first
}

func TestAHandshakeThatGoesNowhereEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hello := []byte(testHello)
		s, err := dtls.New(dtls.Config{Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		gone := make(chan error, 1)
		x := s.Session(dtls.Peer{Fingerprint: newDevicePrint, Send: func([]byte) {}, Gone: func(err error) { gone <- err }})
		x.Receive(hello)
		began := time.Now()
		if err := <-gone; !errors.Is(err, dtls.ErrTimeout) {
			t.Errorf("gone: %v", err)
		}
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("after %v", d)
		}
		x.Receive(hello) // nothing begins anew
		if s.Busy() != 0 {
			t.Error("its place is still taken")
		}
		s.Close()
	})
}

// testHello is no whole hello, but looks like the beginning of one.
const testHello = "\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x01\x00\x00\x50\x00\x00\x00\x00\x00\x00\x00\x04\xfe\xfd\x00\x00"

func TestNothingIsStartedForASessionThatHearsNothing(t *testing.T) {
	s := newServer(t, dtls.Config{})
	before := runtime.NumGoroutine()
	for range 100 {
		s.Session(dtls.Peer{Fingerprint: newDevicePrint, Send: func([]byte) {}})
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines more", n-before)
	}
}

func TestCloseEndsEverySession(t *testing.T) {
	s, d := newServer(t, dtls.Config{}), newDevice(t)
	var conns []*pion.Conn
	for range 3 {
		w, h := newWire(), newHeard()
		w.session = s.Session(h.peer(d.print, w))
		c, err := d.dial(t, w)
		if err != nil {
			t.Fatal(err)
		}
		<-h.keys
		conns = append(conns, c)
	}
	s.Close()
	for _, c := range conns { // each device hears goodbye
		if _, err := c.Read(make([]byte, 10)); err == nil {
			t.Error("no goodbye")
		}
	}
}

func TestFingerprintsAreReadAsTheyAreWritten(t *testing.T) {
	s := newServer(t, dtls.Config{})
	f, err := dtls.ParseFingerprint(s.Fingerprint().String())
	if err != nil || f.String() != s.Fingerprint().String() {
		t.Errorf("%v, %v", f, err)
	}
	for _, bad := range []string{"", "sha-256", "sha-256 AB", "md5 " + repeat("AB:", 15) + "AB", "sha-256 " + repeat("AB:", 31) + "XY",
		"sha-256 " + repeat("AB-", 31) + "AB", "sha-256 " + repeat("AB:", 32) + "AB"} {
		if f, err := dtls.ParseFingerprint(bad); err == nil {
			t.Errorf("%q is read as %v", bad, f)
		}
	}
}

// FuzzSession feeds a session with a stranger's packets.
func FuzzSession(f *testing.F) {
	f.Add([]byte(testHello), []byte{20, 254, 253})
	f.Add(helloOf(f), []byte{})
	s := newServer(f, dtls.Config{Timeout: 50 * time.Millisecond})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x := s.Session(dtls.Peer{Fingerprint: newDevicePrint, Send: func([]byte) {}, Done: func(dtls.Keys) { t.Error("keys out of noise") }})
		x.Receive(a)
		x.Receive(b)
		x.Receive(a)
		x.Close()
	})
}

func BenchmarkHandshake(b *testing.B) {
	s, d := newServer(b, dtls.Config{}), newDevice(b)
	var kept []*dtls.Session
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		w, h := newWire(), newHeard()
		w.session = s.Session(h.peer(d.print, w))
		c, err := d.dial(b, w)
		if err != nil {
			b.Fatal(err)
		}
		<-h.keys
		kept = append(kept, w.session)
		_ = c
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/float64(len(kept)), "bytes/both-ends")
	for _, x := range kept {
		x.Close()
	}
}
