// Package turn relays for devices whose network lets nothing through but TLS to the
// https port (RFC 8656 over TLS). Whoever accepts connections hands over those that
// begin, inside TLS, with a STUN message.
//
// It is no relay into any network. What a device sends through its allocation goes to
// the forwarder in this process, as one more stream, and what is for any other
// address goes nowhere: no socket is ever opened for an allocation. The relayed
// addresses that devices are told exist in name only. Still a permission is given for
// the forwarder's own addresses alone, so that a device hears at once that there is
// nothing else to be had.
//
// Credentials are made for one participant and end at a time that is written in the
// name, so that nothing has to be kept of them (the TURN REST scheme, with
// HMAC-SHA-256).
package turn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/turn/v5"

	"github.com/veche-im/veche/sfu/quiet"
	"github.com/veche-im/veche/sfu/stream"
)

const (
	realm        = "veche"
	lifetime     = 12 * time.Hour // of credentials, docs/spec/calls.md#paths
	defaultQuota = 4              // allocations of one participant
	maxName      = 64             // characters of a participant's name in credentials
	mtu          = stream.MaxPacket + 100
	idle         = 60 * time.Second // devices check paths every few seconds
	stuck        = 10 * time.Second // for which one write may last
	firstWithin  = 10 * time.Second // an allocation
)

// Config says what a Server works with. Streams and Media are required.
type Config struct {
	Streams *stream.Streams
	Media   func() []netip.AddrPort // where the forwarder is reached, best first
	Quota   int                     // allocations of one participant at once; 0 means 4
	Now     func() time.Time        // nil means time.Now
	Log     *slog.Logger            // nil is nobody
}

// Server makes credentials and serves connections. Close ends it.
type Server struct {
	cfg    Config
	secret [32]byte // of this process: calls are joined anew after a restart
	turn   *turn.Server
	door   *door

	mu   sync.Mutex // guards what follows
	used map[string]int
}

// New makes a Server.
func New(cfg Config) (*Server, error) {
	if cfg.Streams == nil || cfg.Media == nil {
		return nil, errors.New("turn: Streams and Media are required")
	}
	if cfg.Quota <= 0 {
		cfg.Quota = defaultQuota
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, door: newDoor(), used: map[string]int{}}
	_, _ = rand.Read(s.secret[:]) // never fails
	var err error
	s.turn, err = turn.NewServer(turn.ServerConfig{
		ListenerConfigs: []turn.ListenerConfig{{
			Listener:              s.door,
			RelayAddressGenerator: relays{s},
			PermissionHandler:     func(_ net.Addr, peer net.IP) bool { return s.permits(peer) },
		}},
		Realm:        realm,
		AuthHandler:  s.authenticate,
		QuotaHandler: func(user, _ string, _ net.Addr) bool { return s.mayAllocate(user) },
		EventHandler: turn.EventHandler{
			OnAllocationCreated: func(device, _ net.Addr, _, _, _ string, _ net.Addr, _ int) { s.door.relaying(device, true) },
			OnAllocationDeleted: func(device, _ net.Addr, _, _, _ string) { s.door.relaying(device, false) },
		},
		InboundMTU:    mtu,
		LoggerFactory: quiet.Loggers(cfg.Log),
	})
	if err != nil {
		return nil, fmt.Errorf("turn: %w", err)
	}
	return s, nil
}

// Close ends all connections.
func (s *Server) Close() { _ = s.turn.Close() } // closes the door, which has no error

// Serve relays for the device behind conn until it ends, and closes it.
func (s *Server) Serve(conn net.Conn) {
	c := newConn(conn)
	defer c.Close()
	if !s.door.pass(c) {
		return
	}
	<-c.ended
}

// Credentials are what a device shows, and until when it may.
type Credentials struct {
	Username, Password string
	Until              time.Time
}

// Credentials makes those of a participant, whose name is of letters, digits, - and _.
func (s *Server) Credentials(participant string) Credentials {
	until := s.cfg.Now().Add(lifetime).Truncate(time.Second)
	name := strconv.FormatInt(until.Unix(), 10) + ":" + participant
	return Credentials{Username: name, Password: s.password(name), Until: until}
}

