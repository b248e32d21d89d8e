package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/wire"
)

func item(r wire.RoomID, n int64) store.Item {
	return store.Item{Room: r, ID: fmt.Sprint(n), Order: store.Order(n, 0), Seq: n, Kind: "message", Account: wire.AccountID{1}, Text: fmt.Sprintf("text %d", n)}
}

func ids(list []store.Item) string {
	out := ""
	for _, i := range list {
		out += i.ID + " "
	}
	return out
}

func TestARowOfTheTimeline(t *testing.T) {
	db := open(t)
	r := room(t, db)
	i := store.Item{Room: r, ID: "a", Order: store.Order(7, 1), Seq: 7, Kind: "message", Account: wire.NewAccountID(), Device: wire.NewDeviceID(),
		Mine: true, State: "sent", Fail: "x", Time: 99, Text: "привет", Message: bytes.Repeat([]byte{1}, 32), Reply: bytes.Repeat([]byte{2}, 32),
		Edited: true, Extra: []byte("{}"), Content: []byte("content")}
	update(t, db, func(tx *store.Tx) error { return store.PutItem(tx, i) })
	update(t, db, func(tx *store.Tx) error {
		content, err := store.ItemContent(tx, r, "a")
		equal(t, "content", string(content), "content")
		want := i
		want.Content = nil
		for name, get := range map[string]func() (store.Item, error){
			"by id":      func() (store.Item, error) { return store.GetItem(tx, r, "a") },
			"by message": func() (store.Item, error) { return store.ItemByMessage(tx, r, i.Message, wire.AccountID{}) },
			"by sender":  func() (store.Item, error) { return store.ItemByMessage(tx, r, i.Message, i.Account) },
			"by seq":     func() (store.Item, error) { return store.ItemBySeq(tx, r, 7) },
			"last":       func() (store.Item, error) { return store.LastItem(tx, r) },
		} {
			got, err := get()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			equal(t, name, got, want)
		}
		_, missing := store.ItemByMessage(tx, r, i.Message, wire.NewAccountID())
		none(t, "another's message", missing)
		_, missing = store.GetItem(tx, wire.NewRoomID(), "a")
		none(t, "a row of another room", missing)
		answers, err2 := store.Answers(tx, r, i.Reply)
		equal(t, "answers", ids(answers), "a ")

		// Stored again without content, it keeps what it had.
		want.Text = "hello"
		err3 := store.PutItem(tx, want)
		content, err4 := store.ItemContent(tx, r, "a")
		equal(t, "content after a change", string(content), "content")
		return errors.Join(err, err2, err3, err4)
	})
	update(t, db, func(tx *store.Tx) error {
		err := store.PutFile(tx, store.File{Room: r, Item: "a", Key: []byte("k")})
		err2 := store.EraseItem(tx, r, "a")
		got, err3 := store.GetItem(tx, r, "a")
		content, err4 := store.ItemContent(tx, r, "a")
		files, err5 := store.Files(tx, r, "a")
		if got.Text != "" || got.Extra != nil || got.Reply != nil || content != nil || len(files) != 0 || got.Order != i.Order {
			t.Errorf("erased: %+v, %q, %d files", got, content, len(files))
		}
		err6 := store.DeleteItem(tx, r, "a")
		_, missing := store.GetItem(tx, r, "a")
		none(t, "deleted", missing)
		return errors.Join(err, err2, err3, err4, err5, err6)
	})
}

