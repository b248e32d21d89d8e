package turn_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"
	client "github.com/pion/turn/v5"

	"github.com/veche-im/veche/sfu/ice"
	"github.com/veche-im/veche/sfu/stream"
	"github.com/veche-im/veche/sfu/turn"
	"github.com/veche-im/veche/sfu/udp"
)

// media is where the forwarder of these tests says it is; nothing listens there.
var media = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.50:8443"), netip.MustParseAddrPort("[2001:db8::50]:8443")}

type rig struct {
	*turn.Server
	streams *stream.Streams
	listen  net.Listener
}

func newRig(t testing.TB, change ...func(*turn.Config)) *rig {
	t.Helper()
	r := &rig{streams: stream.New(stream.Config{Owned: func(ice.Path) bool { return true }})}
	t.Cleanup(r.streams.Close)
	cfg := turn.Config{Streams: r.streams, Media: func() []netip.AddrPort { return media }}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if r.Server, err = turn.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if r.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.listen.Close() })
	go func() {
		for {
			c, err := r.listen.Accept()
			if err != nil {
				return
			}
			go r.Serve(c)
		}
	}()
	return r
}

// dial makes a client of another implementation's.
func (r *rig) dial(t testing.TB, c turn.Credentials) *client.Client {
	t.Helper()
	conn, err := net.Dial("tcp", r.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	x, err := client.NewClient(&client.ClientConfig{
		TURNServerAddr: r.listen.Addr().String(), Username: c.Username, Password: c.Password, Realm: "veche",
		Conn: client.NewSTUNConn(conn), LoggerFactory: quiet, RTO: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		x.Close()
		_ = conn.Close()
	})
	return x
}

func TestWhatADeviceSendsReachesTheForwarder(t *testing.T) {
	r := newRig(t)
	relay, err := r.dial(t, r.Credentials("ann")).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	to := net.UDPAddrFromAddrPort(media[0])
	if _, err := relay.WriteTo([]byte("hello"), to); err != nil {
		t.Fatal(err)
	}
	b := udp.NewBatch()
	if err := r.streams.Read(b); err != nil {
		t.Fatal(err)
	}
	p := b.Packets[0]
	if string(p.Data) != "hello" || p.Stream == 0 || p.From.String() != relay.LocalAddr().String() {
		t.Errorf("%q from %v (%d), the device says %v", p.Data, p.From, p.Stream, relay.LocalAddr())
	}
	for i := range 3 { // as an indication, then by a channel
		r.streams.Send(p.Stream, fmt.Append(nil, "back ", i))
		buf := make([]byte, 100)
		n, from, err := relay.ReadFrom(buf)
		if err != nil || string(buf[:n]) != fmt.Sprint("back ", i) || from.String() != media[0].String() {
			t.Errorf("%q from %v, %v", buf[:n], from, err)
		}
	}
	// Another port of the same address is not the forwarder.
	if _, err := relay.WriteTo([]byte("other"), &net.UDPAddr{IP: to.IP, Port: 22}); err != nil {
		t.Fatal(err)
	}
	if _, err := relay.WriteTo([]byte("again"), to); err != nil {
		t.Fatal(err)
	}
	if err := r.streams.Read(b); err != nil || string(b.Packets[0].Data) != "again" {
		t.Errorf("%q, %v", b.Packets[0].Data, err)
	}
	_ = relay.Close()
	wait(t, "the stream's end", func() bool { return r.streams.Len() == 0 })
}

func wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Addresses that people have reached through relays of others.
var elsewhere = strings.Fields(`
	0.0.0.0 0.0.0.1 127.0.0.1 127.0.0.2 127.1.2.3 127.255.255.254 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.1
	192.168.0.1 192.168.1.254 169.254.0.1 169.254.169.254 169.254.170.2 100.64.0.1 100.100.100.200 192.0.0.1 192.0.0.192 192.0.2.1
	192.0.2.49 192.0.2.51 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 8.8.8.8
	1.1.1.1 ::1 :: ::2 fe80::1 fe80::a9fe:a9fe fc00::1 fd00::1 fd00:ec2::254 ff02::1
	2001:db8::1 2001:db8::51 2001::1 2001:10::1 2002:7f00:1:: 2002:a00:1:: 2002:a9fe:a9fe:: 2002:c0a8:101:: 64:ff9b::7f00:1 64:ff9b::a00:1
	64:ff9b::a9fe:a9fe 64:ff9b::c0a8:101 64:ff9b:1::a9fe:a9fe ::127.0.0.1 ::10.0.0.1 ::169.254.169.254 ::ffff:0:127.0.0.1 100::1 2606:4700:4700::1111 3fff::1
	fec0::1 ff05::2 ::ffff:0:a9fe:a9fe 2002:c000:232::`)

func TestNothingButTheForwarderIsReached(t *testing.T) {
	if len(elsewhere) < 60 {
		t.Fatalf("only %d rows", len(elsewhere))
	}
	r := newRig(t)
	for _, text := range elsewhere {
		if r.Permits(net.ParseIP(text)) {
			t.Errorf("%s is permitted", text)
		}
		if a := netip.MustParseAddr(text); a.Is4() { // the same, mapped
			if r.Permits(net.IP(netip.AddrFrom16(a.As16()).AsSlice())) {
				t.Errorf("::ffff:%s is permitted", text)
			}
		}
	}
	for _, m := range media {
		if !r.Permits(m.Addr().AsSlice()) {
			t.Errorf("%v is refused", m)
		}
	}
	for _, odd := range []net.IP{nil, {}, {1, 2, 3}, make(net.IP, 20)} {
		if r.Permits(odd) {
			t.Errorf("%v is permitted", []byte(odd))
		}
	}
	// Over the wire too, in families that an allocation has.
	x := r.dial(t, r.Credentials("ann"))
	relay, err := x.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if err := x.CreatePermission(net.UDPAddrFromAddrPort(media[0])); err != nil {
		t.Errorf("the forwarder is refused: %v", err)
	}
	for _, text := range elsewhere {
		if err := x.CreatePermission(&net.UDPAddr{IP: net.ParseIP(text), Port: 80}); err == nil {
			t.Errorf("%s is permitted", text)
		}
	}
	_ = relay.Close()
}

// A relay that was once permitted to write may write to no other address, whatever
// the library checks.
func TestTheRelayDropsWhatIsForOthers(t *testing.T) {
	r := newRig(t)
	conn, err := r.AllocateRelay("ann")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(elsewhere, "192.0.2.50", "2001:db8::50") {
		for _, port := range []int{0, 22, 80, 8444} {
			if _, err := conn.WriteTo([]byte(text), &net.UDPAddr{IP: net.ParseIP(text), Port: port}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := conn.WriteTo([]byte("x"), &net.TCPAddr{IP: net.ParseIP("192.0.2.50"), Port: 8443}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.WriteTo([]byte("the last"), net.UDPAddrFromAddrPort(media[0])); err != nil {
		t.Fatal(err)
	}
	b := udp.NewBatch()
	if err := r.streams.Read(b); err != nil || len(b.Packets) != 1 || string(b.Packets[0].Data) != "the last" {
		t.Errorf("%d packets, %v", len(b.Packets), err)
	}
	_ = conn.Close()
}

func TestCredentialsAreOneParticipantsAndEnd(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := newRig(t, func(c *turn.Config) { c.Now = func() time.Time { return now } })
	good := r.Credentials("ann")
	if until := good.Until.Sub(now); until != 12*time.Hour {
		t.Errorf("they last %v", until)
	}
	other := newRig(t).Credentials("ann")
	later := strings.Replace(good.Username, "18", "19", 1)
	for name, c := range map[string]turn.Credentials{
		"wrong password":       {Username: good.Username, Password: "wrong"},
		"of another server":    other,
		"a later end":          {Username: later, Password: good.Password},
		"another participant":  {Username: strings.Replace(good.Username, "ann", "bob", 1), Password: good.Password},
		"no participant":       {Username: "1900000000:", Password: good.Password},
		"no end":               {Username: "ann", Password: good.Password},
		"an end that is none":  {Username: "soon:ann", Password: good.Password},
		"nothing":              {Username: "x", Password: "x"},
		"a name without bound": {Username: "1900000000:" + strings.Repeat("a", 200), Password: good.Password},
	} {
		if _, err := r.dial(t, c).Allocate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := r.dial(t, good).Allocate(); err != nil {
		t.Errorf("the right ones: %v", err)
	}
	now = now.Add(12 * time.Hour)
	if _, err := r.dial(t, good).Allocate(); err == nil {
		t.Error("they never end")
	}
}

func TestAllocationsOfOneAreFew(t *testing.T) {
	r := newRig(t, func(c *turn.Config) { c.Quota = 2 })
	c := r.Credentials("ann")
	var first net.PacketConn
	for i := range 2 {
		relay, err := r.dial(t, c).Allocate()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = relay
		}
	}
	if _, err := r.dial(t, c).Allocate(); err == nil {
		t.Error("a third allocation")
	}
	if _, err := r.dial(t, r.Credentials("bob")).Allocate(); err != nil {
		t.Errorf("another's: %v", err)
	}
	_ = first.Close()
	wait(t, "the place", func() bool { return r.Used("ann") == 1 })
	if _, err := r.dial(t, c).Allocate(); err != nil {
		t.Errorf("the place of one that ended: %v", err)
	}
}

func TestConnectionsAreNotRelayed(t *testing.T) {
	r := newRig(t)
	if _, err := r.dial(t, r.Credentials("ann")).AllocateTCP(); err == nil {
		t.Error("a relay for connections was given")
	}
}

func TestCloseEndsEveryConnection(t *testing.T) {
	r := newRig(t)
	if _, err := r.dial(t, r.Credentials("ann")).Allocate(); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Dial("tcp", r.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r.Close()
	_ = silent.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := silent.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a connection is still open")
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Error("a connection is still open")
	}
	wait(t, "the stream's end", func() bool { return r.streams.Len() == 0 })
}

// Noise ends its own connection and nothing else.
func TestNoiseHarmsNobody(t *testing.T) {
	r := newRig(t)
	relay, err := r.dial(t, r.Credentials("ann")).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	for _, noise := range [][]byte{
		bytes.Repeat([]byte{0}, 5000), bytes.Repeat([]byte{0x40}, 5000), bytes.Repeat([]byte{0xff}, 5000),
		[]byte("\x00\x03\xff\xff\x21\x12\xa4\x42ABCDEFGHIJKL"), []byte("\x40\x00\xff\xff"),
	} {
		c, err := net.Dial("tcp", r.listen.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(noise)
		_ = c.Close()
	}
	if _, err := relay.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(media[0])); err != nil {
		t.Fatal(err)
	}
	b := udp.NewBatch()
	if err := r.streams.Read(b); err != nil || string(b.Packets[0].Data) != "hello" {
		t.Errorf("%v", err)
	}
}
