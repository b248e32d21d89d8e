package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/room"
	"github.com/veche-im/veche/wire"
)

// Target says what Restore makes a site of, and where. All is required but DryRun.
type Target struct {
	Archive io.Reader
	Dir     string // the data directory, which must not be there, or be empty
	Schemas []db.Schema
	Log     *slog.Logger
	Now     func() time.Time
	DryRun  bool // nothing is left of it
}

// Report says what is in a backup.
type Report struct {
	Manifest
	Org     string
	People  int64
	Rooms   int64
	Entries int64
	Files   int64 // blobs that are complete
	Bytes   int64 // of them
	Missing int64 // of them, that the disk had lost when the backup was made
	Life    wire.Life
}

// ErrThere is returned for a directory that has something in it.
var ErrThere = errors.New("there is something in it already")

// Restore makes a site of an archive. What the archive holds is verified before
// the directory appears, which it does in one rename, with a new life, without
// the key packages and calls of then. ErrArchive says that the archive is not
// what was written, db.ErrNewer that another version must read it, db.ErrDamaged
// that the site was damaged when it was backed up.
func Restore(ctx context.Context, t Target) (rep Report, err error) {
	dir, err := filepath.Abs(t.Dir)
	if err != nil {
		return rep, err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real // the link stays, and what it leads to is made
	}
	if !t.DryRun {
		if err := vacant(dir); err != nil {
			return rep, err
		}
	}
	staging, err := stage(dir, t.DryRun)
	if err != nil {
		return rep, fmt.Errorf("make room for the site: %w", err)
	}
	defer os.RemoveAll(staging) // after the rename there is nothing under this name
	m := &making{ctx: ctx, t: t, dir: staging}
	if err := m.read(); err != nil {
		return m.rep, noSpace(err)
	}
	if t.DryRun {
		return m.rep, nil
	}
	if err := m.begin(); err != nil {
		return m.rep, noSpace(err)
	}
	return m.rep, noSpace(place(staging, dir))
}

// vacant refuses a directory that is in use.
func vacant(dir string) error {
	list, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(list) > 0:
		return fmt.Errorf("%s: %w; name a new directory, or move this one away first", dir, ErrThere)
	}
	return nil
}

// stage makes the directory that becomes dir, on the same file system.
func stage(dir string, dry bool) (string, error) {
	parent := filepath.Dir(dir)
	if dry {
		for { // the next one that is there: nothing is to be made
			if st, err := os.Stat(parent); err == nil && st.IsDir() || parent == filepath.Dir(parent) {
				break
			}
			parent = filepath.Dir(parent)
		}
	} else if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, filepath.Base(dir)+".restoring-*") // 0700
}

// place gives the finished directory its name.
func place(staging, dir string) error {
	switch err := os.Remove(dir); { // an empty one
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrExist): // ENOTEMPTY, too
		return fmt.Errorf("%s: %w", dir, ErrThere)
	default: // the root of a disk, say
		return fmt.Errorf("%w; name a directory in it", err)
	}
	if err := os.Rename(staging, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// making is a site that is being made.
type making struct {
	ctx context.Context
	t   Target
	dir string
	rep Report
}

// read takes the archive apart and verifies it.
func (m *making) read() (err error) {
	r := &in{ctx: m.ctx, tar: tar.NewReader(bufio.NewReaderSize(m.t.Archive, 256<<10))}
	if r.sums, err = newSpool(m.dir); err != nil {
		return err
	}
	defer r.sums.close()
	if err := m.manifest(r); err != nil {
		return err
	}
	if err := m.database(r); err != nil {
		return err
	}
	snap, err := db.OpenSnapshot(m.ctx, m.path(dbName))
	if err != nil {
		return err
	}
	defer snap.Close()
	if err := m.tables(snap); err != nil {
		return err
	}
	if err := m.rest(r, snap); err != nil {
		return err
	}
	return m.rows(snap)
}

func (m *making) path(name string) string { return filepath.Join(m.dir, filepath.FromSlash(name)) }

func (m *making) manifest(r *in) error {
	if name, err := r.next(); err != nil {
		return err
	} else if name != manifestName {
		return broken("it does not begin with %s", manifestName)
	}
	b, err := r.small(maxManifest)
	if err != nil {
		return err
	}
	m.rep.Manifest, err = parseManifest(b)
	return err
}

func (m *making) database(r *in) error {
	if name, err := r.next(); err != nil {
		return err
	} else if name != dbName {
		return broken("%s does not follow", dbName)
	}
	return m.save(r)
}

// save writes the entry into the file of its name.
func (m *making) save(r *in) (err error) {
	path := m.path(r.head.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return broken("%s is in it twice", r.head.Name)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := r.copy(f); err != nil {
		return err
	}
	return f.Sync()
}

// rest reads the certificates, the blobs and the sums.
func (m *making) rest(r *in, snap *db.Snapshot) error {
	certificates := 0
	var last wire.BlobID
	for {
		name, err := r.next()
		if err != nil {
			return err
		}
		_, isTLS := tlsFile(name)
		id, isBlob := blobFile(name)
		switch {
		case name == sumsName && certificates == 0:
			return broken("the site's certificates are missing in it")
		case name == sumsName:
			return r.end()
		case isTLS && last.IsZero() && certificates < maxTLSFiles && r.head.Size <= maxTLS:
			certificates++
			err = m.save(r)
		case isBlob && string(id[:]) <= string(last[:]) && !last.IsZero():
			err = broken("%s stands where it does not belong", name)
		case isBlob:
			last = id
			err = m.blob(r, snap, id)
		default:
			err = broken("%.80q is in it", name)
		}
		if err != nil {
			return err
		}
	}
}

// blob saves a blob that the database has.
func (m *making) blob(r *in, snap *db.Snapshot, id wire.BlobID) error {
	var size int64
	err := snap.View(m.ctx, func(tx *db.Tx) error {
		return tx.QueryRow(`SELECT size FROM blob WHERE id = $1 AND have = size`, id).Scan(&size)
	})
	switch {
	case errors.Is(err, db.ErrNone):
		return broken("its database does not know the file %s", id)
	case err != nil:
		return err
	case size != r.head.Size:
		return broken("the file %s has %d bytes and should have %d", id, r.head.Size, size)
	}
	m.rep.Files++
	m.rep.Bytes += size
	if m.t.DryRun {
		return r.copy(io.Discard)
	}
	return m.save(r)
}

// tables refuses a database whose pages are damaged, or whose tables are not those
// that this version makes or made. Views, triggers and whatever else SQLite would
// run on its own are not among them.
func (m *making) tables(snap *db.Snapshot) error {
	have, err := snap.Versions()
	if err != nil {
		return err
	}
	older := make([]db.Schema, 0, len(m.t.Schemas))
	known := make(map[string]bool)
	for _, s := range m.t.Schemas {
		known[s.Noun] = true
		v := have[s.Noun].Steps
		if v < 0 || v > len(s.Steps) {
			return fmt.Errorf("the backup was made by %s: %w; restore it with that version", m.rep.Version, db.ErrNewer)
		}
		s.Steps, s.Additive = s.Steps[:v], 0
		older = append(older, s)
	}
	for noun := range have {
		if !known[noun] {
			return fmt.Errorf("the backup was made by %s: %w; restore it with that version", m.rep.Version, db.ErrNewer)
		}
	}
	if len(have) == 0 {
		return broken("its database is not Veche's")
	}
	model := m.path("model.db")
	d, err := db.Open(m.ctx, db.Config{Path: model, Schemas: older, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("make the tables to compare with: %w", err)
	}
	want, err := shapes(m.ctx, d.View)
	if err := errors.Join(err, d.Close(), os.Remove(model)); err != nil {
		return err
	}
	got, err := shapes(m.ctx, snap.View)
	if err != nil {
		return err
	}
	for name, sql := range got {
		if want[name] != sql {
			return broken("%.80q in its database is not as Veche makes it", name)
		}
		delete(want, name)
	}
	for name := range want {
		return broken("%s is missing in its database", name)
	}
	faults, err := snap.Check()
	if err == nil && len(faults) > 0 {
		err = fmt.Errorf("%w, as it was when the backup was made: %s", db.ErrDamaged, faults[0])
	}
	return err
}

// shapes returns how each table, index and so on of a database is made.
func shapes(ctx context.Context, view func(context.Context, func(*db.Tx) error) error) (map[string]string, error) {
	all := make(map[string]string)
	err := view(ctx, func(tx *db.Tx) error {
		// What ANALYZE keeps is SQLite's own and only advises it.
		const get = `SELECT type || ' ' || name, tbl_name || ': ' || coalesce(sql, '') FROM sqlite_schema 
			WHERE type <> 'table' OR name NOT IN ('sqlite_stat1', 'sqlite_stat4') OR sql NOT LIKE 'CREATE TABLE %'`
		return tx.Each(func(r *db.Rows) error {
			var name, sql string
			if err := r.Scan(&name, &sql); err != nil {
				return err
			}
			all[name] = sql
			return nil
		}, get)
	})
	return all, err
}

// rows verifies the rooms' logs and counts.
func (m *making) rows(snap *db.Snapshot) error {
	var fault *room.Fault
	n, err := room.Check(m.ctx, snap.View, func(f room.Fault) {
		if fault == nil {
			fault = &f
		}
	})
	if err != nil {
		return err
	}
	if fault != nil {
		return fmt.Errorf("it was damaged when the backup was made: %w", fault)
	}
	m.rep.Rooms, m.rep.Entries = n.Rooms, n.Entries
	return snap.View(m.ctx, func(tx *db.Tx) (err error) {
		if m.rep.Org, err = account.Org(tx); err != nil {
			return err
		}
		const count = `SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM blob WHERE have = size)`
		var files int64
		err = tx.QueryRow(count).Scan(&m.rep.People, &files)
		m.rep.Missing = files - m.rep.Files
		return err
	})
}

// begin brings the database up to date and begins the new life in it.
func (m *making) begin() (err error) {
	d, err := db.Open(m.ctx, db.Config{Path: m.path(dbName), Schemas: m.t.Schemas, Log: m.t.Log, Fatal: func(error) {}})
	if err != nil {
		return err
	}
	err = d.Update(m.ctx, func(tx *db.Tx) (err error) {
		if m.rep.Life, err = account.NewLife(tx, m.t.Now()); err != nil && !errors.Is(err, authz.ErrDenied) { // nobody was set up
			return err
		}
		for what, change := range map[string]string{
			"drop key packages":    `DELETE FROM key_package`, // some may have been used since, and a key has one use
			"drop calls":           `DELETE FROM call`,
			"begin uploads afresh": `UPDATE blob SET have = 0 WHERE have < size`, // what came of them is not in the backup
		} {
			if _, err := tx.Exec(change); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
		return nil
	})
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	return filepath.WalkDir(m.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncDir(path)
	})
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
