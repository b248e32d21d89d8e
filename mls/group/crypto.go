package group

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"fmt"

	"github.com/veche-im/veche/mls"
)

// randomBytes returns n fresh random bytes. crypto/rand never fails.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func randomSecret(n int) Secret { return own(randomBytes(n)) }

// zeroSecret is the all-zero vector of length KDF.Nh.
func zeroSecret(s mls.Suite) Secret { return own(make([]byte, s.HashSize())) }

// mac is the suite's MAC: HMAC with its hash (RFC 9420 §5.1).
func mac(s mls.Suite, key Secret, message []byte) []byte {
	m := hmac.New(s.NewHash, key.bytes())
	m.Write(message)
	return m.Sum(nil)
}

func macEqual(a, b []byte) bool { return hmac.Equal(a, b) }

// encryptContext is the info of EncryptWithLabel (RFC 9420 §5.1.3).
func encryptContext(label string, context []byte) ([]byte, error) {
	var e mls.Encoder
	e.Into(make([]byte, 0, 32+len(context)))
	putLabel(&e, label)
	e.Bytes(context)
	return e.Result()
}

// sealTo is EncryptWithLabel (RFC 9420 §5.1.3).
func sealTo(s mls.Suite, public []byte, label string, context []byte, plaintext Secret) (mls.HPKECiphertext, error) {
	kem, kdf, aead := s.HPKE()
	key, err := kem.NewPublicKey(public)
	if err != nil {
		return mls.HPKECiphertext{}, fmt.Errorf("%w: %w", mls.ErrEncryptionKey, err)
	}
	info, err := encryptContext(label, context)
	if err != nil {
		return mls.HPKECiphertext{}, err
	}
	enc, sender, err := hpke.NewSender(key, kdf, aead, info)
	if err != nil {
		return mls.HPKECiphertext{}, fmt.Errorf("encapsulate: %w", err)
	}
	ct, err := sender.Seal(nil, plaintext.bytes())
	if err != nil {
		return mls.HPKECiphertext{}, fmt.Errorf("seal: %w", err)
	}
	return mls.HPKECiphertext{KEMOutput: enc, Ciphertext: ct}, nil
}

// openWith is DecryptWithLabel (RFC 9420 §5.1.3).
func openWith(s mls.Suite, private Secret, label string, context []byte, c mls.HPKECiphertext) (Secret, error) {
	kem, kdf, aead := s.HPKE()
	key, err := kem.NewPrivateKey(private.bytes())
	if err != nil {
		return Secret{}, err
	}
	info, err := encryptContext(label, context)
	if err != nil {
		return Secret{}, err
	}
	r, err := hpke.NewRecipient(c.KEMOutput, key, kdf, aead, info)
	if err != nil {
		return Secret{}, err
	}
	b, err := r.Open(nil, c.Ciphertext)
	return own(b), err
}

const externalInitLabel = "MLS 1.0 external init secret"

// sendExternalInit makes a fresh init secret for a group that is known by its
// external_pub (RFC 9420 §8.3).
func sendExternalInit(s mls.Suite, externalPub []byte) (kemOutput []byte, init Secret, err error) {
	kem, kdf, aead := s.HPKE()
	key, err := kem.NewPublicKey(externalPub)
	if err != nil {
		return nil, Secret{}, fmt.Errorf("external_pub: %w: %w", mls.ErrEncryptionKey, err)
	}
	enc, sender, err := hpke.NewSender(key, kdf, aead, nil)
	if err != nil {
		return nil, Secret{}, fmt.Errorf("encapsulate: %w", err)
	}
	b, err := sender.Export(externalInitLabel, s.HashSize())
	return enc, own(b), err
}

// receiveExternalInit is the other end of sendExternalInit.
func receiveExternalInit(s mls.Suite, external Secret, kemOutput []byte) (Secret, error) {
	kem, kdf, aead := s.HPKE()
	key, err := kem.DeriveKeyPair(external.bytes())
	if err != nil {
		return Secret{}, err
	}
	r, err := hpke.NewRecipient(kemOutput, key, kdf, aead, nil)
	if err != nil {
		return Secret{}, fmt.Errorf("%w: %w", mls.ErrExternalCommit, err)
	}
	b, err := r.Export(externalInitLabel, s.HashSize())
	return own(b), err
}