func TestWindows(t *testing.T) {
	db := open(t)
	r, other := room(t, db), room(t, db)
	update(t, db, func(tx *store.Tx) error {
		for n := int64(1); n <= 10; n++ {
			if err := errors.Join(store.PutItem(tx, item(r, n)), store.PutItem(tx, item(other, n))); err != nil {
				return err
			}
		}
		waiting := item(r, 0)
		waiting.ID, waiting.Order, waiting.Mine = "waiting", store.PendingOrder(3), true
		mine := item(r, 9)
		mine.Mine = true
		return errors.Join(store.PutItem(tx, waiting), store.PutItem(tx, mine))
	})
	view(t, db, func(tx *store.Tx) error {
		newest, err1 := store.ItemsBefore(tx, r, store.Newest, 3)
		equal(t, "newest", ids(newest), "9 10 waiting ")
		before, err2 := store.ItemsBefore(tx, r, store.Order(4, 0), 2)
		equal(t, "before", ids(before), "2 3 ")
		after, err3 := store.ItemsAfter(tx, r, store.Order(8, 0), 2)
		equal(t, "after", ids(after), "9 10 ")
		oldest, err4 := store.ItemsBefore(tx, r, store.Order(1, 0), 5)
		equal(t, "before the first", ids(oldest), "")
		some, err5 := store.ItemsBySeq(tx, r, 4, 6)
		equal(t, "by seq", ids(some), "5 6 ")
		n, first, err6 := store.Unread(tx, r, 7, "message")
		equal(t, "unread", []any{n, first.ID}, []any{2, "8"})
		n, first, err7 := store.Unread(tx, r, 10, "message")
		equal(t, "all read", []any{n, first.ID}, []any{0, ""})
		last, err8 := store.LastItem(tx, r)
		equal(t, "last", last.ID, "waiting")
		return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8)
	})
	if store.PendingOrder(1<<40) >= store.Newest || store.Order(1<<32-1, 1<<20-1) >= store.PendingOrder(0) {
		t.Error("places overlap")
	}
}

func TestTheOutboxKeepsOrder(t *testing.T) {
	db := open(t)
	r, other := room(t, db), room(t, db)
	var sent []store.Outgoing
	update(t, db, func(tx *store.Tx) error {
		for i, id := range []wire.RoomID{r, other, r, r} {
			o := store.Outgoing{Room: id, Client: wire.NewClientID(), Item: fmt.Sprint(i), Kind: "text", Content: []byte{byte(i)},
				Blobs: []wire.BlobID{{1}, {2}}, Next: 5}
			n, err := store.Enqueue(tx, o)
			if err != nil {
				return err
			}
			o.N = n
			sent = append(sent, o)
		}
		return nil
	})
	update(t, db, func(tx *store.Tx) error {
		first, err1 := store.Waiting(tx, r)
		equal(t, "first", first, sent[0])
		all, err2 := store.Outbox(tx, r)
		equal(t, "outbox", all, []store.Outgoing{sent[0], sent[2], sent[3]})
		rooms, err3 := store.WaitingRooms(tx)
		equal(t, "waiting rooms", len(rooms), 2)
		byClient, err4 := store.OutgoingByClient(tx, r, sent[2].Client)
		equal(t, "by client", byClient, sent[2])
		byItem, err5 := store.OutgoingByItem(tx, r, "3")
		equal(t, "by item", byItem, sent[3])
		_, missing := store.OutgoingByClient(tx, other, sent[2].Client)
		none(t, "in another room", missing)

		first.Body, first.Epoch, first.Attempts, first.Fail = wire.Sealed("sealed"), 9, 2, "too_large"
		err6 := store.PutOutgoing(tx, first)
		byClient, err7 := store.OutgoingByClient(tx, r, first.Client)
		equal(t, "sealed and refused", byClient, first)
		next, err8 := store.Waiting(tx, r)
		equal(t, "next after a refusal", next.N, sent[2].N)
		waiting, failed, err9 := store.CountOutbox(tx, r)
		equal(t, "count", []int{waiting, failed}, []int{2, 1})
		return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9)
	})
	if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := store.Enqueue(tx, sent[0]); return err }); err == nil {
		t.Error("one client id twice in a room")
	}
	update(t, db, func(tx *store.Tx) error {
		for _, o := range sent {
			if err := store.Dequeue(tx, o.N); err != nil {
				return err
			}
		}
		_, missing := store.Waiting(tx, r)
		none(t, "nothing waits", missing)
		none(t, "a gone entry", store.PutOutgoing(tx, sent[0]))
		n, err := store.Enqueue(tx, sent[0])
		if n <= sent[3].N {
			t.Errorf("number %d was given again", n)
		}
		return err
	})
}

