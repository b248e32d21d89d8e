package group

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

var interopSeeds = flag.Int("interop", 200, "random lives together with ts-mls, over all suites")

// TestInterop lives through random lives together with ts-mls, with either side
// as the founder. It goes around what ts-mls has wrong: it leaves the path out
// of a commit with at most one Remove and at most one Update; it seals a path to
// the keys from before the commit's own Updates and Adds; it refuses trees in which
// a leaf is unmerged at one node above it and merged at another, higher one; and
// its external_pub and external_senders are not those of the RFC.
func TestInterop(t *testing.T) {
	for _, share := range []struct {
		suite   mls.Suite
		percent int
	}{{mls.X25519AES128, 45}, {mls.X25519ChaCha, 45}, {mls.HybridX25519MLKEM768, 10}} {
		t.Run(share.suite.String(), func(t *testing.T) {
			t.Parallel()
			bob := newPeer(t, share.suite)
			for seed := range max(1, *interopSeeds*share.percent/100) {
				if !t.Run(fmt.Sprint(seed), func(t *testing.T) {
					bob.t = t
					newDuet(t, share.suite, bob, uint64(seed)).live(8)
				}) {
					return
				}
			}
		})
	}
}

// duet is a group of ts-mls's member bob and members of ours.
type duet struct {
	t     *testing.T
	suite mls.Suite
	rng   *rand.Rand
	bob   *peer
	leaf  mls.LeafIndex // bob's
	ours  []*client
	names int
}

func (d *duet) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func newDuet(t *testing.T, s mls.Suite, bob *peer, seed uint64) *duet {
	t.Helper()
	d := &duet{t: t, suite: s, rng: rand.New(rand.NewPCG(seed, uint64(s))), bob: bob}
	if seed%2 == 0 {
		ann := d.client()
		var err error
		ann.group, err = Create(Config{Suite: s, GroupID: []byte("duet"), Signer: ann.signer, Credential: mls.Basic([]byte(ann.name)), Grease: d.rng.IntN(2) == 0})
		d.check(err)
		d.ours = []*client{ann}
		d.welcomeBob(CommitOptions{NoPath: d.rng.IntN(2) == 0})
		return d
	}
	bob.ask("create", map[string]any{"name": "bob", "groupId": []byte("duet")})
	d.leaf = 0
	d.bobCommits(map[string]any{}, 1)
	return d
}

func (d *duet) client() *client {
	d.names++
	return newClient(d.t, d.suite, fmt.Sprint("ours ", d.names))
}

func (d *duet) pick() *client { return d.ours[d.rng.IntN(len(d.ours))] }

// newcomer is a client of ours with a key package.
func (d *duet) newcomer() (*client, keyPackage) {
	d.t.Helper()
	c := d.client()
	kp, private, err := NewKeyPackage(KeyPackageConfig{
		Suite: d.suite, Signer: c.signer, Credential: mls.Basic([]byte(c.name)), LastResort: d.rng.IntN(2) == 0, Grease: d.rng.IntN(2) == 0,
	})
	d.check(err)
	return c, keyPackage{kp, private}
}

// same compares us all with what the peer says of its state.
func (d *duet) same(a answer) {
	d.t.Helper()
	for _, c := range d.ours {
		equal(d.t, "epoch authenticator", a.Auth, c.group.EpochAuthenticator())
		context := c.group.Public().Context()
		equal(d.t, "tree hash", a.TreeHash, context.TreeHash)
		if a.Epoch != context.Epoch {
			d.t.Fatalf("epoch %d, ours is %d", a.Epoch, context.Epoch)
		}
	}
	if a.Leaf != d.leaf {
		d.t.Fatalf("bob sits at %d, we think at %d", a.Leaf, d.leaf)
	}
}

// follow brings a commit of ours to the rest of us.
func (d *duet) follow(message []byte, but *client) {
	d.t.Helper()
	var rest []*client
	for _, c := range d.ours {
		if c == but {
			d.check(c.group.MergePending())
			rest = append(rest, c)
			continue
		}
		staged, err := stageEither(c.group, message)
		d.check(err)
		d.check(c.group.Apply(staged))
		if !staged.RemovesUs {
			rest = append(rest, c)
		}
	}
	d.ours = rest
}

