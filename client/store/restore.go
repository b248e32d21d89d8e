package store

import (
	"errors"
	"fmt"

	"github.com/veche-im/veche/wire"
)

// Lost is an entry that this device has processed and its site has lost.
type Lost struct {
	Seq    int64 // that it had
	Device wire.DeviceID
	Client wire.ClientID
}

// TakeBack moves a room back to r.Seq, because its site was restored to a moment
// at which the room stood there: r says where it stands now, in which state and
// epoch. Heads after it are forgotten. Rows after it stay, behind the row of
// r.Seq and in their order, as Unstored. It returns the entries after r.Seq in
// their order; none with the same bytes is to be taken again, see WasLost.
func TakeBack(tx *Tx, r Room) ([]Lost, error) {
	// Entries of a version that kept no hash are told apart by who sent them.
	const note = `INSERT INTO lost (room, body, seq, device, client)
		SELECT room, coalesce(body, device || client), seq, device, client FROM room_head WHERE room = ?1 AND seq > ?2 AND client IS NOT NULL
		ON CONFLICT (room, body) DO UPDATE SET seq = excluded.seq`
	if _, err := tx.exec(note, r.ID, r.Seq); err != nil {
		return nil, err
	}
	const list = `SELECT seq, device, client FROM room_head WHERE room = ?1 AND seq > ?2 AND client IS NOT NULL ORDER BY seq`
	lost, err := all(tx, func(r row) (l Lost, err error) {
		err = r.scan(&l.Seq, &l.Device, &l.Client)
		return l, err
	}, list, r.ID, r.Seq)
	if err != nil {
		return nil, err
	}
	if err := unstore(tx, r.ID, r.Seq); err != nil {
		return nil, err
	}
	for _, q := range []string{
		`DELETE FROM room_head WHERE room = ?1 AND seq > ?2`,
		`DELETE FROM room_gone WHERE room = ?1 AND seq > ?2`,
		`UPDATE cursor SET delivered = min(delivered, ?2), read = min(read, ?2) WHERE room = ?1`,
	} {
		if _, err := tx.exec(q, r.ID, r.Seq); err != nil {
			return nil, err
		}
	}
	// Not PutRoom, which goes forward alone.
	if _, err := tx.exec(`UPDATE room SET seq = ?2 WHERE id = ?1`, r.ID, r.Seq); err != nil {
		return nil, err
	}
	return lost, PutRoom(tx, r)
}

// unstore gives the rows after entry seq their places behind it.
func unstore(tx *Tx, room wire.RoomID, seq int64) error {
	const list = `SELECT ` + itemColumns + ` FROM item WHERE room = ?1 AND (ord >= ?2 OR seq > ?3) ORDER BY ord`
	rows, err := all(tx, readItem, list, room, Order(seq, lostSub), seq)
	if err != nil {
		return err
	}
	n := 0
	for _, i := range rows {
		order := i.Order
		if order < pendingFrom {
			order = Order(seq, min(lostSub+n, 1<<subBits-1))
			n++
			i.Unstored = max(i.Seq, i.Unstored)
		}
		const q = `UPDATE item SET ord = ?3, seq = 0, unstored = ?4 WHERE room = ?1 AND id = ?2`
		if _, err := tx.exec(q, room, i.ID, order, i.Unstored); err != nil {
			return err
		}
	}
	return nil
}

// UnstoredItems returns the rows of a room that its site has lost, in order.
func UnstoredItems(tx *Tx, room wire.RoomID) ([]Item, error) {
	return all(tx, readItem, `SELECT `+itemColumns+` FROM item WHERE room = ?1 AND unstored > 0 ORDER BY ord`, room)
}

// WasLost returns the seq of the entry with the bytes of e that the site of room
// has lost, ErrNone if there is none. An entry that is sent again has others, as
// it is sealed anew.
func WasLost(tx *Tx, room wire.RoomID, e *wire.Entry) (int64, error) {
	return value[int64](tx, `SELECT seq FROM lost WHERE room = ?1 AND body = ?2`, room, e.BodyHash())
}

// HadLost reports whether the site of room has lost an entry that this device
// had of that device and client id.
func HadLost(tx *Tx, room wire.RoomID, device wire.DeviceID, client wire.ClientID) (bool, error) {
	const q = `SELECT count(*) FROM lost WHERE room = ?1 AND client = ?2 AND device = ?3`
	n, err := value[int64](tx, q, room, client, device)
	return n > 0, err
}

