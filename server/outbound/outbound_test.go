package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// noNames resolves nothing: what is tested with it is an address.
func noNames(_ context.Context, host string) ([]netip.Addr, error) {
	return nil, errors.New("the name " + host + " was looked up")
}

func TestWhatIsNoPublicAddressIsRefused(t *testing.T) {
	d := New(Config{Resolve: noNames})
	for _, host := range []string{
		// Loopback, this network, and their other spellings.
		"127.0.0.1", "127.1.2.3", "127.255.255.255", "0.0.0.0", "0.1.2.3", "::1", "::", "0:0:0:0:0:0:0:1",
		"127.1", "127.0.1", "1", "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.0x1", "127.0.0.1.", "010.0.0.1",
		"0X7F.1", "0x", "", ".", "127.0.0.01", "127.0.0.256", "1.2.3.4.5",
		// Private.
		"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "fc00::1", "fd12:3456::1", "fec0::1",
		// Link-local, with the metadata of clouds; zones.
		"169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fe80::1%1", "febf::1", "2600::1%eth0", "::1%lo",
		// Shared by carriers, for protocols and benchmarks, documentation.
		"100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"2001:db8::1", "3fff::1", "3fff:fff::1", "100::1", "100:0:0:1::1", "5f00::1", "2001:2::1", "2001:20::1", "2001:10::1",
		// Multicast, reserved, broadcast.
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "ff02::1", "ff0e::1",
		// IPv4 inside IPv6: mapped, compatible, translated, 6to4, Teredo, NAT64.
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1", "::8.8.8.8",
		"2002:7f00:1::1", "2002:a00:1::1", "2002:808:808::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
		"64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "192.88.99.1",
		// Blocks that nobody has.
		"4000::1", "1::1", "e000::1", "200::1", "fe00::1",
	} {
		c, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, "9"))
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v %v", host, c, err)
		}
	}
}

func TestPublicAddressesAreNot(t *testing.T) {
	d := New(Config{Resolve: noNames})
	for _, host := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2600::1", "2a00:1450:4001::1", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2001:db7::1", "2001:db9::1", "3ffe::1", "3fff:1000::1", "::ffff:8.8.8.8",
	} {
		got, err := d.judged(t.Context(), host)
		if err != nil || len(got) != 1 || got[0].Is4In6() {
			t.Errorf("%s: %v %v", host, got, err)
		}
	}
}

func TestTheAdministratorMayAllowOthers(t *testing.T) {
	d := New(Config{Resolve: noNames, Allow: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/16"), netip.MustParsePrefix("fd00:1::/32")}})
	for host, want := range map[string]bool{
		"10.1.0.1": true, "::ffff:10.1.0.1": true, "10.2.0.1": false, "fd00:1::5": true, "fd00:2::5": false, "127.0.0.1": false, "fd00:1::5%eth0": false,
	} {
		if _, err := d.judged(t.Context(), host); (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// One that answers with a public address first and a private one later, or with
// both, must not lead inside.
func TestANameIsLookedUpOnceAndAllItsAddressesAreJudged(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	var asked atomic.Int64
	answers := [][]netip.Addr{{netip.MustParseAddr("127.0.0.1")}, {netip.MustParseAddr("169.254.169.254")}}
	resolve := func(context.Context, string) ([]netip.Addr, error) {
		return answers[min(int(asked.Add(1)-1), len(answers)-1)], nil
	}
	allowed := Config{Resolve: resolve, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	c, err := New(allowed).DialContext(t.Context(), "tcp", "rebinding.example:"+port)
	if err != nil || asked.Load() != 1 || c.RemoteAddr().String() != "127.0.0.1:"+port {
		t.Fatalf("%v after %d look-ups: %v", c, asked.Load(), err)
	}
	c.Close()
	if _, err := New(allowed).DialContext(t.Context(), "tcp", "rebinding.example:"+port); !errors.Is(err, ErrRefused) {
		t.Errorf("the second answer: %v", err)
	}
	both := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1")}, nil
	}
	allowed.Resolve = both
	if _, err := New(allowed).DialContext(t.Context(), "tcp", "both.example:"+port); !errors.Is(err, ErrRefused) {
		t.Errorf("a name with a private address beside one that may be called: %v", err)
	}
	none := New(Config{Resolve: func(context.Context, string) ([]netip.Addr, error) { return nil, nil }})
	if _, err := none.DialContext(t.Context(), "tcp", "none.example:80"); err == nil {
		t.Error("a name without addresses was dialled")
	}
}

// The second line: whatever address comes to the system's dialer.
func TestControlRefusesToo(t *testing.T) {
	d := New(Config{})
	for address, want := range map[string]bool{"8.8.8.8:53": true, "127.0.0.1:80": false, "[::1]:80": false, "[fe80::1%lo]:80": false, "nonsense": false} {
		if err := d.control("tcp4", address, nil); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestOtherNetworksAreRefused(t *testing.T) {
	d := New(Config{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}})
	for _, n := range []string{"udp", "unix", "ip", "", "tcp5"} {
		if _, err := d.DialContext(t.Context(), n, "127.0.0.1:1"); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", n, err)
		}
	}
}

func TestRedirectsAreJudgedAnew(t *testing.T) {
	var inside atomic.Int64
	private := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer private.Close()
	to := ""
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/end" {
			return
		}
		http.Redirect(w, r, to, http.StatusFound)
	}))
	defer public.Close()
	u, _ := url.Parse(public.URL)
	// What is public here is one name; 127.0.0.1 is what it was judged as.
	d := New(Config{
		Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			if host == "public.example" {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		},
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	c := d.Client(30 * time.Second)
	defer c.CloseIdleConnections()
	get := func(path string) error {
		resp, err := c.Get("http://public.example:" + u.Port() + path)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	to = "/end"
	if err := get("/"); err != nil {
		t.Errorf("a redirect within: %v", err)
	}
	for _, to = range []string{"http://private.example/", strings.Replace(private.URL, "127.0.0.1", "localhost", 1), "http://127.1/", "http://[::1]/", "http://169.254.169.254/latest"} {
		if err := get("/"); !errors.Is(err, ErrRefused) {
			t.Errorf("a redirect to %s: %v", to, err)
		}
	}
	to = "/again"
	if err := get("/"); !errors.Is(err, ErrRefused) {
		t.Errorf("a redirect without end: %v", err)
	}
	down := &http.Request{URL: &url.URL{Scheme: "http"}}
	if err := c.CheckRedirect(down, []*http.Request{{URL: &url.URL{Scheme: "https"}}}); !errors.Is(err, ErrRefused) {
		t.Errorf("from https to http: %v", err)
	}
	if inside.Load() != 0 {
		t.Error("a redirect has led inside")
	}
	t.Setenv("HTTP_PROXY", private.URL)
	if p := c.Transport.(*http.Transport).Proxy; p != nil {
		t.Error("a proxy of the environment is asked")
	}
}

func FuzzDial(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "0x7f.1", "::ffff:127.0.0.1", "[::1]", "localhost", "fe80::1%eth0", "8.8.8.8", "1e100.net", "a.0x", "١٢٧.0.0.1"} {
		f.Add(s)
	}
	inside := netip.MustParseAddr("10.0.0.1")
	d := New(Config{Resolve: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{inside}, nil }})
	f.Fuzz(func(t *testing.T, host string) {
		got, err := d.judged(t.Context(), host) // whatever is a name is inside
		if err != nil {
			return
		}
		for _, a := range got {
			if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() {
				t.Errorf("%q leads to %s", host, a)
			}
		}
	})
}
