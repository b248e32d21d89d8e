// Package age says how old things are to whoever deletes what is old.
//
// A clock that leaps, because a battery died or somebody set it wrong, must not
// delete in one sweep what people were to have for a month. So a sweep does not
// believe the clock but a moment that follows it: forward at most twice as fast
// as time really passes, by the processor's own count, and an hour when the
// server starts, since nobody counted while it stood. So a clock that was wrong for a day has made
// things go a day too early at most; after a long stop they go later than they
// might, which harms nobody.
package age

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/veche-im/veche/server/db"
)

const (
	// pace is how much faster than time the moment may go, so that it catches up.
	pace = 2
	// atStart is what a start is worth, however long the server stood.
	atStart = time.Hour
)

// Schema is the table of this noun.
var Schema = db.Schema{Noun: "age", Additive: 1, Steps: []string{`
CREATE TABLE age (
	id BIGINT PRIMARY KEY,       -- 1: there is one row
	believed_ms BIGINT NOT NULL  -- the moment that the last sweep believed
);
`}}

// Config says what a Clock works with. DB is required.
type Config struct {
	DB     *db.DB
	Now    func() time.Time     // nil means time.Now
	Uptime func() time.Duration // time that really passed since some moment; nil means since New
}

// Clock is the site's.
type Clock struct {
	cfg Config

	mu       sync.Mutex // guards what follows
	believed time.Time
	at       time.Duration // uptime at which it was
}

// New reads what the last sweep believed; of a new site, that is the clock.
func New(ctx context.Context, cfg Config) (*Clock, error) {
	if cfg.DB == nil {
		return nil, errors.New("age: DB is required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Uptime == nil {
		began := time.Now()
		cfg.Uptime = func() time.Duration { return time.Since(began) }
	}
	c := &Clock{cfg: cfg, believed: cfg.Now(), at: cfg.Uptime()}
	var ms int64
	err := cfg.DB.View(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(`SELECT believed_ms FROM age WHERE id = 1`).Scan(&ms)
	})
	switch {
	case errors.Is(err, db.ErrNone):
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("read what the last sweep believed: %w", err)
	}
	c.believed = earlier(c.believed, time.UnixMilli(ms).Add(atStart))
	return c, nil
}

// Now is the moment to compare with what is to be old: never after the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	up := c.cfg.Uptime()
	passed := max(0, up-c.at)
	c.believed, c.at = earlier(c.cfg.Now(), c.believed.Add(pace*passed)), up
	return c.believed
}

// Sweep is Now for whoever deletes: it is remembered, so that the next start goes
// on from there.
func (c *Clock) Sweep(ctx context.Context) (time.Time, error) {
	now := c.Now()
	err := c.cfg.DB.Update(ctx, func(tx *db.Tx) error {
		const put = `INSERT INTO age (id, believed_ms) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET believed_ms = excluded.believed_ms`
		_, err := tx.Exec(put, now.UnixMilli())
		return err
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("write down what this sweep believes: %w", err)
	}
	return now, nil
}

func earlier(a, b time.Time) time.Time {
	a, b = a.Round(0), b.Round(0) // the clock's time, not the processor's
	if b.Before(a) {
		return b
	}
	return a
}
