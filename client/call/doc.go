// Package call is this device's side of the calls in its rooms: which go on and
// ring, as the server says; its own part in them; the keys that media is sealed
// with, for each epoch of the room; and what participants say to one another,
// sealed: muted, camera, hand, reactions.
//
// The server is believed that a call goes on and which devices are in it, for as
// long as it does. Who they are stands in the room's tree; a device that has no
// leaf there has no name here, and nothing of it opens. Keys come from the room's
// group alone, so whoever is taken out of the room hears nothing more.
//
// A join number is on disk before it is used, and counters live no longer than
// the participation that they belong to: whatever crashes, no key seals two
// things under one counter. Calls themselves are in memory; after a restart the
// server says again what goes on. docs/spec/calls.md.
package call
