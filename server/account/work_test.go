package account

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// A name that nobody has, one that cannot be, a wrong password and one that
// cannot be all cost the same: one hash of the same parameters, whatever a
// browser shows of having been here.
func TestEveryFailureCostsOneHash(t *testing.T) {
	store, err := db.Open(t.Context(), db.Config{Path: filepath.Join(t.TempDir(), "veche.db"), Log: slog.New(slog.DiscardHandler), Schemas: []db.Schema{Schema}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	at := time.Now()
	s, err := New(Config{DB: store, Now: func() time.Time { return at }, Cost: cheap})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetUpUnattended(t.Context(), "Testers", "Ann", "correct horse"); err != nil {
		t.Fatal(err)
	}
	// Somebody whose account is shut.
	err = store.Update(t.Context(), func(tx *db.Tx) error {
		n, err := ParseName("Bob")
		if err != nil {
			return err
		}
		hash, err := s.hasher.hash(t.Context(), "correct horse")
		if err != nil {
			return err
		}
		bob, err := Create(tx, n, hash, false, at)
		if err != nil {
			return err
		}
		_, err = Shut(tx, bob.ID, at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var work []string
	s.hasher.sum = func(c Cost, password string, salt []byte) []byte {
		work = append(work, fmt.Sprintf("%+v, a salt of %d", c, len(salt)))
		return c.sum(password, salt)
	}
	note := vouch(s.hasher.decoy)
	for name, try := range map[string]Try{
		"a wrong password":             {Name: "Ann", Password: "wrong horse"},
		"one that is too short":        {Name: "Ann", Password: "x"},
		"one that is too long":         {Name: "Ann", Password: strings.Repeat("x", wire.MaxPassword+1)},
		"one that cannot be":           {Name: "Ann", Password: "tab\tinside it"},
		"none":                         {Name: "Ann"},
		"that of a shut account":       {Name: "Bob", Password: "correct horse"},
		"a wrong one of it":            {Name: "Bob", Password: "wrong horse"},
		"a name that nobody has":       {Name: "Nobody", Password: "correct horse"},
		"one that cannot be a name":    {Name: "\x00", Password: "correct horse"},
		"no name":                      {Password: "correct horse"},
		"a very long one":              {Name: strings.Repeat("x", 10_000), Password: "correct horse"},
		"with somebody's note":         {Name: "Ann", Password: "wrong horse", Known: note},
		"of nobody, with a note":       {Name: "Nobody", Password: "wrong horse", Known: note},
		"of nobody, with a false note": {Name: "Nobody", Password: "wrong horse", Known: strings.Repeat("A", len(note))},
	} {
		at = at.Add(window)
		work = nil
		try.From = netip.MustParseAddr("192.0.2.1")
		_, err := s.SignIn(t.Context(), try, func(*db.Tx, Account) error { t.Error("somebody was let in"); return nil })
		if wire.CodeOf(err) != wire.NotFound || err.Error() != "not_found: no such thing" {
			t.Errorf("%s: %v", name, err)
		}
		if want := fmt.Sprintf("%+v, a salt of %d", cheap, saltSize); len(work) != 1 || work[0] != want {
			t.Errorf("%s cost %v", name, work)
		}
	}
	// Who has no link cannot make the server hash.
	work = nil
	for _, token := range []string{"", "x", newToken().Secret()} {
		if _, err := s.SignUp(t.Context(), token, "Bob", "correct horse", nil); wire.CodeOf(err) != wire.NotFound {
			t.Errorf("signed up with %q: %v", token, err)
		}
		if _, _, err := s.Reset(t.Context(), token, "correct horse", nil); wire.CodeOf(err) != wire.NotFound {
			t.Errorf("set a password with %q: %v", token, err)
		}
	}
	if len(work) != 0 {
		t.Errorf("links that are none cost %v", work)
	}
}
