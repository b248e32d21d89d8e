// Package timeline is what a room's log looks like to a person: a row for each
// message, changed by the edits and deletions that follow it, and a line for
// each change of the room.
//
// Rows are written in the transaction that processes their entry, and read back
// as package api shows them. An edit or deletion counts only from the account
// that sent the message. Nothing here talks to the server.
package timeline

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// Place is where in a timeline something happened.
type Place struct {
	Room    wire.RoomID
	Seq     int64
	Sub     int // order among the rows of one entry
	Time    wire.Millis
	ID      string              // of the entry's row
	Changed func(ids ...string) // tells front ends, after the commit
}

var idText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ID is the id of the row of an entry: the same on every device, known before
// it is sent, and different for two devices that choose one client id.
func ID(device wire.DeviceID, client wire.ClientID) string {
	sum := sha256.Sum256(append(device[:len(device):len(device)], client[:]...))
	return idText.EncodeToString(sum[:16])
}

// Change is a change of the room, stored with accounts: names are looked up
// when it is shown.
type Change struct {
	Kind api.ChangeKind   `cbor:"kind"`
	By   wire.AccountID   `cbor:"by"`
	Who  []wire.AccountID `cbor:"who,omitempty"`
	Name string           `cbor:"name,omitempty"`
}

func (p *Place) put(tx *store.Tx, i store.Item) error {
	i.Room, i.ID, i.Seq, i.Order, i.Time = p.Room, p.ID, p.Seq, store.Order(p.Seq, p.Sub), p.Time
	if p.Sub > 0 {
		i.ID = fmt.Sprintf("%s-%d", p.ID, p.Sub)
	}
	tx.OnCommit(func() { p.Changed(i.ID) })
	return store.PutItem(tx, i)
}

// PutChange writes the line of a change.
func PutChange(tx *store.Tx, p Place, c Change) error {
	b, err := wire.Encode(c)
	if err != nil {
		return err
	}
	return p.put(tx, store.Item{Kind: string(api.ItemChange), Account: c.By, State: string(api.ItemReceived), Extra: b})
}

// Start writes the line that says that this device came in here.
func Start(tx *store.Tx, p Place) error {
	return p.put(tx, store.Item{Kind: string(api.ItemStart), State: string(api.ItemReceived)})
}

// Unopenable writes the line of a message that this device cannot open. from is
// whom the server names, zero where several messages are meant.
func Unopenable(tx *store.Tx, p Place, from wire.AccountID) error {
	return p.put(tx, store.Item{Kind: string(api.ItemUnopenable), Account: from, State: string(api.ItemReceived)})
}

// Erased writes the line of a message whose body was deleted before this device
// saw it.
func Erased(tx *store.Tx, p Place, from wire.AccountID) error {
	return p.put(tx, store.Item{Kind: string(api.ItemDeleted), Account: from, State: string(api.ItemReceived)})
}

// Message is a message that was opened, or one of our own in the log.
type Message struct {
	Place
	Account wire.AccountID // of the MLS sender
	Device  wire.DeviceID
	Content []byte
	Me      wire.AccountID // whose device this is
	Mine    bool           // of this account
	Item    string         // of one that this device sent: the row that it concerns, "" for none
}

// Apply does what a message says to the timeline. It returns what the message
// means: names and questions are the room's business.
func Apply(tx *store.Tx, m Message) (content.View, error) {
	v, msg, err := content.Read(m.Content)
	if err != nil {
		return v, Unopenable(tx, m.Place, m.Account) // sealed, but not content
	}
	switch v.Kind {
	case content.KindText, content.KindUnknown:
		return v, m.arrive(tx, v, msg)
	case content.KindEdit:
		return v, m.edit(tx, v)
	case content.KindDelete:
		return v, m.remove(tx, v)
	case content.KindCall, content.KindCallEnd:
		return v, m.call(tx, v.Call)
	}
	return v, nil
}

// arrive writes the row of a message, or finds the place of an own one that was
// written before it left.
func (m *Message) arrive(tx *store.Tx, v content.View, msg *content.Message) error {
	kind := api.ItemMessage
	if v.Kind == content.KindUnknown {
		kind = api.ItemUnknown
	}
	id := msg.ID(m.Account, m.Room, m.Content)
	i := store.Item{
		Room: m.Room, ID: m.ID, Kind: string(kind), Account: m.Account, Device: m.Device, State: string(api.ItemReceived),
		Text: v.Text, Message: id[:], Content: m.Content,
	}
	if v.InReplyTo != nil {
		i.Reply = v.InReplyTo[:]
	}
	if m.Mine && m.Item != "" {
		was, err := store.GetItem(tx, m.Room, m.Item)
		switch {
		case err == nil:
			i = was
		case !errors.Is(err, store.ErrNone):
			return err
		}
		i.ID = m.Item
		i.Message, i.Content = id[:], m.Content
	}
	if m.Mine {
		i.Mine, i.State, i.Fail = true, string(api.ItemSent), ""
	}
	i.Seq, i.Order, i.Time, i.Unstored = m.Seq, store.Order(m.Seq, m.Sub), m.Time, 0
	tx.OnCommit(func() { m.Changed(i.ID) })
	if err := store.PutItem(tx, i); err != nil {
		return err
	}
	if m.Mine && m.Item != "" {
		return nil // its files are there already
	}
	return putFiles(tx, m.Room, i.ID, v.Files)
}