func (d *duet) join(welcome []byte, joiners map[*client]keyPackage) {
	d.t.Helper()
	for c, kp := range joiners {
		w, err := mls.ParseWelcome(welcome)
		d.check(err)
		c.group, err = Join(w, kp.public, kp.private, JoinOptions{})
		d.check(err)
		d.ours = append(d.ours, c)
	}
	slices.SortFunc(d.ours, func(a, b *client) int { return int(a.group.OwnLeaf()) - int(b.group.OwnLeaf()) })
}

// weCommit makes a commit of ours that leaves bob in.
func (d *duet) weCommit(c *client, opts CommitOptions, add int) {
	d.t.Helper()
	joiners := map[*client]keyPackage{}
	for range add {
		n, kp := d.newcomer()
		joiners[n] = kp
		opts.Add = append(opts.Add, kp.public)
	}
	opts.TreeInWelcome, opts.Private = true, d.rng.IntN(2) == 0
	p, err := c.group.Commit(opts)
	d.check(err)
	a := d.bob.ask("process", map[string]any{"msg": p.Message})
	d.follow(p.Message, c)
	d.join(p.Welcome, joiners)
	d.same(a)
}

// welcomeBob adds bob. If he does not like the tree, he is removed, we all renew
// our keys, so that nobody is unmerged, and he is added without a path.
func (d *duet) welcomeBob(opts CommitOptions) {
	d.t.Helper()
	kp, err := mls.ParseKeyPackage(d.bob.ask("keyPackage", map[string]any{"name": "bob"}).KeyPackage)
	d.check(err)
	opts.Add, opts.TreeInWelcome = []mls.KeyPackage{*kp}, true
	c := d.pick()
	p, err := c.group.Commit(opts)
	d.check(err)
	d.follow(p.Message, c)
	a := d.bob.try("join", map[string]any{"welcome": p.Welcome})
	if !a.OK && !opts.NoPath && !uniform(c.group) {
		at := p.Added[0].Index
		for i, c := range d.ours {
			var opts CommitOptions
			if i == 0 {
				opts.Remove = []mls.LeafIndex{at}
			}
			p, err := c.group.Commit(opts)
			d.check(err)
			d.follow(p.Message, c)
		}
		d.welcomeBob(CommitOptions{NoPath: true})
		return
	}
	if !a.OK {
		d.t.Fatalf("join: %s", a.Error)
	}
	d.leaf = a.Leaf
	if l := c.group.Public().Leaf(a.Leaf); l == nil || string(l.Credential.Identity) != "bob" {
		d.t.Fatalf("bob is not at leaf %d", a.Leaf)
	}
	d.same(a)
}

// uniform reports whether each unmerged leaf is unmerged at all nodes above it,
// and all these list the same leaves.
func uniform(g *Group) bool {
	tree := g.Public().RatchetTree()
	for _, m := range g.Public().Members() {
		var first []mls.LeafIndex
		for i, list := range unmergedAbove(tree, m.Index) {
			if i == 0 {
				first = list
			} else if !slices.Equal(first, list) {
				return false
			}
		}
	}
	return true
}

// unmergedAbove lists what the nodes above a leaf that are not blank list as
// unmerged.
func unmergedAbove(tree *mls.Tree, l mls.LeafIndex) [][]mls.LeafIndex {
	var out [][]mls.LeafIndex
	for x := l.Node(); x != tree.Root(); {
		x = x.Parent()
		if tree.EncryptionKey(x) == nil {
			continue
		}
		list := []mls.LeafIndex{}
		for _, n := range tree.Resolution(x, nil)[1:] {
			list = append(list, n.Leaf())
		}
		out = append(out, list)
	}
	return out
}

// bobCommits lets bob commit, in either wire format.
func (d *duet) bobCommits(args map[string]any, add int) {
	d.t.Helper()
	joiners := map[*client]keyPackage{}
	var packages [][]byte
	for range add {
		c, kp := d.newcomer()
		joiners[c] = kp
		b, err := mls.Marshal(mls.Message{KeyPackage: &kp.public})
		d.check(err)
		packages = append(packages, b)
	}
	if add > 0 {
		args["add"] = packages
	}
	args["publicMessage"] = d.rng.IntN(2) == 0
	a := d.bob.ask("commit", args)
	d.follow(a.Commit, nil)
	d.join(a.Welcome, joiners)
	d.same(a)
}

