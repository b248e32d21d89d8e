// Package veche is Veche as a server under load.
package veche

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/cmd/veche/load/light"
	"github.com/veche-im/veche/cmd/veche/load/seed"
	"github.com/veche-im/veche/wire"
)

// Running is a server that was started.
type Running struct {
	HTTPS, HTTP string // host:port of loopback
	Processes   []int
	Stop        func() error
}

// Config says what a Target is. Start and Dir are required.
type Config struct {
	Start func(ctx context.Context, data string) (*Running, error) // starts a server on a data directory
	Dir   string                                                   // an empty directory on the disk that is to be measured
	TLS   bool
}

// Target is one server with one data directory. It is load.Target.
type Target struct {
	cfg     Config
	Site    seed.Site // what Prepare made
	Running *Running
	light   *light.Site
	most    int // devices in a room
	fold    int // people share so many devices; 0: each has its own
	roomsOf [][]int

	mu       sync.Mutex // guards what follows
	standing map[load.Events]*light.Standing
	tickets  map[int]tls.ClientSessionCache
}

// New checks cfg.
func New(cfg Config) (*Target, error) {
	if cfg.Start == nil || cfg.Dir == "" {
		return nil, errors.New("veche: Start and Dir are required")
	}
	return &Target{cfg: cfg, most: wire.MaxLeaves, standing: map[load.Events]*light.Standing{}, tickets: map[int]tls.ClientSessionCache{}}, nil
}

// Name is load.Target's.
func (t *Target) Name() string {
	if t.cfg.TLS {
		return "Veche, TLS"
	}
	return "Veche, plain"
}

// Tick says whether devices tell from now on how far they have come.
func (t *Target) Tick(yes bool) { t.light.Cursors.Store(yes) }

// data is the server's directory.
func (t *Target) data() string { return filepath.Join(t.cfg.Dir, "data") }

// Prepare is load.Target's. Where a room has more people than a room may have
// devices, people share devices: so many connections hear it all the same.
func (t *Target) Prepare(ctx context.Context, l load.Layout) error {
	people, rooms := l.People, l.Rooms
	for _, members := range rooms {
		if len(members) > t.most {
			t.fold = t.most
		}
	}
	if t.fold > 0 {
		people, rooms = min(people, t.fold), folded(rooms, t.fold)
	}
	site, err := seed.Write(ctx, t.data(), people, rooms)
	if err != nil {
		return err
	}
	return t.Serve(ctx, site, l)
}

// Serve is Prepare for a site that was seeded otherwise, into the data directory.
func (t *Target) Serve(ctx context.Context, site seed.Site, l load.Layout) (err error) {
	t.Site, t.roomsOf = site, l.RoomsOf()
	if t.Running, err = t.cfg.Start(ctx, t.data()); err != nil {
		return err
	}
	address, conf := t.Running.HTTP, (*tls.Config)(nil)
	if t.cfg.TLS {
		ca, err := authority(ctx, t.Running.HTTP)
		if err != nil {
			return fmt.Errorf("ask for the server's authority: %w", err)
		}
		address, conf = t.Running.HTTPS, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
		conf.RootCAs.AddCert(ca)
	}
	rooms := make([]light.Room, len(site.Rooms))
	for i, r := range site.Rooms {
		rooms[i] = light.Room(r)
	}
	t.light, err = light.NewSite(address, conf, rooms)
	return err
}

// authority asks a server for the certificate that vouches for its own.
func authority(ctx context.Context, address string) (*x509.Certificate, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/ca.crt", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if p, _ := pem.Decode(b); p != nil {
		b = p.Bytes
	}
	return x509.ParseCertificate(b)
}

// folded counts people beyond n as the first ones again.
func folded(rooms [][]int, n int) [][]int {
	all := make([][]int, len(rooms))
	for r, members := range rooms {
		seen := map[int]bool{}
		for _, m := range members {
			if m %= n; !seen[m] {
				seen[m] = true
				all[r] = append(all[r], m)
			}
		}
	}
	return all
}

// device is what a person's connections are of.
func (t *Target) device(person int) light.Device {
	at := person
	if t.fold > 0 {
		at %= t.fold
	}
	p := t.Site.People[at]
	return light.Device{Number: person, Account: p.Account, Token: p.Token}
}

// Connect is load.Target's.
func (t *Target) Connect(ctx context.Context, person int, e load.Events) (load.Conn, error) {
	t.mu.Lock()
	st := t.standing[e]
	if st == nil {
		st = light.NewStanding(t.roomsOf[person])
		t.standing[e] = st
	}
	if t.tickets[person] == nil && t.cfg.TLS {
		t.tickets[person] = tls.NewLRUClientSessionCache(1)
	}
	d := t.device(person)
	d.Tickets = t.tickets[person]
	t.mu.Unlock()
	c, err := t.light.Connect(ctx, d, st, e)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Return connects a person's device that has read no more than the first entry of
// each of its rooms, and counts what it reads until it has everything.
func (t *Target) Return(ctx context.Context, person int) (entries int, err error) {
	n := &counter{over: make(chan struct{})}
	c, err := t.light.Connect(ctx, t.device(person), light.Away(t.roomsOf[person]), n)
	if err != nil {
		return 0, err
	}
	c.Close()
	<-n.over
	return n.entries, nil
}

// counter is load.Events that counts.
type counter struct {
	entries int
	over    chan struct{}
}

func (c *counter) Delivered(int, uint64)              { c.entries++ }
func (*counter) Acknowledged(uint64)                  {}
func (*counter) Refused(uint64, time.Duration, error) {}
func (c *counter) Ended(error)                        { close(c.over) }

// Processes is load.Target's.
func (t *Target) Processes() []int { return t.Running.Processes }

// Close is load.Target's.
func (t *Target) Close() error {
	var err error
	if t.Running != nil {
		err = t.Running.Stop()
	}
	return errors.Join(err, os.RemoveAll(t.data()))
}
