package account

import (
	"context"
	"errors"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// refused is that the server does not take a statement, and will not the next time
// either: a clock is wrong, or the chain goes on otherwise there.
type refused struct{ error }

func (e refused) Unwrap() error { return e.error }

// unlessTaken makes a refusal for good of what publishing a statement returned.
func unlessTaken(err error) error {
	switch wire.CodeOf(err) {
	case wire.BadRequest, wire.NotFound, wire.TooLarge:
		return refused{err}
	}
	return err
}

// tellRefused tells the person of a statement that is refused for good, which is
// not tried again before the next connection, and returns any other error.
func (a *Account) tellRefused(ctx context.Context, err error) error {
	var r refused
	if !errors.As(err, &r) {
		return err
	}
	a.cfg.Log.Warn("the server does not take the account's list of devices", "err", err)
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return a.cfg.Feed.Raise(tx, store.Notice{
			ID: string(api.NoticeRefused), Code: string(api.NoticeRefused), Severe: true, Account: a.ID(),
			Time: wire.Now(a.cfg.Now()), Text: r.Error(),
		})
	})
}

// taken forgets that a statement was refused.
func taken(tx *store.Tx) error { return store.DeleteNotice(tx, string(api.NoticeRefused)) }