// talk sends one message from each side, and compares an exported secret.
func (d *duet) talk() {
	d.t.Helper()
	from := d.pick()
	text := fmt.Append(nil, "from ", from.name, d.rng.Uint64())
	b, err := from.group.SealPadded(text, []byte("ad"), func(n int) int { return d.rng.IntN(100) })
	d.check(err)
	equal(d.t, "what bob hears", d.bob.ask("process", map[string]any{"msg": b}).Data, text)
	m, err := mls.ParsePrivate(d.bob.ask("send", map[string]any{"data": []byte("from bob"), "aad": []byte("da")}).Msg)
	d.check(err)
	for _, c := range d.ours {
		got, err := c.group.Open(m)
		d.check(err)
		equal(d.t, "what we hear", got.Plaintext, []byte("from bob"))
		equal(d.t, "authenticated data", got.AuthenticatedData, []byte("da"))
		if got.Sender != d.leaf {
			d.t.Fatalf("heard from %d instead of bob", got.Sender)
		}
	}
	exported, err := from.group.Export("label", []byte("context"), 40)
	d.check(err)
	equal(d.t, "exported", d.bob.ask("export", map[string]any{"label": "label", "ctx": []byte("context"), "len": 40}).Secret, exported)
}

// victims chooses up to n of us, but not the one given.
func (d *duet) victims(n int, but *client) []mls.LeafIndex {
	var out []mls.LeafIndex
	for _, i := range d.rng.Perm(len(d.ours)) {
		if c := d.ours[i]; c != but && len(out) < n {
			out = append(out, c.group.OwnLeaf())
		}
	}
	return out
}

func (d *duet) live(steps int) {
	d.t.Helper()
	d.talk()
	for range steps {
		c := d.pick()
		switch d.rng.IntN(9) {
		case 0:
			d.weCommit(c, CommitOptions{AuthenticatedData: []byte("renewed")}, 0)
		case 1:
			d.weCommit(c, CommitOptions{NoPath: true}, 1+d.rng.IntN(3))
		case 2:
			d.weCommit(c, CommitOptions{Remove: d.victims(1+d.rng.IntN(3), c)}, d.rng.IntN(2))
		case 3:
			d.bobCommits(map[string]any{}, 0)
		case 4:
			d.bobCommits(map[string]any{}, 1+d.rng.IntN(2))
		case 5:
			if len(d.ours) > 2 {
				d.bobCommits(map[string]any{"remove": d.victims(2, nil)}, 0)
			}
		case 6:
			d.proposals(c)
		case 7:
			p, err := c.group.Commit(CommitOptions{Remove: []mls.LeafIndex{d.leaf}})
			d.check(err)
			d.follow(p.Message, c)
			d.welcomeBob(CommitOptions{NoPath: d.rng.IntN(2) == 0})
		case 8:
			d.talk()
		}
	}
	d.talk()
}

// proposals lets some of us propose things, and one of us or bob commit them by
// reference.
func (d *duet) proposals(committer *client) {
	d.t.Helper()
	joiners := map[*client]keyPackage{}
	sent, updates := 0, 0
	for _, c := range d.ours {
		if c == committer || d.rng.IntN(2) == 0 {
			continue
		}
		var b []byte
		var err error
		if d.rng.IntN(2) == 0 {
			b, err = c.group.ProposeUpdate(ProposeOptions{Private: d.rng.IntN(2) == 0})
			updates++
		} else {
			n, kp := d.newcomer()
			joiners[n] = kp
			b, err = c.group.Propose(mls.ProposeAdd(kp.public), ProposeOptions{Private: d.rng.IntN(2) == 0})
		}
		d.check(err)
		for _, other := range d.ours {
			if other != c {
				d.check(hear(other.group, b))
			}
		}
		d.bob.ask("process", map[string]any{"msg": b})
		sent++
	}
	if sent == 0 {
		return
	}
	if d.rng.IntN(2) == 0 && updates == 0 {
		a := d.bob.ask("commit", map[string]any{"publicMessage": true})
		d.follow(a.Commit, nil)
		d.join(a.Welcome, joiners)
		d.same(a)
		return
	}
	p, err := committer.group.Commit(CommitOptions{IncludePending: true, TreeInWelcome: true, Private: d.rng.IntN(2) == 0})
	d.check(err)
	a := d.bob.ask("process", map[string]any{"msg": p.Message})
	d.follow(p.Message, committer)
	d.join(p.Welcome, joiners)
	d.same(a)
}
