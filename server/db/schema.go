package db

import (
	"fmt"
)

// Schema is the tables of one noun. Steps run once each, in order, for ever:
// a step that has been released is never edited, a change is a further step.
//
// A step is additive if a program that does not know it can go on: it makes
// tables, indices, or columns that may be left out when a row is written. What
// such a program leaves out, the newer one fills in at its next start.
type Schema struct {
	Noun     string
	Steps    []string // SQL, one or several statements
	Additive int      // how many of the last steps are additive
}

// since is how many of the steps a program must know to run on all of them.
func (s Schema) since() int { return len(s.Steps) - s.Additive }

// Version is what a file has seen of one noun's steps.
type Version struct {
	Steps int `json:"steps"`
	Since int `json:"since"` // a program that knows so many can run on it
}

// migrate runs the steps that the file has not seen, all in one transaction: a
// crash leaves the file as it was. A file that has seen steps that this program
// does not know is taken as it is if it says that those are additive, and else
// left alone.
func (d *DB) migrate() (err error) {
	c := d.writer
	have, err := c.versions()
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if err := fits(have, d.cfg.Schemas); err != nil {
		return err
	}
	behind := have == nil
	for _, s := range d.cfg.Schemas {
		behind = behind || have[s.Noun].Steps < len(s.Steps)
	}
	if !behind {
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
	if err := c.makeVersions(); err != nil {
		return err
	}
	for _, s := range d.cfg.Schemas {
		from := have[s.Noun].Steps
		if from >= len(s.Steps) {
			continue
		}
		if have != nil {
			d.cfg.Log.Info("bringing the database up to date", "noun", s.Noun, "from", from, "to", len(s.Steps))
		}
		for i := from; i < len(s.Steps); i++ {
			if _, err := c.c.ExecContext(c.ctx, s.Steps[i]); err != nil {
				return fmt.Errorf("bring the schema of %s from %d to %d: %w", s.Noun, i, i+1, err)
			}
		}
		const set = `INSERT INTO schema_version (noun, version, since) VALUES ($1, $2, $3)
			ON CONFLICT (noun) DO UPDATE SET version = excluded.version, since = excluded.since`
		if _, err := c.c.ExecContext(c.ctx, set, s.Noun, len(s.Steps), s.since()); err != nil {
			return err
		}
	}
	return c.exec("COMMIT")
}

// fits refuses a file that asks for steps that this program does not know.
func fits(have map[string]Version, schemas []Schema) error {
	known := make(map[string]int)
	for _, s := range schemas {
		known[s.Noun] = len(s.Steps)
	}
	for noun, v := range have {
		if v.Since > known[noun] {
			return fmt.Errorf("%w: its schema of %s is %d, this program knows %d; start the newer version, nothing was changed", ErrNewer, noun, v.Steps, known[noun])
		}
	}
	return nil
}

// makeVersions makes the table of versions, or brings it up to date.
func (c *conn) makeVersions() error {
	if err := c.exec(`CREATE TABLE IF NOT EXISTS schema_version (noun TEXT PRIMARY KEY, version BIGINT NOT NULL, since BIGINT)`); err != nil {
		return err
	}
	var n int
	if err := c.c.QueryRowContext(c.ctx, `SELECT count(*) FROM pragma_table_info('schema_version') WHERE name = 'since'`).Scan(&n); err != nil || n > 0 {
		return err
	}
	return c.exec(`ALTER TABLE schema_version ADD COLUMN since BIGINT`) // null: the version
}

// versions returns what the file has seen, nil if it is new.
func (c *conn) versions() (map[string]Version, error) {
	var tables, since int
	const look = `SELECT (SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'), (SELECT count(*) FROM pragma_table_info('schema_version') WHERE name = 'since')`
	if err := c.c.QueryRowContext(c.ctx, look).Scan(&tables, &since); err != nil {
		return nil, err
	}
	if tables == 0 {
		return nil, nil
	}
	get := `SELECT noun, version, version FROM schema_version`
	if since > 0 {
		get = `SELECT noun, version, coalesce(since, version) FROM schema_version`
	}
	rows, err := c.c.QueryContext(c.ctx, get)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	have := make(map[string]Version)
	for rows.Next() {
		var noun string
		var v Version
		if err := rows.Scan(&noun, &v.Steps, &v.Since); err != nil {
			return nil, err
		}
		have[noun] = v
	}
	return have, rows.Err()
}
