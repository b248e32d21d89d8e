package call

import (
	"context"
	"errors"
	"fmt"

	"github.com/veche-im/veche/server/db"
	"github.com/veche-im/veche/wire"
)

// Schema is the tables of this noun.
var Schema = db.Schema{Noun: "call", Steps: []string{`
CREATE TABLE call (                -- that have not ended
	room_id BYTEA PRIMARY KEY,
	id BYTEA NOT NULL UNIQUE,
	account_id BYTEA NOT NULL,     -- who started it
	device_id BYTEA NOT NULL,
	started_ms BIGINT NOT NULL,
	video BIGINT NOT NULL,
	starts BIGINT NOT NULL,        -- how often the server has started since
	link BYTEA                     -- SHA-256 of the link's token, null if there is none
);
`}}

const columns = `room_id, id, account_id, device_id, started_ms, video, starts, link`

func (c *call) scan(row interface{ Scan(...any) error }) error {
	var video int64
	var link []byte
	err := row.Scan(&c.room, &c.id, &c.by, &c.device, &c.started, &video, &c.starts, &link)
	c.video = video != 0
	if err == nil && len(link) == len(wire.Hash{}) {
		c.link = (*wire.Hash)(link)
	}
	return err
}

// rowOf reads the row of a room's call, nil if there is none.
func rowOf(tx *db.Tx, room wire.RoomID) (*call, error) {
	c := newCall()
	err := c.scan(tx.QueryRow(`SELECT `+columns+` FROM call WHERE room_id = $1`, room))
	if errors.Is(err, db.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the call of %s: %w", room, err)
	}
	return c, nil
}

// load counts this start of the server and reads all rows. Numbers and versions
// go on above those of the start before.
func load(ctx context.Context, d *db.DB) (list []*call, err error) {
	err = d.Update(ctx, func(tx *db.Tx) error {
		list = nil
		return tx.Each(func(r *db.Rows) error {
			c := newCall()
			if err := c.scan(r); err != nil {
				return err
			}
			list = append(list, c)
			return nil
		}, `UPDATE call SET starts = starts + 1 RETURNING `+columns)
	})
	if err != nil {
		return nil, fmt.Errorf("read the calls: %w", err)
	}
	return list, nil
}

// put stores a new call in the place of one that has ended.
func put(tx *db.Tx, c *call) error {
	const q = `INSERT INTO call (room_id, id, account_id, device_id, started_ms, video, starts) VALUES ($1, $2, $3, $4, $5, $6, 0)
		ON CONFLICT (room_id) DO UPDATE SET id = excluded.id, account_id = excluded.account_id, device_id = excluded.device_id,
			started_ms = excluded.started_ms, video = excluded.video, starts = 0, link = NULL`
	if _, err := tx.Exec(q, c.room, c.id, c.by, c.device, int64(c.started), c.video); err != nil {
		return fmt.Errorf("store call %s: %w", c.id, err)
	}
	return nil
}

func drop(tx *db.Tx, id wire.CallID) error {
	if _, err := tx.Exec(`DELETE FROM call WHERE id = $1`, id); err != nil {
		return fmt.Errorf("forget call %s: %w", id, err)
	}
	return nil
}
