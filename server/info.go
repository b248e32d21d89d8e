package server

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/veche-im/veche/wire"
)

// Info is what the administrator is told when a server has started.
type Info struct {
	HTTPS       string // the site's address for everybody: https://…
	HTTP        string // for this machine's browser, empty without
	Metrics     string // http://…, empty without
	Fingerprint string // of the certificate authority
	SetupToken  string // of the link for the first person; empty once there is somebody
}

// SetupLink returns the link for the first person, empty once there is somebody.
func (i Info) SetupLink() string {
	if i.SetupToken == "" {
		return ""
	}
	return i.HTTPS + wire.PathSetUpUI + "#" + i.SetupToken
}

// String is the text for the terminal.
func (i Info) String() string {
	var b strings.Builder
	b.WriteString("Veche is running.\n")
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-16s %s\n", name, value)
		}
	}
	line("for everybody", i.HTTPS)
	line("this machine", i.HTTP)
	line("metrics", i.Metrics)
	line("CA fingerprint", i.Fingerprint)
	if i.SetupToken != "" {
		line("set-up link", i.SetupLink())
		if i.HTTP != "" {
			line("or here", i.HTTP+wire.PathSetUpUI+"#"+i.SetupToken)
		}
		fmt.Fprintf(&b, "  The link works once, for %d minutes; a restart prints a new one.\n", int(wire.SetupTTL.Minutes()))
	}
	return b.String()
}

// siteURL returns how people reach the listener: by the name they were told to
// use, or by an address of this machine.
func siteURL(host string, l net.Addr) string {
	_, port, err := net.SplitHostPort(l.String())
	if err != nil {
		return "https://" + l.String()
	}
	if host == "" {
		host = reachable(l)
	}
	if port == "443" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return "https://" + host
	}
	return "https://" + net.JoinHostPort(host, port)
}

// usualPort reports whether a listener is on the port that https means where none
// is named.
func usualPort(l net.Addr) bool {
	_, port, err := net.SplitHostPort(l.String())
	return err == nil && port == "443"
}

// reachable guesses by which name or address others find the listener.
func reachable(l net.Addr) string {
	if ap, err := netip.ParseAddrPort(l.String()); err == nil && !ap.Addr().IsUnspecified() {
		return ap.Addr().String()
	}
	addrs, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Is4() && p.Addr().IsGlobalUnicast() {
				return p.Addr().String()
			}
		}
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}

// localURL returns the address for this machine's browser. It says localhost,
// because that is what browsers take for secure without a certificate.
func localURL(l net.Listener) string {
	if l == nil {
		return ""
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return ""
	}
	return "http://localhost:" + port
}
