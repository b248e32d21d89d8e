package group

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/veche-im/veche/mls"
)

// heir is a member of an old group on its way into a new one.
type heir struct {
	*client
	old     *Group
	kp      mls.KeyPackage
	private KeyPackageSecrets
}

// heirs gives each member a key package of suite s, under a fresh signature key
// if the scheme is another.
func (c *court) heirs(s mls.Suite) []*heir {
	c.t.Helper()
	var out []*heir
	for _, m := range c.members {
		next := &client{name: m.name, signer: m.signer, store: newMemory()}
		if s.Signature() != c.suite.Signature() {
			next = newClient(c.t, s, m.name)
		}
		h := &heir{client: next, old: m.group}
		h.kp, h.private = next.keyPackage(c.t, s)
		out = append(out, h)
	}
	return out
}

// follow takes the members' groups as they are now.
func (c *court) follow(all []*heir) {
	for i, h := range all {
		h.old = c.members[i].group
	}
}

func packages(list []*heir) (out []mls.KeyPackage) {
	for _, h := range list {
		out = append(out, h.kp)
	}
	return out
}

func (c *court) config(h *heir, id string) Config {
	return Config{GroupID: []byte(id), Signer: h.signer, Credential: mls.Basic([]byte(h.name)), Capabilities: testCapabilities()}
}

// close ends the old group in favour of the one that r describes.
func (c *court) close(r *mls.ReInit) {
	c.t.Helper()
	c.commit(c.mallory, CommitOptions{ReInit: r}, nil)
	for _, m := range c.members {
		m.reload(c.t)
		if !m.group.Public().Closed() {
			c.t.Fatal("the group goes on after its ReInit")
		}
		if _, err := m.group.Seal([]byte("late"), nil); !errors.Is(err, mls.ErrReInit) {
			c.t.Errorf("a message after the end: %v", err)
		}
		if _, err := m.group.Commit(CommitOptions{}); !errors.Is(err, mls.ErrReInit) {
			c.t.Errorf("a commit after the end: %v", err)
		}
	}
}

// meet lets everybody join the new group of founder, with a crash between any
// two steps, and talk.
func (c *court) meet(founder *heir, p *Pending, g *Group, rest []*heir) {
	c.t.Helper()
	founder.group = g
	founder.reload(c.t)
	c.check(founder.group.MergePending())
	founder.reload(c.t)
	for _, h := range rest {
		g, err := Join(must(mls.ParseWelcome(p.Welcome)), h.kp, h.private, JoinOptions{From: h.old})
		c.check(err)
		h.group = g
		h.reload(c.t)
		if !bytes.Equal(h.group.EpochAuthenticator(), founder.group.EpochAuthenticator()) {
			c.t.Errorf("%s arrives elsewhere", h.name)
		}
	}
	m := must(mls.ParsePrivate(must(founder.group.Seal([]byte("here we are"), nil))))
	for _, h := range rest {
		if o, err := h.group.Open(m); err != nil || string(o.Plaintext) != "here we are" {
			c.t.Errorf("%s: %v", h.name, err)
		}
	}
}

// TestReinit: a group moves to another suite, and everybody comes along.
func TestReinit(t *testing.T) {
	for _, s := range []mls.Suite{mls.HybridX25519MLKEM768, mls.P384AES256} {
		t.Run(s.String(), func(t *testing.T) {
			c := newCourt(t)
			x := mls.Extensions{{Type: testExtension, Data: []byte("new house")}}
			c.close(&mls.ReInit{GroupID: []byte("city"), Version: mls.MLS10, Suite: s, Extensions: x})
			all := c.heirs(s)
			founder, rest := all[2], slices.Delete(slices.Clone(all), 2, 3) // any member may found it
			g, p, err := Reinit(founder.old, c.config(founder, ""), CommitOptions{Add: packages(rest), TreeInWelcome: true})
			c.check(err)
			c.meet(founder, p, g, rest)
			context := founder.group.Public().Context()
			if context.Suite != s || string(context.GroupID) != "city" || context.Epoch != 1 || !context.Extensions.Equal(x) {
				t.Errorf("the new group is %v", context)
			}
		})
	}
}

