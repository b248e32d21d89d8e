package group

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/veche-im/veche/mls"
)

// registry is an Authority that knows a list of bad names, and that what stands
// before a slash names the member.
type registry struct {
	bad   []string
	asked []string
}

func nameOf(c mls.Credential) string {
	if c.Type == mls.CredentialX509 {
		return string(c.Certificates[0])
	}
	return string(c.Identity)
}

func (r *registry) Validate(c mls.Credential, signatureKey []byte) error {
	r.asked = append(r.asked, nameOf(c))
	if len(signatureKey) == 0 || slices.Contains(r.bad, nameOf(c)) {
		return errors.New("not on the list")
	}
	return nil
}

func (r *registry) Same(old, next mls.Credential) bool {
	a, _, _ := strings.Cut(nameOf(old), "/")
	b, _, _ := strings.Cut(nameOf(next), "/")
	return a == b
}

func chain(name string) mls.Credential {
	return mls.Credential{Type: mls.CredentialX509, Certificates: [][]byte{[]byte(name), []byte("the office")}}
}

// both lists both kinds of credential in the capabilities, as all members must
// who meet someone with a certificate.
func both() *mls.Capabilities {
	c := *testCapabilities()
	c.Credentials = []mls.CredentialType{mls.CredentialBasic, mls.CredentialX509}
	return &c
}

// openCourt is a court in which certificates may be used.
func openCourt(t *testing.T) *court {
	t.Helper()
	c := newCourt(t)
	for _, m := range c.members {
		c.commit(m, CommitOptions{Leaf: LeafChange{Capabilities: both()}}, nil)
	}
	return c
}

// trust gives every member the authority.
func (c *court) trust(a Authority) {
	for _, m := range c.members {
		m.group.authority = a
	}
}

// TestLeafChange: a member gets another signature key and credential, by commit
// and by proposal, with a crash at each step.
func TestLeafChange(t *testing.T) {
	c := newCourt(t)
	a := &registry{}
	c.trust(a)
	for round, change := range []func(LeafChange){
		func(l LeafChange) { c.commit(c.mallory, CommitOptions{Leaf: l}, nil) },
		func(l LeafChange) { // an Add alone would need no path
			add, joiners := c.invite(1)
			c.commit(c.mallory, CommitOptions{Leaf: l, NoPath: true, Add: add}, joiners)
		},
		func(l LeafChange) {
			message := must(c.mallory.group.ProposeUpdate(ProposeOptions{Leaf: l}))
			c.propose(c.mallory, message)
			c.mallory.reload(t)
			c.commit(c.victim, CommitOptions{IncludePending: true}, nil)
		},
		func(l LeafChange) { // an update that another one overtakes
			c.propose(c.mallory, must(c.mallory.group.ProposeUpdate(ProposeOptions{Leaf: LeafChange{Signer: ptr(newClient(t, c.suite, "x").signer)}})))
			c.propose(c.mallory, must(c.mallory.group.ProposeUpdate(ProposeOptions{Leaf: l})))
			c.mallory.reload(t)
			c.commit(c.victim, CommitOptions{IncludePending: true}, nil)
		},
	} {
		next := newClient(t, c.suite, "mallory").signer
		name := c.mallory.name + strings.Repeat("/new", round+1)
		old := c.mallory.group.signer
		c.trust(a)
		change(LeafChange{Signer: &next, Credential: ptr(mls.Basic([]byte(name)))})
		c.mallory.reload(t)
		g := c.mallory.group
		leaf := c.victim.group.Public().Leaf(g.OwnLeaf())
		if !bytes.Equal(leaf.SignatureKey, next.Public()) || nameOf(leaf.Credential) != name {
			t.Fatalf("round %d: the leaf is %s's", round, nameOf(leaf.Credential))
		}
		if !slices.Contains(a.asked, name) {
			t.Errorf("round %d: nobody asked about the new credential", round)
		}
		info := must(mls.ParseGroupInfo(must(g.GroupInfo(true))))
		c.check(c.server.CheckGroupInfo(info))
		b := must(g.Seal([]byte("it is me"), nil))
		if _, err := c.victim.group.Open(must(mls.ParsePrivate(b))); err != nil {
			t.Errorf("round %d: a message under the new key: %v", round, err)
		}
		g.signer = old
		if _, err := c.victim.group.Open(must(mls.ParsePrivate(must(g.Seal([]byte("it was me"), nil))))); !errors.Is(err, ErrOpen) {
			t.Errorf("round %d: a message under the old key: %v", round, err)
		}
		g.signer = next
	}
	wrong := newClient(t, mls.P256AES128, "x").signer
	if _, err := c.mallory.group.Commit(CommitOptions{Leaf: LeafChange{Signer: &wrong}}); !errors.Is(err, ErrConfig) {
		t.Errorf("a signer of another suite: %v", err)
	}
	if _, err := c.mallory.group.ProposeUpdate(ProposeOptions{Leaf: LeafChange{Signer: &wrong}}); !errors.Is(err, ErrConfig) {
		t.Errorf("an update with a signer of another suite: %v", err)
	}
	if _, err := c.mallory.group.Propose(mls.ProposeRemove(0), ProposeOptions{Leaf: LeafChange{Signer: &wrong}}); !errors.Is(err, ErrConfig) {
		t.Errorf("a change of the leaf with a removal: %v", err)
	}
	if _, err := c.mallory.group.Commit(CommitOptions{Leaf: LeafChange{Signer: &c.victim.group.signer}}); !errors.Is(err, mls.ErrDuplicateClient) {
		t.Errorf("the signature key of another member: %v", err)
	}
}

