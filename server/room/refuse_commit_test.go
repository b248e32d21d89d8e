package room_test

import (
	"testing"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/wire"
)

func public(t testing.TB, b []byte, change func(*mls.PublicMessage)) []byte {
	t.Helper()
	m, err := mls.ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	change(m.Public)
	if b, err = mls.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return b
}

// info takes a GroupInfo apart and lets its signer sign what a test made of it.
func (d *device) info(b []byte, change func(*mls.GroupInfo)) []byte {
	d.Helper()
	g, err := mls.ParseGroupInfo(b)
	d.must(err)
	change(g)
	content, err := g.SignedContent()
	d.must(err)
	g.Signature, err = d.signer.SignWithLabel(mls.GroupInfoLabel, content)
	d.must(err)
	b, err = mls.Marshal(mls.Message{GroupInfo: g})
	d.must(err)
	return b
}

func (s *site) welcome(b []byte, change func(*mls.Welcome)) []byte {
	s.Helper()
	w, err := mls.ParseWelcome(b)
	s.must(err)
	change(w)
	b, err = mls.Marshal(mls.Message{Welcome: w})
	s.must(err)
	return b
}

func TestCommitsThatAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		// make returns a commit and who sends it; the room has ann, who owns it,
		// bob and cid.
		make func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit)
		want wire.Code
	}{
		{"by a stranger", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			return s.person(), ann.committing(id, group.CommitOptions{})
		}, wire.NotFound},
		{"of another member", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			return bob, ann.committing(id, group.CommitOptions{})
		}, wire.BadRequest},
		{"of another device of the account", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			return ann.another(), ann.committing(id, group.CommitOptions{})
		}, wire.BadRequest},
		{"by a revoked device", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			bob.revoke()
			return bob, c
		}, wire.NotFound},
		{"no client id", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.Client = wire.ClientID{}
			return bob, c
		}, wire.BadRequest},
		{"another client id", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.Client = wire.NewClientID()
			return bob, c
		}, wire.BadRequest},
		{"no MLS", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.Commit = []byte("hello")
			return bob, c
		}, wire.BadRequest},
		{"too large a GroupInfo", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.GroupInfo = make([]byte, 257<<10)
			return bob, c
		}, wire.TooLarge},
		{"a proposal", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.Commit = cid.leaving(id, cid.in[id].group.OwnLeaf()).Proposal
			return bob, c
		}, wire.BadRequest},
		{"another room's", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := ann.committing(ann.makeGroup(bob), group.CommitOptions{})
			c.Room = id
			return ann, c
		}, wire.BadRequest},
		{"a later epoch", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.Commit = public(s.TB, c.Commit, func(m *mls.PublicMessage) { m.Content.Epoch++ })
			return bob, c
		}, wire.Conflict},
		{"a broken signature", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.Commit = public(s.TB, c.Commit, func(m *mls.PublicMessage) { m.Auth.Signature[0] ^= 1 })
			return bob, c
		}, wire.BadRequest},
		{"another confirmation tag than the GroupInfo's", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.Commit = public(s.TB, c.Commit, func(m *mls.PublicMessage) { m.Auth.ConfirmationTag[0] ^= 1 })
			return bob, c
		}, wire.BadRequest},

		// What was seen of the log.
		{"another head", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			bob.in[id].head[0] ^= 1
			return bob, bob.committing(id, group.CommitOptions{})
		}, wire.BadRequest},
		{"another head further back", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			_, err := ann.send(id, "hello")
			s.must(err)
			bob.in[id].head[0] ^= 1
			return bob, bob.committing(id, group.CommitOptions{})
		}, wire.BadRequest},
		{"a head of the future", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			bob.in[id].seq++
			return bob, bob.committing(id, group.CommitOptions{})
		}, wire.BadRequest},
		{"a head before the epoch", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			bob.in[id].seq, bob.in[id].head = 0, wire.Hash{}
			return bob, bob.committing(id, group.CommitOptions{})
		}, wire.BadRequest},
		{"no authenticated data", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			return bob, bob.committing(id, group.CommitOptions{AuthenticatedData: []byte{}})
		}, wire.BadRequest},
		{"a message's authenticated data", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			return bob, bob.committing(id, group.CommitOptions{AuthenticatedData: policy.MessageData{Client: wire.NewClientID()}.Encode()})
		}, wire.BadRequest},

		// Statements.
		{"adds a device that no statement lists", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			dan := s.person()
			s.people.set(dan.Device, listed{})
			return ann, ann.committing(id, group.CommitOptions{Add: keyPackages(dan)})
		}, wire.BadRequest},
		{"adds a device of an account under another", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			dan := s.person()
			dan.Account = ann.Account
			return ann, ann.committing(id, group.CommitOptions{Add: keyPackages(dan)})
		}, wire.BadRequest},
		{"adds a device with another key than its statement's", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			dan := s.person()
			kp := keyPackages(dan)
			s.people.set(dan.Device, listed{dan.Account, bob.signer.Public(), wire.DeviceActive})
			return ann, ann.committing(id, group.CommitOptions{Add: kp})
		}, wire.BadRequest},
		{"adds a revoked device", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			dan := s.person()
			dan.revoke()
			return ann, ann.committing(id, group.CommitOptions{Add: keyPackages(dan)})
		}, wire.BadRequest},
		{"adds a pending device", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			dan := s.person()
			s.people.set(dan.Device, listed{dan.Account, dan.signer.Public(), wire.DevicePending})
			return ann, ann.committing(id, group.CommitOptions{Add: keyPackages(dan)})
		}, wire.BadRequest},
		{"renews a leaf whose key the statement no longer lists", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			s.people.set(bob.Device, listed{bob.Account, cid.signer.Public(), wire.DeviceActive})
			return bob, c
		}, wire.BadRequest},
		{"adds somebody whose credential is not ours", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			dan := s.person()
			kp, _, err := group.NewKeyPackage(group.KeyPackageConfig{
				Suite: s.suite, Signer: dan.signer, Credential: mls.Basic([]byte("dan")), Capabilities: capabilities(),
			})
			s.must(err)
			return ann, ann.committing(id, group.CommitOptions{Add: []mls.KeyPackage{kp}})
		}, wire.BadRequest},

		// The room's policy.
		{"a member adds somebody", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			return bob, bob.committing(id, group.CommitOptions{Add: keyPackages(s.person())})
		}, wire.BadRequest},
		{"a member removes somebody", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			return bob, bob.committing(id, remove(cid)(id))
		}, wire.BadRequest},
		{"a member makes itself an owner", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			own := s.policyExtensions(bob.owns())
			return bob, bob.committing(id, group.CommitOptions{Extensions: &own})
		}, wire.BadRequest},
		{"an owner drops the policy", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			return ann, ann.committing(id, group.CommitOptions{Extensions: &mls.Extensions{}})
		}, wire.BadRequest},
		{"an owner lets strangers propose", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			x, err := mls.ExternalSendersExtension([]mls.ExternalSender{{SignatureKey: bob.signer.Public(), Credential: bob.credential()}})
			s.must(err)
			own := append(s.policyExtensions(ann.owns()), x)
			return ann, ann.committing(id, group.CommitOptions{Extensions: &own})
		}, wire.BadRequest},
		{"an owner requires capabilities", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			data, err := mls.Marshal(mls.RequiredCapabilities{Extensions: []mls.ExtensionType{mls.ExtensionType(policy.Extension)}})
			s.must(err)
			own := append(s.policyExtensions(ann.owns()), mls.Extension{Type: mls.ExtensionRequiredCapabilities, Data: data})
			return ann, ann.committing(id, group.CommitOptions{Extensions: &own})
		}, wire.BadRequest},

		// The Welcome.
		{"no Welcome", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := ann.committing(id, group.CommitOptions{Add: keyPackages(s.person())})
			c.Welcome = nil
			return ann, c
		}, wire.BadRequest},
		{"a Welcome for nobody", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			w := ann.committing(id, group.CommitOptions{Add: keyPackages(s.person())}).Welcome
			c := ann.committing(id, group.CommitOptions{})
			c.Welcome = w
			return ann, c
		}, wire.BadRequest},
		{"a Welcome that lacks one", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := ann.committing(id, group.CommitOptions{Add: keyPackages(s.person(), s.person())})
			c.Welcome = s.welcome(c.Welcome, func(w *mls.Welcome) { w.Secrets = w.Secrets[:1] })
			return ann, c
		}, wire.BadRequest},
		{"a Welcome that has one twice", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := ann.committing(id, group.CommitOptions{Add: keyPackages(s.person(), s.person())})
			c.Welcome = s.welcome(c.Welcome, func(w *mls.Welcome) { w.Secrets = append(w.Secrets, w.Secrets[0]) })
			return ann, c
		}, wire.BadRequest},
		{"a Welcome for another key package", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			dan := s.person()
			ref, err := dan.keyPackage().Ref()
			s.must(err)
			c := ann.committing(id, group.CommitOptions{Add: keyPackages(dan)})
			c.Welcome = s.welcome(c.Welcome, func(w *mls.Welcome) { w.Secrets[0].NewMember = ref })
			return ann, c
		}, wire.BadRequest},
		{"a small Welcome that fills the disk", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			var many []*device
			for range 12 {
				many = append(many, s.person())
			}
			c := ann.committing(id, group.CommitOptions{Add: keyPackages(many...)})
			c.Welcome = s.welcome(c.Welcome, func(w *mls.Welcome) { w.EncryptedGroupInfo = make([]byte, 3<<20) })
			return ann, c
		}, wire.TooLarge},
		{"a Welcome of another suite", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := ann.committing(id, group.CommitOptions{Add: keyPackages(s.person())})
			c.Welcome = s.welcome(c.Welcome, func(w *mls.Welcome) { w.Suite = mls.X25519ChaCha })
			return ann, c
		}, wire.BadRequest},

		// The GroupInfo.
		{"no GroupInfo", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.GroupInfo = nil
			return bob, c
		}, wire.BadRequest},
		{"the GroupInfo of the epoch before", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			var err error
			c.GroupInfo, err = bob.in[id].group.GroupInfo(false)
			s.must(err)
			return bob, c
		}, wire.BadRequest},
		{"the GroupInfo of another commit", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.GroupInfo = bob.committing(id, group.CommitOptions{}).GroupInfo
			return bob, c
		}, wire.BadRequest},
		{"a GroupInfo that somebody else signed", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.GroupInfo = cid.info(c.GroupInfo, func(g *mls.GroupInfo) { g.Signer = cid.in[id].group.OwnLeaf() })
			return bob, c
		}, wire.BadRequest},
		{"a GroupInfo that nobody signed", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.GroupInfo = cid.info(c.GroupInfo, func(g *mls.GroupInfo) {})
			return bob, c
		}, wire.BadRequest},
		{"a GroupInfo without external_pub", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			c.GroupInfo = bob.info(c.GroupInfo, func(g *mls.GroupInfo) { g.Extensions = nil })
			return bob, c
		}, wire.BadRequest},
		{"a GroupInfo with the tree", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			tree, err := mls.Marshal(bob.in[id].group.Public().RatchetTree())
			s.must(err)
			m, err := mls.ParsePublic(c.Commit)
			s.must(err)
			after, err := bob.in[id].group.Public().StageCommit(m)
			s.must(err)
			tree, err = mls.Marshal(after.Tree())
			s.must(err)
			c.GroupInfo = bob.info(c.GroupInfo, func(g *mls.GroupInfo) { g.Extensions = g.Extensions.With(mls.ExtensionRatchetTree, tree) })
			return bob, c
		}, wire.BadRequest},

		// Proposals that wait.
		{"without the proposal that waits", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := bob.committing(id, group.CommitOptions{})
			s.must(cid.leave(id))
			return bob, c
		}, wire.Pending},
		{"with one of two proposals that wait", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			s.must(cid.leave(id))
			ann.sync(id)
			c := ann.committing(id, group.CommitOptions{IncludePending: true})
			s.must(bob.leave(id))
			return ann, c
		}, wire.Pending},
		{"with a proposal that was never sent", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			p, err := mls.ParsePublic(cid.leaving(id, cid.in[id].group.OwnLeaf()).Proposal)
			s.must(err)
			_, err = bob.in[id].group.ReceiveProposal(p)
			s.must(err)
			return bob, bob.committing(id, group.CommitOptions{IncludePending: true})
		}, wire.Pending},
		{"removes by value who asked to leave", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			c := ann.committing(id, remove(cid)(id))
			s.must(cid.leave(id))
			return ann, c
		}, wire.Pending},

		// External commits.
		{"a stranger joins", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			dan := s.person()
			st, err := s.rooms.Group(s.ctx, ann.Actor, id) // somebody told it
			s.must(err)
			_, c := dan.joiningWith(id, st, nil)
			return dan, c
		}, wire.NotFound},
		{"a member brings in a stranger's device", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			dan := s.person()
			st, err := s.rooms.Group(s.ctx, ann.Actor, id)
			s.must(err)
			_, c := dan.joiningWith(id, st, nil)
			return ann, c
		}, wire.BadRequest},
		{"joins in another device's name", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			thief := ann.another()
			real := thief.Device
			thief.Device = bob.Device // bob's device, ann's account
			_, c := thief.joining(id)
			thief.Device = real
			return thief, c
		}, wire.BadRequest},
		{"joins and removes another's leaf", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			bob2 := bob.another()
			st, err := s.rooms.Group(s.ctx, bob2.Actor, id)
			s.must(err)
			leaf := cid.in[id].group.OwnLeaf()
			_, c := bob2.joiningWith(id, st, &leaf)
			return bob2, c
		}, wire.BadRequest},
		{"joins and removes another device of its account", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			bob2 := bob.another()
			st, err := s.rooms.Group(s.ctx, bob2.Actor, id)
			s.must(err)
			leaf := bob.in[id].group.OwnLeaf()
			_, c := bob2.joiningWith(id, st, &leaf)
			return bob2, c
		}, wire.BadRequest},
		{"joins with a key that its statement does not list", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			bob2 := bob.another()
			_, c := bob2.joining(id)
			s.people.set(bob2.Device, listed{bob.Account, cid.signer.Public(), wire.DeviceActive})
			return bob2, c
		}, wire.BadRequest},
		{"joins although revoked", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			bob2 := bob.another()
			_, c := bob2.joining(id)
			bob2.revoke()
			return bob2, c
		}, wire.NotFound},
		{"joins past a fresh proposal", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			s.must(cid.leave(id))
			s.clock.pass(59 * time.Second)
			bob2 := bob.another()
			_, c := bob2.joining(id)
			return bob2, c
		}, wire.Pending},
		{"who left joins", func(s *site, id wire.RoomID, ann, bob, cid *device) (*device, wire.SendCommit) {
			_, c := cid.joining(id)
			s.must(cid.leave(id))
			return cid, c
		}, wire.NotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			ann, bob, cid := s.person(), s.person(), s.person()
			id := ann.makeGroup(bob, cid)
			by, c := tt.make(s, id, ann, bob, cid)
			check := s.unchanged()
			_, err := s.rooms.Commit(s.ctx, by.Actor, c)
			s.want(err, tt.want)
			check()
		})
	}
}

func TestACommitForAnOldEpochIsRefused(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	late := bob.committing(id, group.CommitOptions{})
	s.must(ann.commit(id, group.CommitOptions{}))
	check := s.unchanged()
	_, err := s.rooms.Commit(s.ctx, bob.Actor, late)
	s.want(err, wire.Conflict)
	check()
	// The loser follows the winner and goes on.
	bob.sync(id)
	s.must(bob.commit(id, group.CommitOptions{}))
}