func TestFiles(t *testing.T) {
	db := open(t)
	r := room(t, db)
	f := store.File{Room: r, Item: "1", N: 1, Blob: wire.NewBlobID(), Key: []byte("key"), Size: 5, Hash: []byte("hash"), Name: "a.png",
		Type: "image/png", Width: 3, Height: 4, Thumb: []byte("t"), Preview: []byte("p"), PreviewType: "image/webp", Source: "s"}
	update(t, db, func(tx *store.Tx) error {
		if err := store.PutItem(tx, item(r, 1)); err != nil {
			return err
		}
		n, err := store.NewBlob(tx, store.Blob{ID: f.Blob, Size: 21, Used: 1})
		f.Local = n
		bare := store.File{Room: r, Item: "1", Name: "b"}
		err2 := errors.Join(store.PutFile(tx, f), store.PutFile(tx, bare))
		list, err3 := store.Files(tx, r, "1")
		equal(t, "files", list, []store.File{bare, f})
		one, err4 := store.GetFile(tx, r, "1", 1)
		equal(t, "file", one, f)
		_, missing := store.GetFile(tx, r, "1", 2)
		none(t, "a third file", missing)
		err5 := store.DeleteBlob(tx, n)
		one, err6 := store.GetFile(tx, r, "1", 1)
		equal(t, "local after its blob went", one.Local, int64(0))
		return errors.Join(err, err2, err3, err4, err5, err6)
	})
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return store.PutFile(tx, store.File{Room: r, Item: "nowhere"}) }); err == nil {
		t.Error("a file of no item")
	}
}

func TestBlobsAndTheCache(t *testing.T) {
	db := open(t)
	var n [4]int64
	update(t, db, func(tx *store.Tx) error {
		for i := range n {
			var err error
			if n[i], err = store.NewBlob(tx, store.Blob{Used: wire.Millis(10 - i), Pinned: i == 3}); err != nil {
				return err
			}
			for k := range int64(2) {
				if err := store.PutPiece(tx, n[i], 1-k, bytes.Repeat([]byte{byte(i)}, 100)); err != nil {
					return err
				}
			}
		}
		id := wire.NewBlobID()
		b := store.Blob{N: n[0], ID: id, Size: 200, Sent: 100, Used: 10}
		err := store.PutBlob(tx, b)
		got, err2 := store.GetBlob(tx, n[0])
		equal(t, "blob", got, b)
		got, err3 := store.BlobByID(tx, id)
		equal(t, "by id", got, b)
		have, size, err4 := store.Pieces(tx, n[0])
		equal(t, "pieces", []any{have, size}, []any{[]int64{0, 1}, int64(200)})
		p, err5 := store.GetPiece(tx, n[1], 1)
		equal(t, "piece", p, bytes.Repeat([]byte{1}, 100))
		err6 := store.PutPiece(tx, n[1], 1, []byte{7})
		p, err7 := store.GetPiece(tx, n[1], 1)
		equal(t, "piece written again", p, []byte{7})
		_, missing := store.GetPiece(tx, n[1], 2)
		none(t, "a third piece", missing)
		_, missing = store.BlobByID(tx, wire.NewBlobID())
		none(t, "a blob that is not here", missing)
		none(t, "a change to one that is gone", store.PutBlob(tx, store.Blob{N: 99}))
		total, err8 := store.CacheSize(tx)
		equal(t, "cache", total, int64(200+101+200))
		return errors.Join(err, err2, err3, err4, err5, err6, err7, err8)
	})
	update(t, db, func(tx *store.Tx) error {
		// The oldest is 2 (used at 8), then 1; looking at 2 makes 1 the oldest. 3 is pinned.
		err := store.TouchBlob(tx, n[2], 50)
		gone, err2 := store.Evict(tx, 400)
		equal(t, "evicted", []any{len(gone), gone[0].N}, []any{1, n[1]})
		gone, err3 := store.Evict(tx, 0)
		equal(t, "all evicted", []any{len(gone), gone[0].N, gone[1].N}, []any{2, n[0], n[2]})
		_, missing := store.GetPiece(tx, n[0], 0)
		none(t, "a piece of one that was evicted", missing)
		_, err4 := store.GetPiece(tx, n[3], 0)
		gone, err5 := store.Evict(tx, 0)
		equal(t, "nothing to evict", len(gone), 0)
		return errors.Join(err, err2, err3, err4, err5)
	})
}

