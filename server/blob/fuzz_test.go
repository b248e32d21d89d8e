package blob_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/blob"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/wire"
)

// Pieces of a file come at any offset, of any size, and break off: what is there
// is always what arrived in order, never more than was announced.
func FuzzAppend(f *testing.F) {
	store, err := db.Open(f.Context(), db.Config{Path: filepath.Join(f.TempDir(), "veche.db"), Log: slog.New(slog.DiscardHandler), Schemas: []db.Schema{room.Schema, blob.Schema}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	s, err := blob.New(blob.Config{DB: store, Dir: filepath.Join(f.TempDir(), "blobs"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	s.FailSync(nil) // no sync at all: what a disk does is another test's
	a := authz.Actor{Account: wire.NewAccountID(), Device: wire.NewDeviceID(), State: wire.DeviceActive}
	f.Add(uint16(10), []byte{0, 5, 0, 5, 5, 0})
	f.Add(uint16(1), []byte{0, 2, 0, 0, 1, 1})
	f.Add(uint16(300), []byte{0, 200, 1, 100, 200, 0, 255, 255, 255})
	f.Fuzz(func(t *testing.T, size uint16, steps []byte) {
		ctx := t.Context()
		st, err := s.Create(ctx, a, int64(size))
		if size == 0 {
			if wire.CodeOf(err) != wire.BadRequest {
				t.Fatal(err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Delete(ctx, a, st.Blob); err != nil {
				t.Fatal(err)
			}
		}()
		var want []byte
		for n := 0; len(steps) >= 3 && n < 8; n++ { // offset, length, whether it breaks off
			offset, length, breaks := int64(steps[0]), int(steps[1]), steps[2]&1 == 1
			steps = steps[3:]
			piece := bytes.Repeat([]byte{byte('a' + n)}, length)
			var body io.Reader = bytes.NewReader(piece)
			if breaks {
				body = io.MultiReader(body, iotest.ErrReader(errors.New("cut")))
			}
			got, err := s.Append(ctx, a, st.Blob, offset, body)
			inPlace, fits := offset == int64(len(want)), len(want)+length <= int(size)
			if inPlace && fits {
				want = append(want, piece...)
			}
			switch code := wire.CodeOf(err); {
			case !inPlace && code != wire.Conflict:
				t.Fatalf("at %d of %d: %v", offset, len(want), err)
			case inPlace && !fits && code != wire.TooLarge:
				t.Fatalf("%d more at %d of %d: %v", length, len(want), size, err)
			case inPlace && fits && breaks && err == nil:
				t.Fatal("what broke off is taken for whole")
			case inPlace && fits && !breaks && (err != nil || got.Have != int64(len(want))):
				t.Fatalf("%+v %v, have %d", got, err, len(want))
			}
		}
		now, err := s.State(ctx, a, st.Blob)
		if err != nil || now.Have != int64(len(want)) || now.Have > now.Size {
			t.Fatalf("%+v %v, want %d", now, err, len(want))
		}
		file, err := s.Open(ctx, a, st.Blob)
		if complete := len(want) == int(size); complete != (err == nil) {
			t.Fatalf("%d of %d bytes open: %v", len(want), size, err)
		}
		if err == nil {
			b, err := io.ReadAll(file)
			file.Close()
			if err != nil || !bytes.Equal(b, want) {
				t.Fatalf("%q came back, %v", b, err)
			}
		}
	})
}