func putFiles(tx *store.Tx, room wire.RoomID, item string, files []content.File) error {
	for n, f := range files {
		row := store.File{
			Room: room, Item: item, N: n, Blob: f.Blob, Key: f.Key.Bytes(), Size: f.Size, Hash: f.Hash[:], Name: f.Name, Type: f.Type,
			Width: f.Width, Height: f.Height, Thumb: f.Thumb, Preview: f.Preview, PreviewType: f.PreviewType,
		}
		b, err := store.BlobByID(tx, f.Blob)
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		row.Local = b.N
		if err := store.PutFile(tx, row); err != nil {
			return err
		}
	}
	return nil
}

// target returns the row that a message replaces, if it is the same account's
// and not deleted.
func (m *Message) target(tx *store.Tx, id *content.ID) (store.Item, bool, error) {
	i, err := store.ItemByMessage(tx, m.Room, id[:], m.Account)
	if errors.Is(err, store.ErrNone) {
		return i, false, nil
	}
	return i, err == nil && i.Kind != string(api.ItemDeleted), err
}

func (m *Message) edit(tx *store.Tx, v content.View) error {
	i, ok, err := m.target(tx, v.Replaces)
	if err != nil || !ok {
		return err
	}
	if err := store.EraseItem(tx, m.Room, i.ID); err != nil {
		return err
	}
	i.Text, i.Edited, i.Content = v.Text, true, m.Content
	if err := store.PutItem(tx, i); err != nil {
		return err
	}
	return errors.Join(putFiles(tx, m.Room, i.ID, v.Files), changedWithAnswers(tx, i, m.Changed))
}

func (m *Message) remove(tx *store.Tx, v content.View) error {
	i, ok, err := m.target(tx, v.Replaces)
	if err != nil || !ok {
		return err
	}
	return Delete(tx, i, m.Changed)
}

// Delete makes a row forget what it said.
func Delete(tx *store.Tx, i store.Item, changed func(ids ...string)) error {
	if err := store.EraseItem(tx, i.Room, i.ID); err != nil {
		return err
	}
	i.Kind, i.Text, i.Reply, i.Extra, i.Content = string(api.ItemDeleted), "", nil, nil, nil
	if err := store.PutItem(tx, i); err != nil {
		return err
	}
	return changedWithAnswers(tx, i, changed)
}

// changedWithAnswers tells that a row changed, and those that quote it.
func changedWithAnswers(tx *store.Tx, i store.Item, changed func(ids ...string)) error {
	ids := []string{i.ID}
	if i.Message != nil {
		answers, err := store.Answers(tx, i.Room, i.Message)
		if err != nil {
			return err
		}
		for _, a := range answers {
			ids = append(ids, a.ID)
		}
	}
	tx.OnCommit(func() { changed(ids...) })
	return nil
}

// Unstored returns the row with this id if the site has lost its entry, and a row
// without id if it has not, or if there is none.
func Unstored(tx *store.Tx, room wire.RoomID, id string) (store.Item, error) {
	i, err := store.GetItem(tx, room, id)
	if errors.Is(err, store.ErrNone) || err == nil && i.Unstored == 0 {
		return store.Item{}, nil
	}
	return i, err
}

// Again gives a row that the site had lost the place of the entry by which it
// came again.
func Again(tx *store.Tx, p Place, i store.Item) error {
	i.Seq, i.Order, i.Time, i.Unstored = p.Seq, store.Order(p.Seq, p.Sub), p.Time, 0
	tx.OnCommit(func() { p.Changed(i.ID) })
	return store.PutItem(tx, i)
}

// Acknowledged notes that the server has a message of ours. Its row keeps its
// place until the log was read up to there, so that nothing is shown across a
// gap.
func Acknowledged(tx *store.Tx, room wire.RoomID, item string, r wire.Receipt, changed func(ids ...string)) error {
	i, err := store.GetItem(tx, room, item)
	if errors.Is(err, store.ErrNone) || err == nil && i.Seq != 0 {
		return nil
	}
	if err != nil {
		return err
	}
	i.State, i.Fail, i.Seq, i.Time = string(api.ItemSent), "", r.Seq, r.Time
	tx.OnCommit(func() { changed(item) })
	return store.PutItem(tx, i)
}

// Waits notes why a message waits here: the server cannot take it now. It leaves by
// itself later. An empty why takes that back.
func Waits(tx *store.Tx, room wire.RoomID, item string, why api.FailureCode, changed func(ids ...string)) error {
	i, err := store.GetItem(tx, room, item)
	if errors.Is(err, store.ErrNone) || err == nil && (i.State != string(api.ItemSaved) || i.Fail == string(why)) {
		return nil
	}
	if err != nil {
		return err
	}
	i.Fail = string(why)
	tx.OnCommit(func() { changed(item) })
	return store.PutItem(tx, i)
}

// Failed notes that a message was refused.
func Failed(tx *store.Tx, room wire.RoomID, item string, code api.FailureCode, changed func(ids ...string)) error {
	i, err := store.GetItem(tx, room, item)
	if err != nil {
		return err
	}
	if i.Seq != 0 {
		return nil // an edit of what is there: the message itself did not fail
	}
	i.State, i.Fail = string(api.ItemFailed), string(code)
	tx.OnCommit(func() { changed(item) })
	return store.PutItem(tx, i)
}
