package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/veche-im/veche/cmd/veche/media"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/server/call"
	"github.com/veche-im/veche/web"
	"github.com/veche-im/veche/web/sums"
)

// dataFlags name a site.
type dataFlags struct {
	Data string `default:"veche-data" env:"VECHE_DATA" placeholder:"DIR" help:"The server's data directory (default ./${default})."`
}

// mostDays bounds what is counted in days.
const mostDays = 36500

type serveCmd struct {
	dataFlags
	Listen   string   `placeholder:"ADDR" help:"Where everybody connects, by https (default :8443)."`
	Local    string   `placeholder:"ADDR" help:"Where this machine's browser connects, by http, loopback alone (default localhost:8080; off: nowhere)."`
	Metrics  string   `placeholder:"ADDR" help:"Metrics and profiles, loopback alone (default 127.0.0.1:9090 if it is free; off: none)."`
	Host     string   `placeholder:"NAME" help:"Name or address by which people reach this server (default: found out)."`
	Media    string   `placeholder:"ADDR" help:"Where sound and picture of calls go, by UDP (default: the port of --listen; off: no calls)."`
	Public   []string `placeholder:"ADDR" help:"Addresses at which devices reach this server for calls, where a router stands between (default: found out)."`
	CallSize int      `placeholder:"N" help:"How many devices one call takes at most (default 1000)."`
	Contact  string   `name:"security-contact" placeholder:"URI" help:"Whom to tell of a fault of security, like mailto:security@example.org (served as /.well-known/security.txt)."`
	Proxies  []string `name:"trusted-proxy" placeholder:"CIDR" help:"Addresses or networks of reverse proxies, which are believed for whom they ask (X-Forwarded-For; default: nobody is)."`
	Sessions int      `name:"session-max" placeholder:"DAYS" help:"Have devices show the password again this many days after it was shown last (default 0: never)."`
	Log      string   `name:"log" enum:"text,json" default:"text" help:"How to write the log: text, or json for programs that read it."`
	Verbose  bool     `short:"v" help:"Log every small thing."`
}

func (c serveCmd) Run(ctx context.Context, t *term) error {
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level}
	log := slog.New(slog.NewTextHandler(t.err, options))
	if c.Log == "json" {
		log = slog.New(slog.NewJSONHandler(t.err, options))
	}
	if c.Sessions < 0 || c.Sessions > mostDays {
		return usageError{fmt.Errorf("--session-max: 0 to %d days", mostDays)}
	}
	app, err := webApp()
	if err != nil {
		return err
	}
	forwarder, err := c.forwarder(log)
	if err != nil {
		return err
	}
	var calls call.Media
	var overTCP, overTURN func(net.Conn)
	var where func() admin.Media
	if forwarder != nil {
		calls, where = forwarder, forwarder.Where
		overTCP, overTURN = forwarder.Server().ServeTCP, forwarder.Server().ServeTURN
		defer forwarder.Close() // after the server has ended: it ends the calls' connections
	}
	s, err := server.New(ctx, server.Config{
		Media: calls, CallSize: c.CallSize, MediaTCP: overTCP, MediaTURN: overTURN, MediaAt: where,
		Data: c.Data, HTTPS: c.Listen, HTTP: c.Local, Metrics: c.Metrics, Host: c.Host,
		SessionMax: time.Duration(c.Sessions) * 24 * time.Hour,
		Version:    version, Contact: c.Contact, Web: app, Proxies: c.Proxies,
		Started: func(i server.Info) { fmt.Fprint(t.out, i) },
		Log:     log,
		// The state of the disk is unknown: whatever this process would still do,
		// it could not be believed.
		Fatal: func(err error) { os.Exit(t.fail(fmt.Errorf("the disk cannot be trusted any more: %w", err))) },
	})
	if err != nil {
		return err
	}
	if forwarder != nil {
		if err := forwarder.Beside(s.URL()); err != nil {
			return err
		}
	}
	return s.Run(ctx)
}

// forwarder opens the media port, nil if there are to be no calls.
func (c serveCmd) forwarder(log *slog.Logger) (*media.Media, error) {
	listen, address := c.Listen, c.Media
	if listen == "" {
		listen = server.DefaultHTTPS
	}
	var err error
	switch address {
	case "off":
		return nil, nil
	case "":
		if address, err = media.BesideHTTPS(listen); err != nil {
			return nil, err
		}
	}
	public, err := addresses(c.Public)
	if err != nil {
		return nil, err
	}
	return media.New(media.Config{UDP: address, Public: public, Size: c.CallSize, Log: log})
}

// addresses reads what --public names. Names are refused: devices are told
// addresses, and a name would have to be looked up again and again.
func addresses(list []string) (found []netip.Addr, err error) {
	for _, s := range list {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
			return nil, usageError{fmt.Errorf("--public: %q is no address of this server, like 203.0.113.7 or 2001:db8::7", s)}
		}
		found = append(found, a.Unmap())
	}
	return found, nil
}

// webApp is the built web app, or nil in a binary that was built without it. One
// that is not as it was built is an error: nobody is to run code of which nobody
// knows whose it is.
func webApp() (fs.FS, error) {
	if _, err := fs.Stat(web.Dist, "index.html"); err != nil {
		return nil, nil
	}
	if _, err := sums.Verify(web.Dist, sums.Trusted()); err != nil {
		return nil, fmt.Errorf("%w; the server does not start: build or download it again", err)
	}
	return web.Dist, nil
}

type initCmd struct {
	dataFlags
	Org          string `required:"" help:"The organisation's name."`
	Admin        string `required:"" placeholder:"NAME" help:"The first administrator's name."`
	PasswordFile string `required:"" placeholder:"FILE" help:"File whose first line is their password; - for standard input."`
}

func (c initCmd) Run(ctx context.Context, t *term) error {
	password, err := readSecret(t, c.PasswordFile)
	if err != nil {
		return err
	}
	err = server.Init(ctx, server.InitConfig{Data: c.Data, Org: c.Org, Admin: c.Admin, Password: password})
	if err != nil {
		return err
	}
	t.note("%s is set up in %s. Start it with: veche serve --data %s", c.Org, c.Data, c.Data)
	return nil
}
