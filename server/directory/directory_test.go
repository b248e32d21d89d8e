package directory_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/veche-im/veche/server/account"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/server/device"
	"github.com/veche-im/veche/server/directory"
	"github.com/veche-im/veche/wire"
)

func open(t *testing.T) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Config{Path: filepath.Join(t.TempDir(), "veche.db"), Log: slog.New(slog.DiscardHandler),
		Schemas: []db.Schema{account.Schema, device.Schema}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestPagesHaveEverybodyOnce(t *testing.T) {
	d := open(t)
	const people = 2*wire.MaxPeoplePage + 7
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		for i := range people {
			n, err := account.ParseName(fmt.Sprintf("Person %d", i))
			if err != nil {
				return err
			}
			if _, err := account.Create(tx, n, "", false, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[wire.AccountID]bool{}
	var after wire.AccountID
	for pages := 1; ; pages++ {
		var page wire.People
		if err := d.View(t.Context(), func(tx *db.Tx) (err error) { page, err = directory.People(tx, after); return err }); err != nil {
			t.Fatal(err)
		}
		for _, p := range page.People {
			if seen[p.Account] {
				t.Fatal("somebody is there twice")
			}
			seen[p.Account], after = true, p.Account
		}
		if !page.More {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if len(seen) != people {
		t.Errorf("%d of %d people", len(seen), people)
	}
}

func TestLongChainsComeInParts(t *testing.T) {
	d := open(t)
	var a account.Account
	const statements = 300
	body := make([]byte, 30_000)
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		n, err := account.ParseName("Ann")
		if err != nil {
			return err
		}
		if a, err = account.Create(tx, n, "", false, time.Now()); err != nil {
			return err
		}
		for i := range statements {
			if _, err := tx.Exec(`INSERT INTO statement (account_id, seq, body, signature) VALUES ($1, $2, $3, $4)`, a.ID, i+1, body, make([]byte, 64)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, from := 0, int64(1)
	for range 10 {
		var page wire.Statements
		err := d.View(t.Context(), func(tx *db.Tx) (err error) {
			page, err = directory.Statements(tx, []wire.StatementsFrom{{Account: a.ID, From: from}, {Account: wire.NewAccountID()}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Chains) != 2 || page.Chains[0].Account != a.ID || len(page.Chains[1].Statements) != 0 {
			t.Fatalf("%d chains", len(page.Chains))
		}
		n := len(page.Chains[0].Statements)
		got += n
		from += int64(n)
		if !page.More {
			break
		}
		if n == 0 {
			t.Fatal("no progress")
		}
	}
	if got != statements {
		t.Errorf("%d of %d statements", got, statements)
	}
}
