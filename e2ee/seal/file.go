package seal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/veche-im/veche/wire"
)

// PieceSize is how many plain bytes a piece holds; the last may hold fewer.
const PieceSize = wire.Piece

// PieceOverhead is how many bytes a sealed piece has more than its plain bytes.
const PieceOverhead = 16

// nonceSize is that of GCM: 11 bytes of piece number and the last flag.
const nonceSize = 12

// Pieces returns how many pieces a file of size plain bytes has: at least one.
func Pieces(size int64) int64 { return max(1, (size+PieceSize-1)/PieceSize) }

// SealedSize returns how many bytes a file of size plain bytes has once sealed.
func SealedSize(size int64) int64 { return size + PieceOverhead*Pieces(size) }

// PlainSize returns how many plain bytes sealed bytes hold, and whether there
// is a file of that sealed size at all.
func PlainSize(sealed int64) (int64, bool) {
	const full = PieceSize + PieceOverhead
	n := (sealed + full - 1) / full
	size := sealed - n*PieceOverhead
	if sealed < PieceOverhead || SealedSize(size) != sealed {
		return 0, false
	}
	return size, true
}

// piecer seals and opens single pieces under one key; there is one for each
// platform. ctx ends the wait where sealing is asynchronous.
type piecer interface {
	seal(ctx context.Context, nonce, plain []byte) ([]byte, error)
	open(ctx context.Context, nonce, sealed []byte) ([]byte, error) // ErrOpen
}

// pieceNonce is 11 bytes of big-endian piece number and 1 for the last piece.
func pieceNonce(i int64, last bool) []byte {
	var nonce [nonceSize]byte
	for at := nonceSize - 2; i > 0; at-- {
		nonce[at] = byte(i)
		i >>= 8
	}
	if last {
		nonce[nonceSize-1] = 1
	}
	return nonce[:]
}

// Sealer cuts a file into pieces and seals them in order. Its key is new and is
// used for this file alone, which is why a Sealer cannot be started over.
type Sealer struct {
	key   Key
	p     piecer
	r     io.Reader
	buf   []byte // one piece and the byte that tells whether another follows
	have  int    // bytes of buf that are filled
	next  int64
	size  int64
	sum   hash.Hash
	ended bool
	err   error
}

// NewSealer returns a Sealer of everything in r.
func NewSealer(r io.Reader) (*Sealer, error) {
	key := NewKey()
	p, err := newPiecer(context.Background(), key)
	if err != nil {
		return nil, err
	}
	return newSealer(key, p, r), nil
}

func newSealer(key Key, p piecer, r io.Reader) *Sealer {
	return &Sealer{key: key, p: p, r: r, buf: make([]byte, PieceSize+1), sum: sha256.New()}
}

// Next returns the next sealed piece, and io.EOF after the last. After any
// other error the Sealer is of no more use.
func (s *Sealer) Next(ctx context.Context) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	piece, err := s.step(ctx)
	if err != nil {
		s.err = err
	}
	return piece, err
}

func (s *Sealer) step(ctx context.Context) ([]byte, error) {
	if s.ended {
		return nil, io.EOF
	}
	n, err := io.ReadFull(s.r, s.buf[s.have:])
	s.have += n
	last := false
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		last = true
	case err != nil:
		return nil, fmt.Errorf("read piece %d: %w", s.next, err)
	}
	plain := s.buf[:min(s.have, PieceSize)]
	sealed, err := s.p.seal(ctx, pieceNonce(s.next, last), plain)
	if err != nil {
		return nil, fmt.Errorf("seal piece %d: %w", s.next, err)
	}
	s.sum.Write(sealed)
	s.next++
	s.size += int64(len(plain))
	s.ended = last
	if !last {
		s.buf[0] = s.buf[PieceSize]
		s.have = 1
	}
	return sealed, nil
}

// Result says what the message must carry.
type Result struct {
	Key    Key
	Size   int64     // plain bytes
	Sealed int64     // sealed bytes
	Hash   wire.Hash // SHA-256 of all sealed bytes
}

// Result returns what the message must carry once Next has returned io.EOF or
// the last piece; before that ok is false.
func (s *Sealer) Result() (res Result, ok bool) {
	if !s.ended {
		return Result{}, false
	}
	return Result{s.key, s.size, SealedSize(s.size), wire.Hash(s.sum.Sum(nil))}, true
}

// Opener opens the pieces of one file in any order. It is safe for use by
// several goroutines.
type Opener struct {
	p    piecer
	size int64
}

// NewOpener returns an Opener for a file of size plain bytes under key.
func NewOpener(ctx context.Context, key Key, size int64) (*Opener, error) {
	if size < 0 || key.IsZero() {
		return nil, ErrOpen
	}
	p, err := newPiecer(ctx, key)
	if err != nil {
		return nil, err
	}
	return &Opener{p, size}, nil
}

// Size returns the file's plain size in bytes.
func (o *Opener) Size() int64 { return o.size }

// Pieces returns how many pieces the file has.
func (o *Opener) Pieces() int64 { return Pieces(o.size) }

// Sealed returns where piece i stands among the sealed bytes.
func (o *Opener) Sealed(i int64) (offset, size int64) {
	offset = i * (PieceSize + PieceOverhead)
	return offset, min(SealedSize(o.size)-offset, PieceSize+PieceOverhead)
}

// Open returns the plain bytes of piece i, counted from 0. Anything but exactly
// that piece of this file is ErrOpen.
func (o *Opener) Open(ctx context.Context, i int64, sealed []byte) ([]byte, error) {
	if i < 0 || i >= o.Pieces() {
		return nil, ErrOpen
	}
	if _, n := o.Sealed(i); n != int64(len(sealed)) {
		return nil, ErrOpen
	}
	return o.p.open(ctx, pieceNonce(i, i == o.Pieces()-1), sealed)
}

// Range returns the pieces that hold the plain bytes from offset on: the first
// and the one after the last, and how many bytes of the first to skip.
func (o *Opener) Range(offset, n int64) (first, end, skip int64) {
	offset = min(max(offset, 0), o.size)
	n = min(max(n, 0), o.size-offset)
	if n == 0 {
		return 0, 0, 0
	}
	first = offset / PieceSize
	return first, (offset+n-1)/PieceSize + 1, offset - first*PieceSize
}
