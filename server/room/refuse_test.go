package room_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/policy"
	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/mls/group"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// unchanged returns a function that fails the test if anything was written
// since.
func (s *site) unchanged() func() {
	s.Helper()
	look := func() (sums []int64) {
		for _, q := range []string{
			`SELECT COALESCE(SUM(seq + epoch + proposals), 0) FROM room`, `SELECT COUNT(*) FROM room`,
			`SELECT COUNT(*) FROM room_entry`, `SELECT COUNT(*) FROM room_leaf`, `SELECT COUNT(*) FROM room_welcome`,
			`SELECT COALESCE(SUM(until_seq + 1), 0) FROM room_member`, `SELECT COALESCE(SUM(until_epoch + 1), 0) FROM room_node`,
			`SELECT COUNT(*) FROM room_info`, `SELECT COUNT(*) FROM blob_ref`,
		} {
			sums = append(sums, s.count(q))
		}
		return sums
	}
	before := look()
	return func() {
		s.Helper()
		for i, n := range look() {
			if n != before[i] {
				s.Errorf("a refused request changed something: %d became %d (%d)", before[i], n, i)
			}
		}
	}
}

func private(t testing.TB, b []byte, change func(*mls.PrivateMessage)) []byte {
	t.Helper()
	m, err := mls.ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	change(m.Private)
	if b, err = mls.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMessagesThatAreRefused(t *testing.T) {
	s := newSite(t)
	ann, bob, eve := s.person(), s.person(), s.person()
	ann2 := ann.another()
	id := ann.makeGroup(bob)
	other := ann.makeGroup(bob)
	own, part := ann.blob(10), func() wire.BlobID {
		st, err := s.blobs.Create(s.ctx, ann.Actor, 10)
		s.must(err)
		return st.Blob
	}()
	for _, tt := range []struct {
		name   string
		by     *device
		change func(*wire.SendMessage)
		want   wire.Code
	}{
		{"by a stranger", eve, func(m *wire.SendMessage) {}, wire.NotFound},
		{"to no room", ann, func(m *wire.SendMessage) { m.Room = wire.NewRoomID() }, wire.NotFound},
		{"by a member's device that is not in the group", ann2, func(m *wire.SendMessage) {}, wire.BadRequest},
		{"without a client id", ann, func(m *wire.SendMessage) { m.Client = wire.ClientID{} }, wire.BadRequest},
		{"under another client id", ann, func(m *wire.SendMessage) { m.Client = wire.NewClientID() }, wire.BadRequest},
		{"too large", ann, func(m *wire.SendMessage) { m.Body = make([]byte, wire.MaxMessage+1) }, wire.TooLarge},
		{"too many blobs", ann, func(m *wire.SendMessage) { m.Blobs = make([]wire.BlobID, wire.MaxBlobsInEntry+1) }, wire.TooLarge},
		{"a blob that is nowhere", ann, func(m *wire.SendMessage) { m.Blobs = []wire.BlobID{own, wire.NewBlobID()} }, wire.NotFound},
		{"a blob of somebody else", ann, func(m *wire.SendMessage) { m.Blobs = []wire.BlobID{eve.blob(10)} }, wire.NotFound},
		{"a blob that is not complete", ann, func(m *wire.SendMessage) { m.Blobs = []wire.BlobID{part} }, wire.NotFound},
		{"nothing", ann, func(m *wire.SendMessage) { m.Body = nil }, wire.BadRequest},
		{"no MLS", ann, func(m *wire.SendMessage) { m.Body = []byte("hello") }, wire.BadRequest},
		{"a byte more", ann, func(m *wire.SendMessage) { m.Body = append(m.Body, 0) }, wire.BadRequest},
		{"another room's", ann, func(m *wire.SendMessage) {
			*m = ann.sealing(other, "hello")
			m.Room = id
		}, wire.BadRequest},
		{"a handshake", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) { p.Type = mls.ContentCommit })
		}, wire.BadRequest},
		{"a public message", ann, func(m *wire.SendMessage) { m.Body = bob.committing(id, group.CommitOptions{}).Commit }, wire.BadRequest},
		{"of another epoch than it says", ann, func(m *wire.SendMessage) { m.Epoch++ }, wire.BadRequest},
		{"of an older epoch", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) { p.Epoch-- })
			m.Epoch--
		}, wire.Stale},
		{"of a later epoch", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) { p.Epoch++ })
			m.Epoch++
		}, wire.Stale},
		{"with authenticated data of a commit", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) {
				p.AuthenticatedData = policy.CommitData{Client: m.Client}.Encode()
			})
		}, wire.BadRequest},
		{"without authenticated data", ann, func(m *wire.SendMessage) {
			m.Body = private(t, m.Body, func(p *mls.PrivateMessage) { p.AuthenticatedData = nil })
		}, wire.BadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := ann.sealing(id, "hello")
			tt.change(&m)
			check := s.unchanged()
			_, err := s.rooms.Send(s.ctx, tt.by.Actor, m)
			s.TB = t
			s.want(err, tt.want)
			check()
		})
	}
	s.TB = t
	if _, err := ann.send(id, "hello", own); err != nil {
		t.Error(err)
	}
	// Readable is enough to send a file on.
	if _, err := bob.send(id, "look at this", own); err != nil {
		t.Error(err)
	}
	m := bob.sealing(id, "my last words")
	bob.revoke()
	_, err := s.rooms.Send(s.ctx, bob.Actor, m)
	s.want(err, wire.NotFound)
}

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

