// Package sealed is Veche under the load of real clients: whole client cores in
// this process, which make accounts and rooms as people do, seal what they send
// and open what they hear. The server's part of the cost is small beside
// theirs, so there are few of them.
package sealed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/veche-im/veche/client"
	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/cmd/veche/load"
	"github.com/veche-im/veche/cmd/veche/load/veche"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/wire"
)

// Target is one server with client cores. It is load.Target.
type Target struct {
	cfg     veche.Config
	running *veche.Running
	people  []*person
	rooms   []wire.RoomID
	index   map[wire.RoomID]int
}

// New checks cfg.
func New(cfg veche.Config) (*Target, error) {
	if cfg.Start == nil || cfg.Dir == "" {
		return nil, errors.New("sealed: Start and Dir are required")
	}
	return &Target{cfg: cfg, index: map[wire.RoomID]int{}}, nil
}

// Name is load.Target's.
func (t *Target) Name() string { return "Veche, real clients" }

func (t *Target) data() string { return filepath.Join(t.cfg.Dir, "data") }

// Prepare is load.Target's: an account for each of the people, and a group for
// each of the rooms, made by its first member.
func (t *Target) Prepare(ctx context.Context, l load.Layout) error {
	password := rand.Text()
	err := server.Init(ctx, server.InitConfig{Data: t.data(), Org: "Load", Admin: "administrator", Password: password, Cost: account.DefaultCost})
	if err != nil {
		return err
	}
	if t.running, err = t.cfg.Start(ctx, t.data()); err != nil {
		return err
	}
	for i := range l.People {
		p, err := t.join(ctx, i, password)
		if err != nil {
			return fmt.Errorf("person %d: %w", i, err)
		}
		t.people = append(t.people, p)
	}
	for r, members := range l.Rooms {
		if err := t.found(ctx, r, members); err != nil {
			return fmt.Errorf("room %d: %w", r, err)
		}
	}
	for i, p := range t.people { // names of rooms are messages too: everybody reads them before it begins
		if err := p.core.WaitCaughtUp(ctx); err != nil {
			return fmt.Errorf("person %d catches up: %w", i, err)
		}
	}
	return nil
}

// join makes an account by an invite, with a core that is its first device.
func (t *Target) join(ctx context.Context, i int, password string) (*person, error) {
	invite, err := admin.MakeInvite(ctx, t.data())
	if err != nil {
		return nil, err
	}
	_, token, ok := strings.Cut(invite.Link, wire.PathJoinUI+"#")
	if !ok {
		return nil, errors.New("the invite has no token")
	}
	p, err := newPerson(ctx, t, t.profile(i))
	if err != nil {
		return nil, err
	}
	_, err = api.Do(ctx, p.core.Mux(), api.DoSignUp, api.SignUp{Token: token, Name: fmt.Sprintf("person %d", i), Password: password, Device: "load"})
	if err == nil {
		err = p.core.WaitCaughtUp(ctx)
	}
	if err == nil {
		var s api.Status
		if s, err = api.Do(ctx, p.core.Mux(), api.GetStatus, api.None{}); err == nil && s.Me == nil {
			err = errors.New("signed up, and nobody")
		} else if err == nil {
			p.id = s.Me.ID
		}
	}
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (t *Target) profile(person int) string {
	return filepath.Join(t.cfg.Dir, fmt.Sprintf("profile-%d", person))
}

// Return stops the second person's client, has the first one send so many messages
// to each room that they share, and starts the client again. It returns what it
// takes to read and open all of them, which must all be there.
func (t *Target) Return(ctx context.Context, each int) (took load.Cost, err error) {
	if err := t.people[1].stop(); err != nil {
		return took, err
	}
	for _, id := range t.rooms {
		for n := range each {
			text := fmt.Sprintf("message %d %s", n, strings.Repeat("x", load.MessageSize-20))
			if _, err := api.Do(ctx, t.people[0].core.Mux(), api.SendMessage, api.Outgoing{Room: &id, Text: text}); err != nil {
				return took, err
			}
		}
	}
	for _, id := range t.rooms {
		if err := t.people[0].core.WaitIdle(ctx, id); err != nil {
			return took, err
		}
	}
	runtime.GC() // of what was sent
	meter := load.Meter(t)
	if t.people[1], err = newPerson(ctx, t, t.profile(1)); err != nil {
		return took, err
	}
	back := t.people[1].core
	if err := until(ctx, "coming back", func() (bool, error) {
		err := back.WaitCaughtUp(ctx)
		return err == nil, nil // until it is connected there is an error
	}); err != nil {
		return took, err
	}
	took = meter()
	for r, id := range t.rooms {
		got, err := messages(ctx, back, id)
		if err != nil {
			return took, err
		}
		if len(got) != each {
			return took, fmt.Errorf("%d messages of room %d were opened, not %d", len(got), r, each)
		}
		for n, text := range got {
			if !strings.HasPrefix(text, fmt.Sprintf("message %d ", n)) {
				return took, fmt.Errorf("message %d of room %d is %.20q", n, r, text)
			}
		}
	}
	return took, nil
}

// messages are the texts of a room's timeline, oldest first.
func messages(ctx context.Context, c *client.Client, id wire.RoomID) (all []string, err error) {
	for before := int64(0); ; {
		tl, err := api.Do(ctx, c.Mux(), api.GetTimeline, api.Window{Room: id, Before: before, Limit: 200})
		if err != nil {
			return nil, err
		}
		var page []string
		for _, i := range tl.Items {
			if i.Kind == api.ItemMessage {
				page = append(page, i.Text)
			}
		}
		all = append(page, all...)
		if !tl.Older || len(tl.Items) == 0 {
			return all, nil
		}
		before = tl.Items[0].Order
	}
}

func (t *Target) found(ctx context.Context, r int, members []int) error {
	maker := t.people[members[0]]
	var others []wire.AccountID
	for _, m := range members[1:] {
		others = append(others, t.people[m].id)
	}
	if err := maker.knows(ctx, others); err != nil {
		return err
	}
	room, err := api.Do(ctx, maker.core.Mux(), api.CreateGroup, api.NewGroup{Name: fmt.Sprintf("room %d", r), Members: others})
	if err != nil {
		return err
	}
	t.rooms = append(t.rooms, room.ID)
	t.index[room.ID] = r
	for _, m := range members {
		if err := t.people[m].opens(ctx, room.ID, len(members)); err != nil {
			return err
		}
	}
	return nil
}

// Connect is load.Target's. The core is connected since Prepare: from now on e is
// told of what it hears.
func (t *Target) Connect(ctx context.Context, person int, e load.Events) (load.Conn, error) {
	p := t.people[person]
	if err := p.core.WaitCaughtUp(ctx); err != nil {
		return nil, err
	}
	return p, p.listen(ctx, e)
}

// Processes is load.Target's.
func (t *Target) Processes() []int { return t.running.Processes }

// Close is load.Target's.
func (t *Target) Close() error {
	var errs []error
	for _, p := range t.people {
		errs = append(errs, p.stop())
	}
	if t.running != nil {
		errs = append(errs, t.running.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(t.cfg.Dir))...)
}

// until asks again and again until done.
func until(ctx context.Context, what string, done func() (bool, error)) error {
	late := time.After(time.Minute)
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-late:
			return fmt.Errorf("%s did not come about within a minute", what)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
