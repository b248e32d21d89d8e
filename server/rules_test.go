package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/wire"
)

// Each method of wire is registered, and registration refuses one without an
// action, a cap or types; so every method declares them (A1).
func TestEveryMethodIsServed(t *testing.T) {
	names := testenv.Methods(t, "../wire")
	if len(names) < 20 {
		t.Fatalf("only %d methods were found in wire", len(names))
	}
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	for _, name := range names {
		f, ok := <-ann.Ask(name, []byte{0x80}) // an empty list: fits no method
		if !ok {
			t.Fatalf("%s ended the connection", name)
		}
		if f.Error == nil || f.Error.Code != wire.BadRequest || strings.Contains(f.Error.Text, "no such method") {
			t.Errorf("%s: %+v", name, f.Error)
		}
	}
}

func TestTooLargeAFrameEndsTheConnection(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	big := make([]byte, wire.MaxRequest+1)
	go ann.Write(websocket.MessageBinary, big)
	if s := ann.Ended(); s != websocket.StatusMessageTooBig {
		t.Errorf("it ended with %d", s)
	}
}

func TestParametersOverTheMethodsCapAreTooLarge(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	of := make([]wire.StatementsFrom, 1000)
	_, err := testenv.Try(ann.Socket, wire.DirectoryStatements, wire.GetStatements{Of: of})
	refused(t, err, wire.TooLarge, "a thousand chains")
	_, err = testenv.Try(ann.Socket, wire.DirectoryStatements, wire.GetStatements{Of: of[:101]})
	refused(t, err, wire.TooLarge, "101 chains")
}

func TestTextMessageEndsTheConnection(t *testing.T) {
	site := testenv.Start(t)
	c := site.SetUp("Ann").Connect()
	c.Write(websocket.MessageText, []byte("hello"))
	if s := c.Ended(); s != websocket.StatusPolicyViolation {
		t.Errorf("it ended with %d", s)
	}
}

var app = fstest.MapFS{
	"index.html":                   {Data: []byte("<!doctype html>app")},
	"assets/main-Ab3dEf9h.js":      {Data: []byte("main()")},
	"assets/core-Ab3dEf9h.wasm":    {Data: []byte("\x00asm plain")},
	"assets/core-Ab3dEf9h.wasm.br": {Data: []byte("as brotli")},
	"assets/core-Ab3dEf9h.wasm.gz": {Data: []byte("as gzip")},
	"sw.js":                        {Data: []byte("worker")},
	"deep.mjs":                     {Data: []byte("module")},
	"secret.exe":                   {Data: []byte("no type for this")},
}

