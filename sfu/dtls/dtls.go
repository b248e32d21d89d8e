// Package dtls agrees with a device on the keys of its media: the passive side of
// DTLS 1.2 with use_srtp (RFC 5764), on packets that somebody else reads and sends.
//
// The certificate lives as long as the process and is never stored: a device learns
// its fingerprint in the SDP answer, over the connection that it trusts already, and
// we learn the device's in its offer. A handshake in which the device shows another
// certificate fails. AEAD_AES_128_GCM (RFC 7714) is the only profile.
//
// Feed a Session only with packets from paths that are proved (package ice): the
// flights of a handshake are longer than what asks for them. A Session is nothing
// but its own memory until the first packet comes and one of the places for
// handshakes is free; while none is, packets are dropped, and the device sends them
// again.
package dtls

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/veche-im/veche/sfu/quiet"
	"github.com/veche-im/veche/sfu/srtp"
)

// What callers may test for.
var (
	ErrFingerprint = errors.New("dtls: the device shows another certificate than its offer named")
	ErrTimeout     = errors.New("dtls: the handshake took too long")
	ErrClosed      = errors.New("dtls: closed")
)

const (
	defaultHandshakes = 64
	defaultTimeout    = 20 * time.Second
	maxPacket         = 2048
	queue             = 16 // packets that wait for a handshake
	mtu               = 1200
	exporter          = "EXTRACTOR-dtls_srtp" // RFC 5764 §4.2
)

// Fingerprint is the hash of a certificate as SDP tells it (RFC 8122).
type Fingerprint struct {
	Hash string // "sha-256", "sha-384" or "sha-512"
	Sum  []byte
}

// ParseFingerprint reads the value of a=fingerprint: "sha-256 AB:CD:…".
func ParseFingerprint(s string) (Fingerprint, error) {
	name, text, ok := strings.Cut(s, " ")
	f := Fingerprint{Hash: strings.ToLower(name)}
	want := map[string]int{"sha-256": sha256.Size, "sha-384": sha512.Size384, "sha-512": sha512.Size}[f.Hash]
	if !ok || want == 0 {
		return Fingerprint{}, errors.New("a certificate's fingerprint must be of sha-256, sha-384 or sha-512")
	}
	if len(text) != want*3-1 {
		return Fingerprint{}, fmt.Errorf("fingerprint of %d characters, %d expected", len(text), want*3-1)
	}
	for i := range want {
		if i > 0 && text[i*3-1] != ':' {
			return Fingerprint{}, errors.New("fingerprint without colons between its bytes")
		}
		b, err := hex.DecodeString(text[i*3 : i*3+2])
		if err != nil {
			return Fingerprint{}, errors.New("fingerprint that is not hexadecimal")
		}
		f.Sum = append(f.Sum, b[0])
	}
	return f, nil
}

// String is the form in SDP.
func (f Fingerprint) String() string {
	parts := make([]string, len(f.Sum))
	for i, x := range f.Sum {
		parts[i] = fmt.Sprintf("%02X", x)
	}
	return f.Hash + " " + strings.Join(parts, ":")
}

// matches reports whether cert, in DER, has this fingerprint.
func (f Fingerprint) matches(cert []byte) bool {
	var sum []byte
	switch f.Hash {
	case "sha-256":
		s := sha256.Sum256(cert)
		sum = s[:]
	case "sha-384":
		s := sha512.Sum384(cert)
		sum = s[:]
	case "sha-512":
		s := sha512.Sum512(cert)
		sum = s[:]
	}
	return sum != nil && bytes.Equal(sum, f.Sum)
}

// Config says how a Server works. All of it may be left out.
type Config struct {
	Handshakes int           // at once; 0 means 64
	Timeout    time.Duration // of one handshake; 0 means 20 s
	Log        *slog.Logger  // nil is nobody
}

