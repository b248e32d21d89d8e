package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
)

// in is an archive that is being read. Its entries are asked for in their order;
// what else is in it is refused.
type in struct {
	ctx  context.Context
	tar  *tar.Reader
	sums *spool // of what was read
	head *tar.Header
}

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrArchive, fmt.Errorf(format, args...))
}

// next moves to the next entry and returns its name.
func (r *in) next() (name string, err error) {
	if err := r.ctx.Err(); err != nil {
		return "", err
	}
	h, err := r.tar.Next()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "", broken("it is cut off")
	case err != nil:
		return "", r.failed(err)
	}
	// Of what a tar can hold only plain files are taken, by their names and sizes
	// alone: no links, no holes, no owners.
	if h.Typeflag != tar.TypeReg || h.Linkname != "" || h.Size < 0 {
		return "", broken("%.80q in it is no plain file", h.Name)
	}
	for k := range h.PAXRecords {
		if k != "size" && k != "path" {
			return "", broken("%.80q in it has the unknown record %.40q", h.Name, k)
		}
	}
	r.head = h
	return h.Name, nil
}

// failed tells errors of the archive from those of the system.
func (r *in) failed(err error) error {
	switch {
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong), errors.Is(err, tar.ErrInsecurePath), errors.Is(err, io.ErrUnexpectedEOF):
		return broken("%v", err)
	}
	return fmt.Errorf("read the backup: %w", err)
}

// copy writes the entry to w.
func (r *in) copy(w io.Writer) error {
	s := &summing{ctx: r.ctx, w: w, sum: sha256.New()}
	if _, err := io.Copy(s, source{r}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(r.sums, "%x  %s\n", s.sum.Sum(nil), r.head.Name)
	return err
}

// source reads the entry, so that its errors are told from those of the target.
type source struct{ r *in }

func (s source) Read(p []byte) (int, error) {
	n, err := s.r.tar.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = s.r.failed(err)
	}
	return n, err
}

// small returns an entry that has at most so many bytes.
func (r *in) small(most int64) ([]byte, error) {
	if r.head.Size > most {
		return nil, broken("%s has %d bytes, at most %d are taken", r.head.Name, r.head.Size, most)
	}
	var b bytes.Buffer
	err := r.copy(&b)
	return b.Bytes(), err
}

// end compares the sums, which are the current entry and the last one, with those
// of what was read.
func (r *in) end() error {
	want, err := r.sums.read()
	if err != nil {
		return err
	}
	if r.head.Size != r.sums.size {
		return broken("its sums are of other files than are in it")
	}
	given, mine := bufio.NewReader(source{r}), bufio.NewReader(want)
	for {
		a, err := given.ReadString('\n')
		b, err2 := mine.ReadString('\n')
		if err2 != nil && !errors.Is(err2, io.EOF) {
			return err2
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if a != b {
			_, name, _ := strings.Cut(strings.TrimSpace(b), "  ")
			return broken("%s in it is not what was written", name)
		}
		if a == "" {
			break
		}
	}
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return broken("something follows its sums")
	}
	return nil
}
