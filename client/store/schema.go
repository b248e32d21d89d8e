package store

import (
	"context"
	"fmt"
	"strings"
)

// migrations bring a database from the version before to the next. One that was
// ever released is never changed; a further one is added.
var migrations = []string{
	0: first,
	1: calls,
	2: restored,
	3: shut,
}

// first is the schema of version 1. Times are milliseconds, identifiers and
// hashes bytes. Columns called box hold boxes under the store key.
const first = `
CREATE TABLE secret (
	name TEXT PRIMARY KEY,
	box  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- who this device is: one row
CREATE TABLE self (
	one           INTEGER PRIMARY KEY CHECK (one = 1),
	account       BLOB NOT NULL,
	device        BLOB NOT NULL,
	state         TEXT NOT NULL,
	name          TEXT NOT NULL,
	device_name   TEXT NOT NULL,
	org           TEXT NOT NULL,
	server        TEXT NOT NULL,
	admin         INTEGER NOT NULL,
	vault_version INTEGER NOT NULL
) STRICT;

-- people of the directory; body and sig are the newest statement that was verified
CREATE TABLE person (
	account BLOB PRIMARY KEY,
	name    TEXT NOT NULL DEFAULT '',
	admin   INTEGER NOT NULL DEFAULT 0,
	head    INTEGER NOT NULL DEFAULT 0, -- seq of the newest statement, as the server says
	seq     INTEGER NOT NULL DEFAULT 0, -- of the pinned one
	body    BLOB,
	sig     BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE notice (
	id        TEXT PRIMARY KEY,
	code      TEXT NOT NULL,
	severe    INTEGER NOT NULL,
	room      BLOB,
	account   BLOB,
	time      INTEGER NOT NULL,
	text      TEXT NOT NULL,
	dismissed INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE key_package (
	ref         BLOB PRIMARY KEY,
	package     BLOB NOT NULL,
	box         BLOB NOT NULL,
	last_resort INTEGER NOT NULL,
	made        INTEGER NOT NULL
) STRICT;

CREATE TABLE room (
	id      BLOB PRIMARY KEY,
	kind    TEXT NOT NULL,
	state   TEXT NOT NULL,
	seq     INTEGER NOT NULL, -- newest entry that was processed, and the head there
	head    BLOB NOT NULL,
	epoch   INTEGER NOT NULL,
	joined  INTEGER NOT NULL, -- entry by which this device came in; nothing before it can be read
	peer    BLOB,             -- the other account of a direct room
	name    TEXT NOT NULL,
	named   INTEGER NOT NULL, -- seq of the message that gave the name, 0 if none did
	draft   TEXT NOT NULL,
	time    INTEGER NOT NULL  -- of the newest item or of joining
) STRICT;
CREATE INDEX room_peer ON room (peer) WHERE peer IS NOT NULL;

-- a copy of who is in the group's tree, for lists; the tree in mls_state counts
CREATE TABLE room_member (
	room    BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	account BLOB NOT NULL,
	leaves  INTEGER NOT NULL,
	owner   INTEGER NOT NULL,
	PRIMARY KEY (room, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX room_member_account ON room_member (account);

-- heads since joining, against which commits are checked, and whose entry each
-- was, so that none is taken twice
CREATE TABLE room_head (
	room   BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	seq    INTEGER NOT NULL,
	head   BLOB NOT NULL,
	device BLOB,
	client BLOB,
	PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX room_head_client ON room_head (room, client, device) WHERE client IS NOT NULL;

CREATE TABLE mls_state (
	room BLOB NOT NULL,
	key  TEXT NOT NULL,
	box  BLOB NOT NULL,
	PRIMARY KEY (room, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
	room      BLOB NOT NULL,
	account   BLOB NOT NULL,
	delivered INTEGER NOT NULL,
	read      INTEGER NOT NULL,
	PRIMARY KEY (room, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE item (
	room    BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	id      TEXT NOT NULL,
	ord     INTEGER NOT NULL, -- place in the timeline, see Order
	seq     INTEGER NOT NULL, -- 0: not on the server yet
	kind    TEXT NOT NULL,
	account BLOB,
	device  BLOB,
	mine    INTEGER NOT NULL,
	state   TEXT NOT NULL,
	fail    TEXT NOT NULL,
	time    INTEGER NOT NULL,
	text    TEXT NOT NULL,
	message BLOB,             -- id of the message (MIMI), by which others refer to it
	reply   BLOB,             -- id of the message that this one answers
	edited  INTEGER NOT NULL,
	extra   BLOB,             -- what else the timeline wants to keep
	box     BLOB,             -- content as it came or as it was sent
	PRIMARY KEY (room, id)
) STRICT;
CREATE INDEX item_ord ON item (room, ord);
CREATE INDEX item_seq ON item (room, seq);
CREATE INDEX item_message ON item (room, message) WHERE message IS NOT NULL;
CREATE INDEX item_reply ON item (room, reply) WHERE reply IS NOT NULL;

CREATE TABLE blob (
	n      INTEGER PRIMARY KEY AUTOINCREMENT,
	id     BLOB UNIQUE,      -- on the server, once it has one
	size   INTEGER NOT NULL, -- sealed bytes, 0 as long as sealing goes on
	sent   INTEGER NOT NULL, -- sealed bytes that the server has of an upload
	pinned INTEGER NOT NULL, -- an upload that is not done: never evicted
	used   INTEGER NOT NULL
) STRICT;
CREATE INDEX blob_used ON blob (used) WHERE pinned = 0;

CREATE TABLE blob_piece (
	blob INTEGER NOT NULL REFERENCES blob ON DELETE CASCADE,
	n    INTEGER NOT NULL,
	size INTEGER NOT NULL,
	data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX blob_piece_n ON blob_piece (blob, n, size);

CREATE TABLE file (
	room         BLOB NOT NULL,
	item         TEXT NOT NULL,
	n            INTEGER NOT NULL,
	local        INTEGER REFERENCES blob ON DELETE SET NULL,
	blob         BLOB,
	box          BLOB,             -- file key
	size         INTEGER NOT NULL, -- plain bytes
	hash         BLOB,
	name         TEXT NOT NULL,
	type         TEXT NOT NULL,
	width        INTEGER NOT NULL,
	height       INTEGER NOT NULL,
	thumb        BLOB,
	preview      BLOB,
	preview_type TEXT NOT NULL,
	source       TEXT NOT NULL,    -- where the plain bytes come from, until they are sealed
	PRIMARY KEY (room, item, n),
	FOREIGN KEY (room, item) REFERENCES item ON DELETE CASCADE
) STRICT;
CREATE INDEX file_blob ON file (blob) WHERE blob IS NOT NULL;
CREATE INDEX file_local ON file (local) WHERE local IS NOT NULL;

CREATE TABLE outbox (
	n        INTEGER PRIMARY KEY AUTOINCREMENT,
	room     BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	client   BLOB NOT NULL,
	item     TEXT NOT NULL,    -- row of the timeline that it concerns, '' for none
	kind     TEXT NOT NULL,
	box      BLOB NOT NULL,    -- content before sealing
	body     BLOB,             -- sealed, once it was
	epoch    INTEGER NOT NULL, -- that body was sealed in
	blobs    BLOB NOT NULL,    -- ids, 16 bytes each
	attempts INTEGER NOT NULL,
	next     INTEGER NOT NULL, -- not before
	fail     TEXT NOT NULL,    -- set: refused, waits for the person
	UNIQUE (room, client)
) STRICT;
CREATE INDEX outbox_room ON outbox (room, n);
CREATE INDEX outbox_item ON outbox (room, item);
`

