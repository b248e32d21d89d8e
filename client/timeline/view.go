package timeline

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// quoteLen is how many characters of a message are shown where it is quoted or
// in the list of chats.
const quoteLen = 200

// View turns stored rows of one room into what front ends show. It lives as
// long as one transaction.
type View struct {
	tx        *store.Tx
	room      wire.RoomID
	me        wire.AccountID
	transfers func(room wire.RoomID, item string, n int) *api.Transfer
	live      func(room wire.RoomID, call wire.CallID) bool
	names     map[wire.AccountID]string
	delivered int64 // up to here every other member's account has stored everything
}

// NewView returns a View of a room. transfers tells how far a file has come
// that goes up or down just now, live whether a call of the room goes on.
func NewView(tx *store.Tx, room wire.RoomID, me wire.AccountID, transfers func(wire.RoomID, string, int) *api.Transfer, live func(wire.RoomID, wire.CallID) bool) (*View, error) {
	v := &View{tx: tx, room: room, me: me, transfers: transfers, live: live, names: map[wire.AccountID]string{}}
	var err error
	v.delivered, err = store.Delivered(tx, room, me)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Name returns a person's name, empty if it is not known.
func (v *View) Name(id wire.AccountID) (string, error) {
	if name, ok := v.names[id]; ok || id.IsZero() {
		return name, nil
	}
	p, err := store.GetPerson(v.tx, id)
	if err != nil && !errors.Is(err, store.ErrNone) {
		return "", err
	}
	v.names[id] = p.Name
	return p.Name, nil
}

// Items returns rows as they are shown.
func (v *View) Items(rows []store.Item) ([]api.Item, error) {
	list := make([]api.Item, 0, len(rows))
	for _, r := range rows {
		i, err := v.Item(r)
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}

// Item returns a row as it is shown.
func (v *View) Item(r store.Item) (api.Item, error) {
	i := api.Item{
		ID: r.ID, Order: r.Order, Seq: r.Seq, Kind: api.ItemKind(r.Kind), Mine: r.Mine || r.Account == v.me && !v.me.IsZero(),
		State: api.ItemState(r.State), Fail: api.FailureCode(r.Fail), Time: r.Time, Text: r.Text, Edited: r.Edited,
		Alone: r.Unstored > 0 && r.Seq == 0 && r.State != string(api.ItemSaved),
	}
	var err error
	if !r.Account.IsZero() {
		i.From = &r.Account
		if i.Name, err = v.Name(r.Account); err != nil {
			return i, err
		}
	}
	if i.Mine && i.State == api.ItemReceived && i.Kind == api.ItemMessage {
		i.State = api.ItemSent // from another device of ours
	}
	if i.State == api.ItemSent && r.Seq > 0 && r.Seq <= v.delivered {
		i.State = api.ItemDelivered
	}
	switch i.Kind {
	case api.ItemMessage:
		i.Rich = rich(r.Text)
		if i.Reply, err = v.quote(r.Reply); err != nil {
			return i, err
		}
		i.Files, err = v.files(r)
	case api.ItemChange:
		i.Change, err = v.change(r)
	case api.ItemCall:
		i.Call, err = v.call(r)
		if i.State = api.ItemReceived; i.Mine {
			i.State = api.ItemSent
		}
	}
	return i, err
}

func (v *View) change(r store.Item) (*api.Change, error) {
	var c Change
	if err := wire.Decode(r.Extra, &c); err != nil {
		return nil, errors.Join(store.ErrDamaged, err)
	}
	out := &api.Change{Kind: c.Kind, Me: c.By == v.me, Name: c.Name}
	var err error
	if out.By, err = v.Name(c.By); err != nil {
		return nil, err
	}
	for _, a := range c.Who {
		name, err := v.Name(a)
		if err != nil {
			return nil, err
		}
		out.Who = append(out.Who, name)
		out.You = out.You || a == v.me
	}
	return out, nil
}

// quote returns the message that a row answers; one that is not here is shown
// without its text.
func (v *View) quote(id []byte) (*api.Quote, error) {
	if id == nil {
		return nil, nil
	}
	r, err := store.ItemByMessage(v.tx, v.room, id, wire.AccountID{})
	if errors.Is(err, store.ErrNone) {
		return &api.Quote{}, nil
	}
	if err != nil {
		return nil, err
	}
	name, err := v.Name(r.Account)
	if err != nil {
		return nil, err
	}
	q := &api.Quote{ID: r.ID, Seq: r.Seq, Name: name, Text: clip(plain(r.Text), quoteLen)}
	if q.Text == "" {
		files, err := store.Files(v.tx, v.room, r.ID)
		if err != nil {
			return nil, err
		}
		if len(files) > 0 {
			q.Text = content.SafeName(files[0].Name)
		}
	}
	return q, nil
}

func (v *View) files(r store.Item) ([]api.File, error) {
	rows, err := store.Files(v.tx, v.room, r.ID)
	if err != nil {
		return nil, err
	}
	var list []api.File
	for _, f := range rows {
		a := api.File{
			Name: content.SafeName(f.Name), Type: f.Type, Size: f.Size, Width: f.Width, Height: f.Height,
			Thumb: base64.StdEncoding.EncodeToString(f.Thumb), Preview: base64.StdEncoding.EncodeToString(f.Preview), PrevType: f.PreviewType,
			Transfer: v.transfers(v.room, r.ID, f.N),
		}
		if a.Here, err = Here(v.tx, f); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// Here reports whether all of a file is on this device.
func Here(tx *store.Tx, f store.File) (bool, error) {
	if f.Local == 0 {
		return false, nil
	}
	b, err := store.GetBlob(tx, f.Local)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	if err != nil || b.Size == 0 {
		return false, err
	}
	_, have, err := store.Pieces(tx, f.Local)
	return have == b.Size, err
}

// Preview returns what the list of chats shows of a row.
func (v *View) Preview(r store.Item) (*api.Preview, error) {
	i, err := v.Item(r)
	if err != nil {
		return nil, err
	}
	p := &api.Preview{From: i.From, Name: i.Name, Mine: i.Mine, Text: clip(plain(i.Text), quoteLen), Files: len(i.Files), State: i.State, Change: i.Change, Call: i.Call}
	if len(i.Files) > 0 {
		p.Photo = strings.HasPrefix(i.Files[0].Type, "image/") && i.Files[0].Width > 0
	}
	return p, nil
}

func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n])
}
