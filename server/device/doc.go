// Package device keeps an account's devices: their sessions, the chain of
// statements that lists them, the sealed root key, and the key packages by
// which they are added to rooms.
//
// A device begins as pending, with its session, and becomes active in the
// transaction that appends the statement that lists it. The server believes no
// more than that chain says, which it checks with the code that clients check
// it with; it cannot sign one. docs/spec/identity.md, docs/spec/sign-in.md.
package device

import "github.com/veche-im/veche/server/db"

// Schema is the tables of this noun. It stands after account's.
var Schema = db.Schema{Noun: "device", Additive: 2, Steps: []string{`
CREATE TABLE device (
	id BYTEA PRIMARY KEY,
	account_id BYTEA NOT NULL REFERENCES account (id),
	name TEXT NOT NULL,
	state TEXT NOT NULL,         -- pending, active, revoked
	leaf_key BYTEA,              -- Ed25519 public key of its leaves; null until it asked to enrol
	unlock_key BYTEA,            -- HPKE public key, likewise
	created_ms BIGINT NOT NULL,
	seen_ms BIGINT NOT NULL
);
CREATE INDEX device_account ON device (account_id, created_ms);
CREATE INDEX device_state ON device (state, created_ms);
CREATE TABLE session (
	hash BYTEA PRIMARY KEY,      -- SHA-256 of the token
	device_id BYTEA NOT NULL REFERENCES device (id),
	created_ms BIGINT NOT NULL,
	seen_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX session_device ON session (device_id);
CREATE INDEX session_seen ON session (seen_ms);
CREATE TABLE statement (
	account_id BYTEA NOT NULL REFERENCES account (id),
	seq BIGINT NOT NULL,
	body BYTEA NOT NULL,
	signature BYTEA NOT NULL,
	PRIMARY KEY (account_id, seq)
);
CREATE TABLE vault (
	account_id BYTEA PRIMARY KEY REFERENCES account (id),
	version BIGINT NOT NULL,     -- counts from 1
	vault BYTEA NOT NULL         -- sealed
);
CREATE TABLE key_package (
	device_id BYTEA NOT NULL REFERENCES device (id),
	ref BYTEA NOT NULL,          -- RFC 9420 §5.2
	last_resort BIGINT NOT NULL,
	expires_ms BIGINT NOT NULL,
	body BYTEA NOT NULL,
	PRIMARY KEY (device_id, ref)
);
CREATE INDEX key_package_next ON key_package (device_id, last_resort, expires_ms);
`, `
CREATE TABLE key_claimed (       -- one-time packages that were given: an upload that is repeated does not bring them back
	device_id BYTEA NOT NULL REFERENCES device (id),
	ref BYTEA NOT NULL,
	expires_ms BIGINT NOT NULL,  -- as of the package: afterwards it is refused for that
	PRIMARY KEY (device_id, ref)
);
CREATE INDEX key_claimed_expiry ON key_claimed (expires_ms);
`, `
ALTER TABLE session ADD COLUMN proved_ms BIGINT NOT NULL DEFAULT 0; -- when the password was shown for it last
ALTER TABLE session ADD COLUMN locked BIGINT NOT NULL DEFAULT 0;    -- 1: good for nothing until it is shown again
`}}