// calls is version 2: how many join numbers of a room were taken, in all and in
// the newest epoch; docs/spec/calls.md#keys.
const calls = `
CREATE TABLE call_join (
	room  BLOB PRIMARY KEY,
	next  INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	taken INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

// restored is version 3: what a device has that its site lost, when the site was
// restored from a backup; docs/spec/restore.md. Between two entries of a log
// there is now room for a million rows.
const restored = `
-- seq that the row had before the site lost it
ALTER TABLE item ADD COLUMN unstored INTEGER NOT NULL DEFAULT 0;
UPDATE item SET ord = ((ord >> 10) << 20) | (ord & 1023) WHERE ord < 4503599627370496;
-- hash of the entry's body
ALTER TABLE room_head ADD COLUMN body BLOB;

-- entries that a site has lost: none comes with the same bytes again
CREATE TABLE lost (
	room   BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	body   BLOB NOT NULL,
	seq    INTEGER NOT NULL,
	device BLOB NOT NULL,
	client BLOB NOT NULL,
	PRIMARY KEY (room, body)
) STRICT, WITHOUT ROWID;
CREATE INDEX lost_client ON lost (room, client, device);

-- what this device has sent that no row of the timeline keeps as it was
CREATE TABLE said (
	room   BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	client BLOB NOT NULL,
	item   TEXT NOT NULL,
	box    BLOB NOT NULL,
	PRIMARY KEY (room, client)
) STRICT, WITHOUT ROWID;

