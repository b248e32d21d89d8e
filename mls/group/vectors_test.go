package group

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/veche-im/veche/mls"
)

// hexBytes is a byte string as the official vectors write it; null stays nil.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return err
	}
	v, err := hex.DecodeString(*s)
	*h = v
	return err
}

func (h hexBytes) secret() Secret { return NewSecret(h) }

// loadVectors reads one file of the official vectors (MLS_VECTORS, or
// ../shared/vectors/mls beside the project), and skips the test without it.
func loadVectors(t *testing.T, name string, into any) {
	t.Helper()
	dir := os.Getenv("MLS_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "vectors", "mls")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("NOT TESTED: official vectors %s are missing in %s; set MLS_VECTORS", name, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s\n got %x\nwant %x", what, got, want)
	}
}

func TestVectorsCryptoBasics(t *testing.T) {
	var cases []struct {
		Suite   mls.Suite `json:"cipher_suite"`
		RefHash struct {
			Label      string
			Value, Out hexBytes
		} `json:"ref_hash"`
		Expand struct {
			Secret, Context, Out hexBytes
			Label                string
			Length               int
		} `json:"expand_with_label"`
		Derive struct {
			Secret, Out hexBytes
			Label       string
		} `json:"derive_secret"`
		DeriveTree struct {
			Secret, Out hexBytes
			Label       string
			Generation  uint32
			Length      int
		} `json:"derive_tree_secret"`
		Sign struct {
			Priv, Pub, Content, Signature hexBytes
			Label                         string
		} `json:"sign_with_label"`
		Encrypt struct {
			Priv, Pub, Context, Plaintext, Ciphertext hexBytes
			KEM                                       hexBytes `json:"kem_output"`
			Label                                     string
		} `json:"encrypt_with_label"`
	}
	loadVectors(t, "crypto-basics.json", &cases)
	for _, c := range cases {
		s := c.Suite
		t.Run(s.String(), func(t *testing.T) {
			equal(t, "RefHash", s.RefHash(c.RefHash.Label, c.RefHash.Value), c.RefHash.Out)
			equal(t, "ExpandWithLabel", expandLabel(s, c.Expand.Secret.secret(), c.Expand.Label, c.Expand.Context, c.Expand.Length).bytes(), c.Expand.Out)
			equal(t, "DeriveSecret", derive(s, c.Derive.Secret.secret(), c.Derive.Label).bytes(), c.Derive.Out)
			g := []byte{byte(c.DeriveTree.Generation >> 24), byte(c.DeriveTree.Generation >> 16), byte(c.DeriveTree.Generation >> 8), byte(c.DeriveTree.Generation)}
			equal(t, "DeriveTreeSecret", expandLabel(s, c.DeriveTree.Secret.secret(), c.DeriveTree.Label, g, c.DeriveTree.Length).bytes(), c.DeriveTree.Out)

			if err := s.VerifyWithLabel(c.Sign.Pub, c.Sign.Label, c.Sign.Content, c.Sign.Signature); err != nil {
				t.Error(err)
			}
			signer, err := ParseSigner(s, c.Sign.Priv)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "public key", signer.Public(), c.Sign.Pub)
			own, err := signer.SignWithLabel(c.Sign.Label, c.Sign.Content)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.VerifyWithLabel(c.Sign.Pub, c.Sign.Label, c.Sign.Content, own); err != nil {
				t.Error(err)
			}

			e := c.Encrypt
			plain, err := openWith(s, e.Priv.secret(), e.Label, e.Context, mls.HPKECiphertext{KEMOutput: e.KEM, Ciphertext: e.Ciphertext})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "DecryptWithLabel", plain.bytes(), e.Plaintext)
			sealed, err := sealTo(s, e.Pub, e.Label, e.Context, e.Plaintext.secret())
			if err != nil {
				t.Fatal(err)
			}
			plain, err = openWith(s, e.Priv.secret(), e.Label, e.Context, sealed)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "own EncryptWithLabel", plain.bytes(), e.Plaintext)
		})
	}
}

