package group

import (
	"testing"

	"github.com/veche-im/veche/mls"
	"github.com/veche-im/veche/test/vectors"
)

// The vectors of the MLS working group (test-vectors.md of mls-implementations),
// format by format. Where the description ends with producing one's own and
// processing it, the test does that too:
//
//	format              test                           our own output
//	tree-math           mls: TestVectorsTreeMath       none asked for
//	deserialization     mls: TestVectorsLengthHeader   the header is written too
//	tree-validation     mls: TestVectorsTreeValidation the tree is encoded again
//	tree-operations     mls: TestVectorsTreeOperations the tree after is encoded
//	messages            mls: TestVectorsMessages,      each object is encoded again
//	                    TestVectorsGroupSecrets
//	crypto-basics       TestVectorsCryptoBasics        SignWithLabel, EncryptWithLabel: ours is verified and opened
//	key-schedule        TestVectorsKeySchedule         all outputs are computed
//	psk_secret          TestVectorsPSKSecret           computed
//	secret-tree         TestVectorsSecretTree          computed
//	transcript-hashes   TestVectorsTranscriptHashes    computed
//	message-protection  TestVectorsMessageProtection   ours is opened, private ones and public ones
//	treekem             TestVectorsTreeKEM             a path of our own from each sender opens for all
//	welcome             TestVectorsWelcome             none asked for
//	passive-client-*    TestVectorsPassiveClient       TestPassiveClientOfOurOwn writes such a file and follows it

// equal fails the test if got is not want.
func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	vectors.Equal(t, what, got, want)
}

// supported reports whether there is a suite of that number.
func supported(s uint16) bool { return mls.Suite(s).Supported() }

// hexBytes is a byte string as the vectors write it; null stays nil.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error { return (*vectors.Hex)(h).UnmarshalJSON(b) }

func (h hexBytes) MarshalJSON() ([]byte, error) { return vectors.Hex(h).MarshalJSON() }

func (h hexBytes) secret() Secret { return NewSecret(h) }

// private is a private key. The vectors leave out the zeros that the scalar of
// a NIST curve may begin with.
func (h hexBytes) private(s mls.Suite) Secret {
	size := map[mls.Suite]int{mls.P256AES128: 32, mls.P384AES256: 48, mls.P521AES256: 66}[s]
	return NewSecret(append(make([]byte, max(0, size-len(h))), h...))
}

func parseSignerOf(s mls.Suite, private hexBytes) (Signer, error) {
	return ParseSigner(s, private.private(s).Export())
}

func TestVectorsCryptoBasics(t *testing.T) {
	type vector struct {
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
	vectors.Each(t, vectors.CryptoBasics, supported, func(t *testing.T, c vector) {
		s := c.Suite
		equal(t, "RefHash", s.RefHash(c.RefHash.Label, c.RefHash.Value), c.RefHash.Out)
		equal(t, "ExpandWithLabel", expandLabel(s, c.Expand.Secret.secret(), c.Expand.Label, c.Expand.Context, c.Expand.Length).bytes(), c.Expand.Out)
		equal(t, "DeriveSecret", derive(s, c.Derive.Secret.secret(), c.Derive.Label).bytes(), c.Derive.Out)
		g := []byte{byte(c.DeriveTree.Generation >> 24), byte(c.DeriveTree.Generation >> 16), byte(c.DeriveTree.Generation >> 8), byte(c.DeriveTree.Generation)}
		equal(t, "DeriveTreeSecret", expandLabel(s, c.DeriveTree.Secret.secret(), c.DeriveTree.Label, g, c.DeriveTree.Length).bytes(), c.DeriveTree.Out)

		if err := s.VerifyWithLabel(c.Sign.Pub, c.Sign.Label, c.Sign.Content, c.Sign.Signature); err != nil {
			t.Error(err)
		}
		signer, err := parseSignerOf(s, c.Sign.Priv)
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
		plain, err := openWith(s, e.Priv.private(s), e.Label, e.Context, mls.HPKECiphertext{KEMOutput: e.KEM, Ciphertext: e.Ciphertext})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "DecryptWithLabel", plain.bytes(), e.Plaintext)
		sealed, err := sealTo(s, e.Pub, e.Label, e.Context, e.Plaintext.secret())
		if err != nil {
			t.Fatal(err)
		}
		plain, err = openWith(s, e.Priv.private(s), e.Label, e.Context, sealed)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "own EncryptWithLabel", plain.bytes(), e.Plaintext)
	})
}

func TestVectorsKeySchedule(t *testing.T) {
	type vector struct {
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
	vectors.Each(t, vectors.KeySchedule, supported, func(t *testing.T, c vector) {
		s := c.Suite
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

func TestVectorsPSKSecret(t *testing.T) {
	type vector struct {
		Suite mls.Suite `json:"cipher_suite"`
		PSKs  []struct {
			ID    hexBytes `json:"psk_id"`
			PSK   hexBytes `json:"psk"`
			Nonce hexBytes `json:"psk_nonce"`
		}
		Secret hexBytes `json:"psk_secret"`
	}
	vectors.Each(t, vectors.PSKSecret, supported, func(t *testing.T, c vector) {
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
		equal(t, "psk_secret", got.bytes(), c.Secret)
	})
}

func TestVectorsSecretTree(t *testing.T) {
	type vector struct {
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
	vectors.Each(t, vectors.SecretTree, supported, func(t *testing.T, c vector) {
		s := c.Suite
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

func TestVectorsTranscriptHashes(t *testing.T) {
	type vector struct {
		Suite        mls.Suite `json:"cipher_suite"`
		Confirmation hexBytes  `json:"confirmation_key"`
		Content      hexBytes  `json:"authenticated_content"`
		Before       hexBytes  `json:"interim_transcript_hash_before"`
		Confirmed    hexBytes  `json:"confirmed_transcript_hash_after"`
		After        hexBytes  `json:"interim_transcript_hash_after"`
	}
	vectors.Each(t, vectors.TranscriptHashes, supported, func(t *testing.T, c vector) {
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
	})
}
