package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// plain returns n bytes that are the same in every run.
func plain(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	if _, err := r.Read(b); err != nil {
		panic(err)
	}
	return b
}

func sealAll(t *testing.T, r io.Reader) ([][]byte, Result) {
	t.Helper()
	s, err := NewSealer(r)
	if err != nil {
		t.Fatal(err)
	}
	var pieces [][]byte
	for {
		if _, ok := s.Result(); ok && len(pieces) == 0 {
			t.Fatal("a result before the end")
		}
		p, err := s.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, p)
	}
	res, ok := s.Result()
	if !ok {
		t.Fatal("no result at the end")
	}
	return pieces, res
}

func opener(t *testing.T, r Result) *Opener {
	t.Helper()
	o, err := NewOpener(t.Context(), r.Key, r.Size)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAFileComesBackInAnyOrder(t *testing.T) {
	for _, n := range []int{0, 1, PieceSize - 1, PieceSize, PieceSize + 1, 3 * PieceSize, 3*PieceSize + 5} {
		want := plain(n)
		pieces, res := sealAll(t, bytes.NewReader(want))
		if res.Size != int64(n) || res.Sealed != SealedSize(int64(n)) || int64(len(pieces)) != Pieces(int64(n)) {
			t.Fatalf("%d bytes: %d pieces, result %d of %d", n, len(pieces), res.Size, res.Sealed)
		}
		if size, ok := PlainSize(res.Sealed); !ok || size != int64(n) {
			t.Errorf("%d bytes: plain size %d", n, size)
		}
		all := bytes.Join(pieces, nil)
		if int64(len(all)) != res.Sealed || sha256.Sum256(all) != res.Hash {
			t.Errorf("%d bytes: hash or sealed size is wrong", n)
		}
		o := opener(t, res)
		got := make([]byte, n)
		for i := o.Pieces() - 1; i >= 0; i-- {
			offset, size := o.Sealed(i)
			p, err := o.Open(t.Context(), i, all[offset:offset+size])
			if err != nil {
				t.Fatalf("%d bytes, piece %d: %v", n, i, err)
			}
			copy(got[i*PieceSize:], p)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back changed", n)
		}
	}
}

func TestAReaderThatGivesLittle(t *testing.T) {
	want := plain(PieceSize + 100)
	pieces, res := sealAll(t, iotest.HalfReader(bytes.NewReader(want)))
	if len(pieces) != 2 || res.Size != int64(len(want)) {
		t.Fatalf("%d pieces, %d bytes", len(pieces), res.Size)
	}
}

func TestAReaderThatFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	s, err := NewSealer(io.MultiReader(bytes.NewReader(plain(PieceSize+10)), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // the first piece is whole only once its successor is known
		if _, err = s.Next(t.Context()); err != nil {
			break
		}
	}
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("went on after a failure: %v", err)
	}
	if _, ok := s.Result(); ok {
		t.Fatal("half a file has a result")
	}
}

// TestASealerDoesNotTryAgain: a piece that failed half-way must not be sealed
// again with other bytes under its nonce.
func TestASealerDoesNotTryAgain(t *testing.T) {
	broken := errors.New("once")
	s, err := NewSealer(iotest.DataErrReader(&once{r: bytes.NewReader(plain(PieceSize + 10)), err: broken}))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Next(t.Context()); !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	}
}

// once fails at the first reading.
type once struct {
	r   io.Reader
	err error
}

func (o *once) Read(b []byte) (int, error) {
	if err := o.err; err != nil {
		o.err = nil
		return 0, err
	}
	return o.r.Read(b)
}

func TestEveryFileHasItsOwnKey(t *testing.T) {
	a, ra := sealAll(t, bytes.NewReader(plain(10)))
	b, rb := sealAll(t, bytes.NewReader(plain(10)))
	if ra.Key.Equal(rb.Key) || bytes.Equal(a[0], b[0]) {
		t.Fatal("two files under one key")
	}
}

