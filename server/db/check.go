package db

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// checkHeader refuses a file that is no SQLite database, before SQLite opens
// it and leaves its own files beside it.
func checkHeader(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var head [100]byte
	if _, err := io.ReadFull(f, head[:]); err != nil || string(head[:16]) != "SQLite format 3\x00" {
		return fmt.Errorf("%w: this is no SQLite database", ErrDamaged)
	}
	return nil
}

// sizeFits refuses a file that is shorter than its header says. As long as there
// is a write-ahead log, the rest may be in that: a crash while it was moved leaves
// a new header on an old file.
func sizeFits(path string, size int64) error {
	if st, err := os.Stat(path + "-wal"); err == nil && st.Size() > 0 {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var head [100]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return err
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	if pages := int64(binary.BigEndian.Uint32(head[28:])); pages*page > size {
		return fmt.Errorf("%w: it should have %d bytes and has %d", ErrDamaged, pages*page, size)
	}
	return nil
}

// Check reads the whole database, its indices included, and returns what does not
// fit, in SQLite's words, at most a hundred. It takes about a second for a hundred
// megabytes and one of the readers for as long.
func (d *DB) Check(ctx context.Context) (faults []string, err error) {
	err = d.View(ctx, func(tx *Tx) error {
		faults, err = tx.conn.faults("PRAGMA integrity_check(100)")
		return err
	})
	return faults, err
}