func ptr[T any](v T) *T { return &v }

// TestLostLeafChange: a change in a commit that lost leaves the old signer.
func TestLostLeafChange(t *testing.T) {
	c := newCourt(t)
	next := newClient(t, c.suite, "x").signer
	must(c.mallory.group.Commit(CommitOptions{Leaf: LeafChange{Signer: &next}}))
	c.mallory.reload(t)
	winner := must(c.victim.group.Commit(CommitOptions{}))
	c.deliver(c.victim, winner, nil)
	c.mallory.reload(t)
	if _, err := c.victim.group.Open(must(mls.ParsePrivate(must(c.mallory.group.Seal([]byte("still me"), nil))))); err != nil {
		t.Error(err)
	}
}

// TestAuthorityRefuses: whoever is not on the list is kept out at every door,
// and nothing changes.
func TestAuthorityRefuses(t *testing.T) {
	type door struct {
		name string
		open func(c *court, a Authority, cred mls.Credential) error
	}
	joiner := func(c *court, cred mls.Credential) (mls.KeyPackage, KeyPackageSecrets) {
		kp, private, err := NewKeyPackage(KeyPackageConfig{
			Suite: c.suite, Signer: c.client().signer, Credential: cred, Capabilities: both(),
		})
		c.check(err)
		return kp, private
	}
	private := func(c *court, a Authority, make func(g *Group) ([]byte, error)) *mls.PrivateMessage {
		return must(mls.ParsePrivate(must(make(c.mallory.group))))
	}
	doors := []door{
		{"an add that we commit", func(c *court, _ Authority, cred mls.Credential) error {
			kp, _ := joiner(c, cred)
			_, err := c.victim.group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}})
			return err
		}},
		{"an add that we propose", func(c *court, _ Authority, cred mls.Credential) error {
			kp, _ := joiner(c, cred)
			_, err := c.victim.group.Propose(mls.ProposeAdd(kp), ProposeOptions{})
			return err
		}},
		{"an add that is proposed", func(c *court, _ Authority, cred mls.Credential) error {
			kp, _ := joiner(c, cred)
			_, err := c.victim.group.ReceiveProposal(must(mls.ParsePublic(must(c.mallory.group.Propose(mls.ProposeAdd(kp), ProposeOptions{})))))
			return err
		}},
		{"an add that is proposed in private", func(c *court, a Authority, cred mls.Credential) error {
			kp, _ := joiner(c, cred)
			h := must(c.victim.group.Unprotect(private(c, a, func(g *Group) ([]byte, error) {
				return g.Propose(mls.ProposeAdd(kp), ProposeOptions{Private: true})
			})))
			_, err := h.Receive()
			return err
		}},
		{"an add that is committed", func(c *court, _ Authority, cred mls.Credential) error {
			kp, _ := joiner(c, cred)
			p := must(c.mallory.group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}}))
			_, err := c.victim.group.StageCommit(must(mls.ParsePublic(p.Message)))
			return err
		}},
		{"an update that is proposed", func(c *court, _ Authority, cred mls.Credential) error {
			b := must(c.mallory.group.ProposeUpdate(ProposeOptions{Leaf: LeafChange{Credential: &cred}}))
			_, err := c.victim.group.ReceiveProposal(must(mls.ParsePublic(b)))
			return err
		}},
		{"a path of the committer", func(c *court, _ Authority, cred mls.Credential) error {
			p := must(c.mallory.group.Commit(CommitOptions{Leaf: LeafChange{Credential: &cred}}))
			_, err := c.victim.group.StageCommit(must(mls.ParsePublic(p.Message)))
			return err
		}},
		{"a commit from outside", func(c *court, _ Authority, cred mls.Credential) error {
			_, p, err := JoinExternal(must(mls.ParseGroupInfo(c.info)), must(c.server.Tree()), Config{
				Signer: c.client().signer, Credential: cred, Capabilities: both(), Authority: &registry{},
			}, ExternalOptions{})
			c.check(err)
			_, err = c.victim.group.StageCommit(must(mls.ParsePublic(p.Message)))
			return err
		}},
		{"a member of a group that we join", func(c *court, a Authority, cred mls.Credential) error {
			c.commitAlone(c.mallory, CommitOptions{Leaf: LeafChange{Credential: &cred}})
			kp, secrets := joiner(c, mls.Basic([]byte("guest")))
			p := must(c.mallory.group.Commit(CommitOptions{Add: []mls.KeyPackage{kp}, TreeInWelcome: true}))
			_, err := Join(must(mls.ParseWelcome(p.Welcome)), kp, secrets, JoinOptions{Authority: a})
			return err
		}},
		{"a member of a group that we join from outside", func(c *court, a Authority, cred mls.Credential) error {
			c.commitAlone(c.mallory, CommitOptions{Leaf: LeafChange{Credential: &cred}})
			_, _, err := JoinExternal(must(mls.ParseGroupInfo(must(c.mallory.group.GroupInfo(true)))), nil, Config{
				Signer: c.client().signer, Credential: mls.Basic([]byte("guest")), Capabilities: both(), Authority: a,
			}, ExternalOptions{})
			return err
		}},
		{"an external sender", func(c *court, _ Authority, cred mls.Credential) error {
			x := must(mls.ExternalSendersExtension([]mls.ExternalSender{{SignatureKey: c.client().signer.Public(), Credential: cred}}))
			p := must(c.mallory.group.Commit(CommitOptions{Extensions: &mls.Extensions{x}}))
			_, err := c.victim.group.StageCommit(must(mls.ParsePublic(p.Message)))
			return err
		}},
	}
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			name := ""
			run := func(a Authority, cred func(string) mls.Credential, suffix string) error {
				c := openCourt(t)
				for _, m := range c.members {
					m.group.authority = &registry{} // mallory's lets everything through
				}
				c.victim.group.authority = a
				c.victim.reload(t)
				c.victim.group.authority = a
				before := c.victim.store.rows
				name = c.mallory.name + suffix
				if r, ok := a.(*registry); ok && len(r.bad) > 0 {
					r.bad = []string{name}
				}
				err := d.open(c, a, cred(name))
				if errors.Is(err, ErrUntrusted) {
					c.victim.reload(t)
					if len(before) != len(c.victim.store.rows) {
						t.Error("what was refused has left something")
					}
				}
				return err
			}
			basic := func(name string) mls.Credential { return mls.Basic([]byte(name)) }
			if err := run(nil, basic, "/b"); err != nil {
				t.Errorf("a basic credential without an authority: %v", err)
			}
			if err := run(nil, chain, "/b"); !errors.Is(err, ErrUntrusted) {
				t.Errorf("a certificate that nobody judges: %v", err)
			}
			if err := run(&registry{}, chain, "/b"); err != nil {
				t.Errorf("a certificate that is good: %v", err)
			}
			if err := run(&registry{bad: []string{"?"}}, chain, "/b"); !errors.Is(err, ErrUntrusted) {
				t.Errorf("a certificate that is bad: %v", err)
			}
			if err := run(&registry{bad: []string{"?"}}, basic, "/b"); !errors.Is(err, ErrUntrusted) {
				t.Errorf("a name that is not on the list: %v", err)
			}
		})
	}
}

