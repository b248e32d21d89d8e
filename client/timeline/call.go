package timeline

import (
	"errors"
	"slices"

	"github.com/veche-im/veche/client/api"
	"github.com/veche-im/veche/client/store"
	"github.com/veche-im/veche/e2ee/content"
	"github.com/veche-im/veche/wire"
)

// call is what is stored of a call's row. Whether it goes on is not: the server
// says that, and only while it does.
type call struct {
	Call    wire.CallID      `cbor:"call"`
	Video   bool             `cbor:"video,omitempty"`
	Ring    bool             `cbor:"ring,omitempty"`
	Why     content.CallWhy  `cbor:"why,omitempty"` // empty: nobody wrote its end down
	Seconds int              `cbor:"seconds,omitempty"`
	People  []wire.AccountID `cbor:"people,omitempty"`
	Here    bool             `cbor:"here,omitempty"` // this device took part, or declined: not missed
}

// call writes the row of a call, or its end into the row. What is said again, or
// of a call that has ended, is nothing new.
func (m *Message) call(tx *store.Tx, c *content.Call) error {
	i, kept, err := callRow(tx, m.Room, c.Call)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNone) {
		return err
	}
	if known && i.Unstored > 0 && i.ID == m.ID {
		if err := Again(tx, m.Place, i); err != nil {
			return err
		}
		i.Seq, i.Order, i.Time, i.Unstored = m.Seq, store.Order(m.Seq, m.Sub), m.Time, 0
	}
	if known && (c.Why == "" || kept.Why != "") {
		return nil
	}
	if !known { // a beginning, or an end whose beginning is not here
		i = store.Item{
			Room: m.Room, ID: m.ID, Kind: string(api.ItemCall), Account: m.Account, Device: m.Device, Mine: m.Mine,
			State: string(api.ItemReceived), Message: c.Call[:], Seq: m.Seq, Order: store.Order(m.Seq, m.Sub), Time: m.Time,
		}
		kept = call{Call: c.Call, Video: c.Video, Ring: c.Ring}
	}
	if c.Why != "" {
		kept.Why, kept.Seconds, kept.People = c.Why, c.Seconds, c.People
		if kept.Ring && !i.Mine && !kept.Here && c.Why != content.CallDeclined {
			i.State = store.Missed // unless the person was in, which the reader sees
			for _, a := range c.People {
				if a == m.Me {
					i.State = string(api.ItemReceived)
				}
			}
		}
	}
	tx.OnCommit(func() { m.Changed(i.ID) })
	return putCall(tx, i, kept)
}

func putCall(tx *store.Tx, i store.Item, c call) error {
	b, err := wire.Encode(c)
	if err != nil {
		return err
	}
	i.Extra = b
	return store.PutItem(tx, i)
}

// callRow finds the row of a call, store.ErrNone if there is none.
func callRow(tx *store.Tx, room wire.RoomID, id wire.CallID) (store.Item, call, error) {
	var c call
	i, err := store.ItemByMessage(tx, room, id[:], wire.AccountID{})
	if err != nil {
		return i, c, err
	}
	if i.Kind != string(api.ItemCall) {
		return i, c, store.ErrNone
	}
	if err := wire.Decode(i.Extra, &c); err != nil {
		return i, c, errors.Join(store.ErrDamaged, err)
	}
	return i, c, nil
}

// CallOver reports whether the log says how a call ended.
func CallOver(tx *store.Tx, room wire.RoomID, id wire.CallID) (bool, error) {
	_, c, err := callRow(tx, room, id)
	if errors.Is(err, store.ErrNone) {
		return false, nil
	}
	return c.Why != "", err
}

// CallHere notes that this device took part in a call, or declined it: it was
// not missed. It returns the row's id, empty if there is none yet.
func CallHere(tx *store.Tx, room wire.RoomID, id wire.CallID) (string, error) {
	i, c, err := callRow(tx, room, id)
	if errors.Is(err, store.ErrNone) {
		return "", nil
	}
	if err != nil || c.Here {
		return i.ID, err
	}
	c.Here = true
	if i.State == store.Missed {
		i.State = string(api.ItemReceived)
	}
	return i.ID, putCall(tx, i, c)
}

// CallItem returns the id of a call's row, empty if there is none.
func CallItem(tx *store.Tx, room wire.RoomID, id wire.CallID) (string, error) {
	i, _, err := callRow(tx, room, id)
	if errors.Is(err, store.ErrNone) {
		return "", nil
	}
	return i.ID, err
}

// call returns what is shown of a call.
func (v *View) call(r store.Item) (*api.CallItem, error) {
	var c call
	if err := wire.Decode(r.Extra, &c); err != nil {
		return nil, errors.Join(store.ErrDamaged, err)
	}
	out := &api.CallItem{Call: c.Call, Video: c.Video, Ring: c.Ring, Seconds: c.Seconds, People: []string{}, End: api.CallEnd(c.Why)}
	if v.live(v.room, c.Call) {
		out.Live, out.End, out.Seconds = true, "", 0
		return out, nil
	}
	out.Missed = r.State == store.Missed
	for _, a := range c.People {
		name, err := v.Name(a)
		if err != nil {
			return nil, err
		}
		if name != "" && !slices.Contains(out.People, name) {
			out.People = append(out.People, name)
		}
	}
	return out, nil
}
