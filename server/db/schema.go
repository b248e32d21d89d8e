package db

import (
	"fmt"
)

// Schema is the tables of one noun. Steps run once each, in order, for ever:
// a step that has been released is never edited, a change is a further step.
type Schema struct {
	Noun  string
	Steps []string // SQL, one or several statements
}

// migrate runs the steps that the file has not seen, all in one transaction. A
// file that has seen steps that this program does not know is left alone.
func (d *DB) migrate() (err error) {
	c := d.writer
	const table = `CREATE TABLE IF NOT EXISTS schema_version (noun TEXT PRIMARY KEY, version BIGINT NOT NULL)`
	have, err := d.versions()
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	known := make(map[string]int)
	for _, s := range d.cfg.Schemas {
		known[s.Noun] = len(s.Steps)
	}
	for noun, v := range have {
		if v > known[noun] {
			return fmt.Errorf("%w: its schema of %s is %d, this program knows %d; start the newer version, nothing was changed", ErrNewer, noun, v, known[noun])
		}
	}
	if have != nil && !d.behind(have) {
		return nil
	}
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = c.exec("ROLLBACK")
		}
	}()
	if err := c.exec(table); err != nil {
		return err
	}
	for _, s := range d.cfg.Schemas {
		for i := have[s.Noun]; i < len(s.Steps); i++ {
			if _, err := c.c.ExecContext(c.ctx, s.Steps[i]); err != nil {
				return fmt.Errorf("bring the schema of %s from %d to %d: %w", s.Noun, i, i+1, err)
			}
		}
		const set = `INSERT INTO schema_version (noun, version) VALUES ($1, $2) ON CONFLICT (noun) DO UPDATE SET version = excluded.version`
		if _, err := c.c.ExecContext(c.ctx, set, s.Noun, len(s.Steps)); err != nil {
			return err
		}
	}
	return c.exec("COMMIT")
}

func (d *DB) behind(have map[string]int) bool {
	for _, s := range d.cfg.Schemas {
		if have[s.Noun] < len(s.Steps) {
			return true
		}
	}
	return false
}

// versions returns what the file has seen, nil if it is new.
func (d *DB) versions() (map[string]int, error) {
	c := d.writer
	var n int
	if err := c.c.QueryRowContext(c.ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'`).Scan(&n); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, nil
	}
	rows, err := c.c.QueryContext(c.ctx, `SELECT noun, version FROM schema_version`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	have := make(map[string]int)
	for rows.Next() {
		var noun string
		var v int
		if err := rows.Scan(&noun, &v); err != nil {
			return nil, err
		}
		have[noun] = v
	}
	return have, rows.Err()
}