// Every answer of every route, good or bad, carries the headers.
func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	site := testenv.Start(t, testenv.WithWeb(app))
	ann := site.SetUp("Ann")
	paths := []string{
		"/", "/index.html", "/room/x", "/assets/main-Ab3dEf9h.js", "/assets/none.js", "/sw.js", "/healthz", "/readyz", "/favicon.ico",
		"//double", "/a/../b", "/api/v1/none", "/api/", "/.br",
		wire.PathSite, wire.PathLink, wire.PathSetup, wire.PathSignup, wire.PathSignin, wire.PathSession, wire.PathSocket, wire.PathSetUpUI, wire.PathJoinUI,
		wire.PathBlobs, wire.PathBlob + "x", wire.PathBlob + wire.NewBlobID().String(), wire.PathBlob + "x/state", wire.PathSignout,
	}
	for _, door := range []string{site.Info.HTTPS, site.Info.HTTP} {
		for _, path := range paths {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
				for _, token := range []string{"", ann.Token} {
					if path == wire.PathSignout && token != "" && method == "POST" {
						continue // would end the session
					}
					req, err := http.NewRequest(method, door+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Content-Type", "application/json")
					if token != "" {
						req.Header.Set("Authorization", "Bearer "+token)
					}
					resp, err := site.HTTP.Do(req)
					if err != nil {
						t.Fatalf("%s %s: %v", method, path, err)
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					for name, want := range map[string]string{
						"Content-Security-Policy":      "require-trusted-types-for 'script'",
						"Cross-Origin-Opener-Policy":   "same-origin",
						"Cross-Origin-Embedder-Policy": "require-corp",
						"Cross-Origin-Resource-Policy": "same-origin",
						"X-Content-Type-Options":       "nosniff",
						"Referrer-Policy":              "no-referrer",
						"Permissions-Policy":           "camera=(self)",
					} {
						if got := resp.Header.Get(name); !strings.Contains(got, want) {
							t.Errorf("%s %s answers %d with %s %q", method, path, resp.StatusCode, name, got)
						}
					}
					if resp.StatusCode >= 500 {
						t.Errorf("%s %s answers %d", method, path, resp.StatusCode)
					}
				}
			}
		}
	}
	resp, err := site.HTTP.Get(site.Info.HTTPS + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	csp := resp.Header.Get("Content-Security-Policy")
	for _, bad := range []string{"unsafe-inline", "'unsafe-eval'", "http:", "https:", "*"} {
		if strings.Contains(csp, bad) {
			t.Errorf("the policy has %s: %s", bad, csp)
		}
	}
}

func TestWebAppIsServedAsBuilt(t *testing.T) {
	site := testenv.Start(t, testenv.WithWeb(app))
	for _, tt := range []struct {
		path, accepts string
		status        int
		kind, cache   string
		encoding      string
		body          string
	}{
		{"/", "", 200, "text/html; charset=utf-8", "no-cache", "", "<!doctype html>app"},
		{"/room/abc", "", 200, "text/html; charset=utf-8", "no-cache", "", "<!doctype html>app"},
		{"/join", "gzip", 200, "text/html; charset=utf-8", "no-cache", "", "<!doctype html>app"},
		{"/assets/main-Ab3dEf9h.js", "", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "", "main()"},
		{"/assets/core-Ab3dEf9h.wasm", "", 200, "application/wasm", "public, max-age=31536000, immutable", "", "\x00asm plain"},
		{"/assets/core-Ab3dEf9h.wasm", "gzip, deflate, br", 200, "application/wasm", "public, max-age=31536000, immutable", "br", "as brotli"},
		{"/assets/core-Ab3dEf9h.wasm", "gzip", 200, "application/wasm", "public, max-age=31536000, immutable", "gzip", "as gzip"},
		{"/assets/core-Ab3dEf9h.wasm", "br;q=0, gzip", 200, "application/wasm", "public, max-age=31536000, immutable", "gzip", "as gzip"},
		{"/sw.js", "", 200, "text/javascript; charset=utf-8", "no-cache", "", "worker"},
		{"/deep.mjs", "", 200, "text/javascript; charset=utf-8", "no-cache", "", "module"},
		{"/assets/gone-Ab3dEf9h.js", "", 404, "application/json", "no-store", "", `{"code":"not_found","text":"no such thing"}`},
		{"/secret.exe", "", 404, "application/json", "no-store", "", `{"code":"not_found","text":"no such thing"}`},
		{"/assets/core-Ab3dEf9h.wasm.br", "", 404, "application/json", "no-store", "", `{"code":"not_found","text":"no such thing"}`},
		{"/%2e%2e/go.mod", "", 404, "application/json", "no-store", "", `{"code":"not_found","text":"no such thing"}`},
	} {
		t.Run(tt.path+" "+tt.accepts, func(t *testing.T) {
			req, _ := http.NewRequest("GET", site.Info.HTTPS+tt.path, nil)
			req.Header.Set("Accept-Encoding", tt.accepts)
			resp, err := site.HTTP.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			h := resp.Header
			if resp.StatusCode != tt.status || h.Get("Content-Type") != tt.kind || h.Get("Cache-Control") != tt.cache || h.Get("Content-Encoding") != tt.encoding || string(b) != tt.body {
				t.Errorf("%d %s %s %s %q", resp.StatusCode, h.Get("Content-Type"), h.Get("Cache-Control"), h.Get("Content-Encoding"), b)
			}
		})
	}
	req, _ := http.NewRequest("GET", site.Info.HTTPS+"/", nil)
	resp, err := site.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	req.Header.Set("If-None-Match", resp.Header.Get("ETag"))
	if resp, err = site.HTTP.Do(req); err != nil || resp.StatusCode != http.StatusNotModified {
		t.Errorf("asked for again: %v %v", resp, err)
	}
	resp.Body.Close()
}

func TestBlobsGoUpInPiecesAndComeBackInRanges(t *testing.T) {
	site := testenv.Start(t, testenv.WithQuota(1<<20))
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	do := func(who *testenv.Person, method, path string, body []byte, res any) (int, *wire.Error) {
		t.Helper()
		kind := ""
		if method == "POST" {
			kind = "application/json"
		}
		return site.Do(method, path, who.Token, kind, body, res)
	}
	var st wire.BlobState
	if s, e := do(ann, "POST", wire.PathBlobs, []byte(`{"size":10}`), &st); s != 200 {
		t.Fatal(s, e)
	}
	blob := wire.PathBlob + st.Blob.String()
	if s, _ := do(ann, "GET", blob, nil, nil); s != 404 {
		t.Errorf("an incomplete blob answers %d", s)
	}
	if s, e := do(ann, "PUT", blob+"?offset=0", []byte("01234"), &st); s != 200 || st.Have != 5 {
		t.Fatal(s, e, st)
	}
	req, _ := http.NewRequest("PUT", site.Info.HTTPS+blob+"?offset=0", strings.NewReader("01234"))
	req.Header.Set("Authorization", "Bearer "+ann.Token)
	resp, err := site.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 409 || !strings.Contains(string(b), `"code":"conflict"`) || !strings.Contains(string(b), `"have":5`) {
		t.Errorf("a piece in the wrong place: %d %s", resp.StatusCode, b)
	}
	for name, tt := range map[string]struct {
		who          *testenv.Person
		method, path string
		want         int
	}{
		"another's upload":  {bob, "PUT", blob + "?offset=5", 404},
		"another's look":    {bob, "GET", blob + "/state", 404},
		"another's delete":  {bob, "DELETE", blob, 404},
		"no offset":         {ann, "PUT", blob, 400},
		"a negative offset": {ann, "PUT", blob + "?offset=-1", 400},
		"no id":             {ann, "GET", wire.PathBlob + "nonsense/state", 404},
	} {
		if s, _ := do(tt.who, tt.method, tt.path, []byte("x"), nil); s != tt.want {
			t.Errorf("%s: %d, want %d", name, s, tt.want)
		}
	}
	if s, _ := do(ann, "PUT", blob+"?offset=5", []byte("567890"), nil); s != 413 {
		t.Errorf("more than fits: %d", s)
	}
	if s, e := do(ann, "PUT", blob+"?offset=5", []byte("56789"), &st); s != 200 || st.Have != 10 {
		t.Fatal(s, e, st)
	}
	req, _ = http.NewRequest("GET", site.Info.HTTPS+blob, nil)
	req.Header.Set("Authorization", "Bearer "+ann.Token)
	req.Header.Set("Range", "bytes=2-4")
	if resp, err = site.HTTP.Do(req); err != nil {
		t.Fatal(err)
	}
	b, _ = io.ReadAll(resp.Body)
	resp.Body.Close()
	h := resp.Header
	if resp.StatusCode != 206 || string(b) != "234" || h.Get("Content-Type") != wire.MIMEBlob || h.Get("Content-Disposition") != "attachment" ||
		!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("Cache-Control") != "no-store" {
		t.Errorf("a range: %d %q %v", resp.StatusCode, b, h)
	}
	if s, _ := do(bob, "GET", blob, nil, nil); s != 404 {
		t.Errorf("another reads it: %d", s)
	}
	if s, _ := site.Do("GET", blob, "", "", nil, nil); s != 401 {
		t.Errorf("without a session: %d", s)
	}
	if s, e := do(ann, "POST", wire.PathBlobs, []byte(`{"size":1048577}`), nil); s != 507 || e.Code != wire.NoSpace {
		t.Errorf("over the quota: %d %v", s, e)
	}
	if s, e := do(ann, "DELETE", blob, nil, nil); s != 204 {
		t.Errorf("delete: %d %v", s, e)
	}
	if s, _ := do(ann, "GET", blob, nil, nil); s != 404 {
		t.Errorf("after it: %d", s)
	}
}

func TestAuthorityCanBeFetched(t *testing.T) {
	site := testenv.Start(t)
	var der []byte
	if s, _ := site.Do("GET", "/ca.crt", "", "", nil, &der); s != 200 || string(der) != string(site.CA()) {
		t.Errorf("%d, %d bytes", s, len(der))
	}
}

func TestHealthAndMetrics(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	for _, path := range []string{"/healthz", "/readyz"} {
		if s, _ := site.Do("GET", path, "", "", nil, nil); s != 200 {
			t.Errorf("%s: %d", path, s)
		}
	}
	testenv.Call(ann.Socket, wire.SessionPing, wire.None{})
	resp, err := site.HTTP.Get(site.Info.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	for _, want := range []string{
		`veche_requests_total{code="ok",method="session.ping"} 1`, `veche_connections 1`,
		`veche_http_requests_total{route="POST /api/v1/setup",status="200"} 1`, "go_goroutines",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	for _, secret := range []string{ann.Account.String(), ann.Device.String(), "Ann", ann.Token} {
		if strings.Contains(string(b), secret) {
			t.Errorf("metrics hold %s", secret)
		}
	}
	for header, value := range map[string]string{"Host": "evil.example:9090", "Sec-Fetch-Site": "cross-site"} {
		req, err := http.NewRequest("GET", site.Info.Metrics, nil)
		if err != nil {
			t.Fatal(err)
		}
		if req.Header.Set(header, value); header == "Host" {
			req.Host = value
		}
		resp, err := site.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("metrics with %s %s: %d", header, value, resp.StatusCode)
		}
	}
	// Neither is on the doors that others reach.
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		var body []byte
		site.Do("GET", path, "", "", nil, &body)
		if strings.Contains(string(body), "go_") || strings.Contains(string(body), "goroutine") {
			t.Errorf("%s is open to everybody", path)
		}
	}
}
