package blob

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/veche-im/veche/wire"
)

// dir is a directory of files named by blob ids, in folders named by the first
// two characters, so that none holds more than a thousandth of them.
type dir struct {
	path string
	sync func(*os.File) error // (*os.File).Sync, but for tests of disks that fail
}

// errSync is returned when what reached the disk is unknown.
var errSync = errors.New("sync failed")

func (d dir) file(id wire.BlobID) string { return filepath.Join(d.path, Path(id)) }

// Path is where the file of a blob stands below the directory.
func Path(id wire.BlobID) string {
	name := id.String()
	return filepath.Join(name[:2], name)
}

// write cuts the file of id to have bytes and appends what r holds. It returns
// how many bytes were appended and synced, even with an error: what arrived
// before a connection broke need not be sent again. Of a body that is too long,
// or that the disk had no room for, nothing counts.
func (d dir) write(id wire.BlobID, have int64, r io.Reader) (n int64, err error) {
	f, err := d.openForWriting(id, have)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err = io.Copy(f, r)
	if n == 0 || errors.Is(err, errTooLong) {
		return 0, err
	}
	if isFull(err) {
		return 0, errors.Join(err, f.Truncate(have)) // gives back what little there is
	}
	if serr := d.sync(f); serr != nil {
		if isFull(serr) {
			return 0, serr
		}
		return 0, fmt.Errorf("%w: %w", errSync, serr)
	}
	return n, err
}

func (d dir) openForWriting(id wire.BlobID, have int64) (f *os.File, err error) {
	path := d.file(id)
	if have == 0 {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
	}
	flags := os.O_WRONLY
	if have == 0 {
		flags |= os.O_CREATE
	}
	if f, err = os.OpenFile(path, flags, 0o600); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() < have {
		return nil, fmt.Errorf("blob %s has %d bytes on disk where %d were synced", id, st.Size(), have)
	}
	if err := f.Truncate(have); err != nil {
		return nil, err
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return nil, err
	}
	if have == 0 { // so that the synced bytes cannot lose their name
		if err := d.syncDir(filepath.Dir(path)); err != nil {
			return nil, err
		}
		if err := d.syncDir(d.path); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (d dir) syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.sync(f); err != nil {
		return fmt.Errorf("%w: %w", errSync, err)
	}
	return nil
}

func (d dir) open(id wire.BlobID, size int64) (*os.File, error) {
	f, err := os.Open(d.file(id))
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && st.Size() < size {
		err = fmt.Errorf("blob %s has %d bytes on disk where %d were synced", id, st.Size(), size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// remove deletes the file of id; that there is none is no error.
func (d dir) remove(id wire.BlobID) error {
	if err := os.Remove(d.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// each calls f for the id of every file. Files of other names are not ours and
// left alone.
func (d dir) each(f func(wire.BlobID) error) error {
	return filepath.WalkDir(d.path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		var id wire.BlobID
		if id.UnmarshalText([]byte(e.Name())) != nil || d.file(id) != path {
			return nil
		}
		return f(id)
	})
}

// isFull reports whether err says that the disk, or what we may use of it, is
// full.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
