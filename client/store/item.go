package store

import (
	"fmt"

	"github.com/veche-im/veche/wire"
)

// Order places a row of a timeline. Rows of one entry follow one another in the
// order of sub, from 0 to 1023, and behind them rows that the site lost after
// that entry; what is not in the log yet stands after all that is, in the order
// of sending. All places are below 2^53, so that a number of JavaScript holds
// them; a room has fewer than 2^32 entries.
func Order(seq int64, sub int) int64 { return seq<<subBits | int64(sub) }

const (
	subBits     = 20
	lostSub     = 1024 // the first row that the site lost after an entry
	pendingFrom = int64(1) << 52
)

// PendingOrder is the place of a row whose outbox entry is the nth.
func PendingOrder(n int64) int64 { return pendingFrom + n }

// Item is one row of a room's timeline. Kind, State, Fail and Extra are the
// timeline's own words.
type Item struct {
	Room    wire.RoomID
	ID      string // never changes
	Order   int64
	Seq     int64 // 0: not on the server yet
	Kind    string
	Account wire.AccountID // of the MLS sender; zero if there is none
	Device  wire.DeviceID
	Mine    bool
	State   string
	Fail    string
	Time    wire.Millis
	Text    string
	Message []byte // id by which other messages refer to this one, 32 bytes
	Reply   []byte // id of the message that this one answers
	Edited  bool
	Extra   []byte
	Content []byte // as it came or was sent; kept in a box

	// Unstored is the seq that the row had before the site was restored to a
	// moment before it; it is on this device only then. 0: it is in the log, or on
	// its way.
	Unstored int64
}

const itemColumns = `room, id, ord, seq, kind, account, device, mine, state, fail, time, text, message, reply, edited, extra, unstored`

func readItem(r row) (i Item, err error) {
	err = r.scan(&i.Room, &i.ID, &i.Order, &i.Seq, &i.Kind, &i.Account, &i.Device, &i.Mine, &i.State, &i.Fail, &i.Time,
		&i.Text, &i.Message, &i.Reply, &i.Edited, &i.Extra, &i.Unstored)
	return i, err
}

// PutItem stores a row whole, new or known, except that nil Content leaves what
// is there.
func PutItem(tx *Tx, i Item) error {
	var box []byte
	if i.Content != nil {
		box = tx.seal(i.Content, "item", "box", i.Room[:], []byte(i.ID))
	}
	const q = `INSERT INTO item (` + itemColumns + `, box)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
		ON CONFLICT (room, id) DO UPDATE SET ord = excluded.ord, seq = excluded.seq, kind = excluded.kind, account = excluded.account,
			device = excluded.device, mine = excluded.mine, state = excluded.state, fail = excluded.fail, time = excluded.time,
			text = excluded.text, message = excluded.message, reply = excluded.reply, edited = excluded.edited,
			extra = excluded.extra, unstored = excluded.unstored, box = coalesce(excluded.box, item.box)`
	_, err := tx.exec(q, i.Room, i.ID, i.Order, i.Seq, i.Kind, orNull(i.Account), orNull(i.Device), i.Mine, i.State, i.Fail,
		i.Time, i.Text, i.Message, i.Reply, i.Edited, i.Extra, i.Unstored, box)
	return err
}

// GetItem returns a row without its Content, ErrNone if it is not there.
func GetItem(tx *Tx, room wire.RoomID, id string) (Item, error) {
	return one(tx, readItem, `SELECT `+itemColumns+` FROM item WHERE room = ?1 AND id = ?2`, room, id)
}

// ItemContent returns the content of a row as it came, nil if it is not kept.
func ItemContent(tx *Tx, room wire.RoomID, id string) ([]byte, error) {
	box, err := value[[]byte](tx, `SELECT box FROM item WHERE room = ?1 AND id = ?2`, room, id)
	if err != nil || box == nil {
		return nil, err
	}
	return tx.open(box, "item", "box", room[:], []byte(id))
}

