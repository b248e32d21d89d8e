package backup_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/backup"
	"github.com/veche-im/veche/server/db"
)

// entry is one of an archive, as a test changes it.
type entry struct {
	tar.Header
	body []byte
}

var (
	once    sync.Once
	archive []byte
)

// whole is a backup of a site with a room, messages and a file; it is made once.
func whole(t testing.TB) []byte {
	t.Helper()
	once.Do(func() {
		w := testenv.New(t, testenv.WithUsers("ann", "bob"))
		ann := w.Client("ann")
		q := ann.SendTo("bob", "hello")
		ann.Sent(q)
		path := filepath.Join(t.TempDir(), "note.txt")
		if err := os.WriteFile(path, bytes.Repeat([]byte("a file\n"), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		ann.Sent(testenv.Do(ann, api.SendMessage, api.Outgoing{Room: &q.Room, Text: "look", Files: []api.OutgoingFile{{Source: path, Name: "note.txt"}}}))
		ann.Stop()
		w.Client("bob").Stop()
		w.Stop()
		var b bytes.Buffer
		if _, err := server.Backup(t.Context(), server.StoppedConfig{Data: w.Dir, Version: "test"}, &b, func(int64) {}); err != nil {
			t.Fatal(err)
		}
		archive = b.Bytes()
	})
	return archive
}

func unpack(t testing.TB, b []byte) (list []entry) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, entry{*h, body})
	}
}

// pack writes entries with sums that fit, if there is an entry for them.
func pack(t testing.TB, list []entry, sum bool) []byte {
	t.Helper()
	var b, sums bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range list {
		if e.Name == "sums" && sum {
			e.body = sums.Bytes()
		}
		if e.Typeflag == tar.TypeReg {
			e.Size = int64(len(e.body))
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(e.body), e.Name)
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func at(t testing.TB, list []entry, prefix string) int {
	t.Helper()
	i := slices.IndexFunc(list, func(e entry) bool { return strings.HasPrefix(e.Name, prefix) })
	if i < 0 {
		t.Fatalf("there is no %s", prefix)
	}
	return i
}

// change runs SQL on the database of an archive.
func change(t *testing.T, list []entry, query string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "veche.db")
	i := at(t, list, "veche.db")
	if err := os.WriteFile(path, list[i].body, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(query); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if list[i].body, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
}

// rootOf returns the number of the first page of an index.
func rootOf(t *testing.T, file []byte, name string) (page int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "veche.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.QueryRow(`SELECT rootpage FROM sqlite_schema WHERE name = ?`, name).Scan(&page); err != nil {
		t.Fatal(err)
	}
	return page
}

// restore tries a backup and returns what it says, and all that is there after.
func restore(t testing.TB, b []byte, dry bool) (backup.Report, []string, error) {
	t.Helper()
	dir := t.TempDir()
	rep, err := server.Restore(t.Context(), server.StoppedConfig{Data: filepath.Join(dir, "data")}, bytes.NewReader(b), dry)
	var left []string
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			left = append(left, strings.TrimPrefix(path, dir))
		}
		return err
	})
	return rep, left, err
}