func TestVectorsKeySchedule(t *testing.T) {
	var cases []struct {
		Suite       mls.Suite `json:"cipher_suite"`
		GroupID     hexBytes  `json:"group_id"`
		InitialInit hexBytes  `json:"initial_init_secret"`
		Epochs      []struct {
			TreeHash      hexBytes `json:"tree_hash"`
			Commit        hexBytes `json:"commit_secret"`
			PSK           hexBytes `json:"psk_secret"`
			Confirmed     hexBytes `json:"confirmed_transcript_hash"`
			Context       hexBytes `json:"group_context"`
			Joiner        hexBytes `json:"joiner_secret"`
			Welcome       hexBytes `json:"welcome_secret"`
			Init          hexBytes `json:"init_secret"`
			SenderData    hexBytes `json:"sender_data_secret"`
			Encryption    hexBytes `json:"encryption_secret"`
			Exporter      hexBytes `json:"exporter_secret"`
			Authenticator hexBytes `json:"epoch_authenticator"`
			External      hexBytes `json:"external_secret"`
			Confirmation  hexBytes `json:"confirmation_key"`
			Membership    hexBytes `json:"membership_key"`
			Resumption    hexBytes `json:"resumption_psk"`
			ExternalPub   hexBytes `json:"external_pub"`
			Export        struct {
				Label           string
				Context, Secret hexBytes
				Length          int
			} `json:"exporter"`
		}
	}
	loadVectors(t, "key-schedule.json", &cases)
	for _, c := range cases {
		s := c.Suite
		t.Run(s.String(), func(t *testing.T) {
			init := c.InitialInit.secret()
			for i, want := range c.Epochs {
				context, err := mls.Marshal(&mls.GroupContext{
					Version: mls.MLS10, Suite: s, GroupID: c.GroupID, Epoch: uint64(i),
					TreeHash: want.TreeHash, ConfirmedTranscriptHash: want.Confirmed,
				})
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "context", context, want.Context)
				joiner := joinerSecret(s, init, want.Commit.secret(), context)
				equal(t, "joiner", joiner.bytes(), want.Joiner)
				equal(t, "welcome", welcomeSecret(s, joiner, want.PSK.secret()).bytes(), want.Welcome)
				e, encryption := deriveEpoch(s, epochSecret(s, joiner, want.PSK.secret(), context))
				equal(t, "encryption", encryption.bytes(), want.Encryption)
				equal(t, "init", e.init.bytes(), want.Init)
				equal(t, "sender data", e.senderData.bytes(), want.SenderData)
				equal(t, "exporter", e.exporter.bytes(), want.Exporter)
				equal(t, "authenticator", e.authenticator.bytes(), want.Authenticator)
				equal(t, "external", e.external.bytes(), want.External)
				equal(t, "confirmation", e.confirmation.bytes(), want.Confirmation)
				equal(t, "membership", e.membership.bytes(), want.Membership)
				equal(t, "resumption", e.resumption.bytes(), want.Resumption)
				pub, err := e.externalPub(s)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "external_pub", pub, want.ExternalPub)
				equal(t, "export", e.export(s, want.Export.Label, want.Export.Context, want.Export.Length).bytes(), want.Export.Secret)
				init = e.init
			}
		})
	}
}

func TestVectorsPSKSecret(t *testing.T) {
	var cases []struct {
		Suite mls.Suite `json:"cipher_suite"`
		PSKs  []struct {
			ID    hexBytes `json:"psk_id"`
			PSK   hexBytes `json:"psk"`
			Nonce hexBytes `json:"psk_nonce"`
		}
		Secret hexBytes `json:"psk_secret"`
	}
	loadVectors(t, "psk_secret.json", &cases)
	for i, c := range cases {
		var ids []mls.PreSharedKeyID
		var values []Secret
		for _, p := range c.PSKs {
			ids = append(ids, mls.PreSharedKeyID{Type: mls.PSKExternal, ID: p.ID, Nonce: p.Nonce})
			values = append(values, p.PSK.secret())
		}
		got, err := pskSecret(c.Suite, ids, values)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, fmt.Sprint("case ", i), got.bytes(), c.Secret)
	}
}

