// Package mls is the public half of Messaging Layer Security, RFC 9420: the
// encoding of every object, the cipher suites, the ratchet tree and its
// hashes, message framing, and all validation that needs no secrets.
//
// Nothing in this package can decrypt, sign or derive a group key; that is the
// work of mls/group. A server that imports only this package can follow a
// group (PublicGroup), refuse what its members would refuse, and learn nothing
// that the members wrote.
//
// Values are plain structs. Objects that travel implement Marshaler and
// Unmarshaler; Marshal and Unmarshal convert them. The decoder accepts exactly
// one encoding of each value, so that decoding and encoding again yields the
// same bytes and signatures can be checked over the re-encoding. Every length
// that it reads is capped (limits.go).
//
// A value that was handed to this package (a message, a tree) must not be
// changed afterwards: nodes of trees are shared between a group and what is
// staged on it. None of the types may be used by two goroutines at once.
//
// What is implemented, section by section, and how groups are laid out in
// storage: docs/spec/mls.md.
package mls
