// Package seed fills the data directory of a server that does not run with
// people and rooms, through the same code that a server would do it with: every
// account has a device with a session and a signed statement, and every room is
// an MLS group whose public state the server holds. So what the server checks
// when such a site is loaded, it checks in earnest.
//
// Nobody can sign in to what it makes: the sessions are all there is.
package seed

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/wire"
)

// Person is an account with one active device that has a session.
type Person struct {
	Account wire.AccountID
	Device  wire.DeviceID
	Token   string

	signer group.Signer
}

// Room is a group in which all its members stand.
type Room struct {
	ID    wire.RoomID
	Epoch uint64
}

// Site is what was made.
type Site struct {
	People []Person
	Rooms  []Room

	groups []*group.Group // of each room, as its first member has it
}

// cheap is a password's cost for passwords that nobody will ever try.
var cheap = account.Cost{Memory: 64, Time: 1, Threads: 1}

// Write makes a site in an empty or new directory, with so many people and rooms
// whose members are told by their number.
func Write(ctx context.Context, dir string, people int, rooms [][]int) (s Site, err error) {
	err = server.Init(ctx, server.InitConfig{Data: dir, Org: "Load", Admin: "administrator", Password: rand.Text(), Cost: cheap})
	if err != nil {
		return s, err
	}
	w, err := open(ctx, dir)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if s.People, err = w.enrol(ctx, people); err != nil {
		return s, fmt.Errorf("make %d people: %w", people, err)
	}
	s.Rooms, s.groups = make([]Room, len(rooms)), make([]*group.Group, len(rooms))
	err = each(len(rooms), func(i int) (err error) {
		if s.Rooms[i], s.groups[i], err = w.found(ctx, s.People, rooms[i]); err != nil {
			return fmt.Errorf("make a room of %d: %w", len(rooms[i]), err)
		}
		return nil
	})
	return s, err
}

// writer is a site's nouns without a server.
type writer struct {
	db     *db.DB
	rooms  *room.Rooms
	unlock []byte // one public key does for all: nobody is sent anything under it
	close  func() error
}

func open(ctx context.Context, dir string) (*writer, error) {
	log := slog.New(slog.DiscardHandler)
	store, done, err := server.OpenStopped(ctx, dir, log)
	if err != nil {
		return nil, err
	}
	w := &writer{db: store, close: done}
	key, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, errors.Join(err, done())
	}
	w.unlock = key.PublicKey().Bytes()
	blobs, err := blob.New(blob.Config{DB: store, Dir: server.BlobDir(dir), Log: log, Now: time.Now})
	if err != nil {
		return nil, errors.Join(err, done())
	}
	w.rooms, err = room.New(room.Config{DB: store, Hub: hub.New(), People: device.People{}, Blobs: blobs, Log: log})
	if err != nil {
		return nil, errors.Join(err, done())
	}
	return w, nil
}

// each is for what many may do at a time: the writer of the database takes what
// has queued as one transaction.
func each(n int, do func(i int) error) error {
	work, errs := make(chan int), make(chan error, 1)
	workers := 8 * runtime.GOMAXPROCS(0)
	for range workers {
		go func() {
			var failed error
			for i := range work {
				if failed == nil {
					failed = do(i)
				}
			}
			errs <- failed
		}()
	}
	for i := range n {
		work <- i
	}
	close(work)
	var all error
	for range workers {
		all = errors.Join(all, <-errs)
	}
	return all
}