// EraseItem makes a row forget what it said: text, content, files, what it
// answered. The row stays, with its id and place.
func EraseItem(tx *Tx, room wire.RoomID, id string) error {
	if _, err := tx.exec(`UPDATE item SET text = '', box = NULL, extra = NULL, reply = NULL WHERE room = ?1 AND id = ?2`, room, id); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM file WHERE room = ?1 AND item = ?2`, room, id)
	return err
}

// DeleteItem takes a row out of the timeline, with its files.
func DeleteItem(tx *Tx, room wire.RoomID, id string) error {
	_, err := tx.exec(`DELETE FROM item WHERE room = ?1 AND id = ?2`, room, id)
	return err
}

// ItemByMessage returns the row of the message with this id, ErrNone if this
// device does not have it. account narrows it to one sender, unless zero: ids
// are hashes, but a sender might still send one message twice.
func ItemByMessage(tx *Tx, room wire.RoomID, message []byte, account wire.AccountID) (Item, error) {
	const q = `SELECT ` + itemColumns + ` FROM item WHERE room = ?1 AND message = ?2 AND (?3 IS NULL OR account = ?3) ORDER BY ord LIMIT 1`
	return one(tx, readItem, q, room, message, orNull(account))
}

// ItemBySeq returns the first row of an entry, ErrNone if it has none.
func ItemBySeq(tx *Tx, room wire.RoomID, seq int64) (Item, error) {
	return one(tx, readItem, `SELECT `+itemColumns+` FROM item WHERE room = ?1 AND seq = ?2 ORDER BY ord LIMIT 1`, room, seq)
}

// ItemsBySeq returns the rows of the entries after < seq ≤ to: those that a
// cursor moved over.
func ItemsBySeq(tx *Tx, room wire.RoomID, after, to int64) ([]Item, error) {
	const q = `SELECT ` + itemColumns + ` FROM item WHERE room = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY ord`
	return all(tx, readItem, q, room, after, to)
}

// mostOwn is how many entries Owes looks at.
const mostOwn = 100

// Owes reports whether others may wait to hear that the entries after < seq ≤ to
// are here: somebody else sent one of them, and the members of the room are few
// enough to hear of it.
func Owes(tx *Tx, room wire.RoomID, after, to int64) (bool, error) {
	if after >= to {
		return false, nil
	}
	members, err := value[int64](tx, `SELECT count(*) FROM (SELECT 1 FROM room_member WHERE room = ?1 LIMIT ?2)`, room, wire.MaxCursors+1)
	if err != nil || members > wire.MaxCursors {
		return false, err
	}
	if to-after > mostOwn {
		return true, nil
	}
	own, err := value[int64](tx, `SELECT count(DISTINCT seq) FROM item WHERE room = ?1 AND seq > ?2 AND seq <= ?3 AND mine <> 0`, room, after, to)
	return own < to-after, err
}

// Answers returns the rows that answer the message with this id.
func Answers(tx *Tx, room wire.RoomID, message []byte) ([]Item, error) {
	return all(tx, readItem, `SELECT `+itemColumns+` FROM item WHERE room = ?1 AND reply = ?2 ORDER BY ord`, room, message)
}

// ItemsBefore returns at most limit rows in front of a place, the nearest ones,
// oldest first. A place beyond all gives the newest rows.
func ItemsBefore(tx *Tx, room wire.RoomID, order int64, limit int) ([]Item, error) {
	const q = `SELECT * FROM (SELECT ` + itemColumns + ` FROM item WHERE room = ?1 AND ord < ?2 ORDER BY ord DESC LIMIT ?3) ORDER BY ord`
	return all(tx, readItem, q, room, order, limit)
}

// ItemsAfter returns at most limit rows behind a place, the nearest ones,
// oldest first.
func ItemsAfter(tx *Tx, room wire.RoomID, order int64, limit int) ([]Item, error) {
	const q = `SELECT ` + itemColumns + ` FROM item WHERE room = ?1 AND ord > ?2 ORDER BY ord LIMIT ?3`
	return all(tx, readItem, q, room, order, limit)
}

// Newest is a place beyond all rows.
const Newest = 1<<53 - 1

// LastItem returns the newest row, ErrNone in an empty timeline.
func LastItem(tx *Tx, room wire.RoomID) (Item, error) {
	return one(tx, readItem, `SELECT `+itemColumns+` FROM item WHERE room = ?1 ORDER BY ord DESC LIMIT 1`, room)
}

// Missed is the State of the row of a call that rang here and was not answered.
const Missed = "missed"

// Unread counts the rows of a kind by others after entry seq, and missed calls,
// and returns the first, whose ID is empty if there is none.
func Unread(tx *Tx, room wire.RoomID, seq int64, kind string) (n int, first Item, err error) {
	const count = `SELECT count(*) FROM item WHERE room = ?1 AND seq > ?2 AND mine = 0 AND (kind = ?3 OR state = '` + Missed + `')`
	if n, err = value[int](tx, count, room, seq, kind); err != nil || n == 0 {
		return 0, Item{}, err
	}
	const q = `SELECT ` + itemColumns + ` FROM item WHERE room = ?1 AND seq > ?2 AND mine = 0 AND (kind = ?3 OR state = '` + Missed + `') ORDER BY ord LIMIT 1`
	first, err = one(tx, readItem, q, room, seq, kind)
	return n, first, err
}

// File is a file of a message: the nth of its item.
type File struct {
	Room        wire.RoomID
	Item        string
	N           int
	Local       int64       // Blob.N of what is here of it, 0 for nothing
	Blob        wire.BlobID // zero until it is on the server
	Key         []byte      // kept in a box; nil until sealing is done
	Size        int64       // plain bytes
	Hash        []byte      // SHA-256 of the sealed bytes
	Name        string
	Type        string
	Width       int
	Height      int
	Thumb       []byte
	Preview     []byte
	PreviewType string
	Source      string // where the plain bytes come from, until they are sealed
}

const fileColumns = `room, item, n, local, blob, box, size, hash, name, type, width, height, thumb, preview, preview_type, source`

func (tx *Tx) readFile(r row) (f File, err error) {
	var box []byte
	if err := r.scan(&f.Room, &f.Item, &f.N, &f.Local, &f.Blob, &box, &f.Size, &f.Hash, &f.Name, &f.Type, &f.Width, &f.Height,
		&f.Thumb, &f.Preview, &f.PreviewType, &f.Source); err != nil {
		return f, err
	}
	if box != nil {
		f.Key, err = tx.open(box, "file", "box", f.place()...)
	}
	return f, err
}

func (f *File) place() [][]byte {
	return [][]byte{f.Room[:], []byte(f.Item), fmt.Append(nil, f.N)}
}

// PutFile stores a file of an item, which must be there, whole.
func PutFile(tx *Tx, f File) error {
	var box []byte
	if f.Key != nil {
		box = tx.seal(f.Key, "file", "box", f.place()...)
	}
	var local any
	if f.Local != 0 {
		local = f.Local
	}
	const q = `INSERT INTO file (` + fileColumns + `) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
		ON CONFLICT (room, item, n) DO UPDATE SET local = excluded.local, blob = excluded.blob, box = excluded.box, size = excluded.size,
			hash = excluded.hash, name = excluded.name, type = excluded.type, width = excluded.width, height = excluded.height,
			thumb = excluded.thumb, preview = excluded.preview, preview_type = excluded.preview_type, source = excluded.source`
	_, err := tx.exec(q, f.Room, f.Item, f.N, local, orNull(f.Blob), box, f.Size, f.Hash, f.Name, f.Type, f.Width, f.Height,
		f.Thumb, f.Preview, f.PreviewType, f.Source)
	return err
}

// Files returns the files of an item in order.
func Files(tx *Tx, room wire.RoomID, item string) ([]File, error) {
	return all(tx, tx.readFile, `SELECT `+fileColumns+` FROM file WHERE room = ?1 AND item = ?2 ORDER BY n`, room, item)
}

// GetFile returns the nth file of an item, ErrNone if there is none.
func GetFile(tx *Tx, room wire.RoomID, item string, n int) (File, error) {
	const q = `SELECT ` + fileColumns + ` FROM file WHERE room = ?1 AND item = ?2 AND n = ?3`
	return one(tx, tx.readFile, q, room, item, n)
}
