package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Fault is a blob whose file is not what its row says.
type Fault struct {
	Blob wire.BlobID
	What string
}

// Check holds the rows of blobs that are complete, got from view, against the
// files in dir, and tells what does not fit. It returns how many it has looked at.
func Check(ctx context.Context, view func(context.Context, func(*db.Tx) error) error, dir string, tell func(Fault)) (n int64, err error) {
	type row struct {
		id   wire.BlobID
		size int64
	}
	var last wire.BlobID
	for first := true; ; first = false {
		var page []row
		err := view(ctx, func(tx *db.Tx) error {
			page = nil
			return tx.Each(func(r *db.Rows) error {
				var b row
				if err := r.Scan(&b.id, &b.size); err != nil {
					return err
				}
				page = append(page, b)
				return nil
			}, `SELECT id, size FROM blob WHERE (id > $1 OR $2 = 1) AND have = size ORDER BY id LIMIT 500`, last, first)
		})
		if err != nil || len(page) == 0 {
			return n, err
		}
		for _, b := range page {
			n++
			st, err := os.Stat(filepath.Join(dir, Path(b.id)))
			switch {
			case errors.Is(err, fs.ErrNotExist) && gone(ctx, view, b.id):
			case err != nil:
				tell(Fault{b.id, err.Error()})
			case st.Size() < b.size:
				tell(Fault{b.id, fmt.Sprintf("its file has %d bytes of %d", st.Size(), b.size)})
			}
		}
		last = page[len(page)-1].id
	}
}

// gone reports whether the blob was deleted while Check looked at others.
func gone(ctx context.Context, view func(context.Context, func(*db.Tx) error) error, id wire.BlobID) bool {
	var one int64
	err := view(ctx, func(tx *db.Tx) error { return tx.QueryRow(`SELECT 1 FROM blob WHERE id = $1`, id).Scan(&one) })
	return errors.Is(err, db.ErrNone)
}
