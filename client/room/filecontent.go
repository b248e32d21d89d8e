package room

import (
	"errors"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/e2ee/seal"
	"github.com/veche-im/veche/wire"
)

// ContentFile is a stored file as a message names it. It must have been sealed
// and be on the server.
func ContentFile(f store.File) (content.File, error) {
	key, err := seal.ParseKey(f.Key)
	if err != nil || len(f.Hash) != len(wire.Hash{}) || f.Blob.IsZero() {
		return content.File{}, errors.New("room: file is not on the server yet")
	}
	c := standIn(f)
	c.Blob, c.Key, c.Hash = f.Blob, key, wire.Hash(f.Hash)
	return c, nil
}

// standIn is a file that has no place on the server yet: as long as the real
// one will be.
func standIn(f store.File) content.File {
	return content.File{
		Blob: wire.BlobID{1}, Key: seal.NewKey(), Size: f.Size, Hash: wire.Hash{1}, Name: f.Name, Type: f.Type,
		Width: f.Width, Height: f.Height, Thumb: f.Thumb, Preview: f.Preview, PreviewType: f.PreviewType,
	}
}