func TestAHostileArchiveIsRefusedAndNothingIsLeft(t *testing.T) {
	good := whole(t)
	insert := func(i int, e entry) func(*testing.T, []entry) []entry {
		return func(_ *testing.T, l []entry) []entry { return slices.Insert(l, i, e) }
	}
	file := func(name string, body string) entry {
		return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600}, []byte(body)}
	}
	kind := func(flag byte, name, link string) entry {
		return entry{tar.Header{Typeflag: flag, Name: name, Linkname: link, Mode: 0o600}, nil}
	}
	drop := func(name string) func(*testing.T, []entry) []entry {
		return func(t *testing.T, l []entry) []entry { i := at(t, l, name); return slices.Delete(l, i, i+1) }
	}
	query := func(q string) func(*testing.T, []entry) []entry {
		return func(t *testing.T, l []entry) []entry { change(t, l, q); return l }
	}
	body := func(name string, f func([]byte) []byte) func(*testing.T, []entry) []entry {
		return func(t *testing.T, l []entry) []entry {
			i := at(t, l, name)
			l[i].body = f(slices.Clone(l[i].body))
			return l
		}
	}
	for i, tt := range []struct {
		name   string
		change func(*testing.T, []entry) []entry
		unsum  bool // the sums stay as they were
		want   error
	}{
		{"without its first entry", drop("veche-backup.json"), false, backup.ErrArchive},
		{"without the database", drop("veche.db"), false, backup.ErrArchive},
		{"without the sums", drop("sums"), false, backup.ErrArchive},
		{"without certificates", func(_ *testing.T, l []entry) []entry {
			return slices.DeleteFunc(l, func(e entry) bool { return strings.HasPrefix(e.Name, "tls/") })
		}, false, backup.ErrArchive},
		{"of another form", body("veche-backup.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 2`), 1) }), false, backup.ErrArchive},
		{"with a long first entry", body("veche-backup.json", func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 1<<20)...) }), false, backup.ErrArchive},
		{"with a first entry that is no JSON", body("veche-backup.json", func([]byte) []byte { return []byte("{") }), false, backup.ErrArchive},
		{"with a path upwards", insert(2, file("../evil", "x")), false, backup.ErrArchive},
		{"with a path upwards inside", insert(2, file("tls/../../evil", "x")), false, backup.ErrArchive},
		{"with an absolute path", insert(2, file("/tmp/veche-evil", "x")), false, backup.ErrArchive},
		{"with a hidden file", insert(2, file("tls/.evil", "x")), false, backup.ErrArchive},
		{"with a folder in tls", insert(2, file("tls/a/b", "x")), false, backup.ErrArchive},
		{"with another file", insert(2, file("admin.sock", "x")), false, backup.ErrArchive},
		{"with a symbolic link", insert(2, kind(tar.TypeSymlink, "tls/evil", "/etc/passwd")), false, backup.ErrArchive},
		{"with a hard link", insert(2, kind(tar.TypeLink, "tls/evil", "veche.db")), false, backup.ErrArchive},
		{"with a folder", insert(2, kind(tar.TypeDir, "tls/", "")), false, backup.ErrArchive},
		{"with a device", insert(2, kind(tar.TypeChar, "tls/evil", "")), false, backup.ErrArchive},
		{"with a certificate twice", func(t *testing.T, l []entry) []entry {
			i := at(t, l, "tls/ca.pem")
			return slices.Insert(l, i, l[i])
		}, false, backup.ErrArchive},
		{"with a large certificate", insert(2, file("tls/large", strings.Repeat("x", 2<<20))), false, backup.ErrArchive},
		{"with a file twice", func(t *testing.T, l []entry) []entry {
			i := at(t, l, "blobs/")
			return slices.Insert(l, i, l[i])
		}, false, backup.ErrArchive},
		{"with a file that the database does not know", func(t *testing.T, l []entry) []entry {
			return slices.Insert(l, at(t, l, "blobs/"), file("blobs/aa/aaaaaaaaaaaaaaaaaaaaaaaaaa", "x"))
		}, false, backup.ErrArchive},
		{"with a file in another's folder", func(t *testing.T, l []entry) []entry {
			i := at(t, l, "blobs/")
			l[i].Name = "blobs/zz/" + l[i].Name[len("blobs/zz/"):]
			return l
		}, false, backup.ErrArchive},
		{"with a short file", body("blobs/", func(b []byte) []byte { return b[:len(b)-1] }), false, backup.ErrArchive},
		{"with a changed file", body("blobs/", func(b []byte) []byte { b[9] ^= 1; return b }), true, backup.ErrArchive},
		{"with a changed certificate", body("tls/", func(b []byte) []byte { b[9] ^= 1; return b }), true, backup.ErrArchive},
		{"with sums of fewer", body("sums", func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] }), true, backup.ErrArchive},
		{"with something after the sums", func(_ *testing.T, l []entry) []entry { return append(l, file("tls/late", "x")) }, false, backup.ErrArchive},
		{"with a database that is none", body("veche.db", func([]byte) []byte { return bytes.Repeat([]byte("x"), 9000) }), false, db.ErrDamaged},
		{"with another program's database", query(`DROP TABLE schema_version`), false, backup.ErrArchive},
		{"with a trigger", query(`CREATE TRIGGER evil AFTER UPDATE ON site BEGIN UPDATE account SET admin = 1; END`), false, backup.ErrArchive},
		{"with a trigger under a name of SQLite's", query(`CREATE TRIGGER evil AFTER UPDATE ON site BEGIN UPDATE account SET admin = 1; END;
			PRAGMA writable_schema = 1; UPDATE sqlite_schema SET name = 'sqlite_stat9', sql = replace(sql, 'evil', 'sqlite_stat9') WHERE name = 'evil'`), false, backup.ErrArchive},
		{"with a view", query(`CREATE VIEW evil AS SELECT 1`), false, backup.ErrArchive},
		{"with a changed table", query(`ALTER TABLE account ADD COLUMN evil TEXT DEFAULT 'x'`), false, backup.ErrArchive},
		{"without a table", query(`DROP TABLE vault`), false, backup.ErrArchive},
		{"of a newer version", query(`UPDATE schema_version SET version = 99 WHERE noun = 'room'`), false, db.ErrNewer},
		{"of a version with another noun", query(`INSERT INTO schema_version VALUES ('federation', 1, 0)`), false, db.ErrNewer},
		{"with a changed message", query(`UPDATE room_entry SET body = x'00' WHERE seq = 3`), false, db.ErrDamaged},
		{"with a message of somebody else", query(`UPDATE room_entry SET account_id = randomblob(16) WHERE seq = 3`), false, db.ErrDamaged},
		{"with an id of another length", query(`UPDATE room_entry SET device_id = x'00' WHERE seq = 3`), false, db.ErrDamaged},
		{"without a message", query(`DELETE FROM room_entry WHERE seq = 2`), false, db.ErrDamaged},
		{"without the newest message", query(`DELETE FROM room_entry WHERE seq = (SELECT max(seq) FROM room_entry)`), false, db.ErrDamaged},
		{"with a damaged page", body("veche.db", func(b []byte) []byte { copy(b[8*4096:], bytes.Repeat([]byte{0xee}, 4096)); return b }), false, db.ErrDamaged},
		{"with an index that lacks its rows", func(t *testing.T, l []entry) []entry {
			i := at(t, l, "veche.db")
			page := (rootOf(t, l[i].body, "account_name") - 1) * 4096
			if l[i].body[page] != 10 {
				t.Fatal("it is no leaf of an index")
			}
			copy(l[i].body[page+3:], []byte{0, 0}) // how many cells it has (file format, §1.6)
			return l
		}, false, db.ErrDamaged},
		{"with a record that is none of ours", func(t *testing.T, l []entry) []entry {
			l[at(t, l, "tls/")].PAXRecords = map[string]string{"VECHE.evil": "99999999999999"}
			l[at(t, l, "tls/")].Format = tar.FormatPAX
			return l
		}, false, backup.ErrArchive},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := pack(t, tt.change(t, unpack(t, good)), !tt.unsum)
			for _, dry := range []bool{true, false} {
				if dry && i%4 > 0 {
					continue // it reads by the same steps: some are enough
				}
				_, left, err := restore(t, b, dry)
				if !errors.Is(err, tt.want) {
					t.Errorf("dry %v: got %v", dry, err)
				}
				if len(left) > 0 {
					t.Errorf("dry %v: %q is left", dry, left)
				}
			}
		})
	}
	t.Run("cut off anywhere", func(t *testing.T) {
		for n := 0; n < len(good)-1024; n += 1 + len(good)/11 { // the last kilobyte is tar's own end
			if _, left, err := restore(t, good[:n], false); !errors.Is(err, backup.ErrArchive) || len(left) > 0 {
				t.Errorf("%d of %d bytes: %v, %q is left", n, len(good), err, left)
			}
		}
	})
	if _, err := os.Lstat("/tmp/veche-evil"); err == nil {
		t.Error("a file was made outside")
	}
}

