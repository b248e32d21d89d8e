package group

import (
	"fmt"
	"testing"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/test/vectors"
)

func TestVectorsGroupSecrets(t *testing.T) {
	type vector struct {
		Secrets hexBytes `json:"group_secrets"`
	}
	vectors.Each(t, vectors.Messages, supported, func(t *testing.T, c vector) {
		gs, err := decodeGroupSecrets(c.Secrets.secret())
		if err != nil {
			t.Fatal(err)
		}
		b, err := gs.encode()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "encoding", b.bytes(), c.Secrets)
	})
}

func TestVectorsWelcome(t *testing.T) {
	type vector struct {
		Suite      mls.Suite `json:"cipher_suite"`
		Init       hexBytes  `json:"init_priv"`
		SignerPub  hexBytes  `json:"signer_pub"`
		KeyPackage hexBytes  `json:"key_package"`
		Welcome    hexBytes
	}
	vectors.Each(t, vectors.Welcome, supported, func(t *testing.T, c vector) {
		s := c.Suite
		kp, err := mls.ParseKeyPackage(c.KeyPackage)
		if err != nil {
			t.Fatal(err)
		}
		w, err := mls.ParseWelcome(c.Welcome)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := kp.Ref()
		if err != nil {
			t.Fatal(err)
		}
		one, ok := w.For(ref)
		if !ok {
			t.Fatal("no secrets for the key package")
		}
		opened, err := openWith(s, c.Init.secret(), "Welcome", w.EncryptedGroupInfo, one.Secrets[0].Secrets)
		if err != nil {
			t.Fatal(err)
		}
		gs, err := decodeGroupSecrets(opened)
		if err != nil {
			t.Fatal(err)
		}
		psk := zeroSecret(s)
		info, err := openGroupInfo(s, welcomeSecret(s, gs.joiner, psk), w.EncryptedGroupInfo)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := info.SignedContent()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.VerifyWithLabel(c.SignerPub, mls.GroupInfoLabel, signed, info.Signature); err != nil {
			t.Error(err)
		}
		context, err := mls.Marshal(&info.Context)
		if err != nil {
			t.Fatal(err)
		}
		e, _ := deriveEpoch(s, epochSecret(s, gs.joiner, psk, context))
		equal(t, "confirmation tag", e.confirmationTag(&info.Context), info.ConfirmationTag)
	})
}

