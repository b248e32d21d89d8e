package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/link"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/client/store/native"
	"github.com/veche-im/veche/e2ee/identity"
	"github.com/veche-im/veche/wire"
)

// doors is a server of which each door answers as it is told, and notes who came.
type doors struct {
	link.Link // nil: nothing else is asked
	say       map[string]func() (link.Response, error)
	asked     []string
}

func (d *doors) Do(_ context.Context, r link.Request) (link.Response, error) {
	d.asked = append(d.asked, r.Path)
	say := d.say[r.Path]
	if say == nil {
		return link.Response{}, fmt.Errorf("%w: nobody asks for %s here", link.ErrUntrusted, r.Path)
	}
	return say()
}

func (*doors) Cookie() bool   { return false }
func (*doors) Origin() string { return "https://site" }

func says(t *testing.T, status int, v any) func() (link.Response, error) {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return func() (link.Response, error) { return link.Response{Status: status, Body: b}, nil }
}

// stored is an account of Bob's that is stored here, with a session.
func stored(t *testing.T, d *doors) *Account {
	t.Helper()
	db, err := native.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	keys, err := identity.NewDeviceKeys()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := keys.Export()
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		self := store.Self{Account: wire.AccountID{1}, Device: wire.DeviceID{2}, State: wire.DeviceActive, Name: "Bob", DeviceName: "laptop"}
		return errors.Join(store.PutSelf(tx, self), store.PutSecret(tx, store.SecretKeys, secret), store.PutSecret(tx, store.SecretToken, []byte("token")))
	})
	if err != nil {
		t.Fatal(err)
	}
	a := New(Config{Link: d, Store: db, Feed: feed.New(), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// Whoever changed the password in between, the old one is not the password any
// more; it is no failure to wait after.
func TestAPasswordThatWasChangedElsewhereIsNotThePassword(t *testing.T) {
	a := stored(t, &doors{say: map[string]func() (link.Response, error){wire.PathPassword: says(t, 409, wire.Refuse(wire.Conflict, "changed"))}})
	err := a.ChangePassword(t.Context(), api.ChangePassword{Old: "one old password", New: "another password"})
	if f := api.FailureOf(err); f.Code != api.NotFound || f.Field != "old" {
		t.Errorf("it is %v of %q", err, f.Field)
	}
}

// A session that has ended may go on: until it is to be forgotten, nobody else's
// link takes the place of what is stored.
func TestALinkForSomebodyElseReplacesNobody(t *testing.T) {
	d := &doors{say: map[string]func() (link.Response, error){
		wire.PathLink:  says(t, 200, wire.LinkInfo{Kind: "reset", Org: "Org", Name: "Ann"}),
		wire.PathReset: says(t, 503, &wire.Error{Code: wire.Busy}), // far enough
	}}
	a := stored(t, d)
	reset := func() api.FailureCode {
		d.asked = nil
		_, err := a.Reset(t.Context(), api.ResetPassword{Token: "token", Password: "another password", Device: "laptop"})
		return api.FailureOf(err).Code
	}
	for _, ended := range []bool{false, true} {
		if ended {
			if err := a.End(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := reset(); got != api.Occupied || slices.Contains(d.asked, wire.PathReset) {
			t.Errorf("ended %t: it is %s after asking for %v", ended, got, d.asked)
		}
		if self, _ := a.Self(); self.Name != "Bob" {
			t.Errorf("ended %t: here is %q", ended, self.Name)
		}
	}
	if err := a.end(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if reset(); !slices.Equal(d.asked, []string{wire.PathReset}) {
		t.Errorf("where it is to be forgotten, %v was asked for", d.asked)
	}
}

// What is stored here is one account's, until it is to be forgotten: no name, no
// link and no answer of the server puts another one in its place.
func TestNobodyElseTakesThePlaceOfWhatIsStored(t *testing.T) {
	another := says(t, 200, wire.SignedIn{Account: wire.AccountID{9}, Device: wire.DeviceID{9}, State: wire.DevicePending, Name: "Bob", Token: "their token"})
	for _, tt := range []struct {
		name  string
		try   func(a *Account) error
		asked []string
	}{
		{"another name", func(a *Account) error {
			_, err := a.SignIn(t.Context(), api.SignIn{Name: "Ann", Password: "a password", Device: "laptop"})
			return err
		}, nil},
		{"an invite", func(a *Account) error {
			_, err := a.SignUp(t.Context(), api.SignUp{Token: "token", Name: "Bob", Password: "a password", Device: "laptop"})
			return err
		}, nil},
		{"the name is somebody else's by now", func(a *Account) error {
			_, err := a.SignIn(t.Context(), api.SignIn{Name: " BOB ", Password: "a password", Device: "laptop"})
			return err
		}, []string{wire.PathProve, wire.PathSignin, wire.PathSignout}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &doors{say: map[string]func() (link.Response, error){
				wire.PathProve:   says(t, 401, wire.Refuse(wire.Unauthenticated, "over")),
				wire.PathSignin:  another,
				wire.PathSignup:  another,
				wire.PathSignout: says(t, 204, nil),
			}}
			a := stored(t, d)
			if err := a.End(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := tt.try(a)
			if f := api.FailureOf(err); f.Code != api.Occupied || f.Field != "name" || !strings.Contains(f.Text, "Bob") {
				t.Errorf("it is %v", err)
			}
			if !slices.Equal(d.asked, tt.asked) {
				t.Errorf("asked for %v, want %v", d.asked, tt.asked)
			}
			if err := a.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if self, _ := a.Self(); self.Account != (wire.AccountID{1}) || self.State != wire.DeviceActive || a.former() != "token" {
				t.Errorf("here is %+v now", self)
			}
		})
	}
}

// A server that was not reached is no older server: to sign in there a moment
// later would cost the device its keys.
func TestAnEndedSessionIsNotGivenUpBecauseTheServerWasNotReached(t *testing.T) {
	for _, tt := range []struct {
		name  string
		prove func() (link.Response, error)
		anew  bool
	}{
		{"not reached", func() (link.Response, error) { return link.Response{}, link.ErrUnreachable }, false},
		{"the proxy answers", says(t, 502, "bad gateway"), false},
		{"the answer is lost", says(t, 200, "no answer"), false},
		{"an older server", says(t, 405, "method not allowed"), true},
		{"no such session", says(t, 401, wire.Refuse(wire.Unauthenticated, "over")), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &doors{say: map[string]func() (link.Response, error){wire.PathProve: tt.prove}}
			a := stored(t, d)
			if err := a.End(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := a.SignIn(t.Context(), api.SignIn{Name: "Bob", Password: "one old password", Device: "laptop"})
			if err == nil || slices.Contains(d.asked, wire.PathSignin) != tt.anew {
				t.Errorf("asked for %v: %v", d.asked, err)
			}
		})
	}
}