// enrol makes people, many in one transaction.
func (w *writer) enrol(ctx context.Context, n int) ([]Person, error) {
	const together = 200
	people := make([]Person, n)
	err := each((n+together-1)/together, func(part int) error {
		return w.db.Update(ctx, func(tx *db.Tx) error {
			for i := part * together; i < min(n, (part+1)*together); i++ {
				var err error
				if people[i], err = w.person(tx, fmt.Sprintf("person %d", i)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return people, err
}

// person makes an account whose first device publishes the first statement.
func (w *writer) person(tx *db.Tx, name string) (p Person, err error) {
	now := time.Now()
	n, err := account.ParseName(name)
	if err != nil {
		return p, err
	}
	a, err := account.Create(tx, n, "", false, now)
	if err != nil {
		return p, err
	}
	opened, err := device.Open(tx, a.ID, "load", now)
	if err != nil {
		return p, err
	}
	p = Person{Account: a.ID, Device: opened.Device, Token: opened.Token.Secret()}
	if p.signer, err = group.NewSigner(mls.X25519AES128); err != nil {
		return p, err
	}
	if err := device.Enrol(tx, a.ID, p.Device, wire.Enrol{Key: p.signer.Public(), Unlock: w.unlock}); err != nil {
		return p, err
	}
	first, err := w.statement(p, now)
	if err != nil {
		return p, err
	}
	_, _, err = device.Publish(tx, a.ID, p.Device, wire.DevicePending, first, now)
	return p, err
}

func (w *writer) statement(p Person, now time.Time) (wire.Publish, error) {
	public, root, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return wire.Publish{}, err
	}
	d := statement.Device{ID: p.Device, Unlock: sha256.Sum256(w.unlock), Added: wire.Now(now)}
	copy(d.Key[:], p.signer.Public())
	b := statement.Body{Version: statement.Version, Account: p.Account, Seq: 1, Time: wire.Now(now), Devices: []statement.Device{d}}
	copy(b.Root[:], public)
	body, err := b.Encode()
	if err != nil {
		return wire.Publish{}, err
	}
	vault := make([]byte, 256)
	rand.Read(vault)
	return wire.Publish{
		Statement: wire.SignedStatement{Body: body, Signature: ed25519.Sign(root, statement.ToSign(body))}, Vault: vault,
	}, nil
}

// found makes a group that its first member creates and that all others join.
func (w *writer) found(ctx context.Context, people []Person, members []int) (Room, *group.Group, error) {
	id := wire.NewRoomID()
	creator := people[members[0]]
	g, create, err := founding(id, people, members)
	if err != nil {
		return Room{}, nil, err
	}
	if _, err := w.rooms.Create(ctx, actor(creator), create); err != nil {
		return Room{}, nil, err
	}
	if err := g.MergePending(); err != nil {
		return Room{}, nil, err
	}
	err = each(len(members)-1, func(i int) error { return w.rooms.Joined(ctx, actor(people[members[i+1]]), id) })
	return Room{ID: id, Epoch: g.Epoch()}, g, err
}

func actor(p Person) authz.Actor {
	return authz.Actor{Account: p.Account, Device: p.Device, State: wire.DeviceActive}
}

// founding is the creation of a group with the commit that adds everybody.
func founding(id wire.RoomID, people []Person, members []int) (g *group.Group, c wire.CreateRoom, err error) {
	creator := people[members[0]]
	rules, err := policy.Policy{Kind: wire.Group, Owners: []wire.AccountID{creator.Account}}.Encode()
	if err != nil {
		return nil, c, err
	}
	capable := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	g, err = group.Create(group.Config{
		Suite: mls.X25519AES128, GroupID: id[:], Signer: creator.signer,
		Credential:   mls.Basic(policy.Identity(creator.Account, creator.Device)),
		Extensions:   mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: rules}},
		Capabilities: &capable,
	})
	if err != nil {
		return nil, c, err
	}
	c = wire.CreateRoom{Room: id, Kind: wire.Group, First: wire.GroupUpload{Client: wire.NewClientID()}}
	if c.Info, err = g.GroupInfo(true); err != nil {
		return nil, c, err
	}
	added := make([]mls.KeyPackage, len(members)-1)
	for i, m := range members[1:] {
		p := people[m]
		added[i], _, err = group.NewKeyPackage(group.KeyPackageConfig{
			Suite: mls.X25519AES128, Signer: p.signer, Capabilities: &capable,
			Credential: mls.Basic(policy.Identity(p.Account, p.Device)),
		})
		if err != nil {
			return nil, c, err
		}
	}
	first, err := g.Commit(group.CommitOptions{
		Add: added, NoPath: true, AuthenticatedData: policy.CommitData{Client: c.First.Client}.Encode(),
	})
	if err != nil {
		return nil, c, err
	}
	c.First.Commit, c.First.Welcome, c.First.GroupInfo = first.Message, first.Welcome, first.GroupInfo
	return g, c, nil
}