func TestProposalsThatAreRefused(t *testing.T) {
	s := newSite(t)
	ann, bob, eve := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob)
	both := ann.create(ann.with(bob), bob)
	stale := bob.leaving(id, bob.in[id].group.OwnLeaf())
	s.must(ann.commit(id, group.CommitOptions{}))
	bob.sync(id)
	for _, tt := range []struct {
		name string
		by   *device
		make func() wire.SendProposal
		want wire.Code
	}{
		{"by a stranger", eve, func() wire.SendProposal { return bob.leaving(id, bob.in[id].group.OwnLeaf()) }, wire.NotFound},
		{"of another", ann, func() wire.SendProposal { return bob.leaving(id, bob.in[id].group.OwnLeaf()) }, wire.BadRequest},
		{"of another device", bob.another(), func() wire.SendProposal { return bob.leaving(id, bob.in[id].group.OwnLeaf()) }, wire.BadRequest},
		{"that another leave", bob, func() wire.SendProposal { return bob.leaving(id, ann.in[id].group.OwnLeaf()) }, wire.BadRequest},
		{"that a blank leaf leave", bob, func() wire.SendProposal {
			p := bob.leaving(id, bob.in[id].group.OwnLeaf())
			p.Proposal = public(t, p.Proposal, func(m *mls.PublicMessage) { m.Content.Proposal.Remove.Removed = 77 })
			return p
		}, wire.BadRequest},
		{"of an older epoch", bob, func() wire.SendProposal { return stale }, wire.Stale},
		{"with a broken signature", bob, func() wire.SendProposal {
			p := bob.leaving(id, bob.in[id].group.OwnLeaf())
			p.Proposal = public(t, p.Proposal, func(m *mls.PublicMessage) { m.Auth.Signature[3] ^= 1 })
			return p
		}, wire.BadRequest},
		{"in a direct room", bob, func() wire.SendProposal { return bob.leaving(both, bob.in[both].group.OwnLeaf()) }, wire.BadRequest},
		{"to add", bob, func() wire.SendProposal {
			b, err := bob.in[id].group.ProposeAdd(eve.keyPackage())
			s.must(err)
			return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: b}
		}, wire.BadRequest},
		{"to update", bob, func() wire.SendProposal {
			b, err := bob.in[id].group.ProposeUpdate()
			s.must(err)
			return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: b}
		}, wire.BadRequest},
		{"a commit", ann, func() wire.SendProposal {
			c := ann.committing(id, group.CommitOptions{})
			return wire.SendProposal{Room: id, Client: c.Client, Proposal: c.Commit}
		}, wire.BadRequest},
		{"a message", bob, func() wire.SendProposal {
			return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: []byte{0, 1}}
		}, wire.BadRequest},
		{"without a client id", bob, func() wire.SendProposal {
			p := bob.leaving(id, bob.in[id].group.OwnLeaf())
			p.Client = wire.ClientID{}
			return p
		}, wire.BadRequest},
		{"too large", bob, func() wire.SendProposal {
			return wire.SendProposal{Room: id, Client: wire.NewClientID(), Proposal: make([]byte, wire.MaxMessage+1)}
		}, wire.TooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.make()
			check := s.unchanged()
			_, err := s.rooms.Propose(s.ctx, tt.by.Actor, p)
			s.TB = t
			s.want(err, tt.want)
			check()
		})
	}
}

