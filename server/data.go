package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names in the data directory.
const (
	dbName   = "veche.db"
	lockName = "lock"
	tlsName  = "tls"
	blobName = "blobs"
)

// ErrRunning is in the chain of the error for a directory on which another
// server runs.
var ErrRunning = errors.New("another veche is running on this data directory")

// dataDir is the data directory, locked.
type dataDir struct {
	path  string
	lock  *os.File
	fresh bool // made by us
}

// look judges the directory without changing anything.
func look(path string) (exists bool, err error) {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the data directory cannot be used: %w", err)
	}
	for _, e := range entries {
		if e.Name() == dbName || e.Name() == lockName {
			return true, nil
		}
	}
	for _, e := range entries {
		if e.Name() != "lost+found" { // the root of a file system of its own
			return false, fmt.Errorf("the directory %s has other files in it and no Veche data; name an empty or a new one", path)
		}
	}
	return false, nil
}

// openData makes the directory if there is none and locks it.
func openData(path string) (*dataDir, error) {
	exists, err := look(path)
	if err != nil {
		return nil, err
	}
	d := &dataDir{path: path, fresh: !exists}
	if !exists {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("the data directory cannot be made: %w", err)
		}
	}
	if d.lock, err = lockFile(filepath.Join(path, lockName)); err != nil {
		if errors.Is(err, ErrRunning) {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return nil, fmt.Errorf("the data directory cannot be written to: %w", err)
	}
	if !exists {
		err = os.Chmod(path, 0o700) // one that was there and empty
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// close gives the lock back. The file stays: removing it would let two
// processes lock two files of one name.
func (d *dataDir) close() error { return d.lock.Close() }

func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }
