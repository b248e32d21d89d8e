// Package store is a device's own database: who it is, whom it trusts, its
// groups' state, its timelines, what it has yet to send.
//
// A change and its cause are one transaction: an entry of a room's log is
// opened, the group's state moves on, the text is stored and the place in the
// log is noted together, or none of it is. What Update has returned without an
// error is on disk. One transaction runs at a time, and in a browser it must not
// wait for anything but the store.
//
// Secrets (group state, private keys, the session, file keys, content as it
// came) are boxes under the store key, bound to their place. The text of
// messages is in clear, as a device's disk is its owner's to protect.
//
// The same SQL runs natively (package native) and on SQLite in a browser worker
// (package browser). docs/spec/sealing.md#store-key.
package store