// newKeyPair makes a fresh HPKE key pair.
func newKeyPair(s mls.Suite) (private Secret, public []byte, err error) {
	kem, _, _ := s.HPKE()
	key, err := kem.GenerateKey()
	if err != nil {
		return Secret{}, nil, fmt.Errorf("generate a key pair: %w", err)
	}
	return splitKey(key)
}

// deriveKeyPair is KEM.DeriveKeyPair.
func deriveKeyPair(s mls.Suite, ikm Secret) (private Secret, public []byte, err error) {
	kem, _, _ := s.HPKE()
	key, err := kem.DeriveKeyPair(ikm.bytes())
	if err != nil {
		return Secret{}, nil, fmt.Errorf("derive a key pair: %w", err)
	}
	return splitKey(key)
}

func splitKey(key hpke.PrivateKey) (Secret, []byte, error) {
	b, err := key.Bytes()
	if err != nil {
		return Secret{}, nil, err
	}
	return NewSecret(b), key.PublicKey().Bytes(), nil
}

// publicOf returns the public key to a private HPKE key.
func publicOf(s mls.Suite, private Secret) ([]byte, error) {
	kem, _, _ := s.HPKE()
	key, err := kem.NewPrivateKey(private.bytes())
	if err != nil {
		return nil, err
	}
	return key.PublicKey().Bytes(), nil
}

// Signer is a member's signature key pair. The private key does not print or
// marshal.
type Signer struct {
	scheme mls.SignatureScheme
	public []byte
	priv   Secret
	ready  Secret // for Ed25519: the ed25519.PrivateKey, so that it is not computed for each signature
}

// NewSigner makes a fresh key pair for the suite's signature scheme.
func NewSigner(suite mls.Suite) (Signer, error) {
	if !suite.Supported() {
		return Signer{}, fmt.Errorf("%w: %v", mls.ErrSuite, suite)
	}
	if scheme := suite.Signature(); scheme != mls.Ed25519 {
		b, err := newECDSA(scheme)
		if err != nil {
			return Signer{}, err
		}
		return ParseSigner(suite, b)
	}
	return ParseSigner(suite, randomBytes(ed25519.SeedSize))
}

// ParseSigner makes a Signer from a private key: for Ed25519 the 32-byte seed,
// for ECDSA the scalar, of 32, 48 or 66 bytes.
func ParseSigner(suite mls.Suite, private []byte) (Signer, error) {
	if !suite.Supported() {
		return Signer{}, fmt.Errorf("%w: %v", mls.ErrSuite, suite)
	}
	return parseSigner(suite.Signature(), private)
}

func parseSigner(scheme mls.SignatureScheme, private []byte) (Signer, error) {
	s := Signer{scheme: scheme, priv: NewSecret(private)}
	switch scheme {
	case mls.Ed25519:
		if len(private) != ed25519.SeedSize {
			return Signer{}, fmt.Errorf("%w: private key of %d bytes", mls.ErrSignatureKey, len(private))
		}
		key := ed25519.NewKeyFromSeed(private)
		s.public, s.ready = key.Public().(ed25519.PublicKey), own(key)
	default:
		public, err := publicECDSA(scheme, private)
		if err != nil {
			return Signer{}, err
		}
		s.public = public
	}
	return s, nil
}

// Public returns the public key, as it stands in leaf nodes.
func (s Signer) Public() []byte { return s.public }

// Private returns the private key; its Export is what ParseSigner takes.
func (s Signer) Private() Secret { return s.priv }

// SignWithLabel signs content under label, without the prefix "MLS 1.0 "
// (RFC 9420 §5.1.2).
func (s Signer) SignWithLabel(label string, content []byte) ([]byte, error) {
	message := mls.SignContent(label, content)
	if s.scheme == mls.Ed25519 {
		return ed25519.Sign(s.ready.bytes(), message), nil
	}
	return signECDSA(s.scheme, s.priv.bytes(), message)
}

// signLeaf fills in the signature of a leaf node.
func (s Signer) signLeaf(l *mls.LeafNode, groupID []byte, index mls.LeafIndex) error {
	content, err := l.SignedContent(groupID, index)
	if err != nil {
		return err
	}
	l.Signature, err = s.SignWithLabel(mls.LeafNodeLabel, content)
	return err
}
