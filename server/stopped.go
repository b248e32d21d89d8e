package server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/veche-im/veche/server/db"
)

// OpenStopped opens the database of a site on which no server runs, and keeps
// one from starting there until close is called. ErrRunning is in the chain of
// the error where one does.
func OpenStopped(ctx context.Context, data string, log *slog.Logger) (store *db.DB, close func() error, err error) {
	d, err := openData(data)
	if err != nil {
		return nil, nil, err
	}
	if store, err = openDB(ctx, d, log, nil, nil); err != nil {
		return nil, nil, errors.Join(err, d.close())
	}
	return store, func() error { return errors.Join(store.Close(), d.close()) }, nil
}

// BlobDir is where the site in the directory data keeps sealed files.
func BlobDir(data string) string { return (&dataDir{path: data}).file(blobName) }
