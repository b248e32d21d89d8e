package account

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"github.com/veche-im/veche/server/authz"
	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Account is somebody at this site.
type Account struct {
	ID    wire.AccountID
	Name  string
	Admin bool
	Shut  bool // nobody can sign in to it
}

// errTaken is the refusal of a name that somebody has.
var errTaken = wire.Refuse(wire.Exists, "that name is taken")

// A Name is a person's or an organisation's name in its two forms.
type Name struct {
	Shown string
	Key   string // equal for names that count as the same, RFC 8266
}

// ParseName normalises a name. One that is empty, too long or has control
// characters is BadRequest.
func ParseName(s string) (Name, error) {
	// Four bytes a character, and room for spaces that normalising removes.
	if len(s) > 8*wire.MaxName || !utf8.ValidString(s) {
		return Name{}, wire.Refuse(wire.BadRequest, "a name has at most %d characters", wire.MaxName)
	}
	shown, err := precis.Nickname.String(s)
	if err != nil || strings.ContainsFunc(shown, unicode.IsControl) {
		return Name{}, wire.Refuse(wire.BadRequest, "a name is 1 to %d characters, without control characters", wire.MaxName)
	}
	key, err := precis.Nickname.CompareKey(shown) // what looks the same is the same, however it was typed
	if err != nil || utf8.RuneCountInString(shown) > wire.MaxName || utf8.RuneCountInString(key) > 4*wire.MaxName {
		return Name{}, wire.Refuse(wire.BadRequest, "a name is 1 to %d characters", wire.MaxName)
	}
	return Name{shown, key}, nil
}

// Create makes an account. A name that is taken is Exists.
func Create(tx *db.Tx, name Name, password Hash, admin bool, now time.Time) (Account, error) {
	a := Account{ID: wire.NewAccountID(), Name: name.Shown, Admin: admin}
	const add = `INSERT INTO account (id, name, name_key, password, admin, created_ms) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name_key) DO NOTHING`
	n, err := tx.Exec(add, a.ID, name.Shown, name.Key, string(password), admin, now.UnixMilli())
	if err != nil {
		return Account{}, fmt.Errorf("add account: %w", err)
	}
	if n == 0 {
		return Account{}, errTaken
	}
	return a, nil
}

// Get returns an account, or authz.ErrDenied.
func Get(tx *db.Tx, id wire.AccountID) (Account, error) {
	a := Account{ID: id}
	const get = `SELECT name, admin, shut_ms > 0 FROM account WHERE id = $1`
	err := tx.QueryRow(get, id).Scan(&a.Name, &a.Admin, &a.Shut)
	if errors.Is(err, db.ErrNone) {
		return Account{}, authz.ErrDenied
	}
	if err != nil {
		return Account{}, fmt.Errorf("read account %s: %w", id, err)
	}
	return a, nil
}

// byKey returns the account of a name and the hash of its password. For a name
// that nobody has, the error is db.ErrNone.
func byKey(tx *db.Tx, key string) (a Account, password Hash, err error) {
	const get = `SELECT id, name, admin, shut_ms > 0, password FROM account WHERE name_key = $1`
	err = tx.QueryRow(get, key).Scan(&a.ID, &a.Name, &a.Admin, &a.Shut, (*string)(&password))
	return a, password, err
}

// Anyone reports whether the site has an account.
func Anyone(tx *db.Tx) (bool, error) {
	var n int
	err := tx.QueryRow(`SELECT count(*) FROM (SELECT 1 FROM account LIMIT 1) AS a`).Scan(&n)
	return n > 0, err
}

// Org returns the organisation's name, empty until it is set up.
func Org(tx *db.Tx) (string, error) {
	var org string
	err := tx.QueryRow(`SELECT org FROM site WHERE id = 1`).Scan(&org)
	if errors.Is(err, db.ErrNone) {
		return "", nil
	}
	return org, err
}

// setUp names the organisation, once.
func setUp(tx *db.Tx, org Name, now time.Time) error {
	const add = `INSERT INTO site (id, org, created_ms, life) VALUES (1, $1, $2, $3) ON CONFLICT (id) DO NOTHING`
	n, err := tx.Exec(add, org.Shown, now.UnixMilli(), wire.NewLifeID())
	if err != nil {
		return fmt.Errorf("name the organisation: %w", err)
	}
	if n == 0 {
		return authz.ErrDenied
	}
	return nil
}
