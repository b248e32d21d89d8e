//go:build !js

package wsjs_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/veche-im/veche/wire"
)

// The link is compiled for the browser and run by node against a server in this
// process; the claims stand in link_js_test.go.
func TestInJavaScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: node is not installed, so the browser's link is not tested")
	}
	server := httptest.NewServer(handler(t))
	defer server.Close()
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer full.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-count=1", "-v", "-exec",
		filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec"), ".")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOFLAGS=",
		"NODE_OPTIONS=--experimental-websocket --no-warnings",
		"VECHE_TEST_SERVER="+server.URL, "VECHE_TEST_FULL="+full.URL, "VECHE_TEST_GONE="+gone.URL)
	out, err := cmd.CombinedOutput()
	t.Logf("%s\n%s", node, out)
	if err != nil {
		t.Error(err)
	}
	if n := strings.Count(string(out), "--- PASS"); n < 10 {
		t.Errorf("only %d tests ran", n)
	}
}

// handler answers as the tests in JavaScript want it.
func handler(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+wire.PathSession, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, r.Header.Get("Content-Type")+" ")
		_, _ = io.Copy(w, r.Body)
	})
	mux.HandleFunc("GET /range", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Range"))
	})
	mux.HandleFunc("GET /long", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
	})
	mux.HandleFunc("GET /silent", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("GET "+wire.PathSocket, func(w http.ResponseWriter, r *http.Request) {
		// The test's Dial cannot add a query, so the first message says what to do.
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
		if err != nil {
			return
		}
		c.SetReadLimit(wire.MaxRequest)
		play(t, r.Context(), c)
	})
	return mux
}

func play(t *testing.T, ctx context.Context, c *websocket.Conn) {
	defer c.CloseNow()
	for {
		_, m, err := c.Read(ctx)
		if err != nil {
			return
		}
		switch what, _, _ := strings.Cut(string(m), " "); what {
		case "text":
			err = c.Write(ctx, websocket.MessageText, []byte("hello"))
		case "large":
			err = c.Write(ctx, websocket.MessageBinary, make([]byte, wire.MaxResponse+1))
		case "burst":
			for i := range 1000 {
				err = errors.Join(err, c.Write(ctx, websocket.MessageBinary, []byte{byte(i >> 8), byte(i)}))
			}
			_ = c.Close(websocket.StatusGoingAway, "draining")
		default:
			err = c.Write(ctx, websocket.MessageBinary, m)
		}
		if err != nil {
			t.Logf("server: %v", err)
			return
		}
	}
}
