package group

import (
	"crypto/hkdf"
	"crypto/hmac"
	"hash"

	"github.com/veche-im/veche/mls"
)

// extract is KDF.Extract (RFC 9420 §8).
func extract(s mls.Suite, salt, ikm Secret) Secret {
	prk, err := hkdf.Extract(s.NewHash, ikm.bytes(), salt.bytes())
	if err != nil {
		panic(err) // only a hash that FIPS mode forbids
	}
	return own(prk)
}

// kdf derives secrets from one: HKDF-Expand of RFC 5869, with its HMAC keyed
// once. crypto/hkdf would do that again for each, which is most of the work.
type kdf struct {
	mac  hash.Hash
	info []byte
}

func newKDF(s mls.Suite, secret Secret) *kdf {
	return &kdf{mac: hmac.New(s.NewHash, secret.bytes()), info: make([]byte, 0, 128)}
}

// expandLabel is ExpandWithLabel (RFC 9420 §8). n is at most 255 hashes, which
// callers see to.
func (k *kdf) expandLabel(label string, context []byte, n int) Secret {
	var e mls.Encoder
	e.Into(k.info)
	e.Uint16(uint16(n))
	putLabel(&e, label)
	e.Bytes(context)
	info, err := e.Result()
	if err != nil {
		panic(err)
	}
	k.info = info[:0]
	var block []byte
	out := make([]byte, 0, n+k.mac.Size())
	for i := byte(1); len(out) < n; i++ {
		k.mac.Reset()
		k.mac.Write(block)
		k.mac.Write(info)
		k.mac.Write([]byte{i})
		at := len(out)
		out = k.mac.Sum(out)
		block = out[at:]
	}
	clear(out[n:])
	return own(out[:n:n])
}

// putLabel writes a label with the prefix that all labels of MLS have.
func putLabel(e *mls.Encoder, label string) {
	var b [64]byte
	e.Bytes(append(append(b[:0], "MLS 1.0 "...), label...))
}

// expandLabel is ExpandWithLabel (RFC 9420 §8) where one secret is derived.
func expandLabel(s mls.Suite, secret Secret, label string, context []byte, n int) Secret {
	return newKDF(s, secret).expandLabel(label, context, n)
}

// derive is DeriveSecret (RFC 9420 §8).
func derive(s mls.Suite, secret Secret, label string) Secret {
	return expandLabel(s, secret, label, nil, s.HashSize())
}
