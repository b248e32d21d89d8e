package httpapi

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/veche-im/veche/wire"
)

// On the usual port of https, every answer has browsers use it alone; elsewhere
// none does, since that would hold for whoever else has the name.
func TestHTTPSAloneWhereItIsTheUsualPort(t *testing.T) {
	a := newAPI(t)
	for _, d := range []Door{{Strict: true}, {}, {Local: true}} {
		h := a.Handler(d)
		for _, path := range []string{wire.PathSite, wire.PathSession, "/", "/none.js", "/healthz", "/api/v1/none"} {
			req := httptest.NewRequest("GET", path, nil)
			req.Host = "localhost"
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			got := rec.Header().Get("Strict-Transport-Security")
			if d.Strict != (got == strict) || strings.Contains(got, "includeSubDomains") {
				t.Errorf("%+v: %s answers %q", d, path, got)
			}
		}
	}
}