func TestRoomsThatAreNotMade(t *testing.T) {
	s := newSite(t)
	ann, bob, cid := s.person(), s.person(), s.person()
	taken := ann.makeGroup(bob)
	with := func(p policy.Policy, x ...mls.Extension) mls.Extensions { return append(s.policyExtensions(p), x...) }
	// made is a founding with GroupContext extensions of the test's own.
	madeAs := func(id wire.RoomID, extensions mls.Extensions, kind wire.RoomKind, add ...*device) wire.CreateRoom {
		g, err := group.Create(group.Config{
			Suite: s.suite, GroupID: id[:], Signer: ann.signer, Credential: ann.credential(), Extensions: extensions, Capabilities: capabilities(),
		})
		s.must(err)
		info, err := g.GroupInfo(true)
		s.must(err)
		client := wire.NewClientID()
		c, err := g.Commit(group.CommitOptions{Add: keyPackages(add...), AuthenticatedData: policy.CommitData{Client: client}.Encode()})
		s.must(err)
		return wire.CreateRoom{Room: id, Kind: kind, Info: info, First: wire.GroupUpload{
			Client: client, Commit: c.Message, Welcome: c.Welcome, GroupInfo: c.GroupInfo,
		}}
	}
	made := func(extensions mls.Extensions, kind wire.RoomKind, add ...*device) wire.CreateRoom {
		return madeAs(wire.NewRoomID(), extensions, kind, add...)
	}
	founding := func(p policy.Policy, others ...*device) wire.CreateRoom {
		_, c := ann.founding(p, others...)
		return c
	}
	senders, err := mls.ExternalSendersExtension([]mls.ExternalSender{{SignatureKey: bob.signer.Public(), Credential: bob.credential()}})
	s.must(err)
	for _, tt := range []struct {
		name string
		by   *device
		make func() wire.CreateRoom
		want wire.Code
	}{
		{"of somebody else", bob, func() wire.CreateRoom { return founding(ann.owns(), bob) }, wire.BadRequest},
		{"owned by somebody else", ann, func() wire.CreateRoom { return made(with(bob.owns()), wire.Group, bob) }, wire.BadRequest},
		{"owned by two", ann, func() wire.CreateRoom {
			return made(with(policy.Policy{Kind: wire.Group, Owners: policy.Sorted(ann.Account, bob.Account)}), wire.Group, bob)
		}, wire.BadRequest},
		{"of another kind than it says", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Kind = wire.Direct
			return c
		}, wire.BadRequest},
		{"direct with a third", ann, func() wire.CreateRoom { return founding(ann.with(bob), bob, cid) }, wire.BadRequest},
		{"direct with another than it says", ann, func() wire.CreateRoom { return founding(ann.with(bob), cid) }, wire.BadRequest},
		{"without a policy", ann, func() wire.CreateRoom { return made(nil, wire.Group, bob) }, wire.BadRequest},
		{"with external senders", ann, func() wire.CreateRoom { return made(with(ann.owns(), senders), wire.Group, bob) }, wire.BadRequest},
		{"under another id", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Room = wire.NewRoomID()
			return c
		}, wire.BadRequest},
		{"under an id that is taken", ann, func() wire.CreateRoom {
			return madeAs(taken, with(ann.owns()), wire.Group, bob)
		}, wire.Conflict},
		{"without an id", ann, func() wire.CreateRoom { return madeAs(wire.RoomID{}, with(ann.owns()), wire.Group, bob) }, wire.BadRequest},
		{"without a client id", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.First.Client = wire.ClientID{}
			return c
		}, wire.BadRequest},
		{"with too large a GroupInfo", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.First.GroupInfo = make([]byte, 257<<10)
			return c
		}, wire.TooLarge},
		{"with too large a beginning", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Info = make([]byte, 257<<10)
			return c
		}, wire.TooLarge},
		{"without the tree", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Info = ann.info(c.Info, func(g *mls.GroupInfo) { g.Extensions = g.Extensions.Without(mls.ExtensionRatchetTree) })
			return c
		}, wire.BadRequest},
		{"with a broken GroupInfo", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.Info = append(bytes.Clone(c.Info), 0)
			return c
		}, wire.BadRequest},
		{"from a group that has members already", ann, func() wire.CreateRoom {
			g, c := ann.founding(ann.owns(), bob)
			s.must(g.MergePending())
			var err error
			c.Info, err = g.GroupInfo(true)
			s.must(err)
			return c
		}, wire.BadRequest},
		{"with a first commit that does not fit", ann, func() wire.CreateRoom {
			c := founding(ann.owns(), bob)
			c.First = founding(ann.owns(), bob).First
			return c
		}, wire.BadRequest},
		{"by a revoked device", func() *device { d := ann.another(); d.revoke(); return d }(), func() wire.CreateRoom { return founding(ann.owns()) }, wire.BadRequest},
		{"with a revoked device", ann, func() wire.CreateRoom {
			dan := s.person()
			dan.revoke()
			return founding(ann.owns(), dan)
		}, wire.BadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.make()
			check := s.unchanged()
			_, err := s.rooms.Create(s.ctx, tt.by.Actor, c)
			s.TB = t
			s.want(err, tt.want)
			check()
		})
	}
	s.TB = t
	late := s.person()
	_, c := late.founding(late.owns())
	late.revoke()
	_, err = s.rooms.Create(s.ctx, late.Actor, c)
	s.want(err, wire.NotFound)
}

