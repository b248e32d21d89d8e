// Package directory lists the people of a site and the chains of statements
// that say which devices are theirs. It only reads: accounts and devices own
// what it shows.
package directory

import (
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// maxChains bounds the accounts of one question; maxPage the bytes of one answer.
const (
	maxChains = 100
	maxPage   = wire.MaxLogPageBytes
)

const person = `SELECT a.id, a.name, a.admin, a.shut_ms > 0, coalesce((SELECT max(s.seq) FROM statement s WHERE s.account_id = a.id), 0) FROM account a `

func scan(r *db.Rows, p *wire.Person) error {
	return r.Scan(&p.Account, &p.Name, &p.Admin, &p.Shut, &p.Head)
}

// People returns a page of the site's people in the order of accounts. Who is
// online is for the caller to fill in.
func People(tx *db.Tx, after wire.AccountID) (wire.People, error) {
	page := wire.People{People: []wire.Person{}}
	err := tx.Each(func(r *db.Rows) error {
		var p wire.Person
		if err := scan(r, &p); err != nil {
			return err
		}
		page.People = append(page.People, p)
		return nil
	}, person+`WHERE a.id > $1 ORDER BY a.id LIMIT $2`, after, wire.MaxPeoplePage+1)
	if err != nil {
		return wire.People{}, fmt.Errorf("list people: %w", err)
	}
	if len(page.People) > wire.MaxPeoplePage {
		page.People, page.More = page.People[:wire.MaxPeoplePage], true
	}
	return page, nil
}

// PersonOf returns one account as the directory lists it, or db.ErrNone.
func PersonOf(tx *db.Tx, id wire.AccountID) (p wire.Person, err error) {
	err = tx.QueryRow(person+`WHERE a.id = $1`, id).Scan(&p.Account, &p.Name, &p.Admin, &p.Shut, &p.Head)
	return p, err
}

// errFull ends reading where the page ends: a chain may go on for long.
var errFull = errors.New("the page is full")

// Statements returns the chains that were asked for, each from its seq on. An
// account that has none, or does not exist, has an empty chain. More is set
// where the answer was cut: the caller asks again from where it ends.
func Statements(tx *db.Tx, of []wire.StatementsFrom) (wire.Statements, error) {
	if len(of) > maxChains {
		return wire.Statements{}, wire.Refuse(wire.TooLarge, "at most %d chains at a time", maxChains)
	}
	page := wire.Statements{Chains: make([]wire.Chain, 0, len(of))}
	size := 0
	for _, from := range of {
		c := wire.Chain{Account: from.Account, Statements: []wire.SignedStatement{}}
		if page.More {
			page.Chains = append(page.Chains, c)
			continue
		}
		err := tx.Each(func(r *db.Rows) error {
			var s wire.SignedStatement
			if err := r.Scan(&s.Body, &s.Signature); err != nil {
				return err
			}
			if size += len(s.Body) + len(s.Signature) + 16; size > maxPage {
				page.More = true
				return errFull
			}
			c.Statements = append(c.Statements, s)
			return nil
		}, `SELECT body, signature FROM statement WHERE account_id = $1 AND seq >= $2 ORDER BY seq`, from.Account, max(1, from.From))
		if err != nil && !errors.Is(err, errFull) {
			return wire.Statements{}, fmt.Errorf("read the chain of %s: %w", from.Account, err)
		}
		page.Chains = append(page.Chains, c)
	}
	return page, nil
}