func TestVectorsMessageProtection(t *testing.T) {
	type vector struct {
		Suite          mls.Suite `json:"cipher_suite"`
		GroupID        hexBytes  `json:"group_id"`
		Epoch          uint64
		TreeHash       hexBytes `json:"tree_hash"`
		Confirmed      hexBytes `json:"confirmed_transcript_hash"`
		SignaturePriv  hexBytes `json:"signature_priv"`
		SignaturePub   hexBytes `json:"signature_pub"`
		Encryption     hexBytes `json:"encryption_secret"`
		SenderData     hexBytes `json:"sender_data_secret"`
		Membership     hexBytes `json:"membership_key"`
		Proposal       hexBytes
		ProposalPriv   hexBytes `json:"proposal_priv"`
		ProposalPub    hexBytes `json:"proposal_pub"`
		Commit         hexBytes
		CommitPriv     hexBytes `json:"commit_priv"`
		CommitPub      hexBytes `json:"commit_pub"`
		Application    hexBytes
		ApplicationPrv hexBytes `json:"application_priv"`
	}
	vectors.Each(t, vectors.MessageProtection, supported, func(t *testing.T, c vector) {
		context := &mls.GroupContext{
			Version: mls.MLS10, Suite: c.Suite, GroupID: c.GroupID, Epoch: c.Epoch,
			TreeHash: c.TreeHash, ConfirmedTranscriptHash: c.Confirmed,
		}
		signer, err := parseSignerOf(c.Suite, c.SignaturePriv)
		if err != nil {
			t.Fatal(err)
		}
		fresh := func() *framing {
			return &framing{
				context: context, membership: c.Membership.secret(), senderData: c.SenderData.secret(),
				secrets:      newSecretTree(c.Suite, c.Encryption.secret(), 1),
				signatureKey: func(mls.LeafIndex) []byte { return c.SignaturePub },
			}
		}
		open := func(b []byte) *mls.AuthenticatedContent {
			t.Helper()
			m, err := mls.ParseMessage(b)
			if err != nil {
				t.Fatal(err)
			}
			if m.Private != nil {
				a, _, ok := fresh().decrypt(m.Private)
				if !ok {
					t.Fatal("private message does not open")
				}
				return a
			}
			a, err := fresh().authenticate(m.Public)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := a.SignedContent(context)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Suite.VerifyWithLabel(c.SignaturePub, mls.FramedContentLabel, signed, a.Auth.Signature); err != nil {
				t.Fatal(err)
			}
			return a
		}
		body := func(a *mls.AuthenticatedContent) []byte {
			if a.Content.Type == mls.ContentApplication {
				return a.Content.ApplicationData
			}
			var e mls.Encoder
			a.Content.MarshalBody(&e)
			b, err := e.Result()
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		for _, v := range []struct {
			name     string
			want     []byte
			messages []hexBytes
			inPublic bool
		}{
			{"proposal", c.Proposal, []hexBytes{c.ProposalPriv, c.ProposalPub}, true},
			{"commit", c.Commit, []hexBytes{c.CommitPriv, c.CommitPub}, true},
			{"application", c.Application, []hexBytes{c.ApplicationPrv}, false},
		} {
			for _, b := range v.messages {
				a := open(b)
				equal(t, v.name, body(a), v.want)
				// and protected by ourselves
				own := &mls.AuthenticatedContent{WireFormat: a.WireFormat, Content: a.Content}
				own.Auth.ConfirmationTag = a.Auth.ConfirmationTag
				if err := signer.signContent(own, context); err != nil {
					t.Fatal(err)
				}
				var m mls.Message
				if a.WireFormat == mls.WirePublicMessage {
					m.Public, err = fresh().tag(own)
				} else {
					m.Private, err = fresh().encrypt(own, func(n int) int { return -n & 63 })
				}
				if err != nil {
					t.Fatal(err)
				}
				again, err := mls.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, v.name+" by ourselves", body(open(again)), v.want)
			}
		}
		// An application message must not come in the open.
		m, err := fresh().tag(&mls.AuthenticatedContent{WireFormat: mls.WirePublicMessage, Content: mls.FramedContent{
			GroupID: c.GroupID, Epoch: c.Epoch, Sender: mls.MemberSender(1), Type: mls.ContentApplication,
		}})
		if err != nil {
			t.Fatal(err)
		}
		g := newTown(t, c.Suite, 1).members[0].group
		if _, err := g.StageCommit(m); err == nil {
			t.Error("an application message passes as a commit")
		}
	})
}

