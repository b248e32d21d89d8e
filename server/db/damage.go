package db

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// What is damaged in a file that holds many rooms is mostly a page or a row: it
// belongs to some of them, and the others go on. So who meets damage is undone and hears
// ErrDamaged; SQLite gives up the transaction with it, so those that shared it
// hear ErrBusy, and who comes next gets one of its own for a while. Open refuses only what would
// spread: a file that is cut off, one whose schema or whose tables' roots cannot
// be read, and one that counts a page as belonging to two (or to a table and to
// the free ones), because writing to such a file destroys what is still whole.
// docs/adr/0015-damage-stays-where-it-is.md.

// quickUpTo is the size, in bytes, up to which Open looks at every page: about
// a tenth of a second. Larger files get a look at their roots at start, and
// Check when an administrator asks.
const quickUpTo = 64 << 20

// hurt returns what a transaction comes to that may have met damage, and has that
// told.
func (d *DB) hurt(tx *Tx, err error) error {
	if tx.damaged != nil {
		d.tell(tx.damaged)
		if err != nil && !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", err, tx.damaged)
		}
	} else if errors.Is(err, ErrDamaged) { // found by who looked at the rows
		d.tell(err)
	}
	return err
}

func (d *DB) tell(err error) {
	d.damaged.Store(true)
	d.cfg.Damage(err)
}

// Damaged reports whether damage was met since Open. Who deletes what no row
// names should not believe the rows then.
func (d *DB) Damaged() bool { return d.damaged.Load() }

// look is Open's, in a time that does not grow with the file.
func (d *DB) look() error {
	c := d.writer
	st, err := os.Stat(d.cfg.Path)
	if err != nil {
		return err
	}
	if err := sizeFits(d.cfg.Path, st.Size()); err != nil {
		return err
	}
	if err := c.roots(); err != nil {
		return err
	}
	if st.Size() > quickUpTo {
		return nil
	}
	faults, err := c.faults("PRAGMA quick_check(100)")
	if err != nil {
		return err
	}
	for _, f := range faults {
		if spreads(f) {
			return fmt.Errorf("%w: %s", ErrDamaged, f)
		}
	}
	if len(faults) > 0 {
		err := fmt.Errorf("%w: %s", ErrDamaged, strings.Join(faults[:min(3, len(faults))], "; "))
		d.cfg.Log.Error("a part of the database is damaged: what it belongs to is refused, all else goes on; see veche check", "err", err)
		d.tell(err)
	}
	return nil
}

// spreads reports whether writing to a file with this fault, in the words of
// SQLite, could overwrite what is whole.
func spreads(fault string) bool {
	return strings.Contains(fault, "2nd reference") || strings.HasPrefix(fault, "Freelist") || strings.Contains(fault, "freelist")
}

// roots looks at the schema and at the first page of every table and index.
func (c *conn) roots() error {
	rows, err := c.c.QueryContext(c.ctx, `SELECT s.name, s.type, substr(p.data, 1, 1) FROM sqlite_schema s JOIN sqlite_dbpage p ON p.pgno = s.rootpage WHERE s.rootpage > 1`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind string
		var first []byte
		if err := rows.Scan(&name, &kind, &first); err != nil {
			return err
		}
		// The kinds of page of a b-tree, interior and leaf: SQLite's file format, §1.6.
		want := []byte{5, 13}
		if kind == "index" {
			want = []byte{2, 10}
		}
		if len(first) != 1 || first[0] != want[0] && first[0] != want[1] {
			return fmt.Errorf("%w: the root of %s cannot be read", ErrDamaged, name)
		}
	}
	return rows.Err()
}

// faults runs a checking pragma, which answers "ok" or names faults. Its second
// half reads the rows of each table, and ends where that meets a damaged page.
func (c *conn) faults(pragma string) (list []string, err error) {
	rows, err := c.c.QueryContext(c.ctx, pragma)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		if s == "ok" {
			continue
		}
		for line := range strings.Lines(strings.TrimPrefix(s, "*** in database main ***\n")) {
			list = append(list, strings.TrimSpace(line))
		}
	}
	if err := rows.Err(); kindOf(err) != damaged {
		return list, err
	}
	return append(list, rows.Err().Error()), nil
}
