package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/server/call"
	"github.com/veche-im/veche/server/httpapi"
	"github.com/veche-im/veche/wire"
)

// Defaults of the addresses.
const (
	DefaultHTTPS   = ":8443"
	DefaultHTTP    = "localhost:8080"
	DefaultMetrics = "127.0.0.1:9090"
)

// Config says what a Server is to be. Data is required.
type Config struct {
	Data    string // the data directory; made if missing
	HTTPS   string // where everybody connects; empty means DefaultHTTPS
	HTTP    string // where this machine's browser connects, loopback alone; empty means DefaultHTTP, "off" none
	Metrics string // metrics and profiles, loopback alone; empty means DefaultMetrics, skipped when busy; "off" none
	Host    string // the name or address by which people reach the server; empty asks the system
	Version string
	Contact string   // whom to tell of a fault of security, for security.txt; empty: nothing is served
	Proxies []string // addresses and networks of reverse proxies, which are believed for whom they ask
	Web     fs.FS    // the web app as built; nil serves a page that says it is missing
	Log     *slog.Logger

	// Started is called by Run as soon as requests are served, with what the
	// administrator wants to see; nil is nobody.
	Started func(Info)

	Now   func() time.Time // nil means time.Now
	Ticks func() time.Time // by which rates are measured: monotonic, since a clock that is set must shut nobody out; nil means time.Now
	// Uptime is time that really passed, since some moment, whatever Now says; nil
	// means as the processor counts it.
	Uptime func() time.Duration
	Blob   int64 // sealed bytes of one file at most; 0 means wire.MaxBlob
	Quota  int64 // sealed bytes of one account at most; 0 means wire.MaxQuota
	// Media forwards what is said in calls; nil: the site has none.
	Media    call.Media
	CallSize int // participants of a call at most; 0 means wire.MaxParticipants

	// MediaTCP and MediaTURN serve connections of the https port that carry media
	// of calls: in the clear as ICE-TCP does, inside TLS as TURN does. They return
	// when the connection, which they close, has ended; nil: such are closed.
	MediaTCP, MediaTURN func(net.Conn)
	MediaAt             func() admin.Media // where all that is, for "veche doctor"; nil: nowhere

	// SessionMax is how long after the password was shown a session is locked, until
	// it is shown again; 0 for never.
	SessionMax time.Duration

	Cost account.Cost // of a password's hash; zero means account.DefaultCost

	// Fatal is called when the disk can no longer be trusted. It is expected to
	// end the process; nil has Run return the error at once, without draining.
	Fatal func(error)

	proxies httpapi.Proxies // Proxies, by check
}

const off = "off"

// check fills in the defaults.
func (c *Config) check() (err error) {
	if c.Data == "" {
		return errors.New("no data directory is named")
	}
	for _, d := range []struct {
		to *string
		is string
	}{{&c.HTTPS, DefaultHTTPS}, {&c.HTTP, DefaultHTTP}} {
		if *d.to == "" {
			*d.to = d.is
		}
	}
	for name, address := range map[string]string{"http": c.HTTP, "metrics": c.Metrics} {
		if address == "" || address == off {
			continue
		}
		if err := onLoopback(address); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if c.Contact != "" {
		if err := httpapi.CheckContact(c.Contact); err != nil {
			return fmt.Errorf("security contact %q: %w", c.Contact, err)
		}
	}
	if c.proxies, err = httpapi.ParseProxies(c.Proxies); err != nil {
		return fmt.Errorf("reverse proxies: %w", err)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Started == nil {
		c.Started = func(Info) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Ticks == nil {
		c.Ticks = time.Now
	}
	if c.Version == "" {
		c.Version = "unknown"
	}
	if c.Blob == 0 {
		c.Blob = wire.MaxBlob
	}
	if c.Quota == 0 {
		c.Quota = wire.MaxQuota
	}
	return nil
}

// onLoopback refuses an address that others could reach.
func onLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address of the form host:port", address)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s can be reached from other machines; only a loopback address is allowed here", address)
}
