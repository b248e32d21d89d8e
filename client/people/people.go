// Package people knows who is at this site and which devices are truly theirs.
//
// Names come from the server's directory and are only shown. Devices come from
// statements, which each account's own root key signs: every one is verified,
// and the newest is pinned in the store for ever, so that a server can neither
// take a statement back nor replace a chain without the person being told. What
// was pinned goes on counting then. docs/spec/identity.md.
package people

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/feed"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// Config says what People work with. All but Moved are required.
type Config struct {
	Store   *store.DB
	Session *session.Session
	Feed    *feed.Feed
	Log     *slog.Logger
	Now     func() time.Time

	// Moved hears of each newer statement after it was pinned; before is nil for
	// an account's first. It must not wait for the network.
	Moved func(before, after *statement.Verified)
}

// People is the directory as this device knows it. It may be used from several
// goroutines.
type People struct {
	cfg   Config
	fetch sync.Mutex // one fetch of statements at a time, so that pins move in order
	pins  atomic.Uint64

	mu     sync.Mutex // guards what follows
	online map[wire.AccountID]bool
	grace  time.Time // until then a chain that is shorter than what is pinned is no news
}

// Grace has a server that shows fewer statements than are pinned pass for one
// that was restored from a backup: until then the person is not told of it.
// What was pinned counts all the same.
func (p *People) Grace(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grace = until
}

func (p *People) forgives() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cfg.Now().Before(p.grace)
}

// New returns People that have nothing but what the store has.
func New(cfg Config) *People {
	if cfg.Moved == nil {
		cfg.Moved = func(_, _ *statement.Verified) {}
	}
	return &People{cfg: cfg, online: map[wire.AccountID]bool{}}
}

// Sync reads the whole directory after connecting, and the newest statements of
// everybody who has a pin.
func (p *People) Sync(ctx context.Context) error {
	var list []wire.Person
	var after wire.AccountID
	for {
		page, err := session.Call(ctx, p.cfg.Session, wire.DirectoryPeople, wire.ListPeople{After: after})
		if err != nil {
			return err
		}
		list = append(list, page.People...)
		if !page.More || len(page.People) == 0 {
			break
		}
		after = page.People[len(page.People)-1].Account
	}
	p.mu.Lock()
	p.online = map[wire.AccountID]bool{}
	for _, w := range list {
		p.online[w.Account] = w.Online
	}
	p.mu.Unlock()
	behind, err := p.note(ctx, list)
	if err != nil || len(behind) == 0 {
		return err
	}
	_, err = p.Newest(ctx, behind...)
	return err
}

