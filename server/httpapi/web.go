package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/veche-im/veche/server/authz"
)

// web serves the web app as it was built. Files are read once and kept: they
// are part of the program anyway.
type web struct {
	files fs.FS

	mu    sync.Mutex // guards what follows
	known map[string]*asset
}

type asset struct {
	bytes []byte
	etag  string
}

func newWeb(files fs.FS) *web { return &web{files: files, known: make(map[string]*asset)} }

// types are said here and not asked from the system, which may not know them.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8", ".wasm": "application/wasm", ".json": "application/json", ".map": "application/json",
	".webmanifest": "application/manifest+json", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon",
	".webp": "image/webp", ".jpg": "image/jpeg", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
	".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg",
}

// hashed matches names that change with their content, as the build makes them.
var hashed = regexp.MustCompile(`^assets/.*[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$`)

const missing = `<!doctype html><meta charset="utf-8"><title>Veche</title><p>This server was built without the web app.`

func (a *API) serveWeb(c *call) error {
	name := strings.TrimPrefix(path.Clean(c.r.URL.Path), "/")
	if a.web.files == nil {
		c.Header().Set("Content-Type", types[".html"])
		_, _ = c.Write([]byte(missing))
		return nil
	}
	if name == "" || path.Ext(name) == "" {
		name = "index.html" // the app finds its own way from the address
	}
	kind, ok := types[path.Ext(name)]
	if !ok {
		return authz.ErrDenied
	}
	f := a.web.get(name)
	if f == nil {
		return authz.ErrDenied
	}
	h := c.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-cache") // asked for again each time, answered with 304
	if hashed.MatchString(name) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if c.r.Header.Get("Range") == "" {
		f = a.web.packed(h, c.r, name, f)
	}
	h.Set("ETag", f.etag)
	http.ServeContent(c, c.r, "", time.Time{}, bytes.NewReader(f.bytes))
	return nil
}

// packed returns the file as the build compressed it, where there is one that
// the browser takes.
func (w *web) packed(h http.Header, r *http.Request, name string, f *asset) *asset {
	for _, enc := range []struct{ name, ext string }{{"br", ".br"}, {"gzip", ".gz"}} {
		p := w.get(name + enc.ext)
		if p == nil {
			continue
		}
		h.Set("Vary", "Accept-Encoding")
		if accepts(r.Header.Get("Accept-Encoding"), enc.name) {
			h.Set("Content-Encoding", enc.name)
			return p
		}
	}
	return f
}

// accepts reports whether an Accept-Encoding lists enc and does not refuse it.
func accepts(header, enc string) bool {
	for _, part := range strings.Split(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(name) == enc {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && !strings.HasPrefix(q, "q=0.000")
		}
	}
	return false
}

// get returns a file, nil if there is none.
func (w *web) get(name string) *asset {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, ok := w.known[name]; ok {
		return f
	}
	if !fs.ValidPath(name) {
		return nil
	}
	b, err := fs.ReadFile(w.files, name)
	if err != nil {
		return nil // not remembered: names are a stranger's
	}
	sum := sha256.Sum256(b)
	f := &asset{b, `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`}
	w.known[name] = f
	return f
}
