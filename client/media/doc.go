// Package media takes part in calls without a browser: it connects to the
// server's forwarder by WebRTC (pion), seals what it plays and opens what it
// hears, and counts both. It is for bots, for tests and for load.
//
// It asks the client core by package api, as the interface in a browser does,
// and learns nothing that a browser would not. Frames are sealed with
// e2ee/sframe; what does not open, or opens under the key of somebody who is
// not in the room, is dropped and counted. docs/spec/calls.md.
//
// It runs nowhere but natively: WebRTC in a browser is the browser's.
package media
