package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Source is the site that Write writes. Dir, Log and Now are required.
type Source struct {
	Dir     string // the data directory, of which nobody else makes a site meanwhile
	Site    string // its address, if it is known
	Version string
	Log     *slog.Logger
	Now     func() time.Time
	// Keep has the files of deleted blobs stay until it is undone; nil: nobody
	// deletes any.
	Keep func() (undo func())
	// Begin hears how many bytes will be written, about; nil is nobody.
	Begin func(size int64)
}

// Summary is what Write wrote.
type Summary struct {
	Files   int64 // blobs
	Missing int64 // blobs that the database has and the disk has not
}

// Write writes the site as it stands to w, and nothing of what comes after its
// begin.
func Write(ctx context.Context, src Source, w io.Writer) (sum Summary, err error) {
	if src.Keep != nil {
		defer src.Keep()()
	}
	snap, err := db.OpenSnapshot(ctx, filepath.Join(src.Dir, dbName))
	if err != nil {
		return sum, err
	}
	defer snap.Close()
	o := &out{ctx: ctx, src: src, buf: bufio.NewWriterSize(w, 256<<10)}
	o.tar = tar.NewWriter(o.buf)
	if o.sums, err = newSpool(src.Dir); err != nil {
		return sum, err
	}
	defer o.sums.close()
	if o.blobs, err = newSpool(src.Dir); err != nil {
		return sum, err
	}
	defer o.blobs.close()
	if err := o.database(snap); err != nil {
		return sum, err
	}
	snap.Close() // what is written to it need not wait for the files
	if err := o.certificates(); err != nil {
		return sum, err
	}
	if err := o.files(); err != nil {
		return sum, err
	}
	return o.sum, o.end()
}

// out is an archive that is being written.
type out struct {
	ctx   context.Context
	src   Source
	tar   *tar.Writer
	buf   *bufio.Writer
	time  time.Time
	sums  *spool
	blobs *spool // id and size of each, 24 bytes
	sum   Summary
}

// database writes the manifest and the moment of the database.
func (o *out) database(snap *db.Snapshot) error {
	o.time = o.src.Now()
	m := Manifest{Format: Format, Version: o.src.Version, Site: o.src.Site, Time: wire.Now(o.time)}
	var files int64
	err := snap.View(o.ctx, func(tx *db.Tx) (err error) {
		if m.Schemas, err = snap.Versions(); err != nil {
			return fmt.Errorf("read the schemas: %w", err)
		}
		if account.HasLife(m.Schemas[account.Schema.Noun].Steps) {
			life, err := account.LifeOf(tx)
			if err != nil {
				return err
			}
			m.Life = life.ID
		}
		files, err = o.list(tx)
		return err
	})
	if err != nil {
		return err
	}
	size, err := snap.Size()
	if err != nil {
		return fmt.Errorf("measure the database: %w", err)
	}
	if o.src.Begin != nil {
		o.src.Begin(size + files)
	}
	b, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	if err := o.entry(manifestName, int64(len(b))+1, bytes.NewReader(append(b, '\n'))); err != nil {
		return err
	}
	return o.write(dbName, size, func(w io.Writer) error {
		n, err := snap.WriteTo(w)
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes of %d", n, size)
		}
		return err
	})
}

// list notes the blobs that are complete, and returns what they take.
func (o *out) list(tx *db.Tx) (size int64, err error) {
	err = tx.Each(func(r *db.Rows) error {
		var id wire.BlobID
		var n int64
		if err := r.Scan(&id, &n); err != nil {
			return err
		}
		size += n
		_, err := o.blobs.Write(binary.BigEndian.AppendUint64(id[:], uint64(n)))
		return err
	}, `SELECT id, size FROM blob WHERE have = size ORDER BY id`)
	if err != nil {
		return 0, fmt.Errorf("list the files: %w", err)
	}
	return size, nil
}

func (o *out) certificates() error {
	list, err := os.ReadDir(filepath.Join(o.src.Dir, tlsName))
	if err != nil {
		return fmt.Errorf("list the certificates: %w", err)
	}
	for _, e := range list {
		name := tlsName + "/" + e.Name()
		if _, ours := tlsFile(name); !ours || !e.Type().IsRegular() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(o.src.Dir, tlsName, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // one on its way to another name
		}
		if err != nil {
			return err
		}
		if err := o.entry(name, int64(len(b)), bytes.NewReader(b)); err != nil {
			return err
		}
	}
	return nil
}

func (o *out) files() error {
	r, err := o.blobs.read()
	if err != nil {
		return err
	}
	for {
		var b [24]byte
		if _, err := io.ReadFull(r, b[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := o.file(wire.BlobID(b[:16]), int64(binary.BigEndian.Uint64(b[16:]))); err != nil {
			return err
		}
	}
}

// file writes one blob. What a disk has lost must not keep all else from being
// backed up.
func (o *out) file(id wire.BlobID, size int64) error {
	name := blobEntry(id)
	f, err := os.Open(filepath.Join(o.src.Dir, filepath.FromSlash(name)))
	if err == nil {
		defer f.Close()
		var st os.FileInfo
		if st, err = f.Stat(); err == nil && st.Size() < size {
			err = fmt.Errorf("it has %d bytes of %d", st.Size(), size)
		}
	}
	if err != nil {
		o.sum.Missing++
		o.src.Log.Error("a file is missing in the backup, because the disk lost it", "blob", id, "err", err)
		return nil
	}
	o.sum.Files++
	return o.entry(name, size, f)
}

// entry writes size bytes of r as an entry.
func (o *out) entry(name string, size int64, r io.Reader) error {
	return o.write(name, size, func(w io.Writer) error {
		_, err := io.CopyN(w, r, size)
		return err
	})
}

func (o *out) write(name string, size int64, fill func(io.Writer) error) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: o.time.Truncate(time.Second)}
	if err := o.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	s := &summing{ctx: o.ctx, w: o.tar, sum: sha256.New()}
	if err := fill(s); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err := fmt.Fprintf(o.sums, "%x  %s\n", s.sum.Sum(nil), name)
	return err
}

// end writes the sums, which are the last entry.
func (o *out) end() error {
	r, err := o.sums.read()
	if err != nil {
		return err
	}
	if err := o.entry(sumsName, o.sums.size, r); err != nil {
		return err
	}
	return errors.Join(o.tar.Close(), o.buf.Flush())
}

// summing sums what goes through it, and ends with its context.
type summing struct {
	ctx context.Context
	w   io.Writer
	sum hash.Hash
}

func (s *summing) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	s.sum.Write(p[:n])
	return n, err
}