func TestVectorsSecretTree(t *testing.T) {
	var cases []struct {
		Suite      mls.Suite `json:"cipher_suite"`
		Encryption hexBytes  `json:"encryption_secret"`
		SenderData struct {
			Secret     hexBytes `json:"sender_data_secret"`
			Ciphertext hexBytes
			Key, Nonce hexBytes
		} `json:"sender_data"`
		Leaves [][]struct {
			Generation       uint32
			ApplicationKey   hexBytes `json:"application_key"`
			ApplicationNonce hexBytes `json:"application_nonce"`
			HandshakeKey     hexBytes `json:"handshake_key"`
			HandshakeNonce   hexBytes `json:"handshake_nonce"`
		}
	}
	loadVectors(t, "secret-tree.json", &cases)
	for i, c := range cases {
		s := c.Suite
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			sample := c.SenderData.Ciphertext[:min(len(c.SenderData.Ciphertext), s.HashSize())]
			sd := c.SenderData.Secret.secret()
			equal(t, "sender data key", expandLabel(s, sd, "key", sample, s.KeySize()).bytes(), c.SenderData.Key)
			equal(t, "sender data nonce", expandLabel(s, sd, "nonce", sample, s.NonceSize()).bytes(), c.SenderData.Nonce)

			tree := newSecretTree(s, c.Encryption.secret(), mls.NodeIndex(len(c.Leaves)-1))
			for l, generations := range c.Leaves {
				for _, want := range generations {
					for _, handshake := range []bool{false, true} {
						id := ratchetID{mls.LeafIndex(l), handshake}
						r := tree.ratchet(id)
						key, ok := r.peek(s, want.Generation)
						if !ok {
							t.Fatalf("leaf %d: no key %d", l, want.Generation)
						}
						if handshake {
							equal(t, "handshake key", key.key.bytes(), want.HandshakeKey)
							equal(t, "handshake nonce", key.nonce.bytes(), want.HandshakeNonce)
						} else {
							equal(t, "application key", key.key.bytes(), want.ApplicationKey)
							equal(t, "application nonce", key.nonce.bytes(), want.ApplicationNonce)
						}
						tree.plant(id, r)
						r.use(key)
						if _, again := tree.ratchet(id).peek(s, want.Generation); again {
							t.Errorf("leaf %d: key %d comes twice", l, want.Generation)
						}
					}
				}
			}
			if len(tree.frontier) != 0 {
				t.Errorf("%d secrets left over", len(tree.frontier))
			}
		})
	}
}

func TestVectorsTranscriptHashes(t *testing.T) {
	var cases []struct {
		Suite        mls.Suite `json:"cipher_suite"`
		Confirmation hexBytes  `json:"confirmation_key"`
		Content      hexBytes  `json:"authenticated_content"`
		Before       hexBytes  `json:"interim_transcript_hash_before"`
		Confirmed    hexBytes  `json:"confirmed_transcript_hash_after"`
		After        hexBytes  `json:"interim_transcript_hash_after"`
	}
	loadVectors(t, "transcript-hashes.json", &cases)
	for _, c := range cases {
		var a mls.AuthenticatedContent
		if err := mls.Unmarshal(c.Content, &a); err != nil {
			t.Fatal(err)
		}
		confirmed, err := a.ConfirmedHash(c.Suite, c.Before)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "confirmed", confirmed, c.Confirmed)
		equal(t, "tag", mac(c.Suite, c.Confirmation.secret(), confirmed), a.Auth.ConfirmationTag)
		equal(t, "interim", mls.InterimHash(c.Suite, confirmed, a.Auth.ConfirmationTag), c.After)
	}
}

func TestVectorsGroupSecrets(t *testing.T) {
	var cases []struct {
		Secrets hexBytes `json:"group_secrets"`
	}
	loadVectors(t, "messages.json", &cases)
	for i, c := range cases {
		gs, err := decodeGroupSecrets(c.Secrets.secret())
		if err != nil {
			t.Fatal(i, err)
		}
		b, err := gs.encode()
		if err != nil {
			t.Fatal(i, err)
		}
		equal(t, fmt.Sprint("case ", i), b.bytes(), c.Secrets)
	}
}

func TestVectorsWelcome(t *testing.T) {
	var cases []struct {
		Suite      mls.Suite `json:"cipher_suite"`
		Init       hexBytes  `json:"init_priv"`
		SignerPub  hexBytes  `json:"signer_pub"`
		KeyPackage hexBytes  `json:"key_package"`
		Welcome    hexBytes
	}
	loadVectors(t, "welcome.json", &cases)
	for _, c := range cases {
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
	}
}