// TestBoxesCannotBeMoved: somebody who can write to the file, but does not have
// the key, puts a box where another belongs.
func TestBoxesCannotBeMoved(t *testing.T) {
	db := open(t)
	r, other := room(t, db), room(t, db)
	o := store.Outgoing{Room: r, Client: wire.NewClientID(), Content: []byte("content")}
	update(t, db, func(tx *store.Tx) error {
		n, err := store.Enqueue(tx, o)
		o.N = n
		one, two := item(r, 1), item(r, 2)
		one.Content, two.Content = []byte("one"), []byte("two")
		return errors.Join(err,
			store.PutSecret(tx, "a", []byte("1")), store.PutSecret(tx, "b", []byte("2")),
			store.MLS(tx, r).Put("x", []byte("1")), store.MLS(tx, r).Put("y", []byte("2")), store.MLS(tx, other).Put("x", []byte("3")),
			store.PutKeyPackage(tx, store.KeyPackage{Ref: []byte{1}, Package: []byte{}, Secrets: []byte("1")}),
			store.PutKeyPackage(tx, store.KeyPackage{Ref: []byte{2}, Package: []byte{}, Secrets: []byte("2")}),
			store.PutItem(tx, one), store.PutItem(tx, two),
			store.PutFile(tx, store.File{Room: r, Item: "1", Key: []byte("1")}), store.PutFile(tx, store.File{Room: r, Item: "2", Key: []byte("2")}))
	})
	for name, tt := range map[string]struct {
		attack string
		read   func(tx *store.Tx) error
	}{
		"a secret": {`UPDATE secret SET box = (SELECT box FROM secret WHERE name = 'b') WHERE name = 'a'`,
			func(tx *store.Tx) error { _, err := store.GetSecret(tx, "a"); return err }},
		"a secret from another table": {`UPDATE secret SET box = (SELECT box FROM key_package LIMIT 1) WHERE name = 'a'`,
			func(tx *store.Tx) error { _, err := store.GetSecret(tx, "a"); return err }},
		"state under another key": {`UPDATE mls_state SET box = (SELECT box FROM mls_state WHERE key = 'y') WHERE key = 'x'`,
			func(tx *store.Tx) error { _, err := store.MLS(tx, r).Get("x"); return err }},
		"state of another room": {fmt.Sprintf(`UPDATE mls_state SET box = (SELECT box FROM mls_state WHERE key = 'x' AND room = x'%x') WHERE key = 'x'`, other[:]),
			func(tx *store.Tx) error { _, err := store.MLS(tx, r).Get("x"); return err }},
		"a key package": {`UPDATE key_package SET box = (SELECT box FROM key_package WHERE ref = x'02') WHERE ref = x'01'`,
			func(tx *store.Tx) error { _, err := store.GetKeyPackage(tx, []byte{1}); return err }},
		"content": {`UPDATE item SET box = (SELECT box FROM item WHERE id = '2') WHERE id = '1'`,
			func(tx *store.Tx) error { _, err := store.ItemContent(tx, r, "1"); return err }},
		"a file's key": {`UPDATE file SET box = (SELECT box FROM file WHERE item = '2') WHERE item = '1'`,
			func(tx *store.Tx) error { _, err := store.GetFile(tx, r, "1", 0); return err }},
		"what is to be sent, elsewhere": {fmt.Sprintf(`UPDATE outbox SET room = x'%x'`, other[:]),
			func(tx *store.Tx) error { _, err := store.Waiting(tx, other); return err }},
		"a box that was cut": {`UPDATE secret SET box = substr(box, 1, 20) WHERE name = 'a'`,
			func(tx *store.Tx) error { _, err := store.GetSecret(tx, "a"); return err }},
	} {
		undo := errors.New("undo")
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tt.read(tx); name != "what is to be sent, elsewhere" && err != nil {
				t.Errorf("%s, before: %v", name, err)
			}
			res, err := store.Exec(tx, tt.attack)
			if err != nil || res.Changes == 0 {
				t.Errorf("%s: the attack does nothing: %v", name, err)
			}
			if err := tt.read(tx); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("%s: %v", name, err)
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
