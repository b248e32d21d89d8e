package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	domain = "localhost"
	rooms  = "conference.localhost"
	admin  = "admin"
	ebin   = "ejabberd-*/ebin/ejabberd.app" // below libs
	libs   = "/usr/lib/x86_64-linux-gnu"
)

// site is an ejabberd with a directory of its own. It has no name in Erlang's
// sense, so that neither epmd nor a cookie is needed and it listens only where
// its configuration says.
type site struct {
	dir     string
	xmpp    string // host:port
	api     string // base URL
	secret  string // password of all accounts
	store   store
	process *daemon // nil while it does not run
	keeper  *daemon // the archive's server, if it has one
}

// version is the package's, errMissing if there is none.
func version() (string, error) {
	found, err := filepath.Glob(filepath.Join(libs, ebin))
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("erl"); err != nil || len(found) == 0 {
		return "", fmt.Errorf("ejabberd is %w", errMissing)
	}
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", "ejabberd").Output()
	if err != nil {
		return "", fmt.Errorf("ask for ejabberd's version: %w", err)
	}
	return string(out), nil
}

// install makes the directory of a site. Nothing runs yet.
func install(ctx context.Context, a archive) (_ *site, err error) {
	if _, err := version(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ejabberd-bench-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	secret := rand.Text() // for other users of this machine are on loopback too
	kept, err := a.install(ctx, dir, secret)
	if err != nil {
		return nil, err
	}
	var ports [2]int
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	s := &site{dir: dir, store: kept, secret: secret, xmpp: fmt.Sprintf("127.0.0.1:%d", ports[0]), api: fmt.Sprintf("http://127.0.0.1:%d/api/", ports[1])}
	text := fmt.Sprintf(configuration, kept.global, ports[0], ports[1], kept.module)
	return s, os.WriteFile(s.path("ejabberd.yml"), []byte(text), 0o600)
}

// configuration leaves out whatever would slow ejabberd down. Its blanks: lines
// of the archive, the two ports, the archive's line in mod_mam.
const configuration = `loglevel: warning
hosts: [localhost]
auth_method: mnesia
auth_password_format: plain
%slisten:
  - {port: %d, ip: "127.0.0.1", module: ejabberd_c2s, backlog: 4096, max_stanza_size: 4194304, shaper: none, access: all}
  - {port: %d, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {/api: mod_http_api}}
acl:
  admin: {user: [admin@localhost]}
access_rules:
  admin: {allow: admin}
api_permissions:
  loopback: {who: {ip: 127.0.0.1/8}, what: [status, register, create_room_with_opts]}
shaper_rules:
  max_user_sessions: 1000
modules:
  mod_admin_extra: {}
  mod_http_api: {}
  mod_disco: {}
  mod_ping: {}
  mod_mam: {default: always, %s}
  mod_muc:
    access: all
    access_admin: admin
    access_create: admin
    access_mam: all
    history_size: 0
    max_users: 20000
    max_user_conferences: 1000
    default_room_options: {mam: true, members_only: true, persistent: true}
  mod_muc_admin: {}
`

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// start has the site running when it returns. Only stop or kill ends it.
func (s *site) start(ctx context.Context) (err error) {
	if s.store.server != nil {
		if s.keeper, err = s.store.server(ctx); err != nil {
			return err
		}
	}
	// What ejabberdctl passes, but for a name, su and epmd.
	cmd := exec.Command("erl", "+K", "true", "+P", "250000", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none", "-noinput", "-noshell",
		"-mnesia", "dir", strconv.Quote(s.path("mnesia")), "-s", "ejabberd")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LANG=C.UTF-8", "ERL_LIBS=" + libs, "ERL_MAX_PORTS=32000", "ERL_MAX_ETS_TABLES=1400",
		"ERL_CRASH_DUMP=" + s.path("crash"), "EJABBERD_CONFIG_PATH=" + s.path("ejabberd.yml"), "EJABBERD_LOG_PATH=" + s.path("log")}
	cmd.Dir = s.dir
	if s.process, err = launch(cmd, s.path("out")); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.process.until(limit, func() error { return s.call(limit, "status", nil) }); err != nil {
		return fmt.Errorf("ejabberd does not answer (%w): %s", err, s.complaint())
	}
	return nil
}

// complaint is the end of what ejabberd said.
func (s *site) complaint() string {
	var all []byte
	for _, name := range []string{"out", "log"} {
		b, _ := os.ReadFile(s.path(name)) // best effort: it is for an error's text
		all = append(all, b[max(0, len(b)-1000):]...)
	}
	return string(all)
}

// kill ends the site as a crash of its processes does.
func (s *site) kill() {
	s.process.kill()
	s.keeper.kill()
}

// stop ends the site in good order.
func (s *site) stop() {
	s.process.stop(syscall.SIGTERM)
	s.keeper.stop(syscall.SIGINT) // without waiting for those connected
}

// remove ends the site and removes its directory.
func (s *site) remove() error {
	s.stop()
	return os.RemoveAll(s.dir)
}

// call has ejabberd do one of its administrator's commands.
func (s *site) call(ctx context.Context, command string, arguments map[string]any) error {
	if arguments == nil {
		arguments = map[string]any{}
	}
	b, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.api+command, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	// Commands with a yes or no answer 0 for yes.
	if s := strings.TrimSpace(string(text)); res.StatusCode != http.StatusOK || s == "1" {
		return fmt.Errorf("ejabberd does not %s: %s %s", command, res.Status, s)
	}
	return nil
}

// processes are the ids of the processes of ejabberd and of its archive.
func (s *site) processes() []int { return append(s.process.pids(), s.keeper.pids()...) }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