// TestReinitByProposal: the ReInit comes as a proposal, and the committer of the
// end needs not be the one who proposed it.
func TestReinitByProposal(t *testing.T) {
	c := newCourt(t)
	c.propose(c.victim, must(c.victim.group.Propose(mls.ProposeReInit([]byte("city"), mls.X25519ChaCha, nil), ProposeOptions{})))
	p := c.commit(c.mallory, CommitOptions{IncludePending: true}, nil)
	if p.ReInit == nil || p.HasPath == false || !c.server.Closed() {
		t.Errorf("the group goes on: %v", p.ReInit)
	}
	c.server = reopen(t, c.disk)
	if r := c.server.ReInit(); r == nil || string(r.GroupID) != "city" || r.Suite != mls.X25519ChaCha {
		t.Errorf("the server remembers %v", r)
	}
}

// TestBranch: some members meet on their own.
func TestBranch(t *testing.T) {
	c := newCourt(t)
	all := c.heirs(c.suite)
	g, p, err := Branch(all[1].old, c.config(all[1], "corner"), CommitOptions{Add: packages(all[2:4]), TreeInWelcome: true})
	c.check(err)
	// The old group goes on meanwhile; its epoch is remembered for a while.
	c.commit(c.members[0], CommitOptions{}, nil)
	c.follow(all)
	c.meet(all[1], p, g, all[2:4])
	c.agree()
}

