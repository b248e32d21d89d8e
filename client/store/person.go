package store

import (
	"fmt"

	"github.com/veche-im/veche/internal/statement"
	"github.com/veche-im/veche/wire"
)

// Person is somebody of the directory.
type Person struct {
	Account wire.AccountID
	Name    string
	Admin   bool
	Shut    bool
	Head    int64 // seq of the newest statement, as the server says
	Pinned  int64 // seq of the newest statement that this device verified, 0 if none
}

const personColumns = `account, name, admin, shut, head, seq`

func readPerson(r row) (p Person, err error) {
	err = r.scan(&p.Account, &p.Name, &p.Admin, &p.Shut, &p.Head, &p.Pinned)
	return p, err
}

// People returns everybody who is known, in the order of accounts.
func People(tx *Tx) ([]Person, error) {
	return all(tx, readPerson, `SELECT `+personColumns+` FROM person ORDER BY account`)
}

// GetPerson returns one, ErrNone if unknown.
func GetPerson(tx *Tx, account wire.AccountID) (Person, error) {
	return one(tx, readPerson, `SELECT `+personColumns+` FROM person WHERE account = ?1`, account)
}

// PutPerson notes what the directory says. What is pinned stays.
func PutPerson(tx *Tx, p Person) error {
	const q = `INSERT INTO person (account, name, admin, shut, head) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (account) DO UPDATE SET name = excluded.name, admin = excluded.admin, shut = excluded.shut, head = excluded.head`
	_, err := tx.exec(q, p.Account, p.Name, p.Admin, p.Shut, p.Head)
	return err
}

// GetPin returns the newest statement of account that this device verified, nil
// if there is none yet.
func GetPin(tx *Tx, account wire.AccountID) (*statement.Verified, error) {
	const q = `SELECT body, sig FROM person WHERE account = ?1 AND body IS NOT NULL`
	list, err := all(tx, func(r row) (s wire.SignedStatement, err error) {
		err = r.scan(&s.Body, &s.Signature)
		return s, err
	}, q, account)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	v, err := statement.Resume(account, list[0])
	if err != nil {
		return nil, fmt.Errorf("%w: statement of %s: %w", ErrDamaged, account, err)
	}
	return v, nil
}

// PutPin keeps v as the newest verified statement of its account. One that is
// not newer than what is pinned, or another at the same place, is ErrBackward.
func PutPin(tx *Tx, v *statement.Verified) error {
	const q = `INSERT INTO person (account, head, seq, body, sig) VALUES (?1, ?2, ?2, ?3, ?4)
		ON CONFLICT (account) DO UPDATE SET seq = excluded.seq, body = excluded.body, sig = excluded.sig, head = max(head, excluded.head)
		WHERE excluded.seq > person.seq OR (excluded.seq = person.seq AND excluded.body = person.body)`
	res, err := tx.exec(q, v.Account, v.Seq, v.Signed.Body, v.Signed.Signature)
	if err != nil {
		return err
	}
	if res.Changes == 0 {
		return fmt.Errorf("%w: statement %d of %s", ErrBackward, v.Seq, v.Account)
	}
	return nil
}

// Notice is something that the person must be told, once.
type Notice struct {
	ID      string // the same trouble keeps its id
	Code    string
	Severe  bool
	Room    wire.RoomID
	Account wire.AccountID
	Time    wire.Millis
	Text    string
}

const noticeColumns = `id, code, severe, room, account, time, text`

func readNotice(r row) (n Notice, err error) {
	err = r.scan(&n.ID, &n.Code, &n.Severe, &n.Room, &n.Account, &n.Time, &n.Text)
	return n, err
}

// Notices returns those that were not dismissed, oldest first.
func Notices(tx *Tx) ([]Notice, error) {
	return all(tx, readNotice, `SELECT `+noticeColumns+` FROM notice WHERE dismissed = 0 ORDER BY time, id`)
}

// PutNotice keeps n and reports whether it is new: trouble that was told before
// is not told again, dismissed or not.
func PutNotice(tx *Tx, n Notice) (fresh bool, err error) {
	const q = `INSERT INTO notice (id, code, severe, room, account, time, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING`
	res, err := tx.exec(q, n.ID, n.Code, n.Severe, orNull(n.Room), orNull(n.Account), n.Time, n.Text)
	return res.Changes > 0, err
}

// DeleteNotice forgets a notice, so that the same can be told anew.
func DeleteNotice(tx *Tx, id string) error {
	_, err := tx.exec(`DELETE FROM notice WHERE id = ?1`, id)
	return err
}

// DismissNotice hides a notice for good.
func DismissNotice(tx *Tx, id string) error {
	_, err := tx.exec(`UPDATE notice SET dismissed = 1 WHERE id = ?1`, id)
	return err
}
