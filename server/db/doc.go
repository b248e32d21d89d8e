// Package db keeps the server's rows: it opens the database, brings its schema
// up to date, and runs transactions.
//
// What Update has answered is on disk, power cut included. All writes go
// through one goroutine, which commits whatever has queued as one transaction;
// each caller's function runs in its own savepoint, so one that fails undoes
// nothing of the others. Readers run beside it and each sees one moment.
//
// A disk that is full refuses the write with ErrNoSpace and nothing is lost. A
// disk that failed to write or sync is not asked again: what reached it is
// unknown, so the process ends through Config.Fatal and the next start reads
// what is really there.
//
// The SQL of the nouns stays in what SQLite and PostgreSQL both speak: $1
// placeholders, BIGINT for numbers, moments (milliseconds) and truth (0 or 1),
// BYTEA for bytes and ids, TEXT, RETURNING, ON CONFLICT; no WITHOUT ROWID, no
// STRICT, no AUTOINCREMENT. Ids and hashes ([16]byte, [32]byte and the types
// made of them) are passed and scanned as they are.
package db