func TestStrangersLearnNothing(t *testing.T) {
	s := newSite(t)
	ann, bob, eve := s.person(), s.person(), s.person()
	id := ann.makeGroup(bob)
	for name, ask := range map[string]func(wire.RoomID) error{
		"log":     func(r wire.RoomID) error { _, err := s.rooms.Log(s.ctx, eve.Actor, wire.ReadLog{Room: r}); return err },
		"get":     func(r wire.RoomID) error { _, err := s.rooms.Get(s.ctx, eve.Actor, r); return err },
		"welcome": func(r wire.RoomID) error { _, err := s.rooms.Welcome(s.ctx, eve.Actor, r); return err },
		"group":   func(r wire.RoomID) error { _, err := s.rooms.Group(s.ctx, eve.Actor, r); return err },
		"joined":  func(r wire.RoomID) error { return s.rooms.Joined(s.ctx, eve.Actor, r) },
		"erase":   func(r wire.RoomID) error { return s.rooms.Erase(s.ctx, eve.Actor, wire.Erase{Room: r, Seq: 1}) },
		"cursor": func(r wire.RoomID) error {
			return s.rooms.SetCursor(s.ctx, eve.Actor, wire.SetCursor{Room: r, Read: 1})
		},
		"typing": func(r wire.RoomID) error { return s.rooms.Typing(s.ctx, eve.Actor, wire.Typing{Room: r}) },
	} {
		there, nowhere := ask(id), ask(wire.NewRoomID())
		if there == nil || nowhere == nil || there.Error() != nowhere.Error() || wire.CodeOf(there) != wire.NotFound {
			t.Errorf("%s: %v for a room, %v for none", name, there, nowhere)
		}
	}
	list, err := s.rooms.List(s.ctx, eve.Actor)
	if err != nil || len(list.Rooms) != 0 {
		t.Errorf("eve lists %v, %v", list, err)
	}
	_, err = s.rooms.Log(s.ctx, ann.Actor, wire.ReadLog{Room: id, After: -1})
	s.want(err, wire.BadRequest)
}

// A commit that fails in the transaction, after the tree was written, leaves
// nothing.
func TestAFailedTransactionLeavesNothing(t *testing.T) {
	s := newSite(t)
	ann, bob := s.person(), s.person()
	id := ann.makeGroup(bob)
	c := ann.committing(id, group.CommitOptions{Add: keyPackages(s.person())})
	s.must(s.db.Update(s.ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`CREATE TRIGGER fail BEFORE INSERT ON room_welcome BEGIN SELECT RAISE(ABORT, 'no'); END`)
		return err
	}))
	check := s.unchanged()
	_, err := s.rooms.Commit(s.ctx, ann.Actor, c)
	if err == nil || wire.CodeOf(err) != "" {
		t.Errorf("got %v, want a fault of the server's own", err)
	}
	check()
	s.must(s.db.Update(s.ctx, func(tx *db.Tx) error { _, err := tx.Exec(`DROP TRIGGER fail`); return err }))
	_, err = s.rooms.Commit(s.ctx, ann.Actor, c)
	s.must(err)
}
