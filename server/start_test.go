package server_test

import (
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// start returns the error of a server that cannot start.
func start(t *testing.T, cfg server.Config) error {
	t.Helper()
	s, err := server.New(t.Context(), cfg)
	if err == nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Run(ctx)
		t.Fatal("it started")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("this is more than one sentence: %q", err)
	}
	return err
}

func says(t *testing.T, err error, want string) {
	t.Helper()
	if !strings.Contains(err.Error(), want) {
		t.Errorf("it says %q, and not %q", err, want)
	}
}

// snapshot lists a directory with the content of its files.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || d.Type()&os.ModeSocket != 0 {
			files[path] = ""
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func unchanged(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	after := snapshot(t, dir)
	for name, b := range after {
		if was, ok := before[name]; !ok || was != b {
			t.Errorf("%s was made or changed", name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestBusyPortIsSaidAndNothingIsMade(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, set := range []func(*server.Config){
		func(c *server.Config) { c.HTTPS = l.Addr().String() },
		func(c *server.Config) { c.HTTP = l.Addr().String() },
		func(c *server.Config) { c.Metrics = l.Addr().String() },
	} {
		cfg := testenv.Config(t, set)
		says(t, start(t, cfg), "port "+l.Addr().String()+" is in use by another program")
		if _, err := os.Stat(cfg.Data); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the data directory was made: %v", err)
		}
	}
}

func TestDirectoryThatCannotBeUsedIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, start(t, testenv.Config(t, testenv.WithDir(file))), "the data directory cannot be used")
	says(t, start(t, testenv.Config(t, testenv.WithDir(filepath.Join(file, "data")))), "the data directory cannot be used")
	if os.Geteuid() != 0 { // whom permissions do not stop
		dir := t.TempDir()
		os.Chmod(dir, 0o500)
		says(t, start(t, testenv.Config(t, testenv.WithDir(dir))), "the data directory cannot be written to")
	} else {
		says(t, start(t, testenv.Config(t, testenv.WithDir("/proc/1/veche"))), "the data directory cannot be made")
	}
}

func TestDirectoryWithOtherFilesIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "letter.txt"), []byte("dear"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	says(t, start(t, testenv.Config(t, testenv.WithDir(dir))), "has other files in it and no Veche data")
	unchanged(t, dir, before)
}

func TestSecondServerOnADirectoryIsRefused(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	err := start(t, testenv.Config(t, testenv.WithDir(site.Dir)))
	says(t, err, "another veche is running on this data directory")
	if !errors.Is(err, server.ErrRunning) {
		t.Error("it is not ErrRunning")
	}
	says(t, server.Init(t.Context(), server.InitConfig{Data: site.Dir, Org: "X", Admin: "Eve", Password: testenv.Password}), "another veche is running")
	// Its admin socket still works.
	site.Invite()
}

func TestNewerSchemaIsSaidAndNothingIsChanged(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	site.Stop()
	alter(t, site.Dir, `UPDATE schema_version SET version = 99, since = 99 WHERE noun = 'room'`)
	before := snapshot(t, site.Dir)
	err := start(t, testenv.Config(t, testenv.WithDir(site.Dir)))
	says(t, err, "written by a newer version of Veche: its schema of room is 99")
	if !errors.Is(err, db.ErrNewer) {
		t.Error("it is not db.ErrNewer")
	}
	unchanged(t, site.Dir, before)
}

