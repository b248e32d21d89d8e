// Package wire holds what travels between a device and its server: identifiers,
// frames, methods with their parameters and results, events, codes and limits.
// It is types and their encoding only, without I/O, and both ends use it.
//
// A device keeps one WebSocket to its server. Every WebSocket message is one
// binary frame: deterministic CBOR (RFC 8949 §4.2) with the limits of this
// package. A device sends requests, each with its own number; the server
// answers each exactly once, in any order, and sends events that nobody asked
// for. Sign-in and file bytes use plain HTTP, whose JSON bodies are here too.
//
// What the server tells with an event is a hint. The truth is the room's log,
// which a device reads with room.log from where it stands, so a lost or doubled
// event harms nothing. docs/spec/framing.md, docs/spec/room-log.md.
package wire
