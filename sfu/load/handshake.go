package load

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"net"
	"os"
	"sync"
	"time"

	piondtls "github.com/pion/dtls/v3"

	"github.com/veche-im/veche/sfu/dtls"
	"github.com/veche-im/veche/sfu/srtp"
)

// identity is a certificate and its fingerprint.
type identity struct {
	cert  tls.Certificate
	print dtls.Fingerprint
}

// certificate is one for all callers of this process: making them is not what is
// measured.
var certificate = sync.OnceValue(func() identity {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the system has no randomness
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err) // the template is ours
	}
	sum := sha256.Sum256(der)
	return identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, dtls.Fingerprint{Hash: "sha-256", Sum: sum[:]}}
})

func token(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawStdEncoding.EncodeToString(b)[:n]
}

func random32() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint32(b[:]) | 1
}

// pipe is the net.PacketConn of the handshake.
type pipe struct {
	send  func([]byte)
	in    chan []byte
	ended chan struct{}
	once  sync.Once
}

func newPipe() *pipe { return &pipe{in: make(chan []byte, 32), ended: make(chan struct{})} }

func (p *pipe) put(b []byte) {
	select {
	case p.in <- append([]byte(nil), b...):
	default:
	}
}

func (p *pipe) end() { p.once.Do(func() { close(p.ended) }) }

// keys does the handshake and takes the keys out of it: of what comes, of what goes.
func (p *pipe) keys(ctx context.Context) (in, out srtp.Key, err error) {
	conn, err := piondtls.ClientWithOptions(p, nowhere,
		piondtls.WithCertificates(certificate().cert), piondtls.WithInsecureSkipVerify(true),
		piondtls.WithSRTPProtectionProfiles(piondtls.SRTP_AEAD_AES_128_GCM),
		piondtls.WithExtendedMasterSecret(piondtls.RequireExtendedMasterSecret))
	if err != nil {
		return in, out, fmt.Errorf("DTLS: %w", err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return in, out, fmt.Errorf("DTLS: %w", err)
	}
	state, _ := conn.ConnectionState()
	b, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 2*(srtp.KeySize+srtp.SaltSize))
	if err != nil {
		return in, out, fmt.Errorf("DTLS: %w", err)
	}
	n := copy(out.Key[:], b)
	n += copy(in.Key[:], b[n:])
	n += copy(out.Salt[:], b[n:])
	copy(in.Salt[:], b[n:])
	return in, out, nil
}

var nowhere net.Addr = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}

func (p *pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case packet := <-p.in:
		return copy(b, packet), nowhere, nil
	case <-p.ended:
		return 0, nil, os.ErrClosed
	}
}

func (p *pipe) WriteTo(b []byte, _ net.Addr) (int, error) { p.send(b); return len(b), nil }
func (p *pipe) Close() error                              { p.end(); return nil }
func (p *pipe) LocalAddr() net.Addr                       { return nowhere }
func (p *pipe) SetDeadline(time.Time) error               { return nil }
func (p *pipe) SetReadDeadline(time.Time) error           { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error          { return nil }