// commitAlone lets one member go ahead without telling anybody.
func (c *court) commitAlone(m *client, opts CommitOptions) {
	c.t.Helper()
	must(m.group.Commit(opts))
	c.check(m.group.MergePending())
}

// TestAuthorityOnSuccessors: a member does not become another, nor does a joiner
// throw somebody else out as its former self.
func TestAuthorityOnSuccessors(t *testing.T) {
	c := newCourt(t)
	c.victim.group.authority = &registry{}
	other := mls.Basic([]byte(c.members[0].name))
	update := must(c.mallory.group.ProposeUpdate(ProposeOptions{Leaf: LeafChange{Credential: &other}}))
	if _, err := c.victim.group.ReceiveProposal(must(mls.ParsePublic(update))); !errors.Is(err, ErrUntrusted) {
		t.Errorf("an update to another's name: %v", err)
	}
	p := must(c.mallory.group.Commit(CommitOptions{Leaf: LeafChange{Credential: &other}}))
	if _, err := c.victim.group.StageCommit(must(mls.ParsePublic(p.Message))); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a path to another's name: %v", err)
	}
	for name, want := range map[string]error{c.members[0].name: nil, c.mallory.name: ErrUntrusted} {
		at := c.members[0].group.OwnLeaf()
		_, p, err := JoinExternal(must(mls.ParseGroupInfo(c.info)), must(c.server.Tree()), Config{
			Signer: c.client().signer, Credential: mls.Basic([]byte(name)), Capabilities: testCapabilities(),
		}, ExternalOptions{RemoveOwn: &at})
		c.check(err)
		if _, err := c.victim.group.StageCommit(must(mls.ParsePublic(p.Message))); !errors.Is(err, want) {
			t.Errorf("%s comes back in the place of %s: %v", name, c.members[0].name, err)
		}
	}
	c.victim.reload(t)
	g := must(LoadWith(c.victim.store, &registry{bad: []string{"client 9"}}))
	if err := g.authority.Validate(mls.Basic([]byte("client 9")), []byte{1}); err == nil {
		t.Error("a group that was loaded has no authority")
	}
}
