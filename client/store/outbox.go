package store

import (
	"fmt"

	"github.com/veche-im/veche/wire"
)

// Outgoing is something that waits to be sent to a room. Entries of one room
// leave in the order of N; rooms do not wait for one another.
type Outgoing struct {
	N        int64 // given by Enqueue
	Room     wire.RoomID
	Client   wire.ClientID // under which it is sent, however often
	Item     string        // row of the timeline that it concerns, "" for none
	Kind     string        // the outbox's own word
	Content  []byte        // before sealing; kept in a box
	Body     wire.Sealed   // sealed for Epoch, nil until then: a retry sends the same bytes
	Epoch    uint64
	Blobs    []wire.BlobID
	Attempts int
	Next     wire.Millis // not to be tried before
	Fail     string      // set: was refused, waits for the person
}

const outgoingColumns = `n, room, client, item, kind, box, body, epoch, blobs, attempts, next, fail`

func (tx *Tx) readOutgoing(r row) (o Outgoing, err error) {
	var box, blobs []byte
	if err := r.scan(&o.N, &o.Room, &o.Client, &o.Item, &o.Kind, &box, &o.Body, &o.Epoch, &blobs, &o.Attempts, &o.Next, &o.Fail); err != nil {
		return o, err
	}
	for ; len(blobs) >= len(wire.BlobID{}); blobs = blobs[len(wire.BlobID{}):] {
		o.Blobs = append(o.Blobs, wire.BlobID(blobs[:len(wire.BlobID{})]))
	}
	o.Content, err = tx.open(box, "outbox", "box", o.Room[:], o.Client[:])
	return o, err
}

func joinBlobs(ids []wire.BlobID) []byte {
	b := []byte{}
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return b
}

// Enqueue puts o behind all that waits and returns its number.
func Enqueue(tx *Tx, o Outgoing) (n int64, err error) {
	const q = `INSERT INTO outbox (room, client, item, kind, box, body, epoch, blobs, attempts, next, fail)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`
	res, err := tx.exec(q, o.Room, o.Client, o.Item, o.Kind, tx.seal(o.Content, "outbox", "box", o.Room[:], o.Client[:]),
		[]byte(o.Body), o.Epoch, joinBlobs(o.Blobs), o.Attempts, o.Next, o.Fail)
	return res.LastID, err
}

// PutOutgoing stores what has become of an entry: content, sealed bytes,
// attempts, refusal. ErrNone if it is not in the outbox any more.
func PutOutgoing(tx *Tx, o Outgoing) error {
	const q = `UPDATE outbox SET box = ?2, body = ?3, epoch = ?4, blobs = ?5, attempts = ?6, next = ?7, fail = ?8 WHERE n = ?1`
	res, err := tx.exec(q, o.N, tx.seal(o.Content, "outbox", "box", o.Room[:], o.Client[:]), []byte(o.Body), o.Epoch,
		joinBlobs(o.Blobs), o.Attempts, o.Next, o.Fail)
	if err == nil && res.Changes == 0 {
		err = fmt.Errorf("outbox entry %d: %w", o.N, ErrNone)
	}
	return err
}

// Waiting returns the first entry of a room that was not refused, ErrNone if
// nothing waits.
func Waiting(tx *Tx, room wire.RoomID) (Outgoing, error) {
	return one(tx, tx.readOutgoing, `SELECT `+outgoingColumns+` FROM outbox WHERE room = ?1 AND fail = '' ORDER BY n LIMIT 1`, room)
}

// Outbox returns all that waits in a room, refused or not, in order.
func Outbox(tx *Tx, room wire.RoomID) ([]Outgoing, error) {
	return all(tx, tx.readOutgoing, `SELECT `+outgoingColumns+` FROM outbox WHERE room = ?1 ORDER BY n`, room)
}

// WaitingRooms returns the rooms in which something waits that was not refused.
func WaitingRooms(tx *Tx) ([]wire.RoomID, error) {
	return all(tx, func(r row) (id wire.RoomID, err error) {
		err = r.scan(&id)
		return id, err
	}, `SELECT DISTINCT room FROM outbox WHERE fail = '' ORDER BY room`)
}

// OutgoingByClient returns the entry with this client id, ErrNone if there is
// none: how an entry of the log is recognised as one's own.
func OutgoingByClient(tx *Tx, room wire.RoomID, client wire.ClientID) (Outgoing, error) {
	return one(tx, tx.readOutgoing, `SELECT `+outgoingColumns+` FROM outbox WHERE room = ?1 AND client = ?2`, room, client)
}

// OutgoingByItem returns the first entry that concerns a row, ErrNone if there
// is none.
func OutgoingByItem(tx *Tx, room wire.RoomID, item string) (Outgoing, error) {
	return one(tx, tx.readOutgoing, `SELECT `+outgoingColumns+` FROM outbox WHERE room = ?1 AND item = ?2 ORDER BY n LIMIT 1`, room, item)
}

// CountOutbox returns how many entries of a room wait and how many were refused.
func CountOutbox(tx *Tx, room wire.RoomID) (waiting, failed int, err error) {
	const q = `SELECT count(*) FILTER (WHERE fail = ''), count(*) FILTER (WHERE fail <> '') FROM outbox WHERE room = ?1`
	_, err = one(tx, func(r row) (struct{}, error) { return struct{}{}, r.scan(&waiting, &failed) }, q, room)
	return waiting, failed, err
}

// Dequeue takes an entry out: the log has it, or the person took it back.
func Dequeue(tx *Tx, n int64) error {
	_, err := tx.exec(`DELETE FROM outbox WHERE n = ?1`, n)
	return err
}