func (s *Server) password(username string) string {
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write([]byte(username))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

// authenticate tells the library who a user name is, and the key that its messages
// must be signed with.
func (s *Server) authenticate(r *turn.RequestAttributes) (user string, key []byte, ok bool) {
	until, participant, ok := strings.Cut(r.Username, ":")
	if !ok || participant == "" || len(participant) > maxName || r.Realm != realm {
		return "", nil, false
	}
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || s.cfg.Now().Unix() >= seconds {
		return "", nil, false
	}
	return participant, turn.GenerateAuthKey(r.Username, realm, s.password(r.Username)), true
}

// permits allows the forwarder's own addresses and nothing else: not the machine's
// loopback, nor its network, nor the metadata service of its cloud.
func (s *Server) permits(peer net.IP) bool {
	a, ok := netip.AddrFromSlice(peer)
	return ok && slices.ContainsFunc(s.cfg.Media(), func(m netip.AddrPort) bool { return m.Addr() == a.Unmap() })
}

func (s *Server) mayAllocate(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used[user] < s.cfg.Quota
}

// allocate takes one allocation of a user's.
func (s *Server) allocate(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[user] >= s.cfg.Quota {
		return false
	}
	s.used[user]++
	return true
}

func (s *Server) free(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[user]--; s.used[user] <= 0 {
		delete(s.used, user)
	}
}

// relays gives the library what it takes for relayed sockets.
type relays struct{ s *Server }

var errNoTCP = errors.New("media is relayed, connections are not")

func (relays) Validate() error { return nil }

func (relays) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNoTCP
}

func (relays) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCP }

// AllocatePacketConn opens a stream to the forwarder and names it by an address that
// looks like one of the forwarder's, because that is where it is.
func (r relays) AllocatePacketConn(cfg turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	s := r.s
	four := cfg.Network == "udp4"
	media := s.cfg.Media()
	i := slices.IndexFunc(media, func(a netip.AddrPort) bool { return a.Addr().Is4() == four })
	if i < 0 {
		return nil, nil, fmt.Errorf("no address of the forwarder for %q", cfg.Network)
	}
	if !s.allocate(cfg.UserID) {
		return nil, nil, errors.New("quota is used up")
	}
	const first, count = 49152, 16384 // the dynamic ports
	port := cfg.RequestedPort
	if port == 0 {
		port = first + mathrand.IntN(count)
	}
	name := netip.AddrPortFrom(media[i].Addr(), uint16(port))
	x, err := s.cfg.Streams.Open(name, true)
	if err != nil {
		s.free(cfg.UserID)
		return nil, nil, err
	}
	c := &relay{stream: x, media: s.cfg.Media, free: func() { s.free(cfg.UserID) }}
	return c, net.UDPAddrFromAddrPort(name), nil
}

// relay is what the library takes for a UDP socket.
type relay struct {
	stream *stream.Stream
	media  func() []netip.AddrPort
	free   func()
	once   sync.Once // of Close
	rest   []byte    // packets that Take gave and ReadFrom did not yet; the reader's own

	mu   sync.Mutex   // guards what follows
	peer *net.UDPAddr // the forwarder's address that the device uses
}

// WriteTo takes a packet from the device for to, and drops it unless that is the
// forwarder.
func (c *relay) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := to.(*net.UDPAddr)
	if !ok || !c.to(a) {
		return len(b), nil
	}
	if len(b) == 0 || len(b) > stream.MaxPacket {
		return len(b), nil
	}
	if err := c.stream.Receive(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// to notes where the device sends, and reports whether that is the forwarder.
func (c *relay) to(a *net.UDPAddr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peer != nil && c.peer.Port == a.Port && c.peer.IP.Equal(a.IP) {
		return true
	}
	p := a.AddrPort()
	p = netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	if !slices.Contains(c.media(), p) {
		return false
	}
	c.peer = net.UDPAddrFromAddrPort(p)
	return true
}

// ReadFrom waits for a packet of the forwarder.
func (c *relay) ReadFrom(b []byte) (int, net.Addr, error) {
	if len(c.rest) == 0 {
		var err error
		if c.rest, err = c.stream.Take(); err != nil {
			return 0, nil, err
		}
	}
	n := int(binary.BigEndian.Uint16(c.rest))
	packet := c.rest[2 : 2+n]
	c.rest = c.rest[2+n:]
	c.mu.Lock()
	defer c.mu.Unlock()
	return copy(b, packet), c.peer, nil // the forwarder answers who spoke to it, so there is a peer
}

// Close ends the allocation's stream.
func (c *relay) Close() error {
	c.once.Do(func() {
		c.stream.Close()
		c.free()
	})
	return nil
}

// LocalAddr is the name under which the device knows the allocation.
func (c *relay) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.stream.Path.Remote) }

// SetDeadline and the two others do nothing: the library ends a relay by Close.
func (c *relay) SetDeadline(time.Time) error      { return nil }
func (c *relay) SetReadDeadline(time.Time) error  { return nil }
func (c *relay) SetWriteDeadline(time.Time) error { return nil }
