package group

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

// memory is a Storage in a map. It counts what is written.
type memory struct {
	rows    map[string][]byte
	puts    int
	bytes   int
	written []string
}

func newMemory() *memory { return &memory{rows: map[string][]byte{}} }

func (m *memory) Get(key string) ([]byte, error) { return bytes.Clone(m.rows[key]), nil }

func (m *memory) Put(key string, value []byte) error {
	m.rows[key] = append([]byte{}, value...)
	m.puts++
	m.bytes += len(value)
	m.written = append(m.written, key)
	return nil
}

func (m *memory) Delete(key string) error {
	delete(m.rows, key)
	return nil
}

func (m *memory) reset() { m.puts, m.bytes, m.written = 0, 0, nil }

// client is somebody in a test: a signer that outlives groups, and at most one
// group with its storage.
type client struct {
	name   string
	signer Signer
	group  *Group
	store  *memory
}

func newClient(t testing.TB, s mls.Suite, name string) *client {
	t.Helper()
	signer, err := NewSigner(s)
	if err != nil {
		t.Fatal(err)
	}
	return &client{name: name, signer: signer, store: newMemory()}
}

func (c *client) keyPackage(t testing.TB, s mls.Suite) (mls.KeyPackage, KeyPackageSecrets) {
	t.Helper()
	kp, secrets, err := NewKeyPackage(KeyPackageConfig{
		Suite: s, Signer: c.signer, Credential: mls.Basic([]byte(c.name)), Capabilities: testCapabilities(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return kp, secrets
}

const testExtension mls.ExtensionType = 0xf0f0

func testCapabilities() *mls.Capabilities {
	c := DefaultCapabilities(testExtension, mls.ExtensionAppData)
	c.Proposals = []mls.ProposalType{mls.ProposalSelfRemove, mls.ProposalAppDataUpdate}
	return &c
}

// reload stores the client's group, and reads it back in place of the old one.
func (c *client) reload(t testing.TB) {
	t.Helper()
	if err := c.group.Save(c.store); err != nil {
		t.Fatal(err)
	}
	before := maps.Clone(c.store.rows)
	c.store.reset()
	g, err := Load(c.store)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Save(c.store); err != nil {
		t.Fatal(err)
	}
	if c.store.puts != 0 || !maps.EqualFunc(before, c.store.rows, bytes.Equal) {
		t.Fatalf("%s: saving a group just loaded wrote %v", c.name, c.store.written)
	}
	// Everything written afresh must be the same as what came by pieces.
	whole := newMemory()
	g.saved = saved{}
	for id := range maps.Keys(ratchetsOf(g)) {
		g.secrets.ratchets[id].dirty = true
	}
	g.public = reopen(t, c.store)
	if err := g.Save(whole); err != nil {
		t.Fatal(err)
	}
	for k, v := range whole.rows {
		if !bytes.Equal(v, before[k]) {
			t.Fatalf("%s: row %s differs when written as a whole", c.name, k)
		}
	}
	if g, err = Load(c.store); err != nil {
		t.Fatal(err)
	}
	c.group = g
}

func ratchetsOf(g *Group) map[ratchetID]*ratchet {
	if g.secrets == nil {
		return nil
	}
	return g.secrets.ratchets
}

func reopen(t testing.TB, m *memory) *mls.PublicGroup {
	t.Helper()
	g, err := mls.LoadPublicGroup(m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// town is a group with its members and the server that follows it.
type town struct {
	t       testing.TB
	suite   mls.Suite
	rng     *rand.Rand
	members []*client
	server  *mls.PublicGroup
	disk    *memory
	info    []byte // of the current epoch, as the last committer gave it
	names   int
}

func newTown(t testing.TB, s mls.Suite, seed uint64) *town {
	t.Helper()
	w := &town{t: t, suite: s, rng: rand.New(rand.NewPCG(seed, 1)), disk: newMemory()}
	first := w.client()
	g, err := Create(Config{
		Suite: s, GroupID: []byte("town"), Signer: first.signer, Credential: mls.Basic([]byte(first.name)),
		Capabilities: testCapabilities(),
	})
	if err != nil {
		t.Fatal(err)
	}
	first.group = g
	w.members = []*client{first}
	info, err := g.GroupInfo(true)
	if err != nil {
		t.Fatal(err)
	}
	gi, err := mls.ParseGroupInfo(info)
	if err != nil {
		t.Fatal(err)
	}
	if w.server, err = mls.NewPublicGroup(gi, nil); err != nil {
		t.Fatal(err)
	}
	w.info = info
	w.agree()
	return w
}

func (w *town) client() *client {
	w.names++
	return newClient(w.t, w.suite, fmt.Sprint("client ", w.names))
}

func (w *town) pick() *client { return w.members[w.rng.IntN(len(w.members))] }

func (w *town) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// deliver brings a commit to the server and to everybody, and the welcome to
// joiners, who get the tree from the server.
func (w *town) deliver(committer *client, p *Pending, joiners map[*client]keyPackage) {
	w.t.Helper()
	m, err := mls.ParsePublic(p.Message)
	w.check(err)
	staged, err := w.server.StageCommit(m)
	w.check(err)
	w.check(w.server.Apply(staged))
	info, err := mls.ParseGroupInfo(p.GroupInfo)
	w.check(err)
	w.check(w.server.CheckGroupInfo(info))
	w.info = p.GroupInfo
	w.check(w.server.Save(w.disk))
	if w.rng.IntN(4) == 0 {
		w.server = reopen(w.t, w.disk)
	}

	var rest []*client
	for _, c := range w.members {
		if c == committer {
			if w.rng.IntN(3) == 0 {
				c.reload(w.t)
			}
			w.check(c.group.MergePending())
			rest = append(rest, c)
			continue
		}
		st, err := c.group.StageCommit(m)
		if err != nil {
			w.t.Fatalf("%s: %v", c.name, err)
		}
		if !st.Context.Equal(&staged.Context) || len(st.Added) != len(staged.Added) || len(st.Removed) != len(staged.Removed) || len(st.Updated) != len(staged.Updated) {
			w.t.Fatalf("%s sees another commit than the server", c.name)
		}
		w.check(c.group.Apply(st))
		if st.RemovesUs {
			if c.group.Status() != Removed {
				w.t.Fatal("removed but does not know")
			}
			c.group = nil
			continue
		}
		rest = append(rest, c)
	}
	w.members = rest
	if committer.group.Status() == Joining {
		w.check(committer.group.MergePending())
		w.members = append(w.members, committer)
	}
	if len(joiners) > 0 {
		tree, err := w.server.Tree()
		w.check(err)
		welcome, err := mls.ParseWelcome(p.Welcome)
		w.check(err)
		for c, kp := range joiners {
			g, err := Join(welcome, kp.public, kp.private, JoinOptions{Tree: tree})
			w.check(err)
			c.group = g
			c.store = newMemory()
			w.members = append(w.members, c)
		}
	}
	slices.SortFunc(w.members, func(a, b *client) int { return int(a.group.OwnLeaf()) - int(b.group.OwnLeaf()) })
	w.agree()
}

type keyPackage struct {
	public  mls.KeyPackage
	private KeyPackageSecrets
}

// agree checks that all members and the server are in the same state, and that
// everybody has exactly the private keys that the tree gives them.
func (w *town) agree() {
	w.t.Helper()
	want := w.server.Context()
	tree, err := w.server.Tree()
	w.check(err)
	if len(w.members) != len(w.server.Members()) {
		w.t.Fatalf("%d members, the tree has %d", len(w.members), len(w.server.Members()))
	}
	for _, c := range w.members {
		got := c.group.Public().Context()
		if !got.Equal(&want) {
			w.t.Fatalf("%s has another context in epoch %d", c.name, want.Epoch)
		}
		own, err := c.group.public.Tree()
		w.check(err)
		if !bytes.Equal(own, tree) {
			w.t.Fatalf("%s has another tree", c.name)
		}
		if !bytes.Equal(c.group.EpochAuthenticator(), w.members[0].group.EpochAuthenticator()) {
			w.t.Fatalf("%s has another epoch authenticator", c.name)
		}
		w.invariant(c.group)
	}
}

// invariant is the tree invariant of RFC 9420 §4.2: a member knows the private
// keys of its leaf and of the nodes above where it is not unmerged, no others.
func (w *town) invariant(g *Group) {
	w.t.Helper()
	tree := g.public.RatchetTree()
	for x, private := range g.keys {
		public, err := publicOf(w.suite, *private)
		w.check(err)
		if !x.Above(g.leaf.Node()) || !bytes.Equal(public, tree.EncryptionKey(x)) {
			w.t.Fatalf("leaf %d has a key for node %d that it should not have", g.leaf, x)
		}
	}
	for x := g.leaf.Node(); ; x = x.Parent() {
		inResolution := slices.Contains(tree.Resolution(x, nil), g.leaf.Node())
		if tree.EncryptionKey(x) != nil && (x.IsLeaf() || !inResolution) && g.keys[x] == nil {
			w.t.Fatalf("leaf %d has no key for node %d", g.leaf, x)
		}
		if x == tree.Root() {
			return
		}
	}
}

func (w *town) commit(c *client, opts CommitOptions, joiners map[*client]keyPackage) *Pending {
	w.t.Helper()
	p, err := c.group.Commit(opts)
	if err != nil {
		w.t.Fatalf("%s: %v", c.name, err)
	}
	if w.rng.IntN(3) == 0 {
		c.reload(w.t)
	}
	w.deliver(c, p, joiners)
	return p
}

// invite makes n new clients and their key packages.
func (w *town) invite(n int) ([]mls.KeyPackage, map[*client]keyPackage) {
	joiners := map[*client]keyPackage{}
	var list []mls.KeyPackage
	for range n {
		c := w.client()
		public, private := c.keyPackage(w.t, w.suite)
		joiners[c] = keyPackage{public, private}
		list = append(list, public)
	}
	return list, joiners
}

func (w *town) add(n int, opts CommitOptions) {
	w.t.Helper()
	list, joiners := w.invite(n)
	opts.Add = list
	w.commit(w.pick(), opts, joiners)
}

// propose brings a proposal to the server and everybody else.
func (w *town) propose(from *client, message []byte) {
	w.t.Helper()
	m, err := mls.ParsePublic(message)
	w.check(err)
	p, err := w.server.StageProposal(m)
	w.check(err)
	w.check(w.server.AddProposal(p))
	for _, c := range w.members {
		if c != from {
			_, err := c.group.ReceiveProposal(m)
			w.check(err)
		}
	}
}

// chat lets everybody say something, and everybody else hear it out of order.
func (w *town) chat() {
	w.t.Helper()
	type sent struct {
		from *client
		text []byte
		m    *mls.PrivateMessage
	}
	var all []sent
	for range 1 + w.rng.IntN(4) {
		c := w.pick()
		text := []byte(fmt.Sprint(c.name, " says ", w.rng.Int()))
		b, err := c.group.Seal(text, []byte("ad"))
		w.check(err)
		if bytes.Contains(b, text) {
			w.t.Fatal("sealed message shows its text")
		}
		m, err := mls.ParsePrivate(b)
		w.check(err)
		all = append(all, sent{c, text, m})
	}
	w.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, c := range w.members {
		if w.rng.IntN(4) == 0 {
			c.reload(w.t)
		}
		for _, s := range all {
			got, err := c.group.Open(s.m)
			if c == s.from {
				if !errors.Is(err, ErrOpen) {
					w.t.Fatal("own message opened")
				}
				continue
			}
			if err != nil || !bytes.Equal(got.Plaintext, s.text) || string(got.AuthenticatedData) != "ad" || got.Sender != s.from.group.OwnLeaf() {
				w.t.Fatalf("%s hears %q from %d: %v", c.name, got.Plaintext, got.Sender, err)
			}
			if _, err := c.group.Open(s.m); !errors.Is(err, ErrOpen) {
				w.t.Fatal("a message opened twice")
			}
		}
	}
}

// joinExternally brings c in by external commit, in place of its former leaf if
// it has one.
func (w *town) joinExternally(c *client, former *mls.LeafIndex) {
	w.t.Helper()
	info, err := mls.ParseGroupInfo(w.info)
	w.check(err)
	tree, err := w.server.Tree()
	w.check(err)
	g, p, err := JoinExternal(info, tree, Config{
		Signer: c.signer, Credential: mls.Basic([]byte(c.name)), Capabilities: testCapabilities(),
	}, ExternalOptions{AuthenticatedData: []byte("hello"), RemoveOwn: former})
	w.check(err)
	c.group, c.store = g, newMemory()
	w.members = slices.DeleteFunc(w.members, func(m *client) bool { return m == c })
	if w.rng.IntN(2) == 0 {
		c.reload(w.t)
	}
	if _, err := c.group.Seal(nil, nil); !errors.Is(err, ErrJoining) {
		w.t.Fatal("sealed before it joined")
	}
	w.deliver(c, p, nil)
}

// live does one random thing.
func (w *town) live() {
	w.t.Helper()
	n := len(w.members)
	switch w.rng.IntN(10) {
	case 0:
		w.add(1+w.rng.IntN(3), CommitOptions{})
	case 1:
		w.add(1+w.rng.IntN(3), CommitOptions{NoPath: true, WelcomeExtensions: mls.Extensions{{Type: testExtension, Data: []byte("psst")}}})
	case 2, 3:
		w.commit(w.pick(), CommitOptions{AuthenticatedData: []byte("renewed")}, nil)
	case 4:
		if n < 2 {
			return
		}
		c := w.pick()
		gone := map[mls.LeafIndex]bool{}
		for range 1 + w.rng.IntN(n/2) {
			if v := w.pick(); v != c {
				gone[v.group.OwnLeaf()] = true
			}
		}
		list, joiners := w.invite(w.rng.IntN(2))
		w.commit(c, CommitOptions{Add: list, Remove: slices.Sorted(maps.Keys(gone))}, joiners)
	case 5:
		x := w.server.Context().Extensions.With(testExtension, []byte(fmt.Sprint(w.rng.Int())))
		w.commit(w.pick(), CommitOptions{Extensions: &x}, nil)
	case 6:
		w.proposals()
	case 7:
		w.joinExternally(w.client(), nil)
	case 8:
		if n < 2 {
			return
		}
		c := w.pick()
		former := c.group.OwnLeaf()
		w.joinExternally(c, &former)
	case 9:
		w.chat()
	}
}

// proposals lets several members propose things and one commit them.
func (w *town) proposals() {
	w.t.Helper()
	joiners := map[*client]keyPackage{}
	committer := w.pick()
	for range 1 + w.rng.IntN(4) {
		c := w.pick()
		var b []byte
		var err error
		switch w.rng.IntN(5) {
		case 3:
			if len(w.members) < 3 || c == committer {
				continue
			}
			b, err = c.group.Propose(mls.ProposeSelfRemove(), ProposeOptions{})
		case 4:
			_, has := must(c.group.Public().Context().Extensions.AppData()).Get(0x8000)
			b, err = c.group.Propose(mls.ProposeAppData(mls.AppDataUpdate{
				Component: 0x8000, Remove: has && w.rng.IntN(2) == 0, Data: []byte(c.name),
			}), ProposeOptions{})
		case 0:
			b, err = c.group.ProposeUpdate(ProposeOptions{})
		case 1:
			list, more := w.invite(1)
			maps.Copy(joiners, more)
			b, err = c.group.Propose(mls.ProposeAdd(list[0]), ProposeOptions{})
		case 2:
			b, err = c.group.Propose(mls.ProposeRemove(w.pick().group.OwnLeaf()), ProposeOptions{})
		}
		w.check(err)
		w.propose(c, b)
	}
	waiting := len(w.server.PendingProposals()) > 0
	if _, err := w.pick().group.Seal([]byte("x"), nil); waiting != errors.Is(err, ErrProposals) {
		w.t.Fatal("sealed while proposals wait")
	}
	w.commit(committer, CommitOptions{IncludePending: true}, joiners)
}

func TestLife(t *testing.T) {
	seeds := uint64(2)
	if raceDetector { // it looks for something else, and makes the NIST curves ten times slower
		seeds = 1
	}
	for _, s := range mls.Suites() {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%v/%d", s, seed), func(t *testing.T) {
				w := newTown(t, s, seed)
				w.add(3, CommitOptions{NoPath: true})
				rounds := 30
				if s == mls.P521AES256 || raceDetector {
					rounds = 8 // it is slow
				}
				for range rounds {
					w.live()
					if len(w.members) > 14 {
						c := w.members[0]
						var gone []mls.LeafIndex
						for _, m := range w.members[5:] {
							gone = append(gone, m.group.OwnLeaf())
						}
						w.commit(c, CommitOptions{Remove: gone}, nil)
					}
				}
				w.chat()
				w.move(mls.Suites()[w.rng.IntN(len(mls.Suites()))])
				for range 5 {
					w.live()
				}
				w.chat()
			})
		}
	}
}

// move closes the group in favour of one with another suite, where all meet.
func (w *town) move(s mls.Suite) {
	w.t.Helper()
	w.commit(w.pick(), CommitOptions{ReInit: &mls.ReInit{GroupID: []byte("next town"), Version: mls.MLS10, Suite: s}}, nil)
	old := map[*client]*Group{}
	joiners := map[*client]keyPackage{}
	var add []mls.KeyPackage
	founder := w.pick()
	for _, c := range w.members {
		c.reload(w.t)
		old[c] = c.group
		c.signer, c.store = newClient(w.t, s, c.name).signer, newMemory()
		if c != founder {
			public, private := c.keyPackage(w.t, s)
			joiners[c] = keyPackage{public, private}
			add = append(add, public)
		}
	}
	g, p, err := Reinit(old[founder], Config{
		Signer: founder.signer, Credential: mls.Basic([]byte(founder.name)), Capabilities: testCapabilities(),
	}, CommitOptions{Add: add, NoPath: w.rng.IntN(2) == 0})
	w.check(err)
	info, err := mls.ParseGroupInfo(must(g.GroupInfo(true)))
	w.check(err)
	w.suite, w.disk = s, newMemory()
	w.server = must(mls.NewPublicGroup(info, nil))
	w.check(w.server.Apply(must(w.server.StageCommit(must(mls.ParsePublic(p.Message))))))
	w.info = p.GroupInfo
	founder.group = g
	founder.reload(w.t)
	w.check(founder.group.MergePending())
	for c, kp := range joiners {
		c.group = must(Join(must(mls.ParseWelcome(p.Welcome)), kp.public, kp.private, JoinOptions{Tree: must(w.server.Tree()), From: old[c]}))
	}
	slices.SortFunc(w.members, func(a, b *client) int { return int(a.group.OwnLeaf()) - int(b.group.OwnLeaf()) })
	w.agree()
}
