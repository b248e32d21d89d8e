package timeline

import (
	"errors"
	"slices"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// StateMissed is the state of the row of a call that rang here and in which
// this account was not. It counts as unread.
const StateMissed = "missed"

// callRow is what is stored of a call.
type callRow struct {
	Call    wire.CallID        `cbor:"call"`
	Video   bool               `cbor:"video"`
	Ring    bool               `cbor:"ring"`
	Started bool               `cbor:"started"` // its beginning was seen
	Ended   bool               `cbor:"ended"`
	Seconds int64              `cbor:"seconds"`
	People  []wire.AccountID   `cbor:"people"`
	Why     content.CallReason `cbor:"why"`
}

// CallItem is the id of the row of a call: the same for its beginning and its
// end, which are one row.
func CallItem(call wire.CallID) string { return "call-" + call.String() }

// HasEnd reports whether the log has said how a call ended.
func HasEnd(tx *store.Tx, room wire.RoomID, call wire.CallID) (bool, error) {
	i, err := store.GetItem(tx, room, CallItem(call))
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var row callRow
	if err := wire.Decode(i.Extra, &row); err != nil {
		return false, errors.Join(store.ErrDamaged, err)
	}
	return row.Ended, nil
}

// call writes the row of a call, or how it was into the row that is there. The
// first end counts: whoever says another later was slower.
func (m *Message) call(tx *store.Tx, c *content.Call) error {
	id := CallItem(c.Call)
	i, err := store.GetItem(tx, m.Room, id)
	fresh := errors.Is(err, store.ErrNone)
	if err != nil && !fresh {
		return err
	}
	row := callRow{Call: c.Call, People: []wire.AccountID{}}
	if fresh {
		i = store.Item{
			Room: m.Room, ID: id, Kind: string(api.ItemCall), Account: m.Account, Device: m.Device, Mine: m.Mine,
			State: string(api.ItemReceived), Seq: m.Seq, Order: store.Order(m.Seq, m.Sub), Time: m.Time,
		}
	} else if err := wire.Decode(i.Extra, &row); err != nil {
		return errors.Join(store.ErrDamaged, err)
	}
	switch {
	case c.End == nil && !row.Started:
		row.Started, row.Ring, row.Video = true, c.Ring, c.Video
		i.Account, i.Device, i.Mine = m.Account, m.Device, m.Mine // who wrote the end need not be who called
	case c.End != nil && !row.Ended:
		row.Ended, row.Seconds, row.Why = true, c.End.Seconds, c.End.Why
		row.People = append(row.People, c.End.People...)
	default:
		return nil
	}
	if i.State = string(api.ItemReceived); row.missed(i.Account, m.Me) {
		i.State = StateMissed
	}
	if i.Extra, err = wire.Encode(row); err != nil {
		return err
	}
	tx.OnCommit(func() { m.Changed(id) })
	return store.PutItem(tx, i)
}

// missed reports whether the call rang for an account that was not in.
func (r *callRow) missed(by, me wire.AccountID) bool {
	return r.Ended && r.Ring && by != me && r.Why != content.CallDeclined && !slices.Contains(r.People, me)
}

// callItem is the row of a call as it is shown.
func (v *View) callItem(r store.Item) (*api.CallItem, error) {
	var row callRow
	if err := wire.Decode(r.Extra, &row); err != nil {
		return nil, errors.Join(store.ErrDamaged, err)
	}
	c := &api.CallItem{
		Call: row.Call, Video: row.Video, Ring: row.Ring, Seconds: int(row.Seconds), People: []string{},
		Live: !row.Ended && v.live(row.Call), Missed: r.State == StateMissed,
	}
	if row.Ended {
		c.End = api.CallEnd(row.Why)
	}
	for _, a := range row.People {
		name, err := v.Name(a)
		if err != nil {
			return nil, err
		}
		c.People = append(c.People, name)
	}
	return c, nil
}
