package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// The headers by which a request is judged are a stranger's. What they name is
// found where it is, and nothing panics.
func FuzzHeaders(f *testing.F) {
	f.Add("Bearer x", "veche-local=y; __Host-veche=z", "localhost:8080", "http://localhost:8080", "gzip;q=0, br")
	f.Add("bearer", "=;;=", "[::1]:1", "null", "*;q=0.0001")
	f.Add("", "veche-local=\"quoted\"", "127.0.0.1.evil.example", "http://a@localhost:8080", ",;,")
	f.Fuzz(func(t *testing.T, auth, cookie, host, origin, encoding string) {
		r := &http.Request{Method: http.MethodPost, Host: host, Header: http.Header{
			"Authorization": {auth}, "Cookie": {cookie}, "Origin": {origin}, "Content-Type": {"application/json"},
		}}
		for _, local := range []bool{true, false} {
			c := &call{r: r, door: Door{Local: local}}
			if shown := shownToken(c); shown != "" && !strings.Contains(auth+cookie, shown) {
				t.Errorf("%q and %q show %q", auth, cookie, shown)
			}
		}
		if err := sameSite(r, route{}); err == nil && origin != "" && !strings.HasSuffix(origin, "//"+host) && !strings.Contains(origin, "@"+host) &&
			!strings.Contains(origin, "//"+host+"/") && !strings.Contains(origin, "//"+host+"?") && !strings.Contains(origin, "//"+host+"#") {
			t.Errorf("a request of %q is taken for one of %q", origin, host)
		}
		if Loopback(host) {
			bare, _, _ := strings.Cut(strings.Trim(host, "[]"), "]")
			if i := strings.LastIndexByte(bare, ':'); i >= 0 && strings.Count(bare, ":") == 1 {
				bare = bare[:i]
			}
			if a, err := netip.ParseAddr(strings.Trim(bare, "[]")); bare != "localhost" && (err != nil || !a.IsLoopback()) {
				t.Errorf("%q is taken for this machine", host)
			}
		}
		accepts(encoding, "br")
	})
}
