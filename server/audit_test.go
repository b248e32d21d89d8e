package server_test

import (
	"bytes"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"encoding/json"

	"github.com/veche-im/veche/internal/testenv"
	"github.com/veche-im/veche/server"
	"github.com/veche-im/veche/server/admin"
	"github.com/veche-im/veche/server/audit"
	"github.com/veche-im/veche/wire"
)

// records collects what the site writes down of what happens at its doors.
type records struct {
	mu sync.Mutex // guards what follows
	b  bytes.Buffer
}

func (r *records) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(b)
}

func (r *records) log() *slog.Logger { return slog.New(slog.NewJSONHandler(r, nil)) }

// take returns the events since it was asked last.
func (r *records) take(t *testing.T) (all []map[string]any) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["msg"] == "security" {
			all = append(all, m)
		}
	}
	r.b.Reset()
	return all
}

// Each thing that happens at the doors is written down, once, with whom it is
// about and how it ended. An event without a case here fails the test.
func TestWhatHappensAtTheDoorsIsWrittenDown(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	r := &records{}
	site := testenv.Start(t, testenv.WithLog(r.log()), testenv.WithClock(clock),
		testenv.WithConfig(func(c *server.Config) { c.Ticks, c.SessionMax = clock, 60*24*time.Hour }))
	ann := site.SetUpPerson("Ann")
	bob := site.AddPerson("Bob")
	prove := func(p *testenv.Person) {
		if s, e := site.Post(wire.PathProve, p.Token, wire.Prove{Password: testenv.Password}, nil); e != nil {
			t.Fatal(s, e)
		}
	}
	post := func(path, token string, body any) { site.Post(path, token, body, nil) }
	call := func(p *testenv.Person, m wire.Method[wire.AccountRef, wire.None], of *testenv.Person) {
		_, _ = testenv.Try(p.Socket, m, wire.AccountRef{Account: of.Account})
	}
	command := func(act admin.Act, name string) {
		if err := admin.Do(t.Context(), site.Dir, act, name); err != nil {
			t.Fatal(act, err)
		}
	}
	// Each case begins with Ann and Bob connected, and what is written before it
	// was looked at.
	type fields map[string]any
	cases := []struct {
		kind audit.Kind
		do   func()
		want fields
	}{
		{audit.SignedUp, func() { site.SignUp("Cid") }, fields{"outcome": "done", "network": "127.0.0.1/32"}},
		{audit.SignedIn, func() { site.SignIn("Bob") }, fields{"outcome": "done", "account": bob.Account.String()}},
		{audit.SignInRefused, func() { post(wire.PathSignin, "", wire.SignIn{Name: "Bob", Password: "canary wrong"}) },
			fields{"outcome": "refused", "why": "wrong", "account": bob.Account.String()}},
		{audit.SignInRefused, func() { post(wire.PathSignin, "", wire.SignIn{Name: "Canary", Password: "canary wrong"}) },
			fields{"why": "unknown", "account": nil}},
		{audit.SignedOut, func() { post(wire.PathSignout, site.SignIn("Bob").Token, struct{}{}) }, fields{"account": bob.Account.String()}},
		{audit.DeviceEnrolled, func() { bob.AddDevice() }, fields{"account": bob.Account.String()}},
		{audit.DeviceRevoked, func() { bob.Root.Publish(bob.Socket, testenv.Revoke(bob.AddDevice().Device)) }, fields{"account": bob.Account.String()}},
		{audit.SessionEnded, func() {
			testenv.Call(bob.Socket, wire.DeviceDrop, wire.DropDevice{Device: site.SignIn("Bob").Device})
		}, fields{"why": "turned_away"}},
		{audit.SessionEnded, func() {
			site.SignIn("Bob")
			pass(25 * time.Hour)
			if err := site.Server.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, fields{"why": "never_enrolled", "outcome": "done"}},
		{audit.PasswordChanged, func() { change(site, bob.Token, testenv.Password, testenv.Password) }, fields{"device": bob.Device.String()}},
		{audit.PasswordRefused, func() { change(site, bob.Token, "canary wrong", testenv.Password) }, fields{"why": "wrong", "outcome": "refused"}},
		{audit.PasswordRefused, func() { change(site, bob.Token, testenv.Password, "canary99") }, fields{"why": "guessable"}},
		{audit.Proved, func() { prove(ann) }, fields{"account": ann.Account.String(), "device": ann.Device.String()}},
		{audit.ProofRefused, func() { post(wire.PathProve, ann.Token, wire.Prove{Password: "canary wrong"}) }, fields{"why": "wrong"}},
		{audit.ProofMissing, func() { pass(wire.ProofTTL); call(ann, wire.AccountShut, bob) }, fields{"account": ann.Account.String(), "what": "account.shut"}},
		{audit.InviteMade, func() { testenv.Call(ann.Socket, wire.InviteCreate, wire.None{}) }, fields{"by": ann.Account.String()}},
		{audit.InviteMade, func() { site.Invite() }, fields{"by": "command line"}},
		{audit.ResetMade, func() {
			prove(ann)
			testenv.Call(ann.Socket, wire.AccountReset, wire.AccountRef{Account: bob.Account})
		}, fields{"by": ann.Account.String(), "account": bob.Account.String()}},
		{audit.ResetMade, func() { resetLink(t, site, "Bob") }, fields{"by": "command line"}},
		{audit.PasswordReset, func() {
			post(wire.PathReset, "", wire.Reset{Token: resetLink(t, site, "Bob"), Password: testenv.Password, Device: "canary"})
		}, fields{"account": bob.Account.String(), "network": "127.0.0.1/32"}},
		{audit.LinkRefused, func() { post(wire.PathReset, "", wire.Reset{Token: "canary", Password: testenv.Password}) }, fields{"what": "POST /api/v1/reset"}},
		{audit.Denied, func() { _, _ = testenv.Try(bob.Socket, wire.InviteCreate, wire.None{}) }, fields{"what": "invite.create", "device": bob.Device.String()}},
		{audit.Denied, func() { site.Do("GET", wire.PathBlob+wire.NewBlobID().String(), bob.Token, "", nil, nil) },
			fields{"what": "GET /api/v1/blobs/{id}", "account": bob.Account.String()}},
		{audit.SessionRefused, func() { site.Do("GET", wire.PathSession, strings.Repeat("A", 43), "", nil, nil) }, fields{"what": "GET /api/v1/session", "account": nil}},
		{audit.FromElsewhere, func() { site.Do("POST", wire.PathSignin, "", "text/plain", nil, nil) }, fields{"what": "POST /api/v1/signin"}},
		{audit.Limited, func() {
			for range 30 {
				post(wire.PathProve, bob.Token, wire.Prove{Password: testenv.Password})
			}
			pass(time.Minute)
		}, fields{"what": "password", "outcome": "refused", "account": bob.Account.String()}},
		{audit.AdminMade, func() { command(admin.MakeAdmin, "Bob") }, fields{"account": bob.Account.String(), "by": "command line"}},
		{audit.AdminTaken, func() { command(admin.TakeAdmin, "Bob") }, fields{"account": bob.Account.String()}},
		{audit.SessionLocked, func() { command(admin.SignOut, "Bob"); prove(bob) }, fields{"why": "administrator", "by": "command line"}},
		{audit.SessionLocked, func() {
			pass(61 * 24 * time.Hour)
			if err := site.Server.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			prove(ann)
			prove(bob)
		}, fields{"why": "too_old", "by": nil}},
		{audit.AccountShut, func() { prove(ann); call(ann, wire.AccountShut, bob) }, fields{"by": ann.Account.String(), "account": bob.Account.String()}},
		{audit.SignInRefused, func() { post(wire.PathSignin, "", wire.SignIn{Name: "Bob", Password: testenv.Password}) }, fields{"why": "shut"}},
		{audit.AccountOpened, func() { prove(ann); call(ann, wire.AccountOpen, bob) }, fields{"by": ann.Account.String(), "account": bob.Account.String()}},
		{audit.SignInRefused, func() {
			for range 6 {
				post(wire.PathSignin, "", wire.SignIn{Name: "Bob", Password: "canary wrong"})
			}
		}, fields{"why": "too_many", "account": bob.Account.String()}},
	}
	seen := map[audit.Kind]bool{}
	for i, tt := range cases {
		seen[tt.kind] = true
		if i > 0 {
			pass(15 * time.Minute) // no limit of failures, no minute in which it was told
		}
		if s, _ := site.Do("GET", wire.PathSession, ann.Token, "", nil, nil); s != 200 {
			prove(ann)
		}
		if ann.Socket.Err() != nil {
			ann.Socket = ann.Connect()
		}
		if s, _ := site.Do("GET", wire.PathSession, bob.Token, "", nil, nil); s == 200 && bob.Socket.Err() != nil {
			bob.Socket = bob.Connect()
		}
		r.take(t)
		tt.do()
		all := r.take(t)
		if !slices.ContainsFunc(all, func(e map[string]any) bool {
			if e["event"] != string(tt.kind) {
				return false
			}
			for k, v := range tt.want {
				if e[k] != v {
					return false
				}
			}
			return true
		}) {
			t.Errorf("%s %v is not among what was written: %v", tt.kind, tt.want, all)
		}
		for _, e := range all {
			for k, v := range e {
				if s, ok := v.(string); ok && (strings.Contains(strings.ToLower(s), "canary") || strings.Contains(s, testenv.Password)) {
					t.Errorf("%s: %s says what somebody typed: %q", tt.kind, k, s)
				}
			}
		}
	}
	// All that there are have a case, and stand in the administrator's guide.
	source, err := os.ReadFile("audit/audit.go")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../docs/admin/running.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, m := range regexp.MustCompile(`Kind += "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		all[m[1]] = true
	}
	if len(all) < 20 {
		t.Fatalf("only %d events were found", len(all))
	}
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		if !seen[audit.Kind(kind)] {
			t.Errorf("%s has no case", kind)
		}
		if !strings.Contains(string(guide), "`"+kind+"`") {
			t.Errorf("%s is not in docs/admin/running.md", kind)
		}
	}
}
