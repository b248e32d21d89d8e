package backup

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// spool keeps on disk what is too much for memory: written to its end, then read
// from its beginning. Its file has no name.
type spool struct {
	f    *os.File
	w    *bufio.Writer
	size int64
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, ".veche-list-*")
	if err != nil {
		return nil, fmt.Errorf("make a file for lists: %w", err)
	}
	// Without a name there is nothing to clean up after a crash. A system that does
	// not allow that keeps the file until close.
	_ = os.Remove(f.Name())
	return &spool{f: f, w: bufio.NewWriter(f)}, nil
}

func (s *spool) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.size += int64(n)
	return n, err
}

// read returns all that was written, from the beginning.
func (s *spool) read() (io.Reader, error) {
	if err := s.w.Flush(); err != nil {
		return nil, err
	}
	if _, err := s.f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return bufio.NewReader(s.f), nil
}

func (s *spool) close() {
	_ = s.f.Close() // only a list: nobody reads it again
	_ = os.Remove(s.f.Name())
}
