package files

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/wire"
)

// Open fetches what is not here of a file, checks all of it, and hands its plain
// bytes to a sink. A file that is not what its message says is api.Unopenable.
func (f *Files) Open(ctx context.Context, ref api.FileRef) (api.Opened, error) {
	if f.cfg.CreateSink == nil {
		return api.Opened{}, api.Fail(api.Unsupported, "files cannot be opened here")
	}
	at := place{ref.Room, ref.ID, ref.Index}
	file, err := f.get(ctx, at)
	if err != nil {
		return api.Opened{}, err
	}
	if file.Key == nil {
		return api.Opened{}, api.Fail(api.Busy, "the file is still being sealed")
	}
	key, err := seal.ParseKey(file.Key)
	if err != nil {
		return api.Opened{}, errors.Join(store.ErrDamaged, err)
	}
	own, end, err := f.begin(ctx, at, file.Size)
	if err != nil {
		return api.Opened{}, err
	}
	defer end()
	opener, err := seal.NewOpener(own, key, file.Size)
	if err != nil {
		return api.Opened{}, api.Fail(api.Unopenable, "the message names an impossible file")
	}
	blob, err := f.local(own, at, &file)
	if err == nil {
		err = f.fetch(own, at, blob, file, opener)
	}
	var opened api.Opened
	if err == nil {
		opened, err = f.pour(own, ref.Sink, blob, file, opener)
	}
	if errors.Is(err, seal.ErrOpen) {
		// Not for trying again with the same bytes.
		if err := f.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.DeleteBlob(tx, blob) }); err != nil {
			return opened, err
		}
		return opened, api.Fail(api.Unopenable, "the file does not open")
	}
	if err != nil && own.Err() != nil && ctx.Err() == nil {
		return opened, api.Fail(api.Cancelled, "stopped")
	}
	return opened, err
}

// local returns where the sealed bytes of a file are kept here.
func (f *Files) local(ctx context.Context, at place, file *store.File) (int64, error) {
	err := f.update(ctx, at, func(tx *store.Tx) error {
		if file.Local != 0 {
			return store.TouchBlob(tx, file.Local, wire.Now(f.cfg.Now()))
		}
		b, err := store.BlobByID(tx, file.Blob)
		if errors.Is(err, store.ErrNone) {
			b = store.Blob{ID: file.Blob, Size: seal.SealedSize(file.Size), Used: wire.Now(f.cfg.Now())}
			b.N, err = store.NewBlob(tx, b)
		}
		if err != nil {
			return err
		}
		file.Local = b.N
		return store.PutFile(tx, *file)
	})
	return file.Local, err
}

// fetch gets the pieces that are not here. Each is opened before it is stored,
// so that nothing but pieces of this file fills the cache.
func (f *Files) fetch(ctx context.Context, at place, blob int64, file store.File, opener *seal.Opener) error {
	var have []int64
	err := f.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		have, _, err = store.Pieces(tx, blob)
		return err
	})
	if err != nil {
		return err
	}
	for i := int64(0); i < opener.Pieces(); {
		if slices.Contains(have, i) {
			i++
			continue
		}
		n := int64(1)
		for n < atOnce && i+n < opener.Pieces() && !slices.Contains(have, i+n) {
			n++
		}
		f.progress(at, min(i*seal.PieceSize, file.Size))
		if err := f.fetchSome(ctx, blob, file, opener, i, n); err != nil {
			return err
		}
		i += n
	}
	return f.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := store.TouchBlob(tx, blob, wire.Now(f.cfg.Now())); err != nil {
			return err
		}
		// What was just fetched is the newest, and stays whatever its size.
		_, err := store.Evict(tx, max(f.cfg.Cache, seal.SealedSize(file.Size)))
		return err
	})
}

func (f *Files) fetchSome(ctx context.Context, blob int64, file store.File, opener *seal.Opener, first, n int64) error {
	from, _ := opener.Sealed(first)
	last, size := opener.Sealed(first + n - 1)
	to := last + size
	res, err := f.cfg.Link.Do(ctx, link.Request{
		Method: "GET", Path: wire.PathBlob + file.Blob.String(), Token: f.cfg.Token(), From: from, To: to, Max: int(to - from),
	})
	if err != nil {
		return err
	}
	if !res.OK() {
		return link.Refusal(&res)
	}
	if int64(len(res.Body)) != to-from {
		return fmt.Errorf("%w: %d bytes of a file instead of %d", link.ErrUnreachable, len(res.Body), to-from)
	}
	for i := first; i < first+n; i++ {
		start, size := opener.Sealed(i)
		piece := res.Body[start-from : start-from+size]
		if _, err := opener.Open(ctx, i, piece); err != nil {
			return err
		}
		if err := f.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.PutPiece(tx, blob, i, piece) }); err != nil {
			return noSpace(err)
		}
	}
	return nil
}

// pour hands the plain bytes to a sink, and commits it if the whole file has
// the hash that the message says.
func (f *Files) pour(ctx context.Context, name string, blob int64, file store.File, opener *seal.Opener) (api.Opened, error) {
	safe := content.SafeName(file.Name)
	sink, err := f.cfg.CreateSink(ctx, name, SinkInfo{Name: safe, Type: file.Type, Size: file.Size})
	if err != nil {
		return api.Opened{}, err
	}
	done := false
	defer func() {
		if !done {
			sink.Abort()
		}
	}()
	sum := sha256.New()
	for i := range opener.Pieces() {
		var piece []byte
		err := f.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
			piece, err = store.GetPiece(tx, blob, i)
			return err
		})
		if err != nil {
			return api.Opened{}, err
		}
		sum.Write(piece)
		plain, err := opener.Open(ctx, i, piece)
		if err != nil {
			return api.Opened{}, err
		}
		if _, err := sink.Write(plain); err != nil {
			return api.Opened{}, fmt.Errorf("write %q: %w", safe, err)
		}
	}
	if string(sum.Sum(nil)) != string(file.Hash) {
		return api.Opened{}, seal.ErrOpen
	}
	source, err := sink.Commit()
	if err != nil {
		return api.Opened{}, fmt.Errorf("write %q: %w", safe, err)
	}
	done = true
	return api.Opened{Source: source, Name: safe, Type: file.Type, Size: file.Size}, nil
}
