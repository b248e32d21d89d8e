package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/people"
	"github.com/veche-im/veche/client/session"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// settingChain keeps the account's own statements, from the first on, with the
// vault that goes with the newest: what a restored site has lost of them is
// published again.
const settingChain = "own chain"

type ownChain struct {
	Statements []wire.SignedStatement `cbor:"statements"`
	Vault      []byte                 `cbor:"vault"`
}

// Keep fetches the account's own statements and vault if they are others than
// those that are kept here.
func (a *Account) Keep(ctx context.Context) error {
	pinned, kept, err := a.ownChain(ctx)
	if err != nil || pinned == nil {
		return err
	}
	if n := len(kept.Statements); n > 0 && bytes.Equal(kept.Statements[n-1].Body, pinned.Signed.Body) {
		return nil
	}
	all, err := a.statements(ctx)
	if err != nil {
		return err
	}
	v, err := session.Call(ctx, a.cfg.Session, wire.DeviceVault, wire.None{})
	if err != nil {
		return err
	}
	n := len(all)
	if n == 0 || !bytes.Equal(all[n-1].Body, pinned.Signed.Body) {
		return nil // it moved meanwhile, or is another: the next word of it brings us here again
	}
	// The newest one alone says nothing of those before: with another in between,
	// no restored site would be given what it lost.
	if v, err := people.Follow(nil, a.ID(), all); err != nil || !bytes.Equal(v.Signed.Body, pinned.Signed.Body) {
		a.cfg.Log.Warn("the server shows a chain of this account that does not hold", "err", err)
		return nil
	}
	b, err := wire.Encode(ownChain{Statements: all, Vault: v.Vault})
	if err != nil {
		return err
	}
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return store.PutSetting(tx, settingChain, b) })
}

func (a *Account) ownChain(ctx context.Context) (pinned *statement.Verified, kept ownChain, err error) {
	id := a.ID()
	err = a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		if pinned, err = store.GetPin(tx, id); err != nil {
			return err
		}
		b, err := store.GetSetting(tx, settingChain)
		if errors.Is(err, store.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		return wire.Decode(b, &kept)
	})
	return pinned, kept, err
}

// statements reads the account's own chain as the server has it.
func (a *Account) statements(ctx context.Context) (all []wire.SignedStatement, err error) {
	for {
		ask := wire.GetStatements{Of: []wire.StatementsFrom{{Account: a.ID(), From: 1 + int64(len(all))}}}
		res, err := session.Call(ctx, a.cfg.Session, wire.DirectoryStatements, ask)
		if err != nil {
			return nil, err
		}
		if len(res.Chains) == 0 || len(res.Chains[0].Statements) == 0 {
			return all, nil
		}
		all = append(all, res.Chains[0].Statements...)
		if !res.More {
			return all, nil
		}
	}
}

// Republish publishes the account's statements again that a restored site has
// lost, oldest first: they are signed, and so is the order. If the site refuses
// them the person is told, and nothing else waits for it. Where the server has
// others, or this device has not kept them, nothing is published: the rules of
// every day tell the person.
func (a *Account) Republish(ctx context.Context) error {
	a.publish.Lock()
	defer a.publish.Unlock()
	return a.tellRefused(ctx, a.republish(ctx))
}

func (a *Account) republish(ctx context.Context) error {
	return a.retry(func() error {
		pinned, kept, err := a.ownChain(ctx)
		if err != nil {
			return err
		}
		n := len(kept.Statements)
		if pinned == nil || n == 0 || !bytes.Equal(kept.Statements[n-1].Body, pinned.Signed.Body) {
			return nil
		}
		there, err := a.statements(ctx)
		if err != nil || len(there) >= n {
			return err
		}
		for i, s := range there {
			if !bytes.Equal(s.Body, kept.Statements[i].Body) {
				return nil
			}
		}
		v, err := session.Call(ctx, a.cfg.Session, wire.DeviceVault, wire.None{})
		if err != nil {
			return err
		}
		for lost := kept.Statements[len(there):]; len(lost) > 0; {
			n := fits(lost)
			res, err := session.Call(ctx, a.cfg.Session, wire.DeviceRepublish, wire.Republish{Statements: lost[:n], Vault: kept.Vault, Version: v.Version})
			if err != nil {
				return unlessTaken(fmt.Errorf("publish statements again: %w", err))
			}
			lost, v.Version = lost[n:], res.Version
		}
		return a.cfg.Store.Update(ctx, taken)
	})
}

// fits returns how many statements are published at a time.
func fits(list []wire.SignedStatement) int {
	size := 0
	for i, s := range list {
		if size += len(s.Body) + len(s.Signature) + 32; size > wire.MaxChain {
			return max(i, 1)
		}
	}
	return len(list)
}
