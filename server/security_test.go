package server_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
)

func TestSecurityTxt(t *testing.T) {
	expires := time.Now().Add(180 * 24 * time.Hour).UTC().Truncate(24 * time.Hour)
	for _, tt := range []struct {
		contact string
		status  int
		want    string
	}{
		{"", 404, ""},
		{"mailto:security@example.org", 200, "Contact: mailto:security@example.org\nExpires: " + expires.Format(time.RFC3339) + "\nPreferred-Languages: en, ru\n"},
	} {
		site := testenv.Start(t, testenv.WithConfig(func(c *server.Config) { c.Contact = tt.contact }))
		resp, err := site.HTTP.Get(site.Info.HTTPS + "/.well-known/security.txt")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.status || (tt.want != "" && string(b) != tt.want) {
			t.Errorf("contact %q: %d %q", tt.contact, resp.StatusCode, b)
		}
		if kind := resp.Header.Get("Content-Type"); tt.want != "" && kind != "text/plain; charset=utf-8" {
			t.Errorf("type %q", kind)
		}
	}
}

func TestContactThatIsNone(t *testing.T) {
	for _, contact := range []string{"security@example.org", "mailto:", "https:///x", "http://example.org", "javascript:alert(1)", "mailto:a@b\nContact: mailto:c@d"} {
		cfg := testenv.Config(t)
		cfg.Contact = contact
		_, err := server.New(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), "mailto:") {
			t.Errorf("%q: %v", contact, err)
		}
	}
}
