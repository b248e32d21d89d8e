package room_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/hub"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/server/socket"
	"github.com/veche-im/veche/wire"
)

// site is a database, a hub, rooms and blobs, with statements that a test
// writes as it likes.
type site struct {
	testing.TB
	ctx    context.Context
	db     *db.DB
	hub    *hub.Hub
	blobs  *blob.Store
	rooms  *room.Rooms
	people *people
	clock  *clock
	dir    string
	suite  mls.Suite
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{
		TB: t, ctx: t.Context(), hub: hub.New(), dir: t.TempDir(), suite: mls.X25519AES128,
		people: &people{devices: make(map[wire.DeviceID]listed)},
		clock:  &clock{at: time.Now()},
	}
	s.open()
	t.Cleanup(func() { s.db.Close() })
	return s
}

// open opens the site's database and makes everything anew on it.
func (s *site) open() {
	s.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	s.db, err = db.Open(s.ctx, db.Config{Path: filepath.Join(s.dir, "veche.db"), Schemas: []db.Schema{room.Schema, blob.Schema}, Log: log})
	s.must(err)
	s.blobs, err = blob.New(blob.Config{DB: s.db, Dir: filepath.Join(s.dir, "blobs"), Log: log, Now: s.clock.now})
	s.must(err)
	s.rooms, err = room.New(room.Config{DB: s.db, Hub: s.hub, People: s.people, Blobs: s.blobs, Log: log, Now: s.clock.now})
	s.must(err)
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	s.memoryFits()
}

// memoryFits holds what the writer remembers of rooms against the rows: after
// every step of every test, since nearly all of them end in must or want.
func (s *site) memoryFits() {
	s.Helper()
	if _, measured := s.TB.(*testing.B); measured || s.rooms == nil {
		return
	}
	err := s.db.Update(s.ctx, func(tx *db.Tx) error {
		_, err := s.rooms.CheckMemory(tx)
		return err
	})
	if err != nil && !errors.Is(err, db.ErrClosed) && s.ctx.Err() == nil {
		s.Fatal(err)
	}
}

// want fails unless err carries the code.
func (s *site) want(err error, code wire.Code) {
	s.Helper()
	if wire.CodeOf(err) != code {
		s.Fatalf("got %v, want %s", err, code)
	}
	s.memoryFits()
}

// count returns the number that a query yields.
func (s *site) count(query string, args ...any) (n int64) {
	s.Helper()
	s.must(s.db.View(s.ctx, func(tx *db.Tx) error { return tx.QueryRow(query, args...).Scan(&n) }))
	return n
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// people is what statements say.
type people struct {
	mu      sync.Mutex
	devices map[wire.DeviceID]listed
}

type listed struct {
	account wire.AccountID
	key     []byte
	state   wire.DeviceState
}

func (p *people) Known(_ *db.Tx, account wire.AccountID) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.devices {
		if d.account == account {
			return true, nil
		}
	}
	return false, nil
}

func (p *people) Listed(_ *db.Tx, account wire.AccountID, device wire.DeviceID) ([]byte, wire.DeviceState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d, ok := p.devices[device]
	if !ok || d.account != account {
		return nil, "", nil
	}
	return d.key, d.state, nil
}

func (p *people) set(device wire.DeviceID, l listed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.devices[device] = l
}

// device is a client with the least that the rooms' rules ask for.
type device struct {
	*site
	authz.Actor
	signer group.Signer
	in     map[wire.RoomID]*place
	keys   []bundle
	heard  *ear
}

// place is where a device stands in a room.
type place struct {
	group *group.Group
	seq   int64
	head  wire.Hash
	read  []string // plain text of what it opened
}

type bundle struct {
	kp      mls.KeyPackage
	secrets group.KeyPackageSecrets
}

// person makes an account with its first device; another makes further ones.
func (s *site) person() *device {
	s.Helper()
	return s.device(wire.NewAccountID())
}

func (d *device) another() *device {
	d.Helper()
	return d.site.device(d.Account)
}

