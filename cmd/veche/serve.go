package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/web"
)

// dataFlags name a site.
type dataFlags struct {
	Data string `default:"veche-data" env:"VECHE_DATA" placeholder:"DIR" help:"The server's data directory (default ./${default})."`
}

type serveCmd struct {
	dataFlags
	Listen  string `placeholder:"ADDR" help:"Where everybody connects, by https (default :8443)."`
	Local   string `placeholder:"ADDR" help:"Where this machine's browser connects, by http, loopback alone (default localhost:8080; off: nowhere)."`
	Metrics string `placeholder:"ADDR" help:"Metrics and profiles, loopback alone (default 127.0.0.1:9090 if it is free; off: none)."`
	Host    string `placeholder:"NAME" help:"Name or address by which people reach this server (default: found out)."`
	Verbose bool   `short:"v" help:"Log every small thing."`
}

func (c serveCmd) Run(ctx context.Context, t *term) error {
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	s, err := server.New(ctx, server.Config{
		Data: c.Data, HTTPS: c.Listen, HTTP: c.Local, Metrics: c.Metrics, Host: c.Host,
		Version: version, Web: webApp(),
		Started: func(i server.Info) { fmt.Fprint(t.out, i) },
		Log:     slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: level})),
		// The state of the disk is unknown: whatever this process would still do,
		// it could not be believed.
		Fatal: func(err error) { os.Exit(t.fail(fmt.Errorf("the disk cannot be trusted any more: %w", err))) },
	})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// webApp is the built web app, or nil in a binary that was built without it.
func webApp() fs.FS {
	if _, err := fs.Stat(web.Dist, "index.html"); err != nil {
		return nil
	}
	return web.Dist
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