// TestRefusesToFollow: what a founder may not make, with our own code.
func TestRefusesToFollow(t *testing.T) {
	c := newCourt(t)
	all := c.heirs(c.suite)
	first := all[0]
	stranger := &heir{client: c.client()}
	stranger.kp, stranger.private = stranger.keyPackage(t, c.suite)
	add := func(list ...*heir) CommitOptions { return CommitOptions{Add: packages(list), TreeInWelcome: true} }
	refuse := func(what string, want error, make func() (*Group, *Pending, error)) {
		t.Helper()
		if g, p, err := make(); !errors.Is(err, want) || g != nil || p != nil {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	branch := func(cfg Config, opts CommitOptions) func() (*Group, *Pending, error) {
		return func() (*Group, *Pending, error) { return Branch(first.old, cfg, opts) }
	}
	reinit := func(cfg Config, opts CommitOptions) func() (*Group, *Pending, error) {
		return func() (*Group, *Pending, error) { return Reinit(first.old, cfg, opts) }
	}
	cfg := c.config(first, "corner")
	refuse("a branch with a stranger", mls.ErrLink, branch(cfg, add(all[1], stranger)))
	refuse("a branch under the old id", ErrConfig, branch(c.config(first, "town"), add(all[1])))
	other := cfg
	other.Suite = mls.X25519ChaCha
	refuse("a branch of another suite", mls.ErrLink, branch(other, CommitOptions{}))
	refuse("a reinit of an open group", mls.ErrReInit, reinit(c.config(first, ""), add(all[1:]...)))

	c.close(&mls.ReInit{GroupID: []byte("city"), Version: mls.MLS10, Suite: c.suite})
	c.follow(all)
	refuse("a branch of a closed group", mls.ErrReInit, branch(cfg, add(all[1])))
	refuse("a reinit without one member", mls.ErrLink, reinit(c.config(first, ""), add(all[2:]...)))
	refuse("a reinit under another id", ErrConfig, reinit(cfg, add(all[1:]...)))
	refuse("a reinit with other extensions", ErrConfig, reinit(Config{
		Signer: first.signer, Credential: cfg.Credential, Extensions: mls.Extensions{{Type: testExtension}},
	}, add(all[1:]...)))
	// Whether somebody new may come along is for the application to judge.
	_, _, err := Reinit(first.old, c.config(first, "city"), add(append(slices.Clone(all[1:]), stranger)...))
	c.check(err)
}

// TestRefusesFalseHeirs: a founder that has the old group's secrets breaks the
// rules; whoever is welcomed must see it, and loses nothing.
func TestRefusesFalseHeirs(t *testing.T) {
	x := mls.Extensions{{Type: testExtension, Data: []byte("new house")}}
	type attack struct {
		name   string
		usage  mls.PSKUsage
		closed bool // the old group
		want   error
		change func(c *court, l *mls.PreSharedKeyID, cfg *Config, opts *CommitOptions, from **Group)
	}
	for _, tt := range []attack{
		{"a branch of another suite", mls.PSKBranch, false, mls.ErrLink, func(_ *court, _ *mls.PreSharedKeyID, cfg *Config, _ *CommitOptions, _ **Group) {
			cfg.Suite = mls.X25519ChaCha
		}},
		{"a branch with a stranger", mls.PSKBranch, false, mls.ErrLink, func(c *court, _ *mls.PreSharedKeyID, cfg *Config, opts *CommitOptions, _ **Group) {
			kp, _ := c.client().keyPackage(c.t, cfg.Suite)
			opts.Add = append(opts.Add, kp)
		}},
		{"a branch with one member twice", mls.PSKBranch, false, mls.ErrLink, func(c *court, _ *mls.PreSharedKeyID, cfg *Config, opts *CommitOptions, _ **Group) {
			kp, _ := newClient(c.t, cfg.Suite, c.victim.name).keyPackage(c.t, cfg.Suite)
			opts.Add = append(opts.Add, kp)
		}},
		{"a branch of a closed group", mls.PSKBranch, true, mls.ErrLink, nil},
		{"a reinit of an open group", mls.PSKReInit, false, mls.ErrLink, nil},
		{"a reinit under another id", mls.PSKReInit, true, mls.ErrLink, func(_ *court, _ *mls.PreSharedKeyID, cfg *Config, _ *CommitOptions, _ **Group) {
			cfg.GroupID = []byte("village")
		}},
		{"a reinit with a weaker suite", mls.PSKReInit, true, mls.ErrLink, func(_ *court, _ *mls.PreSharedKeyID, cfg *Config, _ *CommitOptions, _ **Group) {
			cfg.Suite = mls.X25519ChaCha
		}},
		{"a reinit with other extensions", mls.PSKReInit, true, mls.ErrLink, func(_ *court, _ *mls.PreSharedKeyID, cfg *Config, _ *CommitOptions, _ **Group) {
			cfg.Extensions = nil
		}},
		{"a reinit that leaves somebody out", mls.PSKReInit, true, mls.ErrLink, func(_ *court, _ *mls.PreSharedKeyID, _ *Config, opts *CommitOptions, _ **Group) {
			opts.Add = opts.Add[1:]
		}},
		{"a reinit of an epoch before", mls.PSKReInit, true, mls.ErrLink, func(_ *court, l *mls.PreSharedKeyID, _ *Config, _ *CommitOptions, _ **Group) {
			l.Epoch--
		}},
		{"a branch of an epoch that is long gone", mls.PSKBranch, false, mls.ErrPSK, func(_ *court, l *mls.PreSharedKeyID, _ *Config, _ *CommitOptions, _ **Group) {
			l.Epoch -= keepPast + 1
		}},
		{"of another group", mls.PSKBranch, false, mls.ErrLink, func(_ *court, l *mls.PreSharedKeyID, _ *Config, _ *CommitOptions, _ **Group) {
			l.GroupID = []byte("elsewhere")
		}},
		{"with no old group at hand", mls.PSKBranch, false, mls.ErrLink, func(_ *court, _ *mls.PreSharedKeyID, _ *Config, _ *CommitOptions, from **Group) {
			*from = nil
		}},
		{"with another key than the old group's", mls.PSKBranch, false, mls.ErrWelcome, func(c *court, _ *mls.PreSharedKeyID, _ *Config, _ *CommitOptions, from **Group) {
			other := *c.victim.group
			e := *other.epoch
			e.resumption = randomSecret(32)
			other.epoch = &e
			*from = &other
		}},
		{"unlinked", 0, false, mls.ErrLink, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCourt(t)
			for range keepPast {
				c.commit(c.mallory, CommitOptions{}, nil)
			}
			suite := c.suite
			if tt.closed {
				c.close(&mls.ReInit{GroupID: []byte("city"), Version: mls.MLS10, Suite: mls.HybridX25519MLKEM768, Extensions: x})
				if tt.usage == mls.PSKReInit {
					suite = mls.HybridX25519MLKEM768
				}
			}
			founder := &heir{client: c.mallory, old: c.mallory.group}
			cfg := c.config(founder, "city")
			cfg.Suite, cfg.Extensions = suite, x
			old := founder.old.Public().Context()
			id := mls.PreSharedKeyID{Type: mls.PSKResumption, Usage: tt.usage, GroupID: old.GroupID, Epoch: old.Epoch}
			opts := CommitOptions{TreeInWelcome: true}
			from := c.victim.group
			// The attack may change the suite, on which key packages depend.
			probe := cfg
			if tt.change != nil {
				tt.change(c, &mls.PreSharedKeyID{}, &probe, &CommitOptions{Add: make([]mls.KeyPackage, 9)}, new(*Group))
			}
			var victim *heir
			for _, h := range c.heirs(probe.Suite) {
				if h.old == c.victim.group {
					victim = h
				} else if h.old != c.mallory.group {
					opts.Add = append(opts.Add, h.kp)
				}
			}
			opts.Add = append(opts.Add, victim.kp)
			if tt.change != nil {
				tt.change(c, &id, &cfg, &opts, &from)
			}
			g := must(Create(cfg))
			if tt.usage != 0 {
				id.Nonce = randomBytes(cfg.Suite.HashSize())
				opts.link = &id
				// The secret is right wherever mallory can know it.
				g.psks.link = &link{old: &Group{public: founder.old.public, epoch: founder.old.epoch}, usage: id.Usage, epoch: id.Epoch, secret: founder.old.epoch.resumption}
				if !bytes.Equal(id.GroupID, old.GroupID) {
					g.psks.link.old = must(Create(Config{Suite: c.suite, GroupID: id.GroupID, Signer: c.mallory.signer, Credential: cfg.Credential}))
				}
			}
			p := must(g.Commit(opts))
			before := c.victim.store.rows
			if _, err := Join(must(mls.ParseWelcome(p.Welcome)), victim.kp, victim.private, JoinOptions{From: from}); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			c.victim.reload(t)
			if len(before) != len(c.victim.store.rows) {
				t.Error("the old group has changed")
			}
		})
	}
}

// TestLinksOnlyAtTheBeginning: keys that link groups have no place in a group
// that lives (RFC 9420 §12.1.4), nor twice in the first commit, nor with a
// joiner from outside.
func TestLinksOnlyAtTheBeginning(t *testing.T) {
	c := newCourt(t)
	id := func(u mls.PSKUsage) mls.ProposalOrRef {
		return byValue(mls.ProposePSK(mls.PreSharedKeyID{Type: mls.PSKResumption, Usage: u, GroupID: []byte("town"), Nonce: randomBytes(32)}))
	}
	c.refused(c.commitOf(id(mls.PSKBranch)), mls.ErrPSK)
	c.refused(c.commitOf(id(mls.PSKReInit)), mls.ErrPSK)

	n := c.client()
	g := must(Create(Config{Suite: c.suite, GroupID: []byte("new"), Signer: n.signer, Credential: mls.Basic([]byte("n"))}))
	me := mls.MemberSender(0)
	if _, err := g.public.Draft(me, []mls.ProposalOrRef{id(mls.PSKBranch)}); err != nil {
		t.Errorf("a first commit with a link: %v", err)
	}
	if _, err := g.public.Draft(me, []mls.ProposalOrRef{id(mls.PSKBranch), id(mls.PSKReInit)}); !errors.Is(err, mls.ErrPSK) {
		t.Errorf("two links: %v", err)
	}
	short := id(mls.PSKBranch)
	short.Proposal.PSK.ID.Nonce = randomBytes(31)
	if _, err := g.public.Draft(me, []mls.ProposalOrRef{short}); !errors.Is(err, mls.ErrPSK) {
		t.Errorf("a short nonce: %v", err)
	}
	if _, err := g.Propose(*id(mls.PSKBranch).Proposal, ProposeOptions{}); !errors.Is(err, mls.ErrPSK) {
		t.Errorf("a link as a proposal of its own: %v", err)
	}
	// Whoever is welcomed looks for itself, whatever the founder has made.
	link := *id(mls.PSKBranch).Proposal.PSK
	link.ID.Epoch = c.server.Epoch()
	var keys psks
	if err := keys.follow(c.victim.group, []mls.PreSharedKeyID{link.ID, link.ID}); !errors.Is(err, mls.ErrPSK) {
		t.Errorf("a welcome with two links: %v", err)
	}
	context := c.server.Context()
	for epoch, want := range map[uint64]error{0: mls.ErrLink, 1: nil, 2: mls.ErrLink} {
		context.Epoch = epoch
		if err := must(linkTo(c.victim.group, link.ID)).check(&context, c.server.Members(), nil); !errors.Is(err, want) {
			t.Errorf("a branch that begins with epoch %d: %v", epoch, err)
		}
	}
	init := byValue(mls.ProposeExternalInit(bytes.Repeat([]byte{9}, 32)))
	if _, err := g.public.Draft(mls.Sender{Type: mls.SenderNewMemberCommit}, []mls.ProposalOrRef{init, id(mls.PSKBranch)}); !errors.Is(err, mls.ErrPSK) {
		t.Errorf("a link by one from outside: %v", err)
	}
}

// TestExternalCommitWithPSKs: one who comes back proves what it knows.
func TestExternalCommitWithPSKs(t *testing.T) {
	c := newCourt(t)
	known := PSK{[]byte("over the phone"), NewSecret([]byte("swordfish"))}
	for _, m := range c.members {
		c.check(m.group.AddPSK(known))
	}
	back := c.victim
	former, at := back.group, back.group.OwnLeaf()
	c.commit(c.mallory, CommitOptions{}, nil)
	join := func(opts ExternalOptions) (*Group, *Pending, error) {
		opts.RemoveOwn = &at
		return JoinExternal(must(mls.ParseGroupInfo(c.info)), must(c.server.Tree()), Config{
			Signer: back.signer, Credential: mls.Basic([]byte(back.name)), Capabilities: testCapabilities(),
		}, opts)
	}
	stranger := must(Create(Config{Suite: c.suite, GroupID: []byte("x"), Signer: back.signer, Credential: mls.Basic([]byte("x"))}))
	if _, _, err := join(ExternalOptions{Former: stranger}); !errors.Is(err, ErrConfig) {
		t.Errorf("a former membership elsewhere: %v", err)
	}
	// A wrong key is seen by all members.
	_, wrong, err := join(ExternalOptions{PSKs: []PSK{{known.ID, NewSecret([]byte("guess"))}}})
	c.check(err)
	if _, err := c.members[0].group.StageCommit(must(mls.ParsePublic(wrong.Message))); !errors.Is(err, mls.ErrConfirmation) {
		t.Errorf("a joiner with a wrong key: %v", err)
	}
	g, p, err := join(ExternalOptions{PSKs: []PSK{known}, Former: former})
	c.check(err)
	if n := len(p.Draft().PSKs()); n != 2 {
		t.Errorf("%d keys in the commit", n)
	}
	c.members = slices.DeleteFunc(c.members, func(m *client) bool { return m == back })
	back.group, back.store = g, newMemory()
	back.reload(t) // a crash before it is merged
	c.deliver(back, p, nil)
}

// TestStoredPSKs: what AddPSK took is there after a crash, what DropPSK dropped
// is not, and a member who was removed keeps none.
func TestStoredPSKs(t *testing.T) {
	c := newCourt(t)
	add := func(m *client, id, secret string) error {
		return m.group.AddPSK(PSK{[]byte(id), NewSecret([]byte(secret))})
	}
	for _, m := range c.members {
		c.check(add(m, "a", "first"))
		c.check(add(m, "b", "second"))
		c.check(add(m, "a", "third"))
		m.reload(t)
	}
	for _, m := range c.members {
		m.group.DropPSK([]byte("b"))
		m.group.DropPSK([]byte("nothing"))
		m.reload(t)
		if n := len(m.group.psks.external); n != 1 {
			t.Fatalf("%d keys are kept", n)
		}
	}
	c.commit(c.mallory, CommitOptions{PSKs: [][]byte{[]byte("a")}}, nil)
	if _, err := c.mallory.group.Commit(CommitOptions{PSKs: [][]byte{[]byte("b")}}); !errors.Is(err, mls.ErrPSK) {
		t.Errorf("a key that was dropped: %v", err)
	}
	if err := add(c.mallory, "c", ""); !errors.Is(err, ErrConfig) {
		t.Errorf("an empty key: %v", err)
	}
	if err := c.mallory.group.AddPSK(PSK{nil, NewSecret(make([]byte, maxSecret+1))}); !errors.Is(err, ErrConfig) {
		t.Errorf("a key that could not be read back: %v", err)
	}
	gone := c.victim
	gone.reload(t)
	p := must(c.mallory.group.Commit(CommitOptions{Remove: []mls.LeafIndex{gone.group.OwnLeaf()}}))
	c.check(gone.group.Apply(must(gone.group.StageCommit(must(mls.ParsePublic(p.Message))))))
	gone.reload(t)
	if _, ok := gone.store.rows[psksKey]; ok {
		t.Error("one who was removed keeps the keys")
	}
}
