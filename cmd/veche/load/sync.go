package load

import (
	"os"
	"path/filepath"
	"time"
)

// Syncing measures how long it takes until 4 KiB are on the disk that dir is on.
// It leaves a file of some 800 KB there.
func Syncing(dir string) (*Histogram, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, page := new(Histogram), make([]byte, 4096)
	for range 200 {
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return nil, err
		}
		h.Add(time.Since(began))
	}
	return h, nil
}