func (s *site) device(account wire.AccountID) *device {
	s.Helper()
	signer, err := group.NewSigner(s.suite)
	s.must(err)
	d := &device{
		site: s, signer: signer, in: make(map[wire.RoomID]*place),
		Actor: authz.Actor{Account: account, Device: wire.NewDeviceID(), State: wire.DeviceActive},
	}
	s.people.set(d.Device, listed{account, signer.Public(), wire.DeviceActive})
	return d
}

// revoke has the newest statement of the account revoke the device.
func (d *device) revoke() {
	d.people.set(d.Device, listed{d.Account, d.signer.Public(), wire.DeviceRevoked})
}

func (d *device) credential() mls.Credential {
	return mls.Basic(policy.Identity(d.Account, d.Device))
}

func capabilities() *mls.Capabilities {
	c := group.DefaultCapabilities(mls.ExtensionType(policy.Extension))
	return &c
}

func (d *device) keyPackage() mls.KeyPackage {
	d.Helper()
	kp, secrets, err := group.NewKeyPackage(group.KeyPackageConfig{
		Suite: d.suite, Signer: d.signer, Credential: d.credential(), Capabilities: capabilities(),
	})
	d.must(err)
	d.keys = append(d.keys, bundle{kp, secrets})
	return kp
}

func keyPackages(devices ...*device) (list []mls.KeyPackage) {
	for _, d := range devices {
		list = append(list, d.keyPackage())
	}
	return list
}

// policyExtensions is a GroupContext with the policy alone.
func (s *site) policyExtensions(p policy.Policy) mls.Extensions {
	s.Helper()
	data, err := p.Encode()
	s.must(err)
	return mls.Extensions{{Type: mls.ExtensionType(policy.Extension), Data: data}}
}

// founding is a room on its way: what Create takes, to be spoilt by a test.
func (d *device) founding(p policy.Policy, others ...*device) (*group.Group, wire.CreateRoom) {
	d.Helper()
	id := wire.NewRoomID()
	g, err := group.Create(group.Config{
		Suite: d.suite, GroupID: id[:], Signer: d.signer, Credential: d.credential(),
		Extensions: d.policyExtensions(p), Capabilities: capabilities(),
	})
	d.must(err)
	info, err := g.GroupInfo(true)
	d.must(err)
	client := wire.NewClientID()
	c, err := g.Commit(group.CommitOptions{
		Add: keyPackages(others...), NoPath: len(others) > 0,
		AuthenticatedData: policy.CommitData{Client: client}.Encode(),
	})
	d.must(err)
	return g, wire.CreateRoom{
		Room: id, Kind: p.Kind, Info: info,
		First: wire.GroupUpload{Client: client, Commit: c.Message, Welcome: c.Welcome, GroupInfo: c.GroupInfo},
	}
}

func (d *device) owns() policy.Policy {
	return policy.Policy{Kind: wire.Group, Owners: policy.Sorted(d.Account)}
}

func (d *device) with(other *device) policy.Policy {
	return policy.Policy{Kind: wire.Direct, Owners: policy.Sorted(d.Account, other.Account)}
}

// create makes a room with the others in it, who join.
func (d *device) create(p policy.Policy, others ...*device) wire.RoomID {
	d.Helper()
	g, c := d.founding(p, others...)
	got, err := d.rooms.Create(d.ctx, d.Actor, c)
	d.must(err)
	d.must(g.MergePending())
	d.in[c.Room] = &place{group: g, seq: got.Seq, head: got.Head}
	for _, o := range others {
		o.join(c.Room)
	}
	return c.Room
}

// makeGroup is create for a group that d owns.
func (d *device) makeGroup(others ...*device) wire.RoomID {
	d.Helper()
	return d.create(d.owns(), others...)
}

// join uses the Welcome that waits.
func (d *device) join(id wire.RoomID) {
	d.Helper()
	st, err := d.rooms.Welcome(d.ctx, d.Actor, id)
	d.must(err)
	w, err := mls.ParseWelcome(st.Welcome)
	d.must(err)
	if len(w.Secrets) != 1 {
		d.Fatalf("the Welcome has the secrets of %d", len(w.Secrets))
	}
	for _, k := range d.keys {
		ref, err := k.kp.Ref()
		d.must(err)
		if _, ok := w.For(ref); !ok {
			continue
		}
		g, err := group.Join(w, k.kp, k.secrets, group.JoinOptions{Tree: st.Tree})
		d.must(err)
		d.in[id] = &place{group: g, seq: st.Seq, head: st.Head}
		d.must(d.rooms.Joined(d.ctx, d.Actor, id))
		return
	}
	d.Fatal("the Welcome is for somebody else")
}

// committing is a commit on its way, to be spoilt by a test.
func (d *device) committing(id wire.RoomID, o group.CommitOptions) wire.SendCommit {
	d.Helper()
	p := d.in[id]
	client := wire.NewClientID()
	if o.AuthenticatedData == nil {
		o.AuthenticatedData = policy.CommitData{Client: client, Seq: p.seq, Head: p.head}.Encode()
	}
	p.group.ClearPending()
	c, err := p.group.Commit(o)
	d.must(err)
	return wire.SendCommit{Room: id, GroupUpload: wire.GroupUpload{
		Client: client, Commit: c.Message, Welcome: c.Welcome, GroupInfo: c.GroupInfo,
	}}
}

// commit makes a commit, sends it, and follows it if it was taken.
func (d *device) commit(id wire.RoomID, o group.CommitOptions) error {
	d.Helper()
	_, err := d.rooms.Commit(d.ctx, d.Actor, d.committing(id, o))
	if err == nil {
		d.sync(id)
	} else {
		d.in[id].group.ClearPending()
	}
	return err
}

// joining is an external commit on its way. The device's former leaf is removed
// if it stands in the tree.
func (d *device) joining(id wire.RoomID) (*place, wire.SendCommit) {
	d.Helper()
	st, err := d.rooms.Group(d.ctx, d.Actor, id)
	d.must(err)
	return d.joiningWith(id, st, nil)
}

func (d *device) joiningWith(id wire.RoomID, st wire.GroupState, remove *mls.LeafIndex) (*place, wire.SendCommit) {
	d.Helper()
	info, err := mls.ParseGroupInfo(st.GroupInfo)
	d.must(err)
	client := wire.NewClientID()
	o := group.ExternalOptions{
		RemoveOwn:         remove,
		AuthenticatedData: policy.CommitData{Client: client, Seq: st.Seq, Head: st.Head}.Encode(),
	}
	public, err := mls.NewPublicGroup(info, st.Tree)
	d.must(err)
	for _, m := range public.Members() {
		if l, err := policy.LeafOf(m.Index, m.Leaf); err == nil && l.Device == d.Device && remove == nil {
			o.RemoveOwn = &m.Index
		}
	}
	g, c, err := group.JoinExternal(info, st.Tree, group.Config{
		Signer: d.signer, Credential: d.credential(), Capabilities: capabilities(),
	}, o)
	d.must(err)
	return &place{group: g}, wire.SendCommit{Room: id, GroupUpload: wire.GroupUpload{
		Client: client, Commit: c.Message, GroupInfo: c.GroupInfo,
	}}
}

// joinExternally enters a room by an external commit.
func (d *device) joinExternally(id wire.RoomID) error {
	d.Helper()
	p, c := d.joining(id)
	got, err := d.rooms.Commit(d.ctx, d.Actor, c)
	if err != nil {
		return err
	}
	d.must(p.group.MergePending())
	p.seq, p.head = got.Seq, got.Head
	d.in[id] = p
	return nil
}

// sealing is a message on its way.
func (d *device) sealing(id wire.RoomID, text string, blobs ...wire.BlobID) wire.SendMessage {
	d.Helper()
	g := d.in[id].group
	client := wire.NewClientID()
	body, err := g.Seal([]byte(text), policy.MessageData{Client: client}.Encode())
	d.must(err)
	return wire.SendMessage{Room: id, Client: client, Epoch: g.Epoch(), Body: body, Blobs: blobs}
}

func (d *device) send(id wire.RoomID, text string, blobs ...wire.BlobID) (wire.Receipt, error) {
	d.Helper()
	return d.rooms.Send(d.ctx, d.Actor, d.sealing(id, text, blobs...))
}