// TestPiecesThatSomebodyTouched: what a server could do to the pieces of a file.
func TestPiecesThatSomebodyTouched(t *testing.T) {
	ctx := t.Context()
	pieces, res := sealAll(t, bytes.NewReader(plain(2*PieceSize)))
	three, longer := sealAll(t, bytes.NewReader(plain(2*PieceSize+5)))
	o := opener(t, res)
	flipped := bytes.Clone(pieces[0])
	flipped[100] ^= 1
	// The same key with another size: a file that was cut or that grew.
	cut, err := NewOpener(ctx, res.Key, PieceSize)
	if err != nil {
		t.Fatal(err)
	}
	grown, err := NewOpener(ctx, res.Key, 3*PieceSize)
	if err != nil {
		t.Fatal(err)
	}
	other := opener(t, longer)
	for name, open := range map[string]func() ([]byte, error){
		"a bit":                          func() ([]byte, error) { return o.Open(ctx, 0, flipped) },
		"another place":                  func() ([]byte, error) { return o.Open(ctx, 1, pieces[0]) },
		"the last in front":              func() ([]byte, error) { return o.Open(ctx, 0, pieces[1]) },
		"cut":                            func() ([]byte, error) { return o.Open(ctx, 0, pieces[0][:len(pieces[0])-1]) },
		"longer":                         func() ([]byte, error) { return o.Open(ctx, 0, append(bytes.Clone(pieces[0]), 0)) },
		"empty":                          func() ([]byte, error) { return o.Open(ctx, 0, nil) },
		"a piece after the last":         func() ([]byte, error) { return o.Open(ctx, 2, pieces[1]) },
		"a piece before the first":       func() ([]byte, error) { return o.Open(ctx, -1, pieces[0]) },
		"a file without its last piece":  func() ([]byte, error) { return cut.Open(ctx, 0, pieces[0]) },
		"a last piece that is not":       func() ([]byte, error) { return grown.Open(ctx, 1, pieces[1]) },
		"a piece of another file":        func() ([]byte, error) { return o.Open(ctx, 0, three[0]) },
		"a piece under another key":      func() ([]byte, error) { return other.Open(ctx, 0, pieces[0]) },
		"a short last piece of another":  func() ([]byte, error) { return other.Open(ctx, 2, pieces[1]) },
		"a size that makes a last piece": func() ([]byte, error) { return other.Open(ctx, 1, three[2]) },
	} {
		if p, err := open(); !errors.Is(err, ErrOpen) || p != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewOpener(ctx, res.Key, -1); !errors.Is(err, ErrOpen) {
		t.Errorf("a negative size: %v", err)
	}
	if _, err := NewOpener(ctx, Key{}, 1); !errors.Is(err, ErrOpen) {
		t.Errorf("no key: %v", err)
	}
}

func TestRange(t *testing.T) {
	o := &Opener{size: 3*PieceSize + 10}
	for _, tt := range []struct{ offset, n, first, end, skip int64 }{
		{0, 1, 0, 1, 0},
		{0, PieceSize, 0, 1, 0},
		{0, PieceSize + 1, 0, 2, 0},
		{PieceSize - 1, 2, 0, 2, PieceSize - 1},
		{PieceSize, 1, 1, 2, 0},
		{3 * PieceSize, 100, 3, 4, 0},
		{3*PieceSize + 9, 1 << 60, 3, 4, 9},
		{3*PieceSize + 10, 5, 0, 0, 0},
		{-5, 3, 0, 1, 0},
		{5, 0, 0, 0, 0},
	} {
		if first, end, skip := o.Range(tt.offset, tt.n); first != tt.first || end != tt.end || skip != tt.skip {
			t.Errorf("Range(%d, %d) = %d, %d, %d", tt.offset, tt.n, first, end, skip)
		}
	}
}

func TestPlainSizeOfWhatCannotBe(t *testing.T) {
	for _, n := range []int64{-1, 0, 15, PieceSize + 17, PieceSize + 31, 1 << 62} {
		if size, ok := PlainSize(n); ok && SealedSize(size) != n {
			t.Errorf("PlainSize(%d) = %d", n, size)
		}
	}
	for _, n := range []int64{0, 15, PieceSize + 17, PieceSize + 31} {
		if _, ok := PlainSize(n); ok {
			t.Errorf("there is a file of %d sealed bytes", n)
		}
	}
}

func TestNonces(t *testing.T) {
	seen := map[[nonceSize]byte]bool{}
	for _, i := range []int64{0, 1, 255, 256, 1 << 16, 1 << 40, 1<<63 - 1} {
		for _, last := range []bool{false, true} {
			n := [nonceSize]byte(pieceNonce(i, last))
			if seen[n] {
				t.Errorf("the nonce of piece %d is used twice", i)
			}
			seen[n] = true
		}
	}
	if n := pieceNonce(0x0102, true); !bytes.Equal(n, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1}) {
		t.Errorf("nonce %x", n)
	}
}

func TestAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	pieces, res := sealAll(t, bytes.NewReader(plain(10)))
	o := opener(t, res)
	cancel()
	if _, err := o.Open(ctx, 0, pieces[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
	s, err := NewSealer(bytes.NewReader(plain(10)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("seal: %v", err)
	}
}