// HeadNear returns an entry of a room between above and below, neither of them, of
// which the head is known: the first from seq on, else the last before it, ErrNone
// if there is none.
func HeadNear(tx *Tx, room wire.RoomID, seq, above, below int64) (int64, error) {
	const from = `SELECT seq FROM room_head WHERE room = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq LIMIT 1`
	near, err := value[int64](tx, from, room, max(seq, above+1), below)
	if !errors.Is(err, ErrNone) {
		return near, err
	}
	const before = `SELECT seq FROM room_head WHERE room = ?1 AND seq < ?2 AND seq > ?3 ORDER BY seq DESC LIMIT 1`
	return value[int64](tx, before, room, min(seq, below), above)
}

// PutSaid keeps the content of an entry of this device that no row keeps as it
// was: an edit, a deletion, a name, and what was edited. item is the row that it
// concerns, if any.
func PutSaid(tx *Tx, room wire.RoomID, client wire.ClientID, item string, content []byte) error {
	const q = `INSERT INTO said (room, client, item, box) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (room, client) DO UPDATE SET item = excluded.item, box = excluded.box`
	_, err := tx.exec(q, room, client, item, tx.seal(content, "said", "box", room[:], client[:]))
	return err
}

// GetSaid returns what PutSaid kept, ErrNone if it is nothing.
func GetSaid(tx *Tx, room wire.RoomID, client wire.ClientID) (content []byte, item string, err error) {
	var box []byte
	const q = `SELECT item, box FROM said WHERE room = ?1 AND client = ?2`
	if _, err := one(tx, func(r row) (struct{}, error) { return struct{}{}, r.scan(&item, &box) }, q, room, client); err != nil {
		return nil, "", err
	}
	content, err = tx.open(box, "said", "box", room[:], client[:])
	return content, item, err
}

// ForgetSaid forgets what was said of a row: the person has deleted it.
func ForgetSaid(tx *Tx, room wire.RoomID, item string) error {
	_, err := tx.exec(`DELETE FROM said WHERE room = ?1 AND item = ?2`, room, item)
	return err
}

// ClientAt returns under which client id the entry seq was sent, ErrNone if that
// is not known.
func ClientAt(tx *Tx, room wire.RoomID, seq int64) (c wire.ClientID, err error) {
	const q = `SELECT client FROM room_head WHERE room = ?1 AND seq = ?2 AND client IS NOT NULL`
	return value[wire.ClientID](tx, q, room, seq)
}

// PutGone notes that the commit seq took an account out of a room.
func PutGone(tx *Tx, room wire.RoomID, seq int64, account wire.AccountID) error {
	const q = `INSERT INTO room_gone (room, seq, account) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`
	_, err := tx.exec(q, room, seq, account)
	return err
}

// GoneAfter returns whom commits after entry seq took out of a room.
func GoneAfter(tx *Tx, room wire.RoomID, seq int64) ([]wire.AccountID, error) {
	return all(tx, func(r row) (a wire.AccountID, err error) {
		err = r.scan(&a)
		return a, err
	}, `SELECT DISTINCT account FROM room_gone WHERE room = ?1 AND seq > ?2 ORDER BY account`, room, seq)
}

// Requeue puts outgoing entries in front of all that waits in a room. Rows of
// what waited and has not left keep their places behind all others.
func Requeue(tx *Tx, room wire.RoomID, first []Outgoing) error {
	rest, err := Outbox(tx, room)
	if err != nil {
		return err
	}
	for _, o := range rest {
		if err := Dequeue(tx, o.N); err != nil {
			return err
		}
	}
	for _, o := range first {
		if _, err := Enqueue(tx, o); err != nil {
			return fmt.Errorf("queue again: %w", err)
		}
	}
	for _, o := range rest {
		o.Body, o.Epoch = nil, 0
		n, err := Enqueue(tx, o)
		if err != nil {
			return fmt.Errorf("queue again: %w", err)
		}
		i, err := GetItem(tx, room, o.Item)
		if errors.Is(err, ErrNone) || err == nil && i.Order < pendingFrom {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := tx.exec(`UPDATE item SET ord = ?3 WHERE room = ?1 AND id = ?2`, room, i.ID, PendingOrder(n)); err != nil {
			return err
		}
	}
	return nil
}