// leaving is a proposal to take out a leaf, on its way.
func (d *device) leaving(id wire.RoomID, leaf mls.LeafIndex) wire.SendProposal {
	d.Helper()
	b, err := d.in[id].group.Propose(mls.ProposeRemove(leaf), group.ProposeOptions{})
	d.must(err)
	return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: b}
}

// leave proposes to take out the device's own leaf.
func (d *device) leave(id wire.RoomID) error {
	d.Helper()
	_, err := d.rooms.Propose(d.ctx, d.Actor, d.leaving(id, d.in[id].group.OwnLeaf()))
	return err
}

// sync reads the log from where the device stands, checks that it is dense and
// that heads chain, and follows it.
func (d *device) sync(id wire.RoomID) {
	d.Helper()
	p := d.in[id]
	for {
		page, err := d.rooms.Log(d.ctx, d.Actor, wire.ReadLog{Room: id, After: p.seq})
		d.must(err)
		for i := range page.Entries {
			d.follow(id, p, &page.Entries[i])
			if p.group.Status() == group.Removed {
				return
			}
		}
		if len(page.Entries) == 0 || p.seq >= page.Seq {
			return
		}
	}
}

func (d *device) follow(id wire.RoomID, p *place, e *wire.Entry) {
	d.Helper()
	if e.Seq != p.seq+1 {
		d.Fatalf("entry %d after %d", e.Seq, p.seq)
	}
	if head := wire.Next(p.head, id, e); head != e.Head {
		d.Fatalf("the head of entry %d does not fit", e.Seq)
	}
	p.seq, p.head = e.Seq, e.Head
	own := e.Device == d.Device
	switch e.Kind {
	case wire.MessageEntry:
		if own || e.Erased != nil {
			return
		}
		m, err := mls.ParsePrivate(e.Body)
		d.must(err)
		o, err := p.group.Open(m)
		d.must(err)
		p.read = append(p.read, string(o.Plaintext))
	case wire.ProposalEntry:
		m, err := mls.ParsePublic(e.Body)
		d.must(err)
		_, err = p.group.ReceiveProposal(m)
		d.must(err)
	case wire.CommitEntry:
		if own && string(p.group.Pending()) == string(e.Body) {
			d.must(p.group.MergePending())
			return
		}
		m, err := mls.ParsePublic(e.Body)
		d.must(err)
		c, err := p.group.StageCommit(m)
		d.must(err)
		d.must(p.group.Apply(c))
	}
}

// blob uploads sealed bytes.
func (d *device) blob(size int) wire.BlobID {
	d.Helper()
	st, err := d.blobs.Create(d.ctx, d.Actor, int64(size))
	d.must(err)
	_, err = d.blobs.Append(d.ctx, d.Actor, st.Blob, 0, io.LimitReader(zeros{}, int64(size)))
	d.must(err)
	return st.Blob
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// ear hears what the hub tells a device.
type ear struct {
	d      *device
	mu     sync.Mutex
	frames []wire.Frame
}

// listen connects the device to the hub.
func (d *device) listen() {
	d.Helper()
	d.heard = &ear{d: d}
	d.must(d.hub.Come(d.heard, wire.DeviceActive, func() ([]wire.RoomID, error) { return d.rooms.Of(d.ctx, d.Account) }))
}

func (e *ear) Hear(b []byte) {
	var f wire.Frame
	if err := wire.Decode(socket.Payload(b), &f); err != nil {
		e.d.Error(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.frames = append(e.frames, f)
}

func (e *ear) Become(wire.DeviceState)              {}
func (e *ear) End(wire.Code)                        {}
func (e *ear) Who() (wire.AccountID, wire.DeviceID) { return e.d.Account, e.d.Device }

// events returns what the device heard of one kind, in order, and forgets it.
// Events have been told when the call that caused them returns.
func events[T any](d *device, ev wire.Event[T]) (list []T) {
	d.Helper()
	d.heard.mu.Lock()
	defer d.heard.mu.Unlock()
	var rest []wire.Frame
	for _, f := range d.heard.frames {
		if f.Method != ev.Name {
			rest = append(rest, f)
			continue
		}
		var v T
		d.must(wire.Decode(f.Body, &v))
		list = append(list, v)
	}
	d.heard.frames = rest
	return list
}
