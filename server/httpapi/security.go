package httpapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/veche-im/veche/server/authz"
)

const (
	pathSecurity = "/.well-known/security.txt"
	// securityTTL is how long what security.txt says may be believed: RFC 9116
	// §2.5.5 advises less than a year.
	securityTTL = 180 * 24 * time.Hour
)

// CheckContact refuses what RFC 9116 §2.5.3 does not take as a contact.
func CheckContact(s string) error {
	u, err := url.Parse(s)
	if err == nil && !strings.ContainsAny(s, " \r\n\t") {
		switch u.Scheme {
		case "https":
			if u.Host != "" {
				return nil
			}
		case "mailto", "tel":
			if u.Opaque != "" {
				return nil
			}
		}
	}
	return errors.New("a contact is like mailto:security@example.org, https://example.org/security or tel:+1-201-555-0123")
}

// security tells whoever found a fault of security whom to tell (RFC 9116). The
// administrator has to say it: nobody else knows.
func (a *API) security(c *call) error {
	if a.cfg.Contact == "" {
		return authz.ErrDenied
	}
	c.Header().Set("Content-Type", "text/plain; charset=utf-8")
	expires := a.cfg.Now().Add(securityTTL).UTC().Truncate(24 * time.Hour)
	fmt.Fprintf(c, "Contact: %s\nExpires: %s\nPreferred-Languages: en, ru\n", a.cfg.Contact, expires.Format(time.RFC3339))
	return nil
}