func TestVectorsPassiveClient(t *testing.T) {
	for _, name := range []string{"passive-client-welcome.json", "passive-client-handling-commit.json"} {
		var cases []struct {
			Suite mls.Suite `json:"cipher_suite"`
			PSKs  []struct {
				ID  hexBytes `json:"psk_id"`
				PSK hexBytes `json:"psk"`
			} `json:"external_psks"`
			KeyPackage    hexBytes `json:"key_package"`
			Signature     hexBytes `json:"signature_priv"`
			Encryption    hexBytes `json:"encryption_priv"`
			Init          hexBytes `json:"init_priv"`
			Welcome       hexBytes
			Tree          hexBytes `json:"ratchet_tree"`
			Authenticator hexBytes `json:"initial_epoch_authenticator"`
			Epochs        []struct {
				Proposals     []hexBytes
				Commit        hexBytes
				Authenticator hexBytes `json:"epoch_authenticator"`
			}
		}
		loadVectors(t, name, &cases)
		for i, c := range cases {
			t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) {
				kp, err := mls.ParseKeyPackage(c.KeyPackage)
				if err != nil {
					t.Fatal(err)
				}
				signer, err := ParseSigner(c.Suite, c.Signature)
				if err != nil {
					t.Fatal(err)
				}
				w, err := mls.ParseWelcome(c.Welcome)
				if err != nil {
					t.Fatal(err)
				}
				var psks []PSK
				for _, p := range c.PSKs {
					psks = append(psks, PSK{p.ID, p.PSK.secret()})
				}
				g, err := Join(w, *kp, KeyPackageSecrets{init: c.Init.secret(), leaf: c.Encryption.secret(), signer: signer}, c.Tree, psks...)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "authenticator", g.EpochAuthenticator(), c.Authenticator)
				for n, e := range c.Epochs {
					for _, p := range e.Proposals {
						a := receive(t, g, p)
						if _, err := g.ReceiveContent(a); err != nil {
							t.Fatalf("epoch %d: proposal: %v", n, err)
						}
					}
					staged, err := g.StageContent(receive(t, g, e.Commit))
					if err != nil {
						t.Fatalf("epoch %d: %v", n, err)
					}
					if err := g.Apply(staged); err != nil {
						t.Fatalf("epoch %d: %v", n, err)
					}
					equal(t, "authenticator", g.EpochAuthenticator(), e.Authenticator)
				}
			})
		}
	}
}

// receive unprotects a handshake message of either wire format.
func receive(t *testing.T, g *Group, b []byte) *mls.AuthenticatedContent {
	t.Helper()
	m, err := mls.ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	var a *mls.AuthenticatedContent
	if m.Public != nil {
		a, err = g.framing().authenticate(m.Public)
	} else {
		a, err = g.Unprotect(m.Private)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestVectorsMessageProtection(t *testing.T) {
	var cases []struct {
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
	loadVectors(t, "message-protection.json", &cases)
	for _, c := range cases {
		t.Run(c.Suite.String(), func(t *testing.T) {
			context := &mls.GroupContext{
				Version: mls.MLS10, Suite: c.Suite, GroupID: c.GroupID, Epoch: c.Epoch,
				TreeHash: c.TreeHash, ConfirmedTranscriptHash: c.Confirmed,
			}
			signer, err := ParseSigner(c.Suite, c.SignaturePriv)
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
}

func TestVectorsTreeKEM(t *testing.T) {
	type pathSecret struct {
		Node   mls.NodeIndex
		Secret hexBytes `json:"path_secret"`
	}
	var cases []struct {
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
	loadVectors(t, "treekem.json", &cases)
	for i, c := range cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			s := c.Suite
			tree, err := mls.ParseTree(s, c.Tree)
			if err != nil {
				t.Fatal(err)
			}
			signers := map[mls.LeafIndex]Signer{}
			for _, l := range c.Leaves {
				if signers[l.Index], err = ParseSigner(s, l.Signature); err != nil {
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
					own := l.Encryption.secret()
					e, encryption := deriveEpoch(s, zeroSecret(s))
					g := &Group{
						public: public, status: member, leaf: l.Index, signer: signers[l.Index], epoch: e,
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
					keys := g.keysFor(staged.Tree())
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
}
