// Package account keeps who belongs to the site: people with their names and
// passwords, the links by which they come in, and the organisation's name.
//
// A link is used up in the transaction that makes the account, so it works
// exactly once. Passwords and links are stored as hashes alone; checking a
// password costs the same whether or not the name exists. docs/spec/sign-in.md.
package account

import "github.com/veche-im/veche/server/db"

// Schema is the tables of this noun.
var Schema = db.Schema{Noun: "account", Additive: 2, Steps: []string{`
CREATE TABLE site (
	id BIGINT PRIMARY KEY,       -- 1: there is one
	org TEXT NOT NULL,
	created_ms BIGINT NOT NULL
);
CREATE TABLE account (
	id BYTEA PRIMARY KEY,
	name TEXT NOT NULL,          -- as shown
	name_key TEXT NOT NULL,      -- as compared, RFC 8266
	password TEXT NOT NULL,      -- argon2id with its parameters and salt
	admin BIGINT NOT NULL,
	created_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX account_name ON account (name_key);
CREATE TABLE link (
	hash BYTEA PRIMARY KEY,      -- SHA-256 of the token
	kind TEXT NOT NULL,          -- setup, invite or reset
	maker_id BYTEA,              -- the administrator's account; null for the server itself
	expires_ms BIGINT NOT NULL,
	used_ms BIGINT NOT NULL      -- 0 until used
);
`, `
ALTER TABLE site ADD COLUMN life BYTEA;                   -- null until EnsureLife
ALTER TABLE site ADD COLUMN life_ms BIGINT NOT NULL DEFAULT 0; -- when a restore began it, 0 for the first
`, `
ALTER TABLE account ADD COLUMN shut_ms BIGINT NOT NULL DEFAULT 0;     -- since when nobody can sign in to it; 0: one can
ALTER TABLE account ADD COLUMN password_ms BIGINT NOT NULL DEFAULT 0; -- what happened to the password last, and when
ALTER TABLE account ADD COLUMN password_how TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN password_device BYTEA;
ALTER TABLE link ADD COLUMN account_id BYTEA;                         -- of a reset link: whose password
CREATE INDEX link_account ON link (account_id);
`}}
