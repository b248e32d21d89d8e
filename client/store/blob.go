package store

import (
	"fmt"

	"github.com/veche-im/veche/wire"
)

// Blob is the sealed bytes of a file, as far as they are on this device: an
// upload that must survive a restart, or a cached download. Pieces are stored
// as they are sealed, so no key is needed to move them.
type Blob struct {
	N      int64       // given by NewBlob
	ID     wire.BlobID // on the server; zero until it has one
	Size   int64       // sealed bytes, 0 until known
	Sent   int64       // sealed bytes that the server has of an upload
	Pinned bool        // an upload that is not done: never evicted
	Used   wire.Millis // when it was last looked at
}

const blobColumns = `n, id, size, sent, pinned, used`

func readBlob(r row) (b Blob, err error) {
	err = r.scan(&b.N, &b.ID, &b.Size, &b.Sent, &b.Pinned, &b.Used)
	return b, err
}

// NewBlob makes room for a file's pieces and returns its number.
func NewBlob(tx *Tx, b Blob) (n int64, err error) {
	const q = `INSERT INTO blob (id, size, sent, pinned, used) VALUES (?1, ?2, ?3, ?4, ?5)`
	res, err := tx.exec(q, orNull(b.ID), b.Size, b.Sent, b.Pinned, b.Used)
	return res.LastID, err
}

// GetBlob returns a blob by its number, ErrNone if it is not here.
func GetBlob(tx *Tx, n int64) (Blob, error) {
	return one(tx, readBlob, `SELECT `+blobColumns+` FROM blob WHERE n = ?1`, n)
}

// BlobByID returns a blob by its name on the server, ErrNone if it is not here.
func BlobByID(tx *Tx, id wire.BlobID) (Blob, error) {
	return one(tx, readBlob, `SELECT `+blobColumns+` FROM blob WHERE id = ?1`, id)
}

// PutBlob stores what has become of a blob, ErrNone if it is not here any more.
func PutBlob(tx *Tx, b Blob) error {
	const q = `UPDATE blob SET id = ?2, size = ?3, sent = ?4, pinned = ?5, used = ?6 WHERE n = ?1`
	res, err := tx.exec(q, b.N, orNull(b.ID), b.Size, b.Sent, b.Pinned, b.Used)
	if err == nil && res.Changes == 0 {
		err = fmt.Errorf("blob %d: %w", b.N, ErrNone)
	}
	return err
}

// TouchBlob says that a blob was looked at.
func TouchBlob(tx *Tx, n int64, now wire.Millis) error {
	_, err := tx.exec(`UPDATE blob SET used = max(used, ?2) WHERE n = ?1`, n, now)
	return err
}

// DeleteBlob forgets a blob and its pieces; files that had it have it no more.
func DeleteBlob(tx *Tx, n int64) error {
	_, err := tx.exec(`DELETE FROM blob WHERE n = ?1`, n)
	return err
}

// PutPiece stores sealed piece i of a blob.
func PutPiece(tx *Tx, blob, i int64, sealed []byte) error {
	const drop = `DELETE FROM blob_piece WHERE blob = ?1 AND n = ?2`
	if _, err := tx.exec(drop, blob, i); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO blob_piece (blob, n, size, data) VALUES (?1, ?2, ?3, ?4)`, blob, i, len(sealed), bytesOf(sealed))
	return err
}

// GetPiece returns sealed piece i of a blob, ErrNone if it is not here.
func GetPiece(tx *Tx, blob, i int64) ([]byte, error) {
	return value[[]byte](tx, `SELECT data FROM blob_piece WHERE blob = ?1 AND n = ?2`, blob, i)
}

// Pieces returns the numbers of the pieces of a blob that are here, in order,
// and their bytes in all.
func Pieces(tx *Tx, blob int64) (have []int64, size int64, err error) {
	// The index has all three columns, so the pieces themselves are not read.
	have, err = all(tx, func(r row) (n int64, err error) {
		var s int64
		err = r.scan(&n, &s)
		size += s
		return n, err
	}, `SELECT n, size FROM blob_piece WHERE blob = ?1 ORDER BY n`, blob)
	return have, size, err
}

// CacheSize returns the sealed bytes of all blobs that may be evicted.
func CacheSize(tx *Tx) (int64, error) {
	return value[int64](tx, `SELECT coalesce(sum(p.size), 0) FROM blob b JOIN blob_piece p ON p.blob = b.n WHERE b.pinned = 0`)
}

// Evict deletes the blobs that were not looked at for longest until what may be
// evicted has at most max bytes. It returns what it deleted.
func Evict(tx *Tx, max int64) (gone []Blob, err error) {
	size, err := CacheSize(tx)
	if err != nil {
		return nil, err
	}
	for size > max {
		oldest, err := one(tx, readBlob, `SELECT `+blobColumns+` FROM blob WHERE pinned = 0 ORDER BY used, n LIMIT 1`)
		if err != nil {
			return gone, err
		}
		_, bytes, err := Pieces(tx, oldest.N)
		if err != nil {
			return gone, err
		}
		if err := DeleteBlob(tx, oldest.N); err != nil {
			return gone, err
		}
		size -= bytes
		gone = append(gone, oldest)
	}
	return gone, nil
}
