package blob

import "github.com/veche-im/veche/server/db"

// Schema is the tables of this noun. It stands after room's: who may read a
// blob follows from room_member.
var Schema = db.Schema{Noun: "blob", Steps: []string{`
CREATE TABLE blob (
	id BYTEA PRIMARY KEY,
	account_id BYTEA NOT NULL,  -- who uploads it and pays for it
	size BIGINT NOT NULL,       -- sealed bytes in all
	have BIGINT NOT NULL,       -- of them on disk, synced
	holders BIGINT NOT NULL,    -- rows of blob_ref
	touched_ms BIGINT NOT NULL  -- last Create or Append
);
CREATE INDEX blob_account ON blob (account_id, size, holders);
CREATE INDEX blob_loose ON blob (holders, touched_ms);
CREATE TABLE blob_ref (
	blob_id BYTEA NOT NULL,
	room_id BYTEA NOT NULL,
	seq BIGINT NOT NULL,        -- the message that holds it
	PRIMARY KEY (blob_id, room_id, seq)
);
CREATE INDEX blob_ref_entry ON blob_ref (room_id, seq);
`}}