// alter changes the database of a site that is stopped.
func alter(t *testing.T, dir, query string) {
	t.Helper()
	d, err := sql.Open("sqlite", filepath.Join(dir, "veche.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(query); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedDatabaseIsSaidAndNothingIsChanged(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	site.Stop()
	path := filepath.Join(site.Dir, "veche.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < 2*4096; i++ {
		b[i] = 0xaa
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, site.Dir)
	err = start(t, testenv.Config(t, testenv.WithDir(site.Dir)))
	says(t, err, "the database is damaged")
	unchanged(t, site.Dir, before)
}

func TestMetricsAndLocalDoorStayOnLoopback(t *testing.T) {
	for _, address := range []string{":9090", "0.0.0.0:0", "192.0.2.7:80", "[::]:0", "host"} {
		start(t, testenv.Config(t, func(c *server.Config) { c.Metrics = address }))
		start(t, testenv.Config(t, func(c *server.Config) { c.HTTP = address }))
	}
	says(t, start(t, testenv.Config(t, func(c *server.Config) { c.HTTP = ":8080" })), "only a loopback address is allowed here")
}

func TestFirstAndSecondRun(t *testing.T) {
	site := testenv.Start(t)
	text := site.Info.String()
	for _, want := range []string{site.Info.HTTPS, site.Info.HTTP, site.Info.Fingerprint, site.Info.HTTPS + "/setup#" + site.SetupToken(), "30 minutes"} {
		if want == "" || !strings.Contains(text, want) {
			t.Errorf("the first run does not tell %q:\n%s", want, text)
		}
	}
	if !regexp.MustCompile(`^[0-9A-F]{2}(:[0-9A-F]{2}){31}$`).MatchString(site.Info.Fingerprint) {
		t.Errorf("the fingerprint is %q", site.Info.Fingerprint)
	}
	if st, err := os.Stat(site.Dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the data directory is %v %v", st.Mode(), err)
	}
	ann := site.SetUpPerson("Ann")
	fingerprint := site.Info.Fingerprint
	site.Restart()
	if site.Info.Fingerprint != fingerprint {
		t.Error("the second run has another authority")
	}
	if strings.Contains(site.Info.String(), "/setup#") {
		t.Errorf("the second run tells a set-up link:\n%s", site.Info)
	}
	if c := ann.Connect(); c.Hello.State != wire.DeviceActive {
		t.Errorf("after the restart the device is %s", c.Hello.State)
	}
}

func TestCertificateIsGoodForTheAddressesOfTheMachine(t *testing.T) {
	site := testenv.Start(t, func(c *server.Config) { c.Host = "veche.example" })
	resp, err := new(http.Client).Get("https://" + address(t, site) + "/")
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("a client that does not know the authority got %v %v", resp, err)
	}
	client := site.HTTP.Transport.(*http.Transport).TLSClientConfig.RootCAs
	leaf := shown(t, site)
	for _, name := range []string{"veche.example", "localhost", "127.0.0.1", "::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: client, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.HasPrefix(site.Info.HTTPS, "https://veche.example:") {
		t.Errorf("the address told is %s", site.Info.HTTPS)
	}
}

func TestInitSetsUpWithoutABrowser(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cfg := server.InitConfig{Data: dir, Org: "Testers", Admin: "Ann", Password: testenv.Password, Cost: account.Cost{Memory: 64, Time: 1, Threads: 1}}
	for name, bad := range map[string]server.InitConfig{
		"at least 8 characters": {Data: dir, Org: "Testers", Admin: "Ann", Password: "short"},
		"a name is 1 to 64":     {Data: dir, Org: "Testers", Admin: "", Password: testenv.Password},
		"organisation":          {Data: dir, Org: "", Admin: "Ann", Password: testenv.Password},
	} {
		err := server.Init(t.Context(), bad)
		if err == nil {
			t.Fatal("no error")
		}
		says(t, err, name)
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the directory was made", name)
		}
	}
	if err := server.Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	err := server.Init(t.Context(), cfg)
	if err == nil {
		t.Fatal("it was set up twice")
	}
	says(t, err, "is set up already; nothing was changed")

	site := testenv.Start(t, testenv.WithDir(dir))
	if site.SetupToken() != "" {
		t.Error("a set-up link was made")
	}
	ann := site.SignIn("Ann").Activate() // the first device starts the chain
	if !ann.Hello.Admin || ann.Hello.Org != "Testers" {
		t.Errorf("hello: %+v", ann.Hello)
	}
	testenv.Call(ann.Socket, wire.InviteCreate, wire.None{})
}

func TestInviteFromTheCommandLine(t *testing.T) {
	_, err := admin.MakeInvite(t.Context(), t.TempDir())
	if !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("without a server: %v", err)
	}
	site := testenv.Start(t)
	_, err = admin.MakeInvite(t.Context(), site.Dir)
	if err == nil {
		t.Fatal("invited before anybody is set up")
	}
	says(t, err, "nobody is set up yet")
	site.SetUp("Ann")
	inv, err := admin.MakeInvite(t.Context(), site.Dir)
	if err != nil || !strings.HasPrefix(inv.Link, site.Info.HTTPS+"/join#") || inv.Expires.Time().Before(time.Now().Add(wire.InviteTTL-time.Minute)) {
		t.Errorf("%+v %v", inv, err)
	}
	if st, err := os.Stat(filepath.Join(site.Dir, "admin.sock")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", st.Mode(), err)
	}
	site.Stop()
	if _, err := admin.MakeInvite(t.Context(), site.Dir); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAdminSocketWorksInADeepDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30)+"data")
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	site := testenv.Start(t, testenv.WithDir(dir))
	site.SetUp("Ann")
	site.Invite()
	site.Restart()
	site.Invite()
}

func TestLeftoversOfAKilledServerAreNoObstacle(t *testing.T) {
	site := testenv.Start(t)
	site.SetUp("Ann")
	site.Stop()
	// What a kill leaves: the lock's file and the socket, both without an owner.
	l, err := net.Listen("unix", filepath.Join(site.Dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	again := testenv.Start(t, testenv.WithDir(site.Dir))
	again.Invite()
}

func TestEndDrainsAndClosesSockets(t *testing.T) {
	site := testenv.Start(t)
	ann := site.SetUpPerson("Ann")
	bob := site.SignUp("Bob").Connect()
	site.Stop()
	for _, c := range []*testenv.Socket{ann.Socket, bob} {
		if s := c.Ended(); s != 1001 {
			t.Errorf("the socket ended with %d", s)
		}
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(site.Info.HTTPS, "https://")); err == nil {
		t.Error("the port is still open")
	}
}
