package db

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
)

// quickUpTo is the size, in bytes, up to which Open looks at every page: about
// a tenth of a second. Larger files get a look at their edges at start, and
// Check when an administrator asks.
const quickUpTo = 64 << 20

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

// cheapCheck looks for damage in a time that does not grow with the file.
func (c *conn) cheapCheck(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.Size() <= quickUpTo {
		return c.integrity("PRAGMA quick_check(1)")
	}
	if err := sizeFits(path, st.Size()); err != nil {
		return err
	}
	rows, err := c.c.QueryContext(c.ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		return err
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			rows.Close()
			return err
		}
		names = append(names, name)
	}
	if err := rows.Close(); err != nil {
		return err
	}
	for _, name := range names {
		// The first and the last row: the way from the root to both edges.
		q := fmt.Sprintf(`SELECT count(*) FROM (SELECT * FROM (SELECT * FROM %q ORDER BY rowid LIMIT 1) UNION ALL SELECT * FROM (SELECT * FROM %q ORDER BY rowid DESC LIMIT 1))`, name, name)
		var n int
		if err := c.c.QueryRowContext(c.ctx, q).Scan(&n); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
	}
	return nil
}

// sizeFits refuses a file that is shorter than its header says. A file that the
// write-ahead log has yet to lengthen has an old header, so it passes.
func sizeFits(path string, size int64) error {
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

// integrity runs a checking pragma, which answers "ok" or names faults.
func (c *conn) integrity(pragma string) error {
	rows, err := c.c.QueryContext(c.ctx, pragma)
	if err != nil {
		return err
	}
	defer rows.Close()
	var faults []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err
		}
		if s != "ok" && len(faults) < 5 {
			s = strings.TrimPrefix(s, "*** in database main ***\n")
			faults = append(faults, strings.ReplaceAll(s, "\n", ", "))
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %s", ErrDamaged, strings.Join(faults, "; "))
	}
	return nil
}

// Check reads the whole database, its indices included, and returns ErrDamaged
// where they do not fit. It takes about a second for a hundred megabytes and
// one of the readers for as long.
func (d *DB) Check(ctx context.Context) error {
	return d.View(ctx, func(tx *Tx) error {
		err := tx.conn.integrity("PRAGMA integrity_check(5)")
		if kindOf(err) == damaged {
			return fmt.Errorf("check %s: %w: %w", d.cfg.Path, ErrDamaged, err)
		}
		return err
	})
}
