package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "modernc.org/sqlite"
)

// errMissing is what is not installed.
var errMissing = errors.New("not installed")

// An archive is where ejabberd keeps the messages of its rooms.
type archive struct {
	name     string
	promises string // what became of an acknowledged message
	install  func(ctx context.Context, dir, secret string) (store, error)
}

// store is an archive in a site's directory.
type store struct {
	global, module string // lines of ejabberd.yml, and the one in mod_mam
	server         func(ctx context.Context) (*daemon, error)
}

// archives are those that there are, by the name in the flag.
var archives = map[string]archive{
	"ejabberd-mnesia":     mnesia,
	"ejabberd-sqlite":     sqlite,
	"ejabberd-postgresql": postgresql,
}

// mnesia is the package's default, of which ejabberd itself warns at every
// start: two gigabytes at most, and all messages of a room under one key.
var mnesia = archive{
	name:     "Mnesia",
	promises: "in the files' caches: written within seconds, synced hardly ever",
	install: func(context.Context, string, string) (store, error) {
		return store{module: "db_type: mnesia"}, nil
	},
}

// sqlite is what ejabberd recommends to small servers. Its driver leaves SQLite's
// defaults: a rollback journal and synchronous=FULL, one transaction a message.
var sqlite = archive{
	name:     "SQLite",
	promises: "synced to disk, one transaction for each",
	install: func(ctx context.Context, dir, _ string) (s store, err error) {
		if err := driver("p1_sqlite3", "erlang-p1-sqlite3"); err != nil {
			return s, err
		}
		schema, err := os.ReadFile(schemas + "lite.sql")
		if err != nil {
			return s, err
		}
		path := filepath.Join(dir, "archive.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			return s, err
		}
		defer db.Close()
		if _, err := db.ExecContext(ctx, string(schema)); err != nil {
			return s, fmt.Errorf("make ejabberd's tables: %w", err)
		}
		return store{global: fmt.Sprintf("sql_type: sqlite\nsql_database: %q\n", path), module: "db_type: sql"}, nil
	},
}

// postgresql is what ejabberd recommends to large servers: Debian's, with its
// defaults, ten connections, on loopback.
var postgresql = archive{
	name:     "PostgreSQL",
	promises: "synced to disk, up to ten in one sync",
	install:  installPostgreSQL,
}

// schemas is where Debian's package keeps ejabberd's tables.
const schemas = "/usr/share/ejabberd/sql/"

// driver sees that one of Erlang's libraries is there.
func driver(library, pkg string) error {
	if found, _ := filepath.Glob("/usr/lib/erlang/lib/" + library + "-*"); len(found) == 0 {
		return fmt.Errorf("%s is %w", pkg, errMissing)
	}
	return nil
}

func installPostgreSQL(ctx context.Context, dir, secret string) (s store, err error) {
	if err := driver("p1_pgsql", "erlang-p1-pgsql"); err != nil {
		return s, err
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return s, fmt.Errorf("postgresql is %w", errMissing)
	}
	bin := filepath.Dir(found[len(found)-1])
	data, file := filepath.Join(dir, "postgresql"), filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		return s, err
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return s, err
	}
	as := &syscall.SysProcAttr{}
	if os.Getuid() == 0 { // as which PostgreSQL refuses to run
		if as.Credential, err = credential("postgres"); err != nil {
			return s, err
		}
		if err := os.Chmod(dir, 0o711); err != nil {
			return s, err
		}
		for _, path := range []string{data, file} {
			if err := os.Chown(path, int(as.Credential.Uid), int(as.Credential.Gid)); err != nil {
				return s, err
			}
		}
	}
	run := func(ctx context.Context, program string, arguments ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, program), arguments...)
		copied := *as
		cmd.SysProcAttr, cmd.Dir = &copied, data
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "PGPASSWORD=" + secret}
		return cmd
	}
	if out, err := run(ctx, "initdb", "-D", data, "-U", "ejabberd", "-A", "password", "--pwfile", file).CombinedOutput(); err != nil {
		return s, fmt.Errorf("make a PostgreSQL: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return s, err
	}
	psql := func(ctx context.Context, arguments ...string) error {
		at := []string{"-h", "127.0.0.1", "-p", strconv.Itoa(port), "-U", "ejabberd", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-q"}
		if out, err := run(ctx, "psql", append(at, arguments...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("psql: %w: %s", err, out)
		}
		return nil
	}
	s.server = func(ctx context.Context) (*daemon, error) {
		d, err := launch(run(context.WithoutCancel(ctx), "postgres", "-D", data, "-p", strconv.Itoa(port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="), filepath.Join(dir, "postgresql.log"))
		if err != nil {
			return nil, err
		}
		limit, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := d.until(limit, func() error { return psql(limit, "-c", "SELECT 1") }); err != nil {
			d.kill()
			log, _ := os.ReadFile(filepath.Join(dir, "postgresql.log")) // best effort: it is for the error's text
			return nil, fmt.Errorf("%w: %s", err, log[max(0, len(log)-1000):])
		}
		return d, nil
	}
	d, err := s.server(ctx)
	if err != nil {
		return s, err
	}
	defer d.stop(syscall.SIGINT)
	s.global = fmt.Sprintf("sql_type: pgsql\nsql_server: 127.0.0.1\nsql_port: %d\nsql_database: postgres\nsql_username: ejabberd\nsql_password: %s\n", port, secret)
	s.module = "db_type: sql"
	return s, psql(ctx, "-f", schemas+"pg.sql")
}

// credential is that of a system user.
func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
