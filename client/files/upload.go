package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/room"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/wire"
)

// Upload implements room.Uploader.
func (f *Files) Upload(ctx context.Context, id wire.RoomID, item string) ([]byte, []wire.BlobID, error) {
	var row store.Item
	var list []store.File
	err := f.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		if row, err = store.GetItem(tx, id, item); err != nil {
			return err
		}
		list, err = store.Files(tx, id, item)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("files of %s: %w", item, err)
	}
	var files []content.File
	var blobs []wire.BlobID
	for _, file := range list {
		up, err := f.upload(ctx, file)
		if err != nil {
			return nil, nil, err
		}
		c, err := room.ContentFile(up)
		if err != nil {
			return nil, nil, err
		}
		files, blobs = append(files, c), append(blobs, up.Blob)
	}
	var reply *content.ID
	if len(row.Reply) == len(content.ID{}) {
		reply = (*content.ID)(row.Reply)
	}
	made, err := content.NewText(row.Text, files, reply)
	if err != nil {
		return nil, nil, api.Fail(api.TooLarge, "%v", err)
	}
	message := made.Message.ID(f.cfg.Account(), id, made.Content)
	err = f.update(ctx, place{id, item, 0}, func(tx *store.Tx) error {
		row, err := store.GetItem(tx, id, item)
		if err != nil {
			return err
		}
		row.Message, row.Content = message[:], made.Content
		return store.PutItem(tx, row)
	})
	return made.Content, blobs, err
}

// upload brings one file to the server and returns its row then.
func (f *Files) upload(ctx context.Context, file store.File) (store.File, error) {
	at := place{file.Room, file.Item, file.N}
	ctx, end, err := f.begin(ctx, at, file.Size)
	if err != nil {
		return file, err
	}
	defer end()
	if file, err = f.sealed(ctx, file); err != nil {
		return file, cancelled(ctx, err)
	}
	for range 2 { // once more where the server has forgotten what it had
		file, err = f.send(ctx, file)
		if wire.CodeOf(err) != wire.NotFound {
			return file, cancelled(ctx, err)
		}
		if err := f.restart(ctx, file); err != nil {
			return file, err
		}
	}
	return file, err
}

// cancelled makes the end of a file's own context the person's decision.
func cancelled(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errStopped) {
		return api.Fail(api.Cancelled, "stopped")
	}
	return err
}

var errStopped = errors.New("files: stopped")

// sealed seals a file into stored pieces, unless that was done. What was begun
// and not finished is thrown away: its key is used for nothing else.
func (f *Files) sealed(ctx context.Context, file store.File) (store.File, error) {
	at := place{file.Room, file.Item, file.N}
	if file.Key != nil && file.Local != 0 {
		return file, nil
	}
	if f.cfg.OpenSource == nil {
		return file, api.Fail(api.Unsupported, "files cannot be read here")
	}
	src, err := f.cfg.OpenSource(ctx, file.Source)
	if err != nil {
		f.cfg.Log.Info("file cannot be read any more", "err", err)
		return file, api.Fail(api.NotFound, "the file cannot be read any more: %v", err)
	}
	defer src.Close()
	old := file.Local
	err = f.update(ctx, at, func(tx *store.Tx) (err error) {
		if old != 0 {
			if err := store.DeleteBlob(tx, old); err != nil {
				return err
			}
		}
		if file.Local, err = store.NewBlob(tx, store.Blob{Pinned: true, Used: wire.Now(f.cfg.Now())}); err != nil {
			return err
		}
		return store.PutFile(tx, file)
	})
	if err != nil {
		return file, err
	}
	s, err := seal.NewSealer(io.NewSectionReader(src, 0, src.Size()))
	if err != nil {
		return file, err
	}
	for i := int64(0); ; i++ {
		piece, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if ctx.Err() != nil {
				return file, err
			}
			return file, api.Fail(api.NotFound, "the file cannot be read any more: %v", err)
		}
		if err := f.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.PutPiece(tx, file.Local, i, piece) }); err != nil {
			return file, noSpace(err)
		}
	}
	res, _ := s.Result()
	file.Key, file.Hash, file.Size, file.Source = res.Key.Bytes(), res.Hash[:], res.Size, ""
	return file, f.update(ctx, at, func(tx *store.Tx) error {
		b, err := store.GetBlob(tx, file.Local)
		if err != nil {
			return err
		}
		b.Size = res.Sealed
		if err := store.PutBlob(tx, b); err != nil {
			return err
		}
		return store.PutFile(tx, file)
	})
}

