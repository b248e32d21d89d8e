//go:build js

package main

import (
	"context"
	"time"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

// noticeStorage tells, once in the life of this profile, that the browser may
// delete what is stored when it runs out of space.
func (b bridge) noticeStorage(ctx context.Context, db *store.DB) error {
	n := store.Notice{
		ID:   string(api.NoticeStorage),
		Code: string(api.NoticeStorage),
		Time: wire.Now(time.Now()),
		Text: "the browser did not promise to keep what is stored (navigator.storage.persist)",
	}
	return db.Update(ctx, func(tx *store.Tx) error {
		fresh, err := store.PutNotice(tx, n)
		if err == nil && fresh {
			tx.OnCommit(func() {
				b.event(api.OnNotice.Name, api.Notice{ID: n.ID, Code: api.NoticeStorage, Time: n.Time, Text: n.Text})
			})
		}
		return err
	})
}
