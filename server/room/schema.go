package room

import "github.com/veche-im/veche/server/db"

// Schema is the tables of this noun. Every table is keyed by room.
var Schema = db.Schema{Noun: "room", Steps: []string{`
CREATE TABLE room (
	id BYTEA PRIMARY KEY,
	kind TEXT NOT NULL,
	pair BYTEA UNIQUE,             -- the accounts of a direct room, ascending; null for a group
	seq BIGINT NOT NULL,           -- of the newest entry
	head BYTEA NOT NULL,           -- after it
	epoch BIGINT NOT NULL,
	epoch_seq BIGINT NOT NULL,     -- entry of the commit that began the epoch
	epoch_head BYTEA NOT NULL,     -- after it
	proposals BIGINT NOT NULL,     -- that wait for a commit
	proposed_ms BIGINT NOT NULL,   -- when the newest of them came
	deserted_ms BIGINT NOT NULL    -- when the last member left, 0 while there is one
);
CREATE INDEX room_deserted ON room (deserted_ms);
CREATE TABLE room_member (
	room_id BYTEA NOT NULL,
	account_id BYTEA NOT NULL,
	from_seq BIGINT NOT NULL,      -- first entry that it may read: each joining makes a row
	until_seq BIGINT NOT NULL,     -- last one; 0 while it is a member
	PRIMARY KEY (room_id, account_id, from_seq)
);
CREATE INDEX room_member_account ON room_member (account_id, until_seq);
CREATE TABLE room_leaf (           -- the tree's leaves, so that sending need not load the tree
	room_id BYTEA NOT NULL,
	device_id BYTEA NOT NULL,
	account_id BYTEA NOT NULL,
	leaf BIGINT NOT NULL,
	PRIMARY KEY (room_id, device_id)
);
CREATE INDEX room_leaf_account ON room_leaf (room_id, account_id);
CREATE TABLE room_node (           -- the group's public state as package mls stores it, by epoch
	room_id BYTEA NOT NULL,
	node TEXT NOT NULL,
	since_epoch BIGINT NOT NULL,
	until_epoch BIGINT NOT NULL,   -- first epoch in which it is no more; 0 while it is current
	body BYTEA NOT NULL,
	PRIMARY KEY (room_id, node, since_epoch)
);
CREATE INDEX room_node_past ON room_node (room_id, until_epoch);
CREATE TABLE room_info (           -- the GroupInfo of the current epoch
	room_id BYTEA PRIMARY KEY,
	body BYTEA NOT NULL
);
CREATE TABLE room_welcome (
	room_id BYTEA NOT NULL,
	device_id BYTEA NOT NULL,
	account_id BYTEA NOT NULL,
	epoch BIGINT NOT NULL,         -- that it leads into
	seq BIGINT NOT NULL,           -- entry of the commit that began it
	head BYTEA NOT NULL,
	body BYTEA NOT NULL,           -- with the secrets of this device alone
	made_ms BIGINT NOT NULL,
	PRIMARY KEY (room_id, device_id)
);
CREATE INDEX room_welcome_epoch ON room_welcome (room_id, epoch);
CREATE INDEX room_welcome_made ON room_welcome (made_ms);
CREATE TABLE room_entry (
	room_id BYTEA NOT NULL,
	seq BIGINT NOT NULL,
	kind BIGINT NOT NULL,
	account_id BYTEA NOT NULL,
	device_id BYTEA NOT NULL,
	client_id BYTEA NOT NULL,
	epoch BIGINT NOT NULL,
	time_ms BIGINT NOT NULL,
	head BYTEA NOT NULL,
	erased BYTEA,                  -- SHA-256 of the body, where it was deleted
	body BYTEA,                    -- null where it was deleted
	PRIMARY KEY (room_id, seq),
	UNIQUE (client_id, room_id, device_id) -- the id first: it begins with the time, so that new rows lie together
);
CREATE TABLE room_cursor (
	room_id BYTEA NOT NULL,
	account_id BYTEA NOT NULL,
	delivered BIGINT NOT NULL,
	seen BIGINT NOT NULL,
	PRIMARY KEY (room_id, account_id)
);
`}}
