// Package blob keeps sealed file bytes: an upload in pieces that can be resumed,
// reading by range, and deletion once nothing holds them.
//
// What Append has acknowledged is on disk: the bytes are synced before the row
// says that they are there, so after a crash the file may hold more than the row
// says, never less, and the next Append cuts the rest off. A file is removed only
// after the transaction that drops its row has been committed; what a crash
// leaves behind is swept at the next start.
//
// The server cannot read what it keeps and never parses it. Names are the ids,
// which are random and chosen here. docs/spec/sign-in.md#files.
package blob