func TestADryRunSaysWhatIsInABackupAndLeavesNothing(t *testing.T) {
	rep, left, err := restore(t, whole(t), true)
	if err != nil || len(left) > 0 {
		t.Fatalf("%v, %q is left", err, left)
	}
	if rep.Org != "Testers" || rep.People != 2 || rep.Rooms != 1 || rep.Entries < 3 || rep.Files != 1 || rep.Bytes < 7000 || rep.Missing != 0 {
		t.Errorf("%+v", rep)
	}
}

// What a disk had lost is said, and keeps nobody from restoring the rest.
func TestAFileThatIsMissingIsCounted(t *testing.T) {
	l := unpack(t, whole(t))
	i := at(t, l, "blobs/")
	rep, _, err := restore(t, pack(t, slices.Delete(l, i, i+1), true), false)
	if err != nil || rep.Missing != 1 || rep.Files != 0 {
		t.Errorf("%v, %+v", err, rep)
	}
}

func TestARestoreTouchesNoSiteThatIsThere(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := server.Restore(t.Context(), server.StoppedConfig{Data: dir}, bytes.NewReader(whole(t)), false)
	if !errors.Is(err, backup.ErrThere) {
		t.Errorf("got %v", err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}

// What a backup is not to bring back: keys that may have been used, calls that are
// over, the life that the site had.
func TestARestoreBeginsANewLife(t *testing.T) {
	good := unpack(t, whole(t))
	change(t, good, `INSERT INTO call VALUES (randomblob(16), randomblob(16), randomblob(16), randomblob(16), 1, 0, 0, NULL);
		INSERT INTO blob SELECT randomblob(16), account_id, 100, 50, 0, 1 FROM blob LIMIT 1;
		INSERT INTO link (hash, kind, account_id, expires_ms, used_ms) SELECT randomblob(32), 'reset', id, 1.9e12, 0 FROM account LIMIT 1`)
	dir := filepath.Join(t.TempDir(), "data")
	now := time.UnixMilli(1_800_000_000_000)
	rep, err := server.Restore(t.Context(), server.StoppedConfig{Data: dir, Now: func() time.Time { return now }}, bytes.NewReader(pack(t, good, true)), false)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Manifest.Life.IsZero() || rep.Life.ID == rep.Manifest.Life || rep.Life.Began.Time() != now.UTC() {
		t.Errorf("the life was %v and is %+v", rep.Manifest.Life, rep.Life)
	}
	d, err := sql.Open("sqlite", filepath.Join(dir, "veche.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for what, want := range map[string]int{
		`SELECT count(*) FROM key_package`:                    0,
		`SELECT count(*) FROM call`:                           0,
		`SELECT count(*) FROM blob WHERE have = 50`:           0,
		`SELECT count(*) FROM blob WHERE size = 100`:          1,
		`SELECT count(*) FROM link WHERE kind = 'reset'`:      0,
		`SELECT count(*) FROM session`:                        2,
		`SELECT count(*) FROM site WHERE life_ms = 1.8e12`:    1,
		`SELECT count(*) FROM statement`:                      2,
		`SELECT count(*) FROM sqlite_schema WHERE name = '?'`: 0,
	} {
		var n int
		if err := d.QueryRow(what).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
}

// A data directory that is a link to another disk stays one.
func TestRestoreGoesWhereALinkLeads(t *testing.T) {
	dir := t.TempDir()
	disk, link := filepath.Join(dir, "disk"), filepath.Join(dir, "data")
	if err := errors.Join(os.Mkdir(disk, 0o700), os.Symlink(disk, link)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Restore(t.Context(), server.StoppedConfig{Data: link}, bytes.NewReader(whole(t)), false); err != nil {
		t.Fatal(err)
	}
	st, err := os.Lstat(link)
	if err != nil || st.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", st, err)
	}
	if _, err := os.Stat(filepath.Join(disk, "veche.db")); err != nil {
		t.Error(err)
	}
}

// FuzzRestore throws archives at the reader that were changed by chance. None may
// bring it down, make a site that does not verify, or leave anything.
func FuzzRestore(f *testing.F) {
	b := whole(f)
	list := unpack(f, b)
	f.Add(b[:2048], 0)
	f.Add([]byte("x"), 1024)
	f.Add(pack(f, []entry{list[0], list[len(list)-1]}, true), 0)
	for i := 0; i < len(b); i += len(b)/16 + 1 {
		f.Add(b[i:min(len(b), i+600)], i)
	}
	f.Fuzz(func(t *testing.T, part []byte, from int) {
		changed := slices.Clone(b)
		if from >= 0 && from < len(b) {
			copy(changed[from:], part)
		} else {
			changed = part
		}
		dir := t.TempDir()
		log := slog.New(slog.DiscardHandler)
		_, err := server.Restore(t.Context(), server.StoppedConfig{Data: filepath.Join(dir, "data"), Log: log}, bytes.NewReader(changed), true)
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
		if err != nil {
			return
		}
		// Times, owners and the bytes between entries are nobody's: names and what is
		// under them count.
		if !slices.EqualFunc(unpack(t, changed), list, func(a, b entry) bool { return a.Name == b.Name && bytes.Equal(a.body, b.body) }) {
			t.Error("another archive was taken")
		}
	})
}