func TestVectorsTreeKEM(t *testing.T) {
	type pathSecret struct {
		Node   mls.NodeIndex
		Secret hexBytes `json:"path_secret"`
	}
	type vector struct {
		Suite     mls.Suite `json:"cipher_suite"`
		GroupID   hexBytes  `json:"group_id"`
		Epoch     uint64
		Confirmed hexBytes `json:"confirmed_transcript_hash"`
		Tree      hexBytes `json:"ratchet_tree"`
		Leaves    []struct {
			Index       mls.LeafIndex
			Encryption  hexBytes     `json:"encryption_priv"`
			Signature   hexBytes     `json:"signature_priv"`
			PathSecrets []pathSecret `json:"path_secrets"`
		} `json:"leaves_private"`
		Paths []struct {
			Sender        mls.LeafIndex
			Path          hexBytes   `json:"update_path"`
			PathSecrets   []hexBytes `json:"path_secrets"`
			CommitSecret  hexBytes   `json:"commit_secret"`
			TreeHashAfter hexBytes   `json:"tree_hash_after"`
		} `json:"update_paths"`
	}
	vectors.Each(t, vectors.TreeKEM, supported, func(t *testing.T, c vector) {
		s := c.Suite
		tree, err := mls.ParseTree(s, c.Tree)
		if err != nil {
			t.Fatal(err)
		}
		signers := map[mls.LeafIndex]Signer{}
		for _, l := range c.Leaves {
			if signers[l.Index], err = parseSignerOf(s, l.Signature); err != nil {
				t.Fatal(err)
			}
		}
		// Each leaf is a member whose epoch secrets are made up, the same
		// for all. The provisional context has the epoch of the vector, so
		// that the group is in the one before.
		epoch, _ := deriveEpoch(s, zeroSecret(s))
		info := &mls.GroupInfo{Context: mls.GroupContext{
			Version: mls.MLS10, Suite: s, GroupID: c.GroupID, Epoch: c.Epoch - 1,
			TreeHash: tree.Hash(), ConfirmedTranscriptHash: c.Confirmed,
		}, Signer: c.Leaves[0].Index}
		info.ConfirmationTag = epoch.confirmationTag(&info.Context)
		if err := signers[info.Signer].signInfo(info); err != nil {
			t.Fatal(err)
		}
		groups := map[mls.LeafIndex]func() *Group{}
		for _, l := range c.Leaves {
			groups[l.Index] = func() *Group {
				public, err := mls.NewPublicGroup(info, c.Tree)
				if err != nil {
					t.Fatal(err)
				}
				own := l.Encryption.private(s)
				e, encryption := deriveEpoch(s, zeroSecret(s))
				g := &Group{
					public: public, status: Member, leaf: l.Index, signer: signers[l.Index], epoch: e,
					secrets: newSecretTree(s, encryption, tree.Root()),
					keys:    map[mls.NodeIndex]*Secret{l.Index.Node(): &own},
				}
				for _, p := range l.PathSecrets {
					private, pub, err := deriveKeyPair(s, derive(s, p.Secret.secret(), "node"))
					if err != nil {
						t.Fatal(err)
					}
					equal(t, fmt.Sprint("key of node ", p.Node), pub, tree.EncryptionKey(p.Node))
					g.keys[p.Node] = &private
				}
				return g
			}
		}
		for _, p := range c.Paths {
			path := new(mls.UpdatePath)
			if err := mls.Unmarshal(p.Path, path); err != nil {
				t.Fatal(err)
			}
			a := &mls.AuthenticatedContent{WireFormat: mls.WirePublicMessage, Content: mls.FramedContent{
				GroupID: c.GroupID, Epoch: c.Epoch - 1, Sender: mls.MemberSender(p.Sender),
				Type: mls.ContentCommit, Commit: &mls.Commit{Path: path},
			}}
			if err := signers[p.Sender].signContent(a, &info.Context); err != nil {
				t.Fatal(err)
			}
			a.Auth.ConfirmationTag = make([]byte, s.HashSize())
			for l, group := range groups {
				if l == p.Sender {
					continue
				}
				g := group()
				staged, err := g.public.StageContent(a)
				if err != nil {
					t.Fatalf("path of %d: %v", p.Sender, err)
				}
				equal(t, "tree hash after", staged.Context.TreeHash, p.TreeHashAfter)
				keys := keysFor(g, staged.Tree())
				commit, err := openPath(staged, l, keys)
				if err != nil {
					t.Fatalf("path of %d at %d: %v", p.Sender, l, err)
				}
				equal(t, "commit secret", commit.bytes(), p.CommitSecret)
				// The path secret that l learns is that of the common ancestor.
				private, _, err := deriveKeyPair(s, derive(s, p.PathSecrets[l].secret(), "node"))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "key of the common ancestor", keys[mls.CommonAncestor(l, p.Sender)].bytes(), private.bytes())
			}
			// A path of our own from the same sender must work for all.
			sender := groups[p.Sender]()
			pending, err := sender.Commit(CommitOptions{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := mls.ParsePublic(pending.Message)
			if err != nil {
				t.Fatal(err)
			}
			for l, group := range groups {
				if l == p.Sender {
					continue
				}
				staged, err := group().StageCommit(m)
				if err != nil {
					t.Fatalf("own path of %d at %d: %v", p.Sender, l, err)
				}
				equal(t, "authenticator", staged.EpochAuthenticator(), pending.EpochAuthenticator())
			}
		}
	})
}
