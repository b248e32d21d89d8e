package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestProxiesAloneAreBelieved(t *testing.T) {
	p, err := ParseProxies([]string{"10.0.0.0/24", "192.0.2.7", "2001:db8:1::/48"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		peer string
		said []string
		want string
	}{
		{"nobody's word counts", "198.51.100.1:5", []string{"203.0.113.9"}, "198.51.100.1"},
		{"nor that of who is beside a proxy", "192.0.2.8:5", []string{"203.0.113.9"}, "192.0.2.8"},
		{"a proxy's does", "10.0.0.3:5", []string{"203.0.113.9"}, "203.0.113.9"},
		{"the last one that it wrote", "10.0.0.3:5", []string{"1.2.3.4, 203.0.113.9"}, "203.0.113.9"},
		{"however a stranger has begun the list", "10.0.0.3:5", []string{"1.2.3.4", "10.0.0.9, 203.0.113.9"}, "203.0.113.9"},
		{"and whatever they pretend to be", "10.0.0.3:5", []string{"10.0.0.4,, 203.0.113.9"}, "203.0.113.9"},
		{"a chain of proxies", "10.0.0.3:5", []string{"203.0.113.9, 192.0.2.7", "10.0.0.4"}, "203.0.113.9"},
		{"a stranger's name for somebody else, through a chain", "10.0.0.3:5", []string{"1.2.3.4, 203.0.113.9, 192.0.2.7"}, "203.0.113.9"},
		{"IPv6, with and without a port", "[2001:db8:1::1]:5", []string{"2001:db8:9::9"}, "2001:db8:9::9"},
		{"IPv6, with a port", "[2001:db8:1::1]:5", []string{"[2001:db8:9::9]:77"}, "2001:db8:9::9"},
		{"IPv4 with a port", "10.0.0.3:5", []string{"203.0.113.9:1234"}, "203.0.113.9"},
		{"IPv4 as IPv6", "[::ffff:10.0.0.3]:5", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"a proxy that says nothing", "10.0.0.3:5", nil, "10.0.0.3"},
		{"or nonsense", "10.0.0.3:5", []string{"203.0.113.9, unknown"}, "10.0.0.3"},
		{"or an empty word", "10.0.0.3:5", []string{"203.0.113.9,"}, "10.0.0.3"},
		{"proxies alone", "10.0.0.3:5", []string{"192.0.2.7, 10.0.0.4"}, "192.0.2.7"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		r.Header = http.Header{forwardedFor: tt.said, "Forwarded": {"for=6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"}}
		if got := p.client(r); got.Unmap().String() != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "127.0.0.1:5"
	r.Header.Set(forwardedFor, "203.0.113.9")
	if got := Proxies(nil).client(r); got.String() != "127.0.0.1" {
		t.Errorf("without proxies somebody is believed: %s", got)
	}
	for _, bad := range []string{"", "x", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.1:80", "fe80::1%eth0", "::ffff:10.0.0.1"} {
		if p, err := ParseProxies([]string{bad}); err == nil {
			t.Errorf("%q is taken for %v", bad, p)
		}
	}
}