// note stores what the directory says and returns the accounts of which another
// statement is pinned.
func (p *People) note(ctx context.Context, list []wire.Person) (behind []wire.AccountID, err error) {
	var changed []wire.AccountID
	err = p.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		behind, changed = nil, nil
		for _, w := range list {
			was, err := store.GetPerson(tx, w.Account)
			if err != nil && !errors.Is(err, store.ErrNone) {
				return err
			}
			// Also where the server says less than is pinned: it may be old news,
			// said before the newest statement was made, so it is asked.
			if was.Pinned > 0 && was.Pinned != w.Head {
				behind = append(behind, w.Account)
			}
			w.Head = max(w.Head, was.Pinned)
			now := store.Person{Account: w.Account, Name: w.Name, Admin: w.Admin, Shut: w.Shut, Head: w.Head, Pinned: was.Pinned}
			if err == nil && now == was {
				continue
			}
			changed = append(changed, w.Account)
			if err := store.PutPerson(tx, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(changed) > 0 {
		p.cfg.Feed.People(changed...)
	}
	return behind, err
}

// Changed takes what the event account says.
func (p *People) Changed(ctx context.Context, w wire.Person) error {
	behind, err := p.note(ctx, []wire.Person{w})
	if err != nil || len(behind) == 0 {
		return err
	}
	_, err = p.Newest(ctx, behind...)
	return err
}

// Presence takes what the event presence says.
func (p *People) Presence(w wire.Presence) {
	p.mu.Lock()
	was := p.online[w.Account]
	p.online[w.Account] = w.Online
	p.mu.Unlock()
	if was != w.Online {
		p.cfg.Feed.People(w.Account)
	}
}

// Gone forgets who is online: this device no longer knows.
func (p *People) Gone() {
	p.mu.Lock()
	var were []wire.AccountID
	for id, on := range p.online {
		if on {
			were = append(were, id)
		}
	}
	p.online = map[wire.AccountID]bool{}
	p.mu.Unlock()
	if len(were) > 0 {
		p.cfg.Feed.People(were...)
	}
}

// Online reports whether a device of account is connected, as the server says.
func (p *People) Online(account wire.AccountID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.online[account]
}

// Statements are the newest verified statements of accounts. An account of
// which nothing could be verified is missing.
type Statements map[wire.AccountID]*statement.Verified

// Allows reports whether a leaf of account and device may have this key.
func (s Statements) Allows(account wire.AccountID, device wire.DeviceID, key []byte) bool {
	v := s[account]
	return v != nil && v.Allows(device, key)
}

// Known returns what is pinned, without asking the server.
func (p *People) Known(ctx context.Context, accounts ...wire.AccountID) (Statements, error) {
	known := Statements{}
	err := p.cfg.Store.View(ctx, func(tx *store.Tx) error {
		for _, a := range accounts {
			v, err := store.GetPin(tx, a)
			if err != nil {
				return err
			}
			if v != nil {
				known[a] = v
			}
		}
		return nil
	})
	return known, err
}

// Pins counts how often a newer statement was pinned since New: what was worked
// out from statements still holds while it stays the same.
func (p *People) Pins() uint64 { return p.pins.Load() }

// Current returns the statements of accounts, and asks the server for those of
// which none is pinned or which it has said are newer. For these it must be
// reachable.
func (p *People) Current(ctx context.Context, accounts ...wire.AccountID) (Statements, error) {
	var missing []wire.AccountID
	err := p.cfg.Store.View(ctx, func(tx *store.Tx) error {
		for _, a := range accounts {
			person, err := store.GetPerson(tx, a)
			if err != nil && !errors.Is(err, store.ErrNone) {
				return err
			}
			if person.Pinned == 0 || person.Pinned < person.Head {
				missing = append(missing, a)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		if _, err := p.Newest(ctx, missing...); err != nil {
			return nil, err
		}
	}
	return p.Known(ctx, accounts...)
}

// atOnce is how many chains are asked for in one request.
const atOnce = 100

// Newest asks the server for the newest statements of accounts, verifies and
// pins them. A chain that does not hold is told as a notice and leaves the pin
// as it was.
func (p *People) Newest(ctx context.Context, accounts ...wire.AccountID) (Statements, error) {
	p.fetch.Lock()
	defer p.fetch.Unlock()
	known, err := p.Known(ctx, accounts...)
	if err != nil {
		return nil, err
	}
	for len(accounts) > 0 {
		part := accounts[:min(atOnce, len(accounts))]
		accounts = accounts[len(part):]
		if err := p.read(ctx, part, known); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// read brings known up to date for at most atOnce accounts. An answer has an
// end: chains that it has no room for come empty, and are asked for again.
func (p *People) read(ctx context.Context, accounts []wire.AccountID, known Statements) error {
	for len(accounts) > 0 {
		var ask wire.GetStatements
		for _, a := range accounts {
			from := int64(1)
			if v := known[a]; v != nil {
				from = v.Seq // the pinned one once more: to see that it is still the same
			}
			ask.Of = append(ask.Of, wire.StatementsFrom{Account: a, From: from})
		}
		res, err := session.Call(ctx, p.cfg.Session, wire.DirectoryStatements, ask)
		if err != nil {
			return err
		}
		chains := make([][]wire.SignedStatement, len(accounts))
		last := 0 // where the answer ended
		for i, a := range accounts {
			if i < len(res.Chains) && res.Chains[i].Account == a {
				chains[i] = res.Chains[i].Statements
			}
			if len(chains[i]) > 0 {
				last = i
			}
		}
		told := len(accounts)
		if res.More {
			told = last + 1
		}
		moved := false // the chain at which the answer ended, which may go on
		for i, a := range accounts[:told] {
			before := known[a]
			after, err := p.judge(ctx, a, before, chains[i])
			if err != nil {
				return err
			}
			if after != nil {
				known[a] = after
				moved = i == last && (before == nil || after.Seq > before.Seq)
			}
		}
		switch {
		case !res.More:
			return nil
		case last == 0 && !moved:
			accounts = accounts[1:]
		default:
			accounts = accounts[last:]
		}
	}
	return nil
}

// The two ways in which a server shows less or other than what is pinned.
var (
	errRollback = errors.New("the server shows fewer statements than are known")
	errReset    = errors.New("the server shows another chain of statements than the one that is known")
)

// Rolled reports whether err is that a server shows fewer statements than are
// known, as one does that was restored just now.
func (p *People) Rolled(err error) bool { return errors.Is(err, errRollback) && p.forgives() }

// Follow checks what the server showed of account's chain, from pinned on with
// that one included, or from the first where pinned is nil. It returns the
// newest statement, nil if there is none.
func Follow(pinned *statement.Verified, account wire.AccountID, chain []wire.SignedStatement) (*statement.Verified, error) {
	if pinned == nil {
		return statement.Extend(nil, account, chain)
	}
	switch {
	case len(chain) == 0:
		return nil, fmt.Errorf("%w: %d is missing", errRollback, pinned.Seq)
	case !bytes.Equal(chain[0].Body, pinned.Signed.Body):
		return nil, fmt.Errorf("%w: statement %d differs", errReset, pinned.Seq)
	}
	return statement.Extend(pinned, account, chain[1:])
}

// judge verifies what the server showed of account's chain from before on, and
// pins the newest. Only the store's errors are returned.
func (p *People) judge(ctx context.Context, account wire.AccountID, before *statement.Verified, chain []wire.SignedStatement) (*statement.Verified, error) {
	after, err := Follow(before, account, chain)
	switch {
	case errors.Is(err, errRollback) && p.forgives():
		return before, nil
	case errors.Is(err, errRollback):
		return before, p.alarm(ctx, api.NoticeRollback, account, "%v", err)
	case err != nil:
		return before, p.alarm(ctx, api.NoticeReset, account, "%v", err)
	}
	if after == nil || before != nil && after.Seq == before.Seq {
		return after, nil
	}
	if err := p.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.PutPin(tx, after) }); err != nil {
		return before, fmt.Errorf("pin statement %d of %s: %w", after.Seq, account, err)
	}
	p.pins.Add(1)
	p.cfg.Moved(before, after)
	return after, nil
}

func (p *People) alarm(ctx context.Context, code api.NoticeCode, account wire.AccountID, format string, args ...any) error {
	p.cfg.Log.Warn("statement refused", "account", account, "code", code)
	return p.cfg.Store.Update(ctx, func(tx *store.Tx) error { return p.raise(tx, code, account, format, args...) })
}

func (p *People) raise(tx *store.Tx, code api.NoticeCode, account wire.AccountID, format string, args ...any) error {
	return p.cfg.Feed.Raise(tx, store.Notice{
		ID: string(code) + " " + account.String(), Code: string(code), Severe: true,
		Account: account, Time: wire.Now(p.cfg.Now()), Text: fmt.Sprintf(format, args...),
	})
}
