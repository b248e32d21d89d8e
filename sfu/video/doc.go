// Package video turns the video that participants send into the video that a
// receiver's slots show, without opening a frame: it reads the payload
// descriptors of VP8 (RFC 7741) and VP9 (RFC 9628), which travel in the clear,
// and the first bytes of a VP8 frame, which docs/spec/calls.md leaves clear.
//
// A [Layer] is one encoding of a [Source] as it arrives: it puts packets in their
// order, keeps the newest for whoever lost one, knows what is missing and who wants
// a key frame, or the layer at all. A [Slot] rewrites what comes from one layer,
// then another, into a single stream whose sequence numbers, timestamps and
// picture ids have no seams, and it changes layers at key frames alone, so that a
// receiver is never handed a frame whose key frame it has not seen. A [Viewer] is a
// receiver with all its slots; [Allocate] says which layer each may have of what
// the receiver's path carries.
//
// Nothing here starts a goroutine, reads a clock, or allocates for a packet. A
// Source and a Viewer have a lock each, and nobody holds both. Times are durations
// since any fixed moment, rates are bits per second.
package video