// Server makes sessions under one certificate.
type Server struct {
	cfg    Config
	cert   tls.Certificate
	print  Fingerprint
	places chan struct{}

	ctx    context.Context // ends with Close; sessions live as long, not as any one call
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// New makes the certificate: ECDSA on P-256, self-signed, valid for as long as a
// process could run.
func New(cfg Config) (*Server, error) {
	if cfg.Handshakes <= 0 {
		cfg.Handshakes = defaultHandshakes
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of calls: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make the certificate of calls: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "calls"},
		NotBefore:    now.Add(-24 * time.Hour), // devices whose clocks are behind
		NotAfter:     now.AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of calls: %w", err)
	}
	sum := sha256.Sum256(der)
	s := &Server{
		cfg:    cfg,
		cert:   tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		print:  Fingerprint{Hash: "sha-256", Sum: sum[:]},
		places: make(chan struct{}, cfg.Handshakes),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Fingerprint is what the SDP answer tells of our certificate.
func (s *Server) Fingerprint() Fingerprint { return s.print }

// Close ends all sessions and returns when they are gone.
func (s *Server) Close() {
	s.cancel()
	s.tasks.Wait()
}

// Keys are what a handshake gives.
type Keys struct {
	In  srtp.Key // what the device seals with
	Out srtp.Key // what we seal with
}

// Peer is the other side of a session, and who hears of it. Its functions are called
// from goroutines of the session.
type Peer struct {
	Fingerprint Fingerprint
	Send        func(packet []byte) // must not keep packet; what cannot be sent is lost
	Done        func(Keys)          // once, when the handshake is
	// Gone is called once, unless Close was: when the handshake failed, or nil when
	// the device said goodbye. Nothing is called after it.
	Gone func(error)
}

// Session is the handshake with one device, and what remains of it: answering a
// device that missed the last flight, and hearing its goodbye.
type Session struct {
	server *Server
	peer   Peer
	pipe   *pipe

	mu      sync.Mutex // guards what follows
	started bool
	closed  bool
}

// Session makes a session that waits for its first packet.
func (s *Server) Session(p Peer) *Session {
	return &Session{server: s, peer: p, pipe: newPipe(p.Send)}
}

// Receive takes a packet from the device; it copies what it needs and never blocks.
func (x *Session) Receive(packet []byte) {
	if len(packet) == 0 || len(packet) > maxPacket || !x.start() {
		return
	}
	x.pipe.put(packet)
}

// start takes a place for the handshake if the session has not begun.
func (x *Session) start() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.started || x.closed {
		return !x.closed
	}
	select {
	case x.server.places <- struct{}{}:
	default:
		return false
	}
	if x.server.ctx.Err() != nil {
		<-x.server.places
		return false
	}
	x.started = true
	x.server.tasks.Go(x.run)
	return true
}

// Close ends the session, saying goodbye to the device if the handshake was done.
func (x *Session) Close() {
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.pipe.end()
}

func (x *Session) isClosed() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.closed
}

// run lives from the first packet to the end of the session.
func (x *Session) run() {
	err := x.talk()
	x.pipe.end()
	_ = x.pipe.Close()
	if x.isClosed() || x.server.ctx.Err() != nil {
		return
	}
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	if x.peer.Gone != nil {
		x.peer.Gone(err)
	}
}

func (x *Session) talk() error {
	conn, keys, err := x.handshake()
	<-x.server.places
	if err != nil {
		return err
	}
	stop := context.AfterFunc(x.server.ctx, x.pipe.end)
	defer stop()
	if x.peer.Done != nil && !x.isClosed() {
		x.peer.Done(keys)
	}
	drained := make(chan struct{})
	go func() {
		drain(conn)
		close(drained)
	}()
	select {
	case <-drained:
	case <-x.pipe.ended:
	}
	_ = conn.Close() // says goodbye, unless the device did
	<-drained
	return nil
}

// drain waits for the goodbye. Nobody has anything to say here; what a device sends
// all the same is dropped.
func drain(conn *dtls.Conn) {
	buf := make([]byte, maxPacket)
	for {
		if _, err := conn.Read(buf); err != nil {
			return
		}
	}
}

func (x *Session) handshake() (*dtls.Conn, Keys, error) {
	s := x.server
	conn, err := dtls.ServerWithOptions(x.pipe, x.pipe.RemoteAddr(),
		dtls.WithCertificates(s.cert),
		dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithClientAuth(dtls.RequireAnyClientCert),
		dtls.WithVerifyPeerCertificate(x.verify),
		dtls.WithMTU(mtu),
		dtls.WithLoggerFactory(quiet.Loggers(s.cfg.Log)),
	)
	if err != nil {
		return nil, Keys{}, fmt.Errorf("dtls: %w", err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, x.pipe.end)
	defer stop()
	keys, err := agree(ctx, conn)
	if err == nil {
		return conn, keys, nil
	}
	_ = conn.Close()
	switch {
	case x.isClosed() || s.ctx.Err() != nil:
		return nil, Keys{}, ErrClosed
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, Keys{}, fmt.Errorf("%w: %w", ErrTimeout, err)
	default:
		return nil, Keys{}, err
	}
}

// agree runs the handshake and takes the keys out of it.
func agree(ctx context.Context, conn *dtls.Conn) (Keys, error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return Keys{}, fmt.Errorf("dtls: handshake: %w", err)
	}
	if p, ok := conn.SelectedSRTPProtectionProfile(); !ok || p != dtls.SRTP_AEAD_AES_128_GCM {
		return Keys{}, errors.New("dtls: the device cannot do AEAD_AES_128_GCM")
	}
	state, ok := conn.ConnectionState()
	if !ok {
		return Keys{}, errors.New("dtls: no state after the handshake")
	}
	b, err := state.ExportKeyingMaterial(exporter, nil, 2*(srtp.KeySize+srtp.SaltSize))
	if err != nil {
		return Keys{}, fmt.Errorf("dtls: export keys: %w", err)
	}
	// RFC 5764 §4.2: both keys, then both salts, the client's first.
	var k Keys
	n := copy(k.In.Key[:], b)
	n += copy(k.Out.Key[:], b[n:])
	n += copy(k.In.Salt[:], b[n:])
	copy(k.Out.Salt[:], b[n:])
	return k, nil
}

// verify holds the device to the certificate that its offer named.
func (x *Session) verify(certs [][]byte, _ [][]*x509.Certificate) error {
	if len(certs) == 0 || !x.peer.Fingerprint.matches(certs[0]) {
		return ErrFingerprint
	}
	return nil
}
