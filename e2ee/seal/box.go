package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
)

// BoxOverhead is how many bytes a box has more than what is in it.
const BoxOverhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// Boxer seals the secrets in a device's database under its store key:
// nonce (24 random bytes) ‖ XChaCha20-Poly1305. A random nonce of that size can
// be drawn without ever keeping count.
type Boxer struct {
	aead cipher.AEAD
}

// NewBoxer returns a Boxer for k, which must be set.
func NewBoxer(k Key) *Boxer {
	aead, err := chacha20poly1305.NewX(k.Bytes())
	if err != nil {
		panic("seal: box without a key: " + err.Error())
	}
	return &Boxer{aead}
}

// Seal returns plain in a box that opens only at its place.
func (b *Boxer) Seal(plain []byte, at Place) []byte {
	box := make([]byte, chacha20poly1305.NonceSizeX, len(plain)+BoxOverhead)
	rand.Read(box)
	return b.aead.Seal(box, box, plain, at.ad())
}

// Open returns what is in box. A box from another place, or that was changed,
// is ErrOpen.
func (b *Boxer) Open(box []byte, at Place) ([]byte, error) {
	if len(box) < BoxOverhead {
		return nil, ErrOpen
	}
	n := chacha20poly1305.NonceSizeX
	plain, err := b.aead.Open(nil, box[:n], box[n:], at.ad())
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Place is where a box stands: it opens nowhere else.
type Place struct {
	Table  string
	Column string
	Row    []byte // the row's key
}

// ad is the label and the three parts, each with its length before it so that
// no two places read alike.
func (p Place) ad() []byte {
	ad := []byte("veche box v1")
	for _, part := range [...]string{p.Table, p.Column, string(p.Row)} {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(part)))
		ad = append(ad, part...)
	}
	return ad
}