func noSpace(err error) error {
	if errors.Is(err, store.ErrFull) {
		return api.Fail(api.NoSpace, "no space left on this device")
	}
	return err
}

// send uploads what the server does not have yet of a sealed file.
func (f *Files) send(ctx context.Context, file store.File) (store.File, error) {
	at := place{file.Room, file.Item, file.N}
	var b store.Blob
	err := f.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
		b, err = store.GetBlob(tx, file.Local)
		return err
	})
	if err != nil {
		return file, err
	}
	var st wire.BlobState
	if b.ID.IsZero() {
		if st, err = f.ask(ctx, "POST", wire.PathBlobs, "", mustJSON(wire.NewBlob{Size: b.Size})); err != nil {
			return file, err
		}
		b.ID = st.Blob
		if err := f.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.PutBlob(tx, b) }); err != nil {
			return file, err
		}
	} else if st, err = f.ask(ctx, "GET", wire.PathBlob+b.ID.String()+"/state", "", nil); err != nil {
		return file, err
	}
	for st.Have < b.Size {
		if st.Have < 0 {
			return file, fmt.Errorf("%w: it has %d bytes of %s", link.ErrUnreachable, st.Have, b.ID)
		}
		f.progress(at, min(st.Have, file.Size))
		body, err := f.bytes(ctx, file.Local, st.Have, b.Size)
		if err != nil {
			return file, err
		}
		before := st.Have
		st, err = f.ask(ctx, "PUT", wire.PathBlob+b.ID.String()+"?offset="+strconv.FormatInt(st.Have, 10), wire.MIMEBlob, body)
		if wire.CodeOf(err) == wire.Conflict {
			st, err = f.ask(ctx, "GET", wire.PathBlob+b.ID.String()+"/state", "", nil)
			if err == nil && st.Have == before {
				err = wire.Refuse(wire.Busy, "another upload of the same file")
			}
		}
		if err != nil {
			return file, err
		}
	}
	file.Blob = b.ID
	b.Sent, b.Pinned, b.Used = b.Size, false, wire.Now(f.cfg.Now())
	return file, f.update(ctx, at, func(tx *store.Tx) error {
		if err := store.PutBlob(tx, b); err != nil {
			return err
		}
		if err := store.PutFile(tx, file); err != nil {
			return err
		}
		_, err := store.Evict(tx, f.cfg.Cache)
		return err
	})
}

// bytes returns sealed bytes from an offset on, of at most atOnce pieces.
func (f *Files) bytes(ctx context.Context, blob, from, size int64) ([]byte, error) {
	var out []byte
	first := from / sealedPiece
	for i := first; i < first+atOnce && i*sealedPiece < size; i++ {
		var piece []byte
		err := f.cfg.Store.View(ctx, func(tx *store.Tx) (err error) {
			piece, err = store.GetPiece(tx, blob, i)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("piece %d to send: %w", i, err)
		}
		if i == first {
			piece = piece[min(from-first*sealedPiece, int64(len(piece))):]
		}
		out = append(out, piece...)
	}
	return out, nil
}

// restart lets an upload begin again under another name, with the same bytes.
func (f *Files) restart(ctx context.Context, file store.File) error {
	return f.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		b, err := store.GetBlob(tx, file.Local)
		if err != nil {
			return err
		}
		b.ID, b.Sent, b.Pinned = wire.BlobID{}, 0, true
		return store.PutBlob(tx, b)
	})
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err)) // fixed types: cannot fail
	}
	return b
}

// ask makes a request about a blob, whose answer is its state.
func (f *Files) ask(ctx context.Context, method, path, kind string, body []byte) (st wire.BlobState, err error) {
	res, err := f.cfg.Link.Do(ctx, link.Request{Method: method, Path: path, Token: f.cfg.Token(), Type: kind, Body: body})
	if err != nil {
		return st, err
	}
	if !res.OK() {
		return st, link.Refusal(&res)
	}
	if err := json.Unmarshal(res.Body, &st); err != nil {
		return st, fmt.Errorf("%w: state of a blob: %w", link.ErrUnreachable, err)
	}
	return st, nil
}
