//go:build !js

package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
)

// gcm seals pieces with crypto/aes.
type gcm struct{ aead cipher.AEAD }

func newPiecer(_ context.Context, k Key) (piecer, error) {
	block, err := aes.NewCipher(k.Bytes())
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return gcm{aead}, nil
}

func (g gcm) seal(ctx context.Context, nonce, plain []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return g.aead.Seal(nil, nonce, plain, nil), nil
}

func (g gcm) open(ctx context.Context, nonce, sealed []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	plain, err := g.aead.Open(nil, nonce, sealed, nil)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