-- since which entry a device has had a leaf in a room without a break, as far as
-- this device has seen it
CREATE TABLE leaf_since (
	room   BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	device BLOB NOT NULL,
	seq    INTEGER NOT NULL,
	PRIMARY KEY (room, device)
) STRICT, WITHOUT ROWID;

-- entries that this device could not open, and has asked to be said again; gap is
-- the row that says so
CREATE TABLE missing (
	room   BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	device BLOB NOT NULL,
	client BLOB NOT NULL,
	seq    INTEGER NOT NULL,
	time   INTEGER NOT NULL,
	gap    TEXT NOT NULL,
	PRIMARY KEY (room, client, device)
) STRICT, WITHOUT ROWID;

-- what this device has said again to whom: once
CREATE TABLE said_again (
	room   BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	device BLOB NOT NULL,
	client BLOB NOT NULL,
	PRIMARY KEY (room, device, client)
) STRICT, WITHOUT ROWID;

-- whom commits took out of a room
CREATE TABLE room_gone (
	room    BLOB NOT NULL REFERENCES room ON DELETE CASCADE,
	seq     INTEGER NOT NULL,
	account BLOB NOT NULL,
	PRIMARY KEY (room, seq, account)
) STRICT, WITHOUT ROWID;
`

// shut is version 4: accounts that an administrator has shut.
const shut = `
ALTER TABLE person ADD COLUMN shut INTEGER NOT NULL DEFAULT 0;
`

// migrate brings the schema up to date, each step in its own transaction with
// the number that says it was done.
func (db *DB) migrate(ctx context.Context) error {
	var version int64
	if err := db.View(ctx, func(tx *Tx) (err error) {
		version, err = value[int64](tx, "PRAGMA user_version")
		return err
	}); err != nil {
		return err
	}
	if version > int64(len(migrations)) {
		return fmt.Errorf("%w: its schema is %d, this program knows %d", ErrNewer, version, len(migrations))
	}
	for ; version < int64(len(migrations)); version++ {
		if err := db.Update(ctx, func(tx *Tx) error {
			for _, statement := range statements(migrations[version]) {
				if _, err := tx.exec(statement); err != nil {
					return err
				}
			}
			_, err := tx.exec(fmt.Sprintf("PRAGMA user_version = %d", version+1))
			return err
		}); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", version+1, err)
		}
	}
	return nil
}

// statements cuts a script at the semicolons that end a line. Its comments hold
// no such thing.
func statements(script string) []string {
	var list []string
	for _, s := range strings.Split(script, ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}
